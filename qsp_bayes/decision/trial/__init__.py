"""Trials that adapt: dose escalation under the mechanistic posterior, simulated and followed."""

from qsp_bayes.decision.trial.design import EscalationDesign, starting_dose
from qsp_bayes.decision.trial.dose_toxicity import DoseToxicity
from qsp_bayes.decision.trial.escalation_decision import EscalationDecision
from qsp_bayes.decision.trial.next_cohort import next_cohort
from qsp_bayes.decision.trial.operating_characteristics import OperatingCharacteristics
from qsp_bayes.decision.trial.posterior import TrialPrecision
from qsp_bayes.decision.trial.rules import (
    EWOC,
    Backfill,
    IntervalOverdoseControl,
    MaximumCohorts,
    NoSkipping,
    StopForPrecision,
    StopForSafety,
)
from qsp_bayes.decision.trial.simulate_trials import simulate_trials
from qsp_bayes.decision.trial.toxicity import DoseLimitingToxicity
from qsp_bayes.decision.trial.trial import Trial
from qsp_bayes.decision.trial.trial_model import TrialModel
from qsp_bayes.decision.trial.truth import Scenario

__all__ = [
    "EWOC",
    "Backfill",
    "DoseLimitingToxicity",
    "DoseToxicity",
    "EscalationDecision",
    "EscalationDesign",
    "IntervalOverdoseControl",
    "MaximumCohorts",
    "NoSkipping",
    "OperatingCharacteristics",
    "Scenario",
    "StopForPrecision",
    "StopForSafety",
    "Trial",
    "TrialModel",
    "TrialPrecision",
    "next_cohort",
    "simulate_trials",
    "starting_dose",
]
