"""Metadata: what makes a result reproducible, as one JSON text."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import xarray as xr

from qsp_bayes.calibration.priors import Priors
from qsp_bayes.data.study import Study
from qsp_bayes.errors import CalibrationError

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration

PACKAGES = {"qsp_bayes": "qsp-bayes"} | {
    name: name for name in ("pymc", "pytensor", "nutpie", "arviz", "numba", "numpy", "xarray")
}
ATTRIBUTE = "qsp_bayes"


def versions() -> dict[str, str]:
    """Give the versions of Python and of what computes."""
    return {"python": platform.python_version()} | {
        name: version(package) for name, package in PACKAGES.items()
    }


def describe_fit(
    calibration: Calibration, study: Study, random_seed: int, sampling: dict[str, Any]
) -> dict[str, Any]:
    """Collect the facts that a fit carries."""
    used = [name for name in calibration.variables if name not in calibration.fix]
    return {
        "versions": versions(),
        "random_seed": random_seed,
        "study": study.summary(),
        "system": calibration.system.describe(),
        "priors": [row for row in Priors(calibration.priors).table() if row["name"] in used],
        "calibration": calibration.describe(),
        "sampling": sampling,
    }


def as_attribute(facts: dict[str, Any]) -> dict[str, str]:
    """Pack facts into the attribute that every result of ours carries: stores refuse None, bool and dict."""
    return {ATTRIBUTE: json.dumps(facts, ensure_ascii=False, allow_nan=False, default=str)}


def read_facts(result: xr.DataTree) -> dict[str, Any]:
    """Unpack the facts of a fit or a simulation.

    Raises
    ------
    CalibrationError
        If the tree carries none.
    """
    if ATTRIBUTE not in result.attrs:
        raise CalibrationError(
            "This DataTree carries no qsp_bayes facts: pass the result of Calibration.fit or simulate."
        )
    return json.loads(result.attrs[ATTRIBUTE])


def check_fit(calibration: Calibration, facts: Mapping[str, Any]) -> None:
    """Require that the fit was made by an equal calibration."""
    for key, now in {
        "system": calibration.system.describe()["equations"],
        "individual": calibration.describe()["individual"],
        "error": calibration.describe()["error"],
        "fixed": calibration.describe()["fixed"],
    }.items():
        then = facts["system"]["equations"] if key == "system" else facts["calibration"][key]
        if then != now:
            raise CalibrationError(
                f"The fit was made by another calibration: its {key} was {then}, now it is {now}. "
                "Simulate with the calibration that made the fit."
            )
