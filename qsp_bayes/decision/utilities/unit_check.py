"""UnitCheck: the unit of a whole utility, found by evaluating it once with units in the place of numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import xarray as xr

from qsp_bayes.decision.utilities.quantity import NotFollowedError, Quantity
from qsp_bayes.decision.utilities.unit_path import UnitPath
from qsp_bayes.errors import DecisionError, UnitsError
from qsp_bayes.units import parse_unit, require_same_unit


@dataclass(frozen=True)
class UnitView:
    """What stands for the simulated dataset while the unit of a utility is sought.

    Parameters
    ----------
    predictions : Dataset
        Every variable with the attribute ``units``; a path where it has the dimension ``time``.
    time_unit : str or None
        Where it is not known, no path can be followed.
    """

    predictions: xr.Dataset
    time_unit: str | None

    def __getitem__(self, name: Any) -> Quantity:
        variable = self.predictions[name]
        unit = self.time_unit if name == "time" else variable.attrs.get("units")
        if unit is None:
            raise NotFollowedError(f"{name} (no attribute 'units')")
        if name == "time" or "time" not in variable.dims:
            return Quantity(parse_unit(unit), str(name))
        if self.time_unit is None:
            raise NotFollowedError("time (no attribute 'units')")
        return UnitPath(parse_unit(unit, str(name)), str(name), time=parse_unit(self.time_unit, "time"))

    def __contains__(self, name: Any) -> bool:
        return name in self.predictions

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self.predictions:
            return self[name]
        raise NotFollowedError(f".{name}")


@dataclass(frozen=True)
class UnitCheck:
    """The unit of a utility, or why it is not known.

    Attributes
    ----------
    unit : str or None
        None where it is not known.
    note : str
        What stands against it, in words; empty where nothing does.
    """

    unit: str | None
    note: str = ""


def check_units(
    function: Callable[[Any], Any],
    predictions: xr.Dataset,
    time_unit: str | None,
    declared: str | None = None,
) -> UnitCheck:
    r"""Find the unit of a utility by evaluating its function once with units in the place of numbers.

    Parameters
    ----------
    function : callable
        Of the simulated dataset.
    predictions : Dataset
        With the attribute ``units`` on its variables.
    time_unit : str, optional
    declared : str, optional
        The unit that the user states. It decides where a plain number divides a quantity, which may stand for a weight
        or for a reference value in the same unit.

    Returns
    -------
    UnitCheck
        With ``unit=None`` where the function does what cannot be followed, such as a method of xarray.

    Raises
    ------
    DecisionError
        If terms of different units are added or compared, or the unit is not the one declared.
    UnitsError
        If a threshold is given in another unit than that of its path.

    Examples
    --------
    >>> from qsp_bayes.decision import auc, time_within
    >>> course = xr.DataArray([0.0, 1.0], dims="time", coords={"time": [0.0, 1.0]}, attrs={"units": "mg/L"})
    >>> x = course.to_dataset(name="Cc")
    >>> check_units(lambda x: 2 * time_within(x["Cc"], 10, 20), x, "h").unit
    'h'
    >>> check_units(lambda x: x["Cc"].max("time"), x, "h").note
    'not checked: .max is not followed'
    >>> check_units(lambda x: time_within(x["Cc"], 10, 20) - auc(x["Cc"]), x, "h")
    Traceback (most recent call last):
    ...
    qsp_bayes.errors.DecisionError: time_within(Cc, 10, 20) is in h, auc(Cc) in h*mg/L: they cannot be subtracted...
    """
    try:
        found = function(UnitView(predictions, time_unit))
    except (DecisionError, UnitsError):
        raise
    except NotFollowedError as reason:
        return UnitCheck(declared, f"not checked: {reason} is not followed")
    except (
        Exception
    ) as reason:  # the same function is evaluated with numbers next, where a mistake shows as one
        return UnitCheck(declared, f"not checked: {type(reason).__name__} where units stood for numbers")
    if not isinstance(found, Quantity) or isinstance(found, UnitPath):
        return UnitCheck(declared, "not checked: the result does not follow from the outputs by measures")
    possible = [found.spelled, "1"] if found.may_be_number else [found.spelled]
    if declared is not None:
        require_declared(declared, possible, found.text)
        return UnitCheck(declared)
    if found.ratio and found.spelled != "1":
        return UnitCheck(
            None,
            f"{found.spelled}, or none if a number that divides is a reference value; declare it with unit=",
        )
    return UnitCheck(found.spelled)


def require_declared(declared: str, possible: list[str], text: str) -> None:
    """Require that a declared unit is one of those that the utility may have."""
    for unit in possible:
        try:
            return require_same_unit(declared, unit, "")
        except UnitsError:
            continue
    raise DecisionError(
        f"The unit of the utility is declared to be {declared!r}, but {text} is in {' or '.join(possible)}. "
        "Correct the declaration or the utility."
    )
