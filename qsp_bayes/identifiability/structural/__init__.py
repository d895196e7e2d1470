"""Structural identifiability: which parameters perfect data of one individual determine, in exact arithmetic."""

from qsp_bayes.identifiability.structural.analysis import structural_identifiability
from qsp_bayes.identifiability.structural.combinations import Symmetries
from qsp_bayes.identifiability.structural.experiment import Experiment, experiments_of
from qsp_bayes.identifiability.structural.remedies import Remedies
from qsp_bayes.identifiability.structural.result import StructuralIdentifiability

__all__ = [
    "Experiment",
    "Remedies",
    "StructuralIdentifiability",
    "Symmetries",
    "experiments_of",
    "structural_identifiability",
]
