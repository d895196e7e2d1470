"""The library of mechanisms: compartment models, targets, receptors, responses, signalling, and derived quantities.

Each is built with the same `System` that users write, so that every part can be replaced.
"""

from qsp_bayes.models.antibody import CAO_2013, DAVDA_2014, antibody, mpbpk_antibody
from qsp_bayes.models.autoinduction import autoinduction
from qsp_bayes.models.compartments import one_compartment, three_compartment, two_compartment
from qsp_bayes.models.derived import derived
from qsp_bayes.models.enterohepatic import enterohepatic
from qsp_bayes.models.example import Example
from qsp_bayes.models.gallery import gallery
from qsp_bayes.models.metabolite import with_metabolite
from qsp_bayes.models.networks import enzyme_kinetics, receptor_dimerisation
from qsp_bayes.models.oscillators import mitotic_oscillator, repressilator
from qsp_bayes.models.pbpk import EVANS_1994, ORGANS, Organ, gas_uptake_pbpk, whole_body_pbpk
from qsp_bayes.models.pharmacodynamics import (
    claret_tumour,
    direct_effect,
    effect_compartment,
    feedback_response,
    indirect_response,
    myelosuppression,
    precursor_response,
    signal_transduction,
    simeoni_tumour,
    time_to_event,
    viral_dynamics,
)
from qsp_bayes.models.protein_binding import protein_binding
from qsp_bayes.models.receptor import (
    competitive_binding,
    operational_agonism,
    receptor_binding,
    receptor_occupancy,
    receptor_turnover,
    transducer,
    two_step_binding,
)
from qsp_bayes.models.receptor_cascade import receptor_cascade
from qsp_bayes.models.signalling import KHOLODENKO_2000, mapk_cascade
from qsp_bayes.models.time_varying import time_varying_clearance
from qsp_bayes.models.tmdd import TMDDComparison, bispecific_tmdd, compare_tmdd, soluble_tmdd, tmdd

__all__ = [
    "CAO_2013",
    "DAVDA_2014",
    "EVANS_1994",
    "KHOLODENKO_2000",
    "ORGANS",
    "Example",
    "Organ",
    "TMDDComparison",
    "antibody",
    "autoinduction",
    "bispecific_tmdd",
    "claret_tumour",
    "compare_tmdd",
    "competitive_binding",
    "derived",
    "direct_effect",
    "effect_compartment",
    "enterohepatic",
    "enzyme_kinetics",
    "feedback_response",
    "gallery",
    "gas_uptake_pbpk",
    "indirect_response",
    "mapk_cascade",
    "mitotic_oscillator",
    "mpbpk_antibody",
    "myelosuppression",
    "one_compartment",
    "operational_agonism",
    "precursor_response",
    "protein_binding",
    "receptor_binding",
    "receptor_cascade",
    "receptor_dimerisation",
    "receptor_occupancy",
    "receptor_turnover",
    "repressilator",
    "signal_transduction",
    "simeoni_tumour",
    "soluble_tmdd",
    "three_compartment",
    "time_to_event",
    "time_varying_clearance",
    "tmdd",
    "transducer",
    "two_compartment",
    "two_step_binding",
    "viral_dynamics",
    "whole_body_pbpk",
    "with_metabolite",
]
