"""Small models whose likelihood a test can write by hand."""

import numpy as np
import pandas as pd

import qsp_bayes as qb


def log_normal(median, unit, sd_log=1.0):
    return qb.Prior(median=median, sd_log=sd_log, unit=unit, source="test")


def half_normal(sigma, unit=""):
    return qb.Prior(distribution="HalfNormal", sigma=sigma, unit=unit, source="test")


def level(individual=(), mean=5.0):
    """A response that stays at its level B, on the identity scale, with additive error."""
    system = qb.System(
        {"clock": "h"},
        {"B": "mmol"},
        [qb.Process("time", {"clock": 1}, lambda s: s.clock / s.clock)],
        outputs={"R": qb.Output("mmol", lambda s: s.B + 0 * s.B)},
        scales={"B": "identity"},
    )
    priors = {
        "TVB": qb.Prior(distribution="Normal", mu=mean, sigma=2.0, unit="mmol", source="test"),
        "omega_B": half_normal(1.0, "mmol"),
        "pi_B": half_normal(1.0, "mmol"),
        "sigma_add_R": half_normal(1.0, "mmol"),
    }
    return qb.Calibration(system, priors, individual=individual, error={"R": qb.Additive()})


def level_study(values, occasions=None):
    """Observations of a level, (subject, time), and the occasion of each time (by subject) if there are several."""
    rows = [
        {"ID": i, "TIME": float(j), "DV": y, "EVID": 0, "OCC": 1 if occasions is None else occasions[i][j]}
        for i, row in enumerate(values)
        for j, y in enumerate(row)
        if np.isfinite(y)
    ]
    return qb.read_nonmem(pd.DataFrame(rows), units={"TIME": "h", "DV": "mmol"}, outputs="R")


def bolus(dose, times, observed=None, output="Cc", amount="mg", unit="mg/L"):
    """Subjects with one bolus into central each, and observations; `observed` is (subject, time)."""
    rows = []
    for i in range(1 if observed is None else len(observed)):
        rows.append({"ID": i, "TIME": 0.0, "DV": np.nan, "AMT": dose, "EVID": 1})
        for j, t in enumerate(times):
            y = 1.0 if observed is None else observed[i][j]
            rows.append({"ID": i, "TIME": float(t), "DV": y, "AMT": 0.0, "EVID": 0})
    return qb.read_nonmem(
        pd.DataFrame(rows),
        units={"TIME": "h", "DV": unit, "AMT": amount},
        outputs=output,
        compartments="central",
    )


def decay(individual=(), error=None, fix=None, output="A"):
    """The amount of a bolus that decays at the rate KE."""
    system = qb.System(
        {"central": "mg"},
        {"KE": "1/h", "S": ""},
        [qb.Process("loss", {"central": -1}, lambda s: s.KE * s.central)],
        outputs={output: qb.Output("mg", lambda s: s.S * s.central)},
        doses={"central": qb.DoseInto()},
    )
    priors = {
        "TVKE": log_normal(0.4, "1/h", 0.5),
        "TVS": log_normal(1.0, "", 0.5),
        "omega_KE": half_normal(0.5),
        f"sigma_add_{output}": half_normal(1.0, "mg"),
        f"sigma_prop_{output}": half_normal(0.3),
    }
    return qb.Calibration(
        system, priors, individual=individual, error={output: error or qb.Additive()}, fix=fix or {}
    )
