"""What can be known: from the mechanism, from a design, from data."""

from qsp_bayes.identifiability.contraction import Contraction, contraction
from qsp_bayes.identifiability.expected_information import expected_information
from qsp_bayes.identifiability.structural import (
    Experiment,
    StructuralIdentifiability,
    experiments_of,
    structural_identifiability,
)

__all__ = [
    "Contraction",
    "Experiment",
    "StructuralIdentifiability",
    "contraction",
    "expected_information",
    "experiments_of",
    "structural_identifiability",
]
