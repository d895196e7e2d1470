"""Target-mediated drug disposition: the full model, its approximations, soluble and double targets, and the choice."""

from qsp_bayes.models.tmdd.bispecific import bispecific_tmdd
from qsp_bayes.models.tmdd.comparison import TMDDComparison, compare_tmdd
from qsp_bayes.models.tmdd.implied import implied_parameters
from qsp_bayes.models.tmdd.model import APPROXIMATIONS, tmdd
from qsp_bayes.models.tmdd.soluble import soluble_tmdd

__all__ = [
    "APPROXIMATIONS",
    "TMDDComparison",
    "bispecific_tmdd",
    "compare_tmdd",
    "implied_parameters",
    "soluble_tmdd",
    "tmdd",
]
