"""Virtual patients: drawn from a posterior, matched to statistics."""
