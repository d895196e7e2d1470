"""From predictions to a choice: exposure measures, utilities, and the regimen of highest expected utility."""

from qsp_bayes.decision.choice import choose
from qsp_bayes.decision.continuous import optimise_dose
from qsp_bayes.decision.decision import Decision
from qsp_bayes.decision.dense_path import DensePath
from qsp_bayes.decision.dose_optimum import DoseOptimum
from qsp_bayes.decision.exposure import (
    auc,
    average,
    cmax,
    cmin,
    duration,
    fraction_within,
    time_above,
    time_below,
    time_within,
    trough,
)
from qsp_bayes.decision.first_doses import FirstInHuman
from qsp_bayes.decision.first_in_human import first_in_human
from qsp_bayes.decision.free_dose import Between
from qsp_bayes.decision.limits import MabelLimit, NoaelLimit, OccupancyLimit
from qsp_bayes.decision.simulation_error import individual_noise, standard_error
from qsp_bayes.decision.utility import Utility, utility

__all__ = [
    "Between",
    "Decision",
    "DensePath",
    "DoseOptimum",
    "FirstInHuman",
    "MabelLimit",
    "NoaelLimit",
    "OccupancyLimit",
    "Utility",
    "auc",
    "average",
    "choose",
    "cmax",
    "cmin",
    "duration",
    "first_in_human",
    "fraction_within",
    "individual_noise",
    "optimise_dose",
    "standard_error",
    "time_above",
    "time_below",
    "time_within",
    "trough",
    "utility",
]
