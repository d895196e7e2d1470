"""Units: one registry, equality by factor 1, and the declared units of a study or a model.

Nothing in qsp_bayes converts a unit silently. Two units match when they denote the same quantity with factor 1
(``ng/mL`` and ``ug/L``); any other pair is an error that states the factor.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import pint

from qsp_bayes.errors import UnitsError

registry = pint.UnitRegistry(cache_folder=None)


@functools.lru_cache(maxsize=1024)
def parse_unit(text: str, where: str = "") -> pint.Unit:
    """Read a unit; the empty string and ``"1"`` are dimensionless.

    Parameters
    ----------
    text : str
        A unit such as ``"mg/L"`` or ``"1/h"``.
    where : str
        What carries the unit, for the error message.

    Raises
    ------
    UnitsError
        If the unit is unknown.

    Examples
    --------
    >>> print(parse_unit("mg/L"))
    milligram / liter
    """
    cleaned = text.strip()
    if cleaned in ("", "1"):
        return registry.dimensionless
    try:
        quantity = registry.parse_expression(cleaned)
    except Exception as error:
        raise UnitsError(
            f"{where + ': ' if where else ''}unit {text!r} is not known ({error}). "
            "Write units like 'mg', 'L/h', 'ug/mL', '1/h', or '' for a number without unit."
        ) from None
    if isinstance(quantity, registry.Quantity):
        if quantity.magnitude != 1:
            raise UnitsError(
                f"{where + ': ' if where else ''}{text!r} is a quantity of magnitude {quantity.magnitude}, not a unit. "
                "Write the unit alone."
            )
        return quantity.units
    raise UnitsError(f"{where + ': ' if where else ''}{text!r} is a number, not a unit. Use '' for no unit.")


def conversion_factor(have: str, want: str) -> float | None:
    """Return x in ``1 have = x want``, or None where the two measure different things.

    Examples
    --------
    >>> conversion_factor("mg", "ug"), conversion_factor("ng/mL", "ug/L")
    (1000.0, 1.0)
    >>> conversion_factor("mg", "h") is None
    True
    """
    one = registry.Quantity(1.0, parse_unit(have))
    try:
        return round(float(one.to(parse_unit(want)).magnitude), 12)
    except pint.DimensionalityError:
        return None


def require_same_unit(have: str, want: str, where: str) -> None:
    """Raise unless the two units are the same with factor 1.

    Raises
    ------
    UnitsError
        Naming both units, and the factor between them where there is one.

    Examples
    --------
    >>> require_same_unit("ng/mL", "ug/L", "output Cc")
    >>> require_same_unit("mg", "ug", "dose into depot")
    Traceback (most recent call last):
    ...
    qsp_bayes.errors.UnitsError: dose into depot: unit is 'mg', expected 'ug' (1 mg = 1000 ug)...
    """
    factor = conversion_factor(have, want)
    if factor is None:
        raise UnitsError(
            f"{where}: unit is {have!r}, expected {want!r}; they measure different things "
            f"({parse_unit(have).dimensionality} and {parse_unit(want).dimensionality}). "
            "Mass and amount of substance need a molecular weight to be compared."
        )
    if abs(factor - 1.0) > 1e-9:
        raise UnitsError(
            f"{where}: unit is {have!r}, expected {want!r} (1 {have} = {factor:.10g} {want}). "
            "Nothing is converted silently: declare the other unit, or convert the data."
        )


@dataclass(frozen=True)
class Units:
    """Units of time, drug amount and volume that a study or a library model is written in.

    Parameters
    ----------
    time, amount, volume : str
        For example ``Units(time="h", amount="mg", volume="L")``, the default.

    Examples
    --------
    >>> u = Units(time="min", amount="ug")
    >>> u.concentration, u.clearance, u.rate
    ('ug/L', 'L/min', '1/min')
    """

    time: str = "h"
    amount: str = "mg"
    volume: str = "L"

    def __post_init__(self) -> None:
        for name, dimension in (("time", "[time]"), ("volume", "[length] ** 3")):
            unit = parse_unit(getattr(self, name), f"Units({name}=...)")
            if not registry.Quantity(1, unit).check(dimension):
                raise UnitsError(f"Units({name}={getattr(self, name)!r}): expected a unit of {name}.")
        parse_unit(self.amount, "Units(amount=...)")

    @property
    def concentration(self) -> str:
        """Amount per volume."""
        return f"{self.amount}/{self.volume}"

    @property
    def clearance(self) -> str:
        """Volume per time."""
        return f"{self.volume}/{self.time}"

    @property
    def rate(self) -> str:
        """One per time."""
        return f"1/{self.time}"
