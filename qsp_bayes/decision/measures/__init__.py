"""Measures: what a course amounts to, as one number for each individual."""
