"""From predictions to a choice: measures of exposure, utilities, and the regimen of highest expected utility."""

from qsp_bayes.decision.choice.attainment import Attainment, attainment
from qsp_bayes.decision.choice.choose import choose
from qsp_bayes.decision.choice.constraint import Constraint
from qsp_bayes.decision.choice.decision import Decision
from qsp_bayes.decision.choice.pareto import ParetoFront, pareto
from qsp_bayes.decision.choice.risk import CVaR, Mean, Quantile
from qsp_bayes.decision.choice.sequential_choice import SequentialChoice, choose_until
from qsp_bayes.decision.choice.simulation_error import error_components, individual_noise, standard_error
from qsp_bayes.decision.choice.stopping_rule import StoppingRule
from qsp_bayes.decision.continuous.dense_path import DensePath
from qsp_bayes.decision.continuous.dose_optimum import DoseOptimum
from qsp_bayes.decision.continuous.free_dose import Between
from qsp_bayes.decision.continuous.optimise_dose import optimise_dose
from qsp_bayes.decision.first_dose.assess import first_in_human
from qsp_bayes.decision.first_dose.first_doses import FirstInHuman
from qsp_bayes.decision.first_dose.limits import MabelLimit, NoaelLimit, OccupancyLimit
from qsp_bayes.decision.information.maximum_bias import BiasOfMaximum, bias_of_maximum
from qsp_bayes.decision.information.net_benefit import NetBenefit, net_benefit
from qsp_bayes.decision.information.partial_information import evppi
from qsp_bayes.decision.information.perfect_information import evpi
from qsp_bayes.decision.information.proposed_study import ProposedStudy, evsi
from qsp_bayes.decision.information.sample_information import evsi_from_likelihood, evsi_from_predictions
from qsp_bayes.decision.information.value_of_information import ValueOfInformation
from qsp_bayes.decision.measures.burden import doses_per_day, dosing_cost
from qsp_bayes.decision.measures.events import cumulative_hazard, event_probability, smooth_indicator
from qsp_bayes.decision.measures.exposure import (
    auc,
    average,
    cmax,
    cmin,
    duration,
    fraction_above,
    fraction_within,
    time_above,
    time_below,
    time_within,
    trough,
    value_at,
)
from qsp_bayes.decision.measures.response import change_from_baseline, largest_decrease, largest_increase
from qsp_bayes.decision.patient.next_dose import NextDose
from qsp_bayes.decision.patient.patient import Patient, individualise
from qsp_bayes.decision.sensitivity.decision_sensitivity import DecisionSensitivity
from qsp_bayes.decision.sensitivity.examine import decision_sensitivity
from qsp_bayes.decision.sensitivity.model_average import stacking_weights
from qsp_bayes.decision.trial import (
    EWOC,
    Backfill,
    DoseLimitingToxicity,
    DoseToxicity,
    EscalationDecision,
    EscalationDesign,
    IntervalOverdoseControl,
    MaximumCohorts,
    NoSkipping,
    OperatingCharacteristics,
    Scenario,
    StopForPrecision,
    StopForSafety,
    Trial,
    TrialModel,
    TrialPrecision,
    next_cohort,
    simulate_trials,
    starting_dose,
)
from qsp_bayes.decision.utilities.clinical_utility_index import ClinicalUtilityIndex
from qsp_bayes.decision.utilities.desirability import larger_is_better, smaller_is_better, target_is_best
from qsp_bayes.decision.utilities.utility import Utility, utility

__all__ = [
    "EWOC",
    "Attainment",
    "Backfill",
    "Between",
    "BiasOfMaximum",
    "CVaR",
    "ClinicalUtilityIndex",
    "Constraint",
    "Decision",
    "DecisionSensitivity",
    "DensePath",
    "DoseLimitingToxicity",
    "DoseOptimum",
    "DoseToxicity",
    "EscalationDecision",
    "EscalationDesign",
    "FirstInHuman",
    "IntervalOverdoseControl",
    "MabelLimit",
    "MaximumCohorts",
    "Mean",
    "NetBenefit",
    "NextDose",
    "NoSkipping",
    "NoaelLimit",
    "OccupancyLimit",
    "OperatingCharacteristics",
    "ParetoFront",
    "Patient",
    "ProposedStudy",
    "Quantile",
    "Scenario",
    "SequentialChoice",
    "StopForPrecision",
    "StopForSafety",
    "StoppingRule",
    "Trial",
    "TrialModel",
    "TrialPrecision",
    "Utility",
    "ValueOfInformation",
    "attainment",
    "auc",
    "average",
    "bias_of_maximum",
    "change_from_baseline",
    "choose",
    "choose_until",
    "cmax",
    "cmin",
    "cumulative_hazard",
    "decision_sensitivity",
    "doses_per_day",
    "dosing_cost",
    "duration",
    "error_components",
    "event_probability",
    "evpi",
    "evppi",
    "evsi",
    "evsi_from_likelihood",
    "evsi_from_predictions",
    "first_in_human",
    "fraction_above",
    "fraction_within",
    "individual_noise",
    "individualise",
    "larger_is_better",
    "largest_decrease",
    "largest_increase",
    "net_benefit",
    "next_cohort",
    "optimise_dose",
    "pareto",
    "simulate_trials",
    "smaller_is_better",
    "smooth_indicator",
    "stacking_weights",
    "standard_error",
    "starting_dose",
    "target_is_best",
    "time_above",
    "time_below",
    "time_within",
    "trough",
    "utility",
    "value_at",
]
