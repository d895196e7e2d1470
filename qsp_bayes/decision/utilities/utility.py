"""Utility: what one individual's simulated course under one regimen is worth."""

from __future__ import annotations

import ast
import inspect
import json
import linecache
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from qsp_bayes.decision.utilities.quantity import Quantity
from qsp_bayes.decision.utilities.unit_check import UnitCheck, check_units
from qsp_bayes.errors import DecisionError

DIMS = ("chain", "draw", "regimen", "subject")


@dataclass(frozen=True)
class Utility:
    """A function from simulated outputs to one number for each draw, regimen and individual.

    Parameters
    ----------
    function : callable
        Takes the dataset of predictions, ``x["Cc"]`` being the path of output ``Cc`` with dimensions (chain,
        draw, regimen, subject, time), and returns a DataArray without ``time``. Larger is better. It is
        called for one regimen at a time, whose label is ``x["regimen"]``.
    description : str
        What reports print.
    unit : str, optional
        Unit of the utility, where the function cannot be followed or leaves a choice; otherwise it is found.

    Examples
    --------
    >>> from qsp_bayes.decision import time_above
    >>> Utility(lambda x: -time_above(x["Cc"], 20), "hours above 20 mg/L, negative").description
    'hours above 20 mg/L, negative'
    """

    function: Callable[[xr.Dataset], Any]
    description: str
    unit: str | None = None

    def __call__(self, future: xr.DataTree | xr.Dataset) -> xr.DataArray:
        """Utility of every simulated individual.

        Parameters
        ----------
        future : DataTree or Dataset
            Result of `Calibration.simulate`; or the paths of one regimen, as a simulation shows them to its measures.

        Returns
        -------
        DataArray
            Dimensions (chain, draw, regimen, subject), finite.

        Raises
        ------
        DecisionError
            If `future` holds no predictions, or the function returns other dimensions or values that are not
            finite.
        """
        if isinstance(future, xr.Dataset):
            return self.of_one_regimen(future)
        predictions = predictions_of(future)
        # One regimen at a time: the temporaries of a utility are as large as the paths it is computed from.
        parts = [
            self.of_one_regimen(predictions.isel(regimen=[position]))
            for position in range(predictions.sizes["regimen"])
        ]
        return xr.concat(parts, dim="regimen").transpose(*DIMS)

    def check_units(self, future: xr.DataTree) -> UnitCheck:
        """Find the unit by evaluating the function with units in the place of numbers; see `check_units`.

        Raises
        ------
        DecisionError
            If terms of different units are added or compared, or the unit is not the one declared.
        UnitsError
            If a threshold is given in another unit than that of its path.
        """
        predictions = predictions_of(future)
        simulated = json.loads(future.attrs.get("qsp_bayes", "{}"))
        time_unit = simulated.get("units", {}).get("time")
        if "time" in predictions.coords:
            time_unit = predictions["time"].attrs.get("units", time_unit)
        return check_units(self.function, predictions, time_unit, self.unit)

    def of_one_regimen(self, predictions: xr.Dataset) -> xr.DataArray:
        """Evaluate the function and refuse what is not one finite number for each individual."""
        values = self.function(predictions)
        if isinstance(values, Quantity):  # the unit of another utility, which this one is part of, is sought
            return values  # type: ignore[return-value]
        if not isinstance(values, xr.DataArray) or set(values.dims) != set(DIMS):
            received = (
                f"dimensions {values.dims}" if isinstance(values, xr.DataArray) else type(values).__name__
            )
            hint = ""
            if isinstance(values, xr.DataArray) and "time" in values.dims:
                hint = " Reduce 'time' with time_within, time_above, auc, cmax, trough or .mean('time')."
            raise DecisionError(
                f"The utility ({self.description}) must return a DataArray with dimensions {DIMS}, "
                f"one value for each individual; it returned {received}.{hint}"
            )
        values = values.astype(float).drop_vars([name for name in values.coords if name not in DIMS])
        values = values.drop_attrs(deep=False)  # xarray hands on the unit of whatever stood first
        wrong = np.argwhere(~np.isfinite(values.to_numpy()))
        if len(wrong):
            first = values[tuple(wrong[0])]
            raise DecisionError(
                f"The utility ({self.description}) is not finite for {len(wrong)} of {values.size} "
                f"individual draws under regimen {first['regimen'].item()!r}, first at "
                f"{', '.join(f'{name} {first[name].item()}' for name in ('chain', 'draw', 'subject'))}. "
                "Check for a logarithm of zero, a division by zero, and that the simulation itself is finite."
            )
        return values.rename("utility")


def utility(
    function: Callable[[xr.Dataset], Any], description: str | None = None, *, unit: str | None = None
) -> Utility:
    """Make a utility of a function.

    Its unit is found and checked where it is built of measures of exposure and response, arithmetic and ``np.exp``,
    ``np.log``, ``np.sqrt``, ``np.tanh``: hours are not added to mg*h/L. A plain number weights anything; one that
    divides may be a reference value (``np.log(auc(x["Cc"]) / 400)``). See `Quantity` for the rules.

    Parameters
    ----------
    function : callable
        From the dataset of predictions to one value for each individual, larger being better; see `Utility`.
        A boolean result is the attainment of a target: its expectation is a probability.
    description : str, optional
        What reports print; by default the first line of the function's docstring, or the expression of a
        lambda.
    unit : str, optional
        Declares the unit where it cannot be found, or where a number that divides leaves it open.

    Returns
    -------
    Utility

    Examples
    --------
    >>> from qsp_bayes.decision import time_above, time_within
    >>> benefit = utility(lambda x: time_within(x["Cc"], 10, 20) - 0.5 * time_above(x["Cc"], 20), "hours")
    >>> benefit.description
    'hours'
    """
    if not callable(function):
        raise DecisionError(
            f"A utility is made of a function of the predictions; received {type(function).__name__}."
        )
    return Utility(function, description or describe(function), unit)


def as_utility(function: Utility | Callable[[xr.Dataset], Any]) -> Utility:
    """Make a utility of a function, and leave one as it is."""
    return function if isinstance(function, Utility) else utility(function)


def describe(function: Callable[..., Any]) -> str:
    """First line of the docstring, the expression of a lambda, or the name.

    Examples
    --------
    >>> def benefit(x):
    ...     '''Hours within the window.'''
    >>> describe(benefit)
    'Hours within the window.'
    """
    stated = getattr(function, "description", None)
    if isinstance(stated, str):
        return stated
    documentation = inspect.getdoc(function)
    name = getattr(function, "__name__", type(function).__name__)
    if name != "<lambda>":
        return documentation.splitlines()[0] if documentation else name
    return expression_of(function) or "user-defined function"


def expression_of(function: Callable[..., Any]) -> str | None:
    """Expression of a lambda as it stands in its file or cell; None where that cannot be read."""
    code = getattr(function, "__code__", None)
    if code is None:
        return None
    # What inspect does beyond this looks at every module there is, which makes the lazy ones load.
    lines = linecache.getlines(code.co_filename, function.__globals__)
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:
        return None
    # Several lambdas may stand on a line: the columns of the compiled code tell which one this is.
    spans = [span for span in code.co_positions() if None not in span]
    starts = [(line, column) for line, end, column, last in spans if (line, column) != (end, last)]
    if not starts:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) and first_position(node.body) == min(starts):
            return ast.unparse(node.body)
    return None


def first_position(node: ast.expr) -> tuple[int, int]:
    """Line and column where an expression begins."""
    return node.lineno, node.col_offset


def predictions_of(future: xr.DataTree) -> xr.Dataset:
    """Predictions in the result of a simulation, or what it has measured of them, with doses and covariates.

    Raises
    ------
    DecisionError
        If there are none, a dimension is missing, or the same name stands for two things.
    """
    held = sorted(future.children) if isinstance(future, xr.DataTree) else type(future).__name__
    found = [name for name in ("predictions", "measures") if name in held]
    if not isinstance(future, xr.DataTree) or not found:
        raise DecisionError(
            f"Expected the result of Calibration.simulate, with a group 'predictions' or 'measures'; received {held}. "
            "Simulate the candidate regimens first."
        )
    simulated = future[found[0]].to_dataset()
    missing = [name for name in DIMS if name not in simulated.dims]
    if missing:
        raise DecisionError(
            f"The {found[0]} have no dimension {', '.join(missing)}; expected {DIMS}"
            f"{" and 'time'" if found[0] == 'predictions' else ''}."
        )
    for group in ("dosing", "constant_data"):
        if group in future.children:
            simulated = with_known(simulated, future[group].to_dataset())
    return simulated


def with_known(simulated: xr.Dataset, known: xr.Dataset) -> xr.Dataset:
    """Add what is known of the same regimens and individuals."""
    known = known[[name for name, values in known.data_vars.items() if set(values.dims) <= set(DIMS)]]
    twice = [str(name) for name in known.data_vars if name in simulated.variables]
    if twice:
        raise DecisionError(
            f"{twice[0]!r} is simulated and known of the individuals too: a utility could not tell them apart in "
            f"x[{twice[0]!r}]. Rename one of them."
        )
    try:
        return simulated.merge(known, join="exact")
    except ValueError as error:
        raise DecisionError(
            f"{', '.join(map(str, known.data_vars))} are not of the regimens and individuals that were simulated."
        ) from error
