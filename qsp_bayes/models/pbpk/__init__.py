"""Physiologically-based models, written once over a table of organs."""

from qsp_bayes.models.pbpk.circulation import circulation
from qsp_bayes.models.pbpk.hepatic import hepatic_elimination
from qsp_bayes.models.pbpk.lumping import Lumping, transit_times
from qsp_bayes.models.pbpk.oral import oral_absorption
from qsp_bayes.models.pbpk.organ import ORGANS, Organ
from qsp_bayes.models.pbpk.renal import renal_elimination
from qsp_bayes.models.pbpk.whole_body import whole_body_pbpk

__all__ = [
    "ORGANS",
    "Lumping",
    "Organ",
    "circulation",
    "hepatic_elimination",
    "oral_absorption",
    "renal_elimination",
    "transit_times",
    "whole_body_pbpk",
]
