"""System: the mechanism, dx/dt = S v(x, p, t)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.symbolic import SymbolicSystem, symbolic, unknown_name

Quantity = Callable[[Any], Any]
"""A function of a namespace `s` whose attributes are the names of the system, such as ``lambda s: s.CL / s.Vc``."""

SCALES = ("log", "logit", "identity")


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

    Examples
    --------
    >>> Process("absorption", {"depot": -1, "central": +1}, lambda s: s.KA * s.depot).stoichiometry["central"]
    Fraction(1, 1)
    """

    name: str
    stoichiometry: Mapping[str, int | str | Fraction]
    rate: Quantity

    def __post_init__(self) -> None:
        exact = {}
        for state, coefficient in self.stoichiometry.items():
            if isinstance(coefficient, float) and not coefficient.is_integer():
                raise MechanismError(
                    f"process {self.name!r}: the coefficient {coefficient} of {state!r} is not rational. "
                    "Write it as a fraction, such as '1/2'."
                )
            exact[state] = Fraction(coefficient)
        object.__setattr__(self, "stoichiometry", frozen({s: c for s, c in exact.items() if c}))
        if not callable(self.rate):
            raise MechanismError(
                f"process {self.name!r}: the rate is {self.rate!r}, expected a function of `s`."
            )


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
        The state that receives the dose; the compartment's own name if left out.
    F : callable or float, optional
        Bioavailability, the factor of the amount.
    lag : callable or float, optional
        Time between the dose and its arrival.
    rate, duration : callable or float, optional
        Modelled rate or duration of a zero-order input. They apply to records that ask for it (RATE -1 and -2) and
        to records that state neither rate nor duration.

    Examples
    --------
    >>> DoseInto(F=lambda s: s.F, lag=lambda s: s.tlag).state is None
    True
    """

    state: str | None = None
    F: Quantity | float | None = None
    lag: Quantity | float | None = None
    rate: Quantity | float | None = None
    duration: Quantity | float | None = None

    def __post_init__(self) -> None:
        if self.rate is not None and self.duration is not None:
            raise MechanismError(
                "a route states both rate and duration; the amount and one of them give the other."
            )

    def quantities(self) -> dict[str, Quantity | float]:
        """Return those of F, lag, rate and duration that are present."""
        present = {name: getattr(self, name) for name in ("F", "lag", "rate", "duration")}
        return {name: quantity for name, quantity in present.items() if quantity is not None}


@dataclass(frozen=True, eq=False)
class System:
    r"""A mechanism: states that processes change, :math:`\dot x = S\,v(x, p, t)`.

    Parameters
    ----------
    states : mapping of str to str
        Units of the states. What is dosed or exchanged is an amount.
    parameters : mapping of str to str
        Units of the parameters.
    processes : sequence of Process
    outputs : mapping of str to Output
    doses : mapping of str to DoseInto or sequence of DoseInto
        Compartments that take doses, by the name that the data write. Several routes share one dose record.
    expressions : mapping of str to callable
        Named algebraic quantities, usable in rates and outputs.
    accumulators : sequence of str
        States that only accumulate (AUC, amount excreted): they appear in no rate and take no part in steady states.
    initial : mapping of str to callable or float
        Value of a state at the start; a number is in the unit of the state; 0 where left out.
    inputs : mapping of str to str
        Units of quantities that come from elsewhere: from another system through ``+``, or from a covariate.
    constants : mapping of str to Constant
        Known quantities with a unit.
    shared : sequence of str
        States that another system owns, to which this one adds processes.
    share : sequence of str
        Parameters that are the same quantity when another system has one of that name.
    scales : mapping of str to {"log", "logit", "identity"}
        Scale on which a parameter varies; log where left out.
    time_unit : str
    name : str

    Raises
    ------
    MechanismError
        For duplicate, missing or reserved names and for algebraic loops.
    UnitsError
        Where a rate, an output, an initial value or a dose has another unit than it must have.

    Examples
    --------
    >>> system = System(
    ...     states={"depot": "mg", "central": "mg"},
    ...     parameters={"KA": "1/h", "CL": "L/h", "Vc": "L"},
    ...     processes=[
    ...         Process("absorption", {"depot": -1, "central": +1}, lambda s: s.KA * s.depot),
    ...         Process("elimination", {"central": -1}, lambda s: s.CL / s.Vc * s.central),
    ...     ],
    ...     outputs={"Cc": Output("mg/L", lambda s: s.central / s.Vc)},
    ...     doses={"depot": DoseInto(), "central": DoseInto()},
    ... )
    >>> list(system.symbolic().derivatives)
    ['depot', 'central']
    """

    states: Mapping[str, str]
    parameters: Mapping[str, str]
    processes: Sequence[Process]
    outputs: Mapping[str, Output] = field(default_factory=dict)
    doses: Mapping[str, Any] = field(default_factory=dict)
    expressions: Mapping[str, Quantity] = field(default_factory=dict)
    accumulators: Sequence[str] = ()
    initial: Mapping[str, Quantity | float] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Constant] = field(default_factory=dict)
    shared: Sequence[str] = ()
    share: Sequence[str] = ()
    scales: Mapping[str, str] = field(default_factory=dict)
    time_unit: str = "h"
    name: str = "system"

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Mapping):
                object.__setattr__(self, item.name, frozen(value))
            elif not isinstance(value, str):
                object.__setattr__(self, item.name, tuple(value))
        routes = {
            compartment: tuple(
                replace(route, state=route.state or compartment)
                for route in ((given,) if isinstance(given, DoseInto) else given)
            )
            for compartment, given in self.doses.items()
        }
        object.__setattr__(self, "doses", frozen(routes))
        object.__setattr__(
            self,
            "scales",
            frozen({name: self.scales.get(name, "log") for name in self.parameters} | dict(self.scales)),
        )
        symbolic(self)

    def names(self) -> dict[str, list[str]]:
        """Return every name of the system, by kind."""
        kinds = ("states", "parameters", "expressions", "inputs", "constants", "outputs")
        return {kind: list(getattr(self, kind)) for kind in kinds}

    def symbolic(self) -> SymbolicSystem:
        """Return the scalar PyTensor graphs of the system; built once."""
        return symbolic(self)

    def solve(
        self,
        events: Any,
        params: Mapping[str, Any],
        *,
        levels: Mapping[str, str] | None = None,
        covariates: Mapping[str, Any] | None = None,
        solver: Any = None,
    ) -> Any:
        """Solve the system for a batch of subjects.

        Parameters
        ----------
        events : Events
            Doses and observations, from `Study.events` or `Study.as_pymc_data`.
        params : mapping of str to scalar or vector
            Every parameter of the system.
        levels : mapping of str to {"subject", "occasion", "record"}, optional
            What the entries of a vector stand for; subject where left out.
        covariates : mapping of str to vector, optional
            Values for the unbound inputs.
        solver : Solver, optional
            How to solve; chosen from the structure of the system where left out.

        Returns
        -------
        Path
            ``path["Cc"]`` is a vector over the rows of output Cc.
        """
        from qsp_bayes.systems.solve import solve

        return solve(self, events, params, levels=levels, covariates=covariates, solver=solver)
