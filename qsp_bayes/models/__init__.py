"""The library of mechanisms: compartment models, absorption, and the quantities derived from them.

Each is built with the same `System` that users write, so that every part can be replaced.
"""

from qsp_bayes.models.compartments import one_compartment, three_compartment, two_compartment
from qsp_bayes.models.derived import derived

__all__ = ["derived", "one_compartment", "three_compartment", "two_compartment"]
