"""The library of mechanisms: compartment models, targets, signalling, and derived quantities.

Each is built with the same `System` that users write, so that every part can be replaced.
"""

from qsp_bayes.models.compartments import one_compartment, three_compartment, two_compartment
from qsp_bayes.models.derived import derived
from qsp_bayes.models.networks import enzyme_kinetics, receptor_dimerisation
from qsp_bayes.models.oscillators import mitotic_oscillator, repressilator
from qsp_bayes.models.receptor_cascade import receptor_cascade, receptor_occupancy
from qsp_bayes.models.signalling import KHOLODENKO_2000, mapk_cascade
from qsp_bayes.models.tmdd import tmdd

__all__ = [
    "KHOLODENKO_2000",
    "derived",
    "enzyme_kinetics",
    "mapk_cascade",
    "mitotic_oscillator",
    "one_compartment",
    "receptor_cascade",
    "receptor_dimerisation",
    "receptor_occupancy",
    "repressilator",
    "three_compartment",
    "tmdd",
    "two_compartment",
]
