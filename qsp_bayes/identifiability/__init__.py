"""Identifiability: what a study can tell of a model's parameters, and what it has told."""

from qsp_bayes.identifiability.contraction import Contraction, contraction

__all__ = ["Contraction", "contraction"]
