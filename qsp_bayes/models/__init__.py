"""The library of mechanisms, written as rows of small tables and built with the same `System` that users write."""

from qsp_bayes.models.compartments import one_compartment

__all__ = ["one_compartment"]
