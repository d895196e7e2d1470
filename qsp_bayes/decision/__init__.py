"""From predictions to a choice: exposure measures, utilities, and the regimen of highest expected utility."""

from qsp_bayes.decision.choice import choose
from qsp_bayes.decision.decision import Decision
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
from qsp_bayes.decision.maximum_bias import BiasOfMaximum, bias_of_maximum
from qsp_bayes.decision.net_benefit import NetBenefit, net_benefit
from qsp_bayes.decision.next_cohort import NextCohort, evsi
from qsp_bayes.decision.next_dose import NextDose
from qsp_bayes.decision.partial_information import evppi
from qsp_bayes.decision.patient import Patient, individualise
from qsp_bayes.decision.perfect_information import evpi
from qsp_bayes.decision.sample_information import evsi_from_likelihood, evsi_from_predictions
from qsp_bayes.decision.simulation_error import individual_noise, standard_error
from qsp_bayes.decision.utility import Utility, utility
from qsp_bayes.decision.value_of_information import ValueOfInformation

__all__ = [
    "BiasOfMaximum",
    "Decision",
    "FirstInHuman",
    "MabelLimit",
    "NetBenefit",
    "NextCohort",
    "NextDose",
    "NoaelLimit",
    "OccupancyLimit",
    "Patient",
    "Utility",
    "ValueOfInformation",
    "auc",
    "average",
    "bias_of_maximum",
    "choose",
    "cmax",
    "cmin",
    "duration",
    "evpi",
    "evppi",
    "evsi",
    "evsi_from_likelihood",
    "evsi_from_predictions",
    "first_in_human",
    "fraction_within",
    "individual_noise",
    "individualise",
    "net_benefit",
    "standard_error",
    "time_above",
    "time_below",
    "time_within",
    "trough",
    "utility",
]
