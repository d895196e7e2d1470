"""Identifiability: what data determine of the parameters, before and after a fit."""

from qsp_bayes.identifiability.structural import (
    Experiment,
    StructuralIdentifiability,
    experiments_of,
    structural_identifiability,
)

__all__ = ["Experiment", "StructuralIdentifiability", "experiments_of", "structural_identifiability"]
