"""What a system is declared of: processes, outputs, constants and doses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from qsp_bayes.errors import MechanismError

Quantity = Callable[[Any], Any]
"""A function of `s`, whose attributes are the names of the system: ``lambda s: s.CL / s.Vc``."""


def frozen(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """Copy a mapping into one that cannot change."""
    return MappingProxyType(dict(mapping))


@dataclass(frozen=True, eq=False)
class Process:
    """Something that happens: its stoichiometry and its rate.

    Parameters
    ----------
    name : str
    stoichiometry : mapping of str to int, str or Fraction
        How much of each state one unit of the process makes (positive) or takes (negative). Rational: write
        ``"1/2"`` or ``Fraction(1, 2)``.
    rate : callable
        ``lambda s: s.KA * s.depot``; its unit is that of the states over time.

    Raises
    ------
    MechanismError
        For a coefficient that is not rational, a stoichiometry without any, or a rate that is no function.

    Examples
    --------
    >>> Process("absorption", {"depot": -1, "central": +1}, lambda s: s.KA * s.depot).stoichiometry["central"]
    Fraction(1, 1)
    """

    name: str
    stoichiometry: Mapping[str, Any]
    rate: Quantity

    def __post_init__(self) -> None:
        where = f"process {self.name!r}"
        coefficients = {}
        for state, coefficient in self.stoichiometry.items():
            if isinstance(coefficient, float) and not coefficient.is_integer():
                raise MechanismError(
                    f"{where}: the coefficient {coefficient} of {state!r} is not rational. "
                    "Write it as a fraction, such as '1/2'."
                )
            coefficients[state] = Fraction(coefficient)
        if not any(coefficients.values()):
            raise MechanismError(
                f"{where} changes no state. Give it a stoichiometry such as {{'central': -1}}."
            )
        object.__setattr__(self, "stoichiometry", frozen({s: c for s, c in coefficients.items() if c}))
        if not callable(self.rate):
            raise MechanismError(f"{where}: the rate is {self.rate!r}, expected a function of `s`.")


@dataclass(frozen=True, eq=False)
class Output:
    """What can be observed: a unit and a function of states, parameters and time.

    Examples
    --------
    >>> Output("mg/L", lambda s: s.central / s.Vc).unit
    'mg/L'
    """

    unit: str
    value: Quantity


@dataclass(frozen=True)
class Constant:
    """A quantity that is known: a number with its unit.

    Examples
    --------
    >>> Constant(24.0, "h").unit
    'h'
    """

    value: float
    unit: str = ""


@dataclass(frozen=True, eq=False)
class DoseInto:
    """How doses given to a compartment reach a state.

    Parameters
    ----------
    state : str, optional
        The state that receives the dose; the one of the compartment's own name if left out.
    F : callable or float, optional
        Bioavailability, the factor of the amount.
    lag : callable or float, optional
        Time between the dose and its arrival.
    rate, duration : callable or float, optional
        Modelled rate or duration of a zero-order input. They apply to records that ask for it (RATE -1, -2)
        and to records that state neither rate nor duration.

    Raises
    ------
    MechanismError
        If both rate and duration are given.

    Examples
    --------
    >>> sorted(DoseInto(F=lambda s: s.F, lag=lambda s: s.tlag).quantities())
    ['F', 'lag']
    """

    state: str | None = None
    F: Quantity | float | None = None
    lag: Quantity | float | None = None
    rate: Quantity | float | None = None
    duration: Quantity | float | None = None

    def __post_init__(self) -> None:
        if self.rate is not None and self.duration is not None:
            raise MechanismError(
                "a route states rate and duration; the amount and one of them give the other."
            )

    def quantities(self) -> dict[str, Any]:
        """Return those of F, lag, rate and duration that are present."""
        shapes = {name: getattr(self, name) for name in ("F", "lag", "rate", "duration")}
        return {name: quantity for name, quantity in shapes.items() if quantity is not None}
