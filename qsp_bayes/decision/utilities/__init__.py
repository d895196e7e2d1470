"""Utilities: what the course of an individual is worth, with its unit."""
