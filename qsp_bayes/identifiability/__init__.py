"""What can be known: from the mechanism, from a design, from data."""

from qsp_bayes.identifiability.better_design import BetterDesign, improve_design
from qsp_bayes.identifiability.contraction import Contraction, contraction
from qsp_bayes.identifiability.expected_information import expected_information
from qsp_bayes.identifiability.ladder import Ladder, identifiability
from qsp_bayes.identifiability.maximum_likelihood import maximum_likelihood
from qsp_bayes.identifiability.power_scaling import power_scaling
from qsp_bayes.identifiability.profile import profile_likelihood
from qsp_bayes.identifiability.sensitivity import global_sensitivity, sensitivity_indices
from qsp_bayes.identifiability.structural import (
    Experiment,
    StructuralIdentifiability,
    experiments_of,
    structural_identifiability,
)

__all__ = [
    "BetterDesign",
    "Contraction",
    "Experiment",
    "Ladder",
    "StructuralIdentifiability",
    "contraction",
    "expected_information",
    "experiments_of",
    "global_sensitivity",
    "identifiability",
    "improve_design",
    "maximum_likelihood",
    "power_scaling",
    "profile_likelihood",
    "sensitivity_indices",
    "structural_identifiability",
]
