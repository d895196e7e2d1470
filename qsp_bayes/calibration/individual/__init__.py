"""One individual: parameters from population and own deviations, and their posterior."""
