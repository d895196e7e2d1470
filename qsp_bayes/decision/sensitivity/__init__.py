"""Sensitivity: whether the choice moves when one assumption changes."""
