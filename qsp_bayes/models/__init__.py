"""The library of mechanisms: compartment models, targets, signalling, and derived quantities.

Each is built with the same `System` that users write, so that every part can be replaced.
"""

from qsp_bayes.models.antibody import CAO_2013, DAVDA_2014, antibody, mpbpk_antibody
from qsp_bayes.models.autoinduction import autoinduction
from qsp_bayes.models.compartments import one_compartment, three_compartment, two_compartment
from qsp_bayes.models.derived import derived
from qsp_bayes.models.enterohepatic import enterohepatic
from qsp_bayes.models.metabolite import with_metabolite
from qsp_bayes.models.protein_binding import protein_binding
from qsp_bayes.models.signalling import KHOLODENKO_2000, mapk_cascade
from qsp_bayes.models.time_varying import time_varying_clearance
from qsp_bayes.models.tmdd import tmdd

__all__ = [
    "CAO_2013",
    "DAVDA_2014",
    "KHOLODENKO_2000",
    "antibody",
    "autoinduction",
    "derived",
    "enterohepatic",
    "mapk_cascade",
    "mpbpk_antibody",
    "one_compartment",
    "protein_binding",
    "three_compartment",
    "time_varying_clearance",
    "tmdd",
    "two_compartment",
    "with_metabolite",
]
