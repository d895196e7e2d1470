"""A system whose failure is known in closed form: dx/dt = k x^2 from x0 has x = x0 / (1 - k x0 t) until t = 1 / (k x0).

With doses of 1 and 0.5 mg and a last observation at 5 h, subject A cannot be solved for k > 0.2, and subject B for
k > 0.4 (per mg and h).
"""

import numpy as np
import pandas as pd

from qsp_bayes.calibration import Additive, Calibration, Prior, Priors, Source
from qsp_bayes.data import read_nonmem
from qsp_bayes.systems import DoseInto, Output, Process, System

DOSES = {"A": 1.0, "B": 0.5}
TIMES = np.array([1.0, 2.0, 3.5, 5.0])
SYSTEM = System(
    states={"calm": "mg", "x": "mg"},
    parameters={"k": "1/mg/h", "ke": "1/h"},
    processes=[
        Process("decay", {"calm": -1}, lambda s: s.ke * s.calm),
        Process("growth", {"x": 1}, lambda s: s.k * s.x * s.x),
    ],
    outputs={"X": Output("mg", lambda s: s.x)},
    doses={"x": DoseInto()},
)
SOURCE = Source("made up for this test")


def exact(k, dose):
    return dose / (1.0 - k * dose * TIMES)


def study(k):
    rows = []
    for subject, dose in DOSES.items():
        rows.append({"ID": subject, "TIME": 0.0, "AMT": dose, "EVID": 1, "CMT": 1, "DV": "."})
        rows += [
            {"ID": subject, "TIME": t, "AMT": 0, "EVID": 0, "CMT": 1, "DV": x}
            for t, x in zip(TIMES, exact(k, dose), strict=True)
        ]
    return read_nonmem(
        pd.DataFrame(rows),
        units={"TIME": "h", "AMT": "mg", "DV": {"X": "mg"}},
        compartments={1: "x"},
        outputs="X",
    )


def calibration(median, sd_log, solver=None, noise=1.0):
    return Calibration(
        SYSTEM,
        Priors({"TVk": Prior(median=median, sd_log=sd_log, unit="1/mg/h", source=SOURCE)}),
        [],
        {"X": Additive()},
        solver=solver,
        fix={"ke": 0.1, "sigma_add_X": noise},
    )
