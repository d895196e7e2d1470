"""Physiologically-based models, written once over a table of organs."""

from qsp_bayes.models.pbpk.chamber import closed_chamber
from qsp_bayes.models.pbpk.circulation import circulation
from qsp_bayes.models.pbpk.gas_uptake import EVANS_1994, GAS_UPTAKE_ORGANS, gas_uptake_pbpk
from qsp_bayes.models.pbpk.hepatic import hepatic_elimination
from qsp_bayes.models.pbpk.lumping import Lumping, transit_times
from qsp_bayes.models.pbpk.oral import oral_absorption
from qsp_bayes.models.pbpk.organ import ORGANS, Organ
from qsp_bayes.models.pbpk.renal import renal_elimination
from qsp_bayes.models.pbpk.whole_body import whole_body_pbpk

__all__ = [
    "EVANS_1994",
    "GAS_UPTAKE_ORGANS",
    "ORGANS",
    "Lumping",
    "Organ",
    "circulation",
    "closed_chamber",
    "gas_uptake_pbpk",
    "hepatic_elimination",
    "oral_absorption",
    "renal_elimination",
    "transit_times",
    "whole_body_pbpk",
]
