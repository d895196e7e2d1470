"""What can be known: from the mechanism, from a design, from data."""

from qsp_bayes.identifiability.contraction import Contraction, contraction
from qsp_bayes.identifiability.expected_information import expected_information

__all__ = ["Contraction", "contraction", "expected_information"]
