"""What can be known: from the mechanism, from a design, from data."""

from qsp_bayes.identifiability.expected_information import expected_information

__all__ = ["expected_information"]
