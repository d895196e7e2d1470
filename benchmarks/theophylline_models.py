"""One population model, written three times: through the whole of qsp_bayes, by hand in PyMC, and in Stan.

Twelve subjects, one oral dose each, 120 concentrations after it, 44 parameters. Per subject i and time t,
with clearance and volume per kilogram and the dose D in mg/kg::

    log p_i = log TVp + omega_p eta_pi,   eta_pi ~ Normal(0, 1),   p in (CL, Vc, KA)
    f       = D KA / (Vc (KA - ke)) (exp(-ke t) - exp(-KA t)),   ke = CL / Vc
    y       ~ Normal(f, sqrt(sigma_add^2 + (sigma_prop f)^2))
    log TVCL ~ Normal(log 0.04, 0.5),  log TVVc ~ Normal(log 0.5, 0.5),  log TVKA ~ Normal(log 1.5, 0.7)
    omega_p ~ HalfNormal(0.5),  sigma_add ~ HalfNormal(1),  sigma_prop ~ HalfNormal(0.5)

The variables have the same transforms in all three, so that gradients can be compared entry by entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt

THEOPHYLLINE = Path(__file__).parents[1] / "datasets" / "theophylline.csv"
PARAMETERS = ("CL", "Vc", "KA")
TYPICAL = {"CL": (0.04, 0.5), "Vc": (0.5, 0.5), "KA": (1.5, 0.7)}
"""Median and standard deviation of the logarithm of each typical value."""
OMEGA, SIGMA_ADD, SIGMA_PROP = 0.5, 1.0, 0.5
"""Scales of the half-normal priors."""
SAMPLED = (
    *(f"TV{name}" for name in PARAMETERS),
    *(f"omega_{name}" for name in PARAMETERS),
    *(f"eta_{name}" for name in PARAMETERS),
    "sigma_add_Cc",
    "sigma_prop_Cc",
)


def theophylline(copies: int = 1) -> pd.DataFrame:
    """Records of the study, less the observations before the dose; further copies are new subjects."""
    records = pd.read_csv(THEOPHYLLINE, na_values=".", comment="#")
    records = records[(records["EVID"] == 1) | (records["TIME"] > 0)]
    return pd.concat(
        [records.assign(ID=records["ID"] + 100 * copy) for copy in range(copies)], ignore_index=True
    )


@dataclass(frozen=True)
class Observations:
    """By observation: subject (from 0), time, concentration. By subject: dose in mg/kg, weight."""

    subject: np.ndarray
    time: np.ndarray
    concentration: np.ndarray
    dose: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, records: pd.DataFrame) -> Observations:
        doses, observed = records[records["EVID"] == 1], records[records["EVID"] == 0]
        return cls(
            subject=pd.Index(doses["ID"]).get_indexer(observed["ID"]),
            time=observed["TIME"].to_numpy(float),
            concentration=observed["DV"].to_numpy(float),
            dose=(doses["AMT"] / doses["WT"]).to_numpy(float),
            weight=doses["WT"].to_numpy(float),
        )


def closed_form(observations: Observations, CL: np.ndarray, Vc: np.ndarray, KA: np.ndarray) -> np.ndarray:
    """Concentrations; the parameters, per kilogram, have the subjects as their last axis."""
    ke = CL / Vc
    scale = observations.dose * KA / (Vc * (KA - ke))
    subject, time = observations.subject, observations.time
    return scale[..., subject] * (np.exp(-ke[..., subject] * time) - np.exp(-KA[..., subject] * time))


def study_of(records: pd.DataFrame) -> Any:
    """Read the records as a study of qsp_bayes."""
    import qsp_bayes as qb

    return qb.read_nonmem(
        records,
        units={"TIME": "h", "AMT": "mg", "DV": "mg/L", "WT": "kg"},
        compartments={1: "depot", 2: "central"},
        outputs={2: "Cc"},
        covariates=["WT"],
        name="theophylline",
    )


def full_engine(records: pd.DataFrame) -> pm.Model:
    """Through qsp_bayes: a study with its event table, a compartment system, its solver, a calibration."""
    import qsp_bayes as qb

    system = qb.one_compartment(absorption="first-order", units=qb.Units(time="h", amount="mg", volume="L"))
    source = "The common model of the benchmark"
    units = {"CL": "L/h", "Vc": "L", "KA": "1/h"}
    priors = qb.Priors(
        {
            **{
                f"TV{name}": qb.Prior(median=median, sd_log=spread, unit=units[name], source=source)
                for name, (median, spread) in TYPICAL.items()
            },
            **{
                name: qb.Prior(distribution="HalfNormal", sigma=scale, unit=unit, source=source)
                for name, scale, unit in (
                    *((f"omega_{name}", OMEGA, "") for name in PARAMETERS),
                    ("sigma_add_Cc", SIGMA_ADD, "mg/L"),
                    ("sigma_prop_Cc", SIGMA_PROP, ""),
                )
            },
        }
    )
    # Proportional to weight, with typical values of one kilogram.
    individual = [qb.Allometry("WT", CL=1.0, Vc=1.0, reference=1.0), qb.IIV(*PARAMETERS)]
    return qb.Calibration(system, priors, individual=individual, error={"Cc": qb.Combined()}).build(
        study_of(records)
    )


def handwritten(observations: Observations) -> pm.Model:
    """By hand in PyMC, as an expert would: non-centred, vectorised over observations, data as constants."""
    subject, time, dose = observations.subject, observations.time, observations.dose
    with pm.Model(coords={"subject": range(len(dose)), "obs_Cc": range(len(time))}) as model:
        typical = {
            name: pm.LogNormal(f"TV{name}", np.log(median), spread)
            for name, (median, spread) in TYPICAL.items()
        }
        omega = {name: pm.HalfNormal(f"omega_{name}", OMEGA) for name in PARAMETERS}
        eta = {name: pm.Normal(f"eta_{name}", 0.0, 1.0, dims="subject") for name in PARAMETERS}
        CL, Vc, KA = (typical[name] * pt.exp(omega[name] * eta[name]) for name in PARAMETERS)
        ke = CL / Vc
        scale = dose * KA / (Vc * (KA - ke))
        prediction = scale[subject] * (pt.exp(-ke[subject] * time) - pt.exp(-KA[subject] * time))
        sigma_add = pm.HalfNormal("sigma_add_Cc", SIGMA_ADD)
        sigma_prop = pm.HalfNormal("sigma_prop_Cc", SIGMA_PROP)
        sigma = pt.sqrt(sigma_add**2 + (sigma_prop * prediction) ** 2)
        pm.Normal("DV_Cc", prediction, sigma, observed=observations.concentration, dims="obs_Cc")
    return model


STAN = """
data {
  int S;
  int N;
  array[N] int subject;
  vector[N] time;
  vector[N] y;
  vector[S] dose;
  vector[3] median;
  vector[3] spread;
  real omega_scale;
  real sigma_add_scale;
  real sigma_prop_scale;
}
parameters {
  vector[3] log_typical;
  vector<lower=0>[3] omega;
  matrix[3, S] eta;
  real<lower=0> sigma_add;
  real<lower=0> sigma_prop;
}
model {
  vector[S] CL = exp(log_typical[1] + omega[1] * eta[1]');
  vector[S] Vc = exp(log_typical[2] + omega[2] * eta[2]');
  vector[S] KA = exp(log_typical[3] + omega[3] * eta[3]');
  vector[S] ke = CL ./ Vc;
  vector[S] scale = dose .* KA ./ (Vc .* (KA - ke));
  vector[N] f = scale[subject] .* (exp(-ke[subject] .* time) - exp(-KA[subject] .* time));
  log_typical ~ normal(log(median), spread);
  omega ~ normal(0, omega_scale);
  to_vector(eta) ~ std_normal();
  sigma_add ~ normal(0, sigma_add_scale);
  sigma_prop ~ normal(0, sigma_prop_scale);
  y ~ normal(f, sqrt(square(sigma_add) + square(sigma_prop * f)));
}
"""


def stan_data(observations: Observations) -> dict[str, Any]:
    return {
        "S": len(observations.dose),
        "N": len(observations.time),
        "subject": (observations.subject + 1).tolist(),
        "time": observations.time.tolist(),
        "y": observations.concentration.tolist(),
        "dose": observations.dose.tolist(),
        "median": [median for median, _ in TYPICAL.values()],
        "spread": [spread for _, spread in TYPICAL.values()],
        "omega_scale": OMEGA,
        "sigma_add_scale": SIGMA_ADD,
        "sigma_prop_scale": SIGMA_PROP,
    }


def stan_start(generator: np.random.Generator, subjects: int) -> dict[str, Any]:
    """Start of a chain, chosen as nutpie does: within 1 of the priors' centres on the unconstrained scale."""

    def around(centre: Any, *shape: int) -> np.ndarray:
        return centre + generator.uniform(-1.0, 1.0, shape)

    return {
        "log_typical": around(np.log([median for median, _ in TYPICAL.values()]), 3).tolist(),
        "omega": np.exp(around(np.log(OMEGA), 3)).tolist(),
        "eta": around(0.0, 3, subjects).tolist(),
        "sigma_add": float(np.exp(around(np.log(SIGMA_ADD)))),
        "sigma_prop": float(np.exp(around(np.log(SIGMA_PROP)))),
    }


def stan_order(subjects: int) -> list[str]:
    """Names, as nutpie writes them, of the unconstrained parameters of the Stan program."""
    return [
        *(f"TV{name}_log__" for name in PARAMETERS),
        *(f"omega_{name}_log__" for name in PARAMETERS),
        *(f"eta_{name}_{subject}" for subject in range(subjects) for name in PARAMETERS),
        "sigma_add_Cc_log__",
        "sigma_prop_Cc_log__",
    ]
