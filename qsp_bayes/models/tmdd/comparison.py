"""Which approximation is good enough: each is solved beside the full model, with the parameters that it implies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.tmdd.implied import (
    NUMBERS,
    completed,
    dimensionless_numbers,
    implied_parameters,
    require_approximations,
)
from qsp_bayes.models.tmdd.model import APPROXIMATIONS, tmdd
from qsp_bayes.ode.solvers import Automatic
from qsp_bayes.result import Result, html_table
from qsp_bayes.units import Units

QUANTITIES = {"Cc": "free drug", "Rtot": "total target", "RO": "occupancy"}
"""Outputs that are compared, and what they are called in words."""

FLOORS = {"Cc": 1e-3, "Rtot": 1e-3, "RO": 0.1}
"""Shares of the largest value below which errors are relative to that share: smaller values decide nothing."""

SOLVER = Automatic(rtol=1e-9)


@dataclass(frozen=True, repr=False)
class TMDDComparison(Result):
    """The full model and its approximations side by side, as made by :func:`compare_tmdd`.

    Attributes
    ----------
    data : xarray.Dataset
        ``Cc``, ``Ctot``, ``R``, ``Rtot``, ``RO``, ... by model, regimen and time.
    numbers : pandas.DataFrame
        The dimensionless numbers by regimen, and what has to hold.
    tolerance : float
        Relative error that is accepted.
    after : float
        Times before this one are not judged.
    """

    data: xr.Dataset
    numbers: pd.DataFrame
    tolerance: float
    after: float

    @property
    def errors(self) -> xr.Dataset:
        """Relative errors of free drug, total target and occupancy by approximation, regimen and time.

        Relative to the full model, or where that is smaller to a thousandth of its largest value under the regimen, a
        tenth for occupancy.
        """
        judged = self.data[list(QUANTITIES)].sel(time=slice(self.after, None))
        full = judged.sel(model="full", drop=True)
        smallest = abs(full).max("time") * xr.Dataset(FLOORS)
        size = abs(full).where(abs(full) > smallest, smallest)
        # Without any dose there is neither drug nor occupancy, nor an error of them.
        return abs(judged.drop_sel(model="full") - full) / size.where(size > 0, 1.0)

    @property
    def table(self) -> pd.DataFrame:
        """By approximation and regimen: errors, the time at which they pass the tolerance, and the verdict."""
        errors, rows = self.errors, {}
        for name in errors["model"].values.tolist():
            for regimen in errors["regimen"].values.tolist():
                rows[name, regimen] = self.row(name, regimen, errors.sel(model=name, regimen=regimen))
        table = pd.DataFrame.from_dict(rows, orient="index")
        return table.rename_axis(["approximation", "regimen"])

    def row(self, name: str, regimen: str, errors: xr.Dataset) -> dict[str, float | str]:
        """Give the row of one approximation under one regimen."""
        time = errors["time"].values
        facts: dict[str, float | str] = {}
        for quantity, words in QUANTITIES.items():
            error = errors[quantity].values
            facts[f"{words}, max"] = float(error.max())
            facts[f"{words}, mean"] = float(np.trapezoid(error, time) / (time[-1] - time[0]))
        over = time[np.any([errors[quantity] > self.tolerance for quantity in QUANTITIES], axis=0)]
        facts["first above"] = float(over[0]) if over.size else np.nan
        facts["last above"] = float(over[-1]) if over.size else np.nan
        return facts | {"verdict": self.words(name, regimen, errors)}

    def words(self, name: str, regimen: str, errors: xr.Dataset) -> str:
        """Say in words whether an approximation holds under a regimen, and otherwise where it breaks and why."""
        unit, time = self.data["time"].attrs["units"], errors["time"].values
        broken = []
        for quantity, words in QUANTITIES.items():
            over = errors[quantity].values > self.tolerance
            if over.any():
                worst = percent(float(errors[quantity].max()))
                when = [span(first, last, time[0], time[-1], unit) for first, last in runs(time, over)]
                broken.append(f"{words} off by up to {worst} {' and '.join(when)}")
        if not broken:
            return f"holds within {percent(self.tolerance)}"
        reasons = [
            f"{number.name} = {self.numbers.loc[number.name, regimen]:.2g}"
            for number in NUMBERS
            if name in number.approximations
        ]
        return "; ".join(broken) + f" ({', '.join(reasons)})"

    @property
    def holding(self) -> list[str]:
        """Approximations that hold under every regimen, the simplest first."""
        names = self.data["model"].values.tolist()
        worst = self.errors.to_dataarray().max(["variable", "regimen", "time"])
        good = [name for name in names if name != "full" and float(worst.sel(model=name)) <= self.tolerance]
        return sorted(good, key=ORDER.index)

    @property
    def verdict(self) -> str:
        """The result in words."""
        regimens = self.data.sizes["regimen"]
        where = "under this regimen" if regimens == 1 else f"under all {regimens} regimens"
        since = f" from {self.after:g} {self.data['time'].attrs['units']} on" if self.after else ""
        if not self.holding:
            return (
                f"No approximation stays within {percent(self.tolerance)} of the full model {where}{since}."
            )
        return (
            f"Within {percent(self.tolerance)} of the full model {where}{since}: {', '.join(self.holding)}. "
            f"The simplest is {self.holding[0]}."
        )

    def summary(self) -> str:
        """The verdict."""
        return self.verdict

    def __repr__(self) -> str:
        return f"{super().__repr__()}\n\n{self.numbers.to_string()}"

    def _repr_html_(self) -> str:
        return super()._repr_html_() + html_table(self.numbers, heads={name: name for name in self.numbers})

    @property
    def shown(self) -> pd.DataFrame:
        """The table, its errors in percent."""
        table = self.table
        errors = [name for name in table if name.endswith((", max", ", mean"))]
        times = ["first above", "last above"]
        written = table.astype(object)
        written[errors] = table[errors].map(percent)
        written[times] = table[times].map(lambda x: "never" if np.isnan(x) else f"{x:.3g}")
        return written


ORDER = ("Michaelis-Menten", "Wagner", "constant target", "QE", "QSS", "irreversible")
"""The approximations, from the one with the fewest states and parameters on."""


def compare_tmdd(
    parameters: Mapping[str, float],
    regimens: Mapping[str, Regimen] | Sequence[float],
    *,
    until: float | None = None,
    times: Sequence[float] | np.ndarray | None = None,
    approximations: Sequence[str] = (
        "QE",
        "QSS",
        "Wagner",
        "Michaelis-Menten",
        "irreversible",
        "constant target",
    ),
    tolerance: float = 0.1,
    after: float = 0.0,
    units: Units | None = None,
    absorption: str | None = None,
    n_transit: int = 3,
    lag: bool = False,
    bioavailability: bool = False,
) -> TMDDComparison:
    r"""Solve the full model of target-mediated disposition and its approximations, and say where each breaks.

    Every approximation has the parameters that the full model implies (`implied_parameters`); nothing is fitted. An
    approximation whose parameters are fitted to data may describe free drug better than this, with parameters
    that no longer mean what they are called.

    Parameters
    ----------
    parameters : mapping of str to float
        Of the full model: kon, koff or KD, R0, kdeg, kint, CL and Vc, those of one or two peripheral compartments (Q
        and Vp, Q2 and Vp2) where there are any, and of the absorption.
    regimens : mapping of str to Regimen, or sequence of float
        Doses by label; numbers are amounts of one intravenous bolus each.
    until : float, optional
        End of the time axis; it is fine near 0, where drug binds.
    times : sequence of float, optional
        Increasing times, instead of `until`.
    approximations : sequence of str
        Those of `tmdd` to look at.
    tolerance : float
        Relative error that is accepted in free drug, total target and occupancy.
    after : float
        Errors before this time are not judged: the first sample, perhaps. After a bolus free drug takes a moment to
        bind, in which QE, QSS and Wagner's model, which bind at once, are always wrong.
    units, absorption, n_transit, lag, bioavailability
        As for `tmdd`.

    Returns
    -------
    TMDDComparison
        Its `table` has the largest and the time-averaged errors by approximation and regimen, the first and the last
        time at which one is above the tolerance, and a verdict in words; `numbers` the dimensionless numbers
        that explain it. `qsp_bayes.plot_tmdd_comparison` draws it.

    Raises
    ------
    MechanismError
        For a missing parameter, an unknown approximation, or no times.

    References
    ----------
    Gibiansky L, Gibiansky E, Kakkar T, Ma P (2008). Approximations of the target-mediated drug disposition model and
    identifiability of model parameters. J Pharmacokinet Pharmacodyn 35:573-591.

    Ma P (2012). Theoretical considerations of target-mediated drug disposition models: simplifications and
    approximations. Pharm Res 29:866-882.

    Examples
    --------
    >>> full = {"CL": 0.2, "Vc": 3.0, "kon": 50.0, "koff": 5.0, "R0": 1.0, "kdeg": 0.5, "kint": 0.5}
    >>> found = compare_tmdd(full, [300.0], until=28, after=0.1, approximations=["QSS", "Michaelis-Menten"])
    >>> print(found.verdict)
    Within 10 % of the full model under this regimen from 0.1 day on: Michaelis-Menten, QSS.
    The simplest is Michaelis-Menten.
    """
    units = units or Units(time="day", amount="nmol")
    names = tuple(approximations)
    require_approximations(names)
    known = completed(parameters)
    planned = regimens if isinstance(regimens, Mapping) else boluses(regimens, units)
    grid = grid_of(until, times)
    if not 0 <= after < grid[-1]:
        raise MechanismError(f"after is {after:g}; it lies between 0 and the last time, {grid[-1]:g}.")
    models = {}
    for name in ("full", *names):
        system = tmdd(
            units=units,
            compartments=1 + ("Q" in known) + ("Q2" in known),
            absorption=absorption,
            n_transit=n_transit,
            lag=lag,
            bioavailability=bioavailability,
            approximation=name,
            binding="koff" if APPROXIMATIONS[name].bindings else None,
        )
        given = implied_parameters(parameters, name)
        courses = [system.course(given, grid, regimen, solver=SOLVER) for regimen in planned.values()]
        models[name] = xr.concat(courses, pd.Index(list(planned), name="regimen"))
    data = xr.concat(list(models.values()), pd.Index(list(models), name="model"))
    numbers = {
        label: dimensionless_numbers(
            parameters,
            data["Ctot"].sel(model="full", regimen=label).values,
            data["Rtot"].sel(model="full", regimen=label).values,
            dose=regimen.courses[0].amount * known.get("F", 1.0) ** (regimen.into == "depot"),
        )
        for label, regimen in planned.items()
    }
    table = pd.DataFrame(numbers).rename_axis("number")
    table["what has to hold"] = [number.meaning for number in NUMBERS]
    return TMDDComparison(data, table, tolerance, after)


def boluses(amounts: Sequence[float], units: Units) -> dict[str, Regimen]:
    """Give intravenous boluses of some amounts."""
    return {f"{x:g} {units.amount}": Regimen(x, unit=units.amount, into="central") for x in amounts}


def grid_of(until: float | None, times: Sequence[float] | np.ndarray | None) -> np.ndarray:
    """Give the times: those that are stated, or a grid that is fine near 0 and even further on."""
    if (until is None) == (times is None):
        raise MechanismError("state either until=..., the end of the time axis, or times=[...].")
    if times is not None:
        return np.asarray(list(times), dtype=float)
    if not (until is not None and until > 0):
        raise MechanismError(f"until is {until!r}, expected a positive time.")
    return np.unique(np.concatenate([np.geomspace(1e-6 * until, until, 121), np.linspace(0, until, 241)]))


def percent(share: float) -> str:
    """Write a share.

    Examples
    --------
    >>> percent(0.1), percent(2.345), percent(0.00012)
    ('10 %', '235 %', '0.012 %')
    """
    number = 100 * share
    return f"{number:.0f} %" if number >= 9.5 else f"{number:.2g} %"


def runs(time: np.ndarray, true: np.ndarray) -> list[tuple[float, float]]:
    """Give the first and the last time of each run in which something is true.

    Examples
    --------
    >>> runs(np.arange(5.0), np.array([True, True, False, True, False]))
    [(0.0, 1.0), (3.0, 3.0)]
    """
    change = np.diff(np.concatenate([[False], true, [False]]).astype(int))
    starts, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1) - 1
    return [(float(time[i]), float(time[j])) for i, j in zip(starts, ends, strict=True)]


def span(first: float, last: float, start: float, end: float, unit: str) -> str:
    """Write when something is so.

    Examples
    --------
    >>> span(0, 0.0312, 0, 28, "day"), span(12, 28, 0, 28, "day"), span(3, 3, 0, 28, "day")
    ('until 0.031 day', 'from 12 day on', 'at 3 day')
    """
    early, late = first <= start + 1e-3 * (end - start), last >= end
    if early and late:
        return "throughout"
    if late:
        return f"from {first:.2g} {unit} on"
    if early:
        return f"until {last:.2g} {unit}"
    return f"at {first:.2g} {unit}" if first == last else f"from {first:.2g} to {last:.2g} {unit}"
