"""First doses in humans: limits, and the highest dose that keeps them."""
