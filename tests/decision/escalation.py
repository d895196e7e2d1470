"""A trial to simulate: one compartment, exposure AUC, toxicity by a logistic curve in log AUC."""

import qsp_bayes as qb
from qsp_bayes.decision.trial import DoseLimitingToxicity, TrialModel


def positive(median, sd_log, unit=""):
    return qb.Prior(median=median, sd_log=sd_log, unit=unit, source="a test")


PRIORS = {
    "TVCL": positive(10, 0.4, "L/h"),
    "TVVc": positive(50, 0.3, "L"),
    "TVKA": positive(1, 0.3, "1/h"),
    "omega_CL": positive(0.3, 0.3),
    "omega_Vc": positive(0.2, 0.3),
    "omega_KA": positive(0.3, 0.3),
    "sigma_prop_Cc": positive(0.15, 0.3),
    "sigma_add_Cc": positive(0.02, 0.3, "mg/L"),
}
TOXICITY = {
    "dlt_intercept": qb.Prior(distribution="Normal", mu=-1.1, sigma=1.0, unit="", source="a test"),
    "dlt_slope": positive(2.0, 0.3),
}
TIMES = (0, 0.5, 1, 2, 4, 8, 12, 24)


def exposure(x):
    return qb.auc(x["Cc"])


def toxicity():
    return DoseLimitingToxicity(exposure, reference=20.0, priors=TOXICITY)


def calibration(individual=("CL", "Vc", "KA"), **changes):
    system = qb.one_compartment(absorption="first-order")
    parts = [qb.IIV(*individual)] if individual else []
    return qb.Calibration(system, PRIORS, **{"individual": parts, "error": {"Cc": qb.Combined()}, **changes})


def model(**changes):
    arguments = {
        "calibration": calibration(),
        "toxicity": toxicity(),
        "times": TIMES,
        "samples": {"Cc": [1, 4, 12, 24]},
    }
    return TrialModel(**{**arguments, **changes})


def doses(*amounts):
    return {f"{amount:g} mg": qb.Regimen(amount, unit="mg", into="depot") for amount in amounts}


LEVELS = doses(50, 100, 200, 300, 450, 600)
