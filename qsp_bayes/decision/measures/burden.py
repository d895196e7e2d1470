"""Burden: what the doses of a regimen cost, and how often they are taken."""

from __future__ import annotations

from typing import Any

import xarray as xr

from qsp_bayes.decision.utilities.quantity import NUMBER, Quantity
from qsp_bayes.decision.utilities.unit_check import UnitView
from qsp_bayes.errors import DecisionError
from qsp_bayes.units import conversion_factor, parse_unit, require_same_unit


def dosing_cost(x: Any, *, per_dose: float = 0.0, per_amount: float = 0.0, unit: str | None = None) -> Any:
    r"""Cost of the doses within the simulated time span.

    .. math:: per\_dose \times n\_doses + per\_amount \times amount\_given

    Parameters
    ----------
    x : Dataset
        What a utility sees, with ``n_doses`` (regimen) and ``amount_given`` (regimen, subject).
    per_dose, per_amount : float
        Price of one dose given, and of one unit of amount. The cost is a pure number to the check of units: give both
        in what the rest of the utility is counted in.
    unit : str, optional
        Unit of amount of the price, such as ``"mg"``, to be checked.

    Returns
    -------
    DataArray
        By regimen and subject.

    Raises
    ------
    DecisionError
        If the simulation does not say what was given.
    UnitsError
        If `unit` is not the unit of the amounts.

    Examples
    --------
    >>> x = xr.Dataset({"n_doses": ("regimen", [9]), "amount_given": (("regimen", "subject"), [[900.0]])})
    >>> dosing_cost(x, per_dose=2.0, per_amount=0.01).values.tolist()
    [[27.0]]
    """
    n_doses, amount = given(x, "n_doses"), given(x, "amount_given")
    if isinstance(x, UnitView):
        if unit is not None:
            require_same_unit(unit, amount.spelled, "amount_given")
        return Quantity(NUMBER, "dosing_cost(x)")
    if unit is not None and isinstance(amount, xr.DataArray):
        require_same_unit(unit, amount.attrs.get("units", ""), "amount_given")
    return per_dose * n_doses + per_amount * amount


def doses_per_day(x: Any) -> Any:
    r"""Burden of dosing: doses per day, :math:`n\_doses / (t_1 - t_0)`, over the simulated time span.

    Parameters
    ----------
    x : Dataset
        What a utility sees, with ``n_doses`` (regimen) and the attribute ``units`` on ``time``.

    Returns
    -------
    DataArray
        In 1/day, by regimen.

    Raises
    ------
    DecisionError
        If the simulation does not say how many doses were given, or in what unit time is.

    Examples
    --------
    >>> x = xr.Dataset({"n_doses": ("regimen", [9])}, coords={"time": ("time", [0.0, 72.0], {"units": "h"})})
    >>> doses_per_day(x).values.tolist()
    [3.0]
    """
    n_doses = given(x, "n_doses")
    if isinstance(x, UnitView):
        return Quantity(parse_unit("1/day"), "doses_per_day(x)")
    time = given(x, "time")
    day = conversion_factor("day", time.attrs.get("units", ""))
    if day is None:
        raise DecisionError(
            "doses_per_day: the times have no unit. Set it: "
            "future['predictions']['time'].attrs['units'] = 'h'."
        )
    return n_doses / (float(time[-1] - time[0]) / day)


def given(x: Any, name: str) -> Any:
    """What the simulation says of its doses."""
    if name not in x:
        raise DecisionError(
            f"The simulation holds no {name!r}, which the burden of dosing needs. Simulate the regimens by "
            "Calibration.simulate, which counts the doses within the simulated times."
        )
    return x[name]
