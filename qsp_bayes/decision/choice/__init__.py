"""Choice among regimens: expected utility, risk, limits, targets, and how sure it is."""
