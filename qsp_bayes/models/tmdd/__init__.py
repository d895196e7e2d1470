"""Target-mediated drug disposition: the full model, its approximations, soluble and double targets, and the choice."""

from qsp_bayes.models.tmdd.bispecific import bispecific_tmdd
from qsp_bayes.models.tmdd.model import APPROXIMATIONS, tmdd
from qsp_bayes.models.tmdd.soluble import soluble_tmdd

__all__ = ["APPROXIMATIONS", "bispecific_tmdd", "soluble_tmdd", "tmdd"]
