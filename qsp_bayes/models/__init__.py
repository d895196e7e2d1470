"""The library of mechanisms: compartment models, targets, signalling, and derived quantities.

Each is built with the same `System` that users write, so that every part can be replaced.
"""

from qsp_bayes.models.compartments import one_compartment, three_compartment, two_compartment
from qsp_bayes.models.derived import derived
from qsp_bayes.models.signalling import KHOLODENKO_2000, mapk_cascade
from qsp_bayes.models.tmdd import TMDDComparison, bispecific_tmdd, compare_tmdd, soluble_tmdd, tmdd

__all__ = [
    "KHOLODENKO_2000",
    "TMDDComparison",
    "bispecific_tmdd",
    "compare_tmdd",
    "derived",
    "mapk_cascade",
    "one_compartment",
    "soluble_tmdd",
    "three_compartment",
    "tmdd",
    "two_compartment",
]
