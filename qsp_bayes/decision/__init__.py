"""From predictions to a choice: exposure measures, utilities, and the regimen of highest expected utility."""

from qsp_bayes.decision.choice import choose
from qsp_bayes.decision.decision import Decision
from qsp_bayes.decision.decision_sensitivity import DecisionSensitivity
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
from qsp_bayes.decision.limits import MabelLimit, NoaelLimit, OccupancyLimit
from qsp_bayes.decision.model_average import stacking_weights
from qsp_bayes.decision.sensitivity import decision_sensitivity
from qsp_bayes.decision.simulation_error import individual_noise, standard_error
from qsp_bayes.decision.utility import Utility, utility

__all__ = [
    "Decision",
    "DecisionSensitivity",
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
    "decision_sensitivity",
    "duration",
    "first_in_human",
    "fraction_within",
    "individual_noise",
    "stacking_weights",
    "standard_error",
    "time_above",
    "time_below",
    "time_within",
    "trough",
    "utility",
]
