"""Switches: conditions at which a rate jumps or bends, or states change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import pytensor.tensor as pt
from pytensor.graph.basic import Constant
from pytensor.graph.replace import clone_replace
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.graph.traversal import ancestors
from pytensor.scalar.basic import GE, GT, LE, LT, Maximum, Minimum
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.variable import TensorVariable

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.declarations import Quantity, frozen

if TYPE_CHECKING:
    from qsp_bayes.systems.symbolic import SymbolicSystem

Direction = Literal["up", "down", "both"]
DIRECTIONS: Mapping[str, int] = MappingProxyType({"up": 1, "down": -1, "both": 0})
"""What the engine calls them (see `ode.equations.Switching`)."""
WORDS: Mapping[int, str] = MappingProxyType({number: word for word, number in DIRECTIONS.items()})

ABOVE, BELOW = (GT, GE, Maximum), (LT, LE, Minimum)
"""Operations that ask whether their first argument is the larger one, or the smaller one."""


@dataclass(frozen=True, eq=False)
class Switch:
    r"""A condition on states, parameters and time: where it begins or ceases to hold, the system changes.

    The condition holds where :math:`g(t, x, p) > 0`. The integration stops at the time :math:`\tau` at which g crosses
    zero, so that methods keep their order, and the derivatives hold what follows from :math:`\tau` moving with the
    states and the parameters: :math:`d\tau = -(g_x\,dx + g_p\,dp) / (g_t + g_x \dot x)`.

    In rates, and expressions that rates use, the name of the switch stands for 1 where the condition holds and for 0
    where it does not: ``s.Vmax * s.induced``. A comparison of the same two sides means the same, as in
    ``where(s.Cc > s.limit, ...)`` or ``maximum(s.Cc, s.limit)`` for the condition ``s.Cc - s.limit``. Any other way of
    writing the condition into a rate is not recognised, and derivatives then miss that the rate jumps.

    Parameters
    ----------
    name : str
    when : callable
        g: ``lambda s: s.central / s.Vc - s.limit``, or of time alone, ``lambda s: s.t - s.t_meal``.
    change : mapping of str to callable or float, optional
        New values of states at a crossing, functions of time, parameters and the states just before it; a number is in
        the unit of its state. Left out, rates change only.
    direction : {"up", "down", "both"}
        Crossings at which states change: where the condition begins to hold, where it ceases to, or both.

    Raises
    ------
    MechanismError
        For a condition that is no function, or an unknown direction.

    Notes
    -----
    - A dose, a covariate or the change at another switch that makes a condition hold counts as a crossing and acts at
      once, before an observation that is written after the dose. What holds at the start, or after a reset (EVID 3, 4),
      has not been crossed.
    - At one time records act before a switch whose crossing has that very time: an observation there sees the states
      before the change.
    - Of several switches that are crossed at one time the one that was declared first acts first.
    - A change that takes its own condition back (cell division: the mass is halved when it reaches a limit) does not
      act a second time, in whatever direction.
    - A condition that holds for a part of a step only is found where g has one turning point in the step; with several
      it may be missed. Where g only touches zero, :math:`g_t + g_x \dot x = 0`, there is no derivative.
    - Crossings without end at one time make a subject fail, as `chattering`.

    Examples
    --------
    >>> Switch("rescue", lambda s: s.pain - s.limit, change={"depot": lambda s: s.depot + s.dose}).direction
    'up'
    """

    name: str
    when: Quantity
    change: Mapping[str, Any] = field(default_factory=dict)
    direction: Direction = "up"

    def __post_init__(self) -> None:
        where = f"switch {self.name!r}"
        if not callable(self.when):
            raise MechanismError(f"{where}: the condition is {self.when!r}, expected a function of `s`.")
        if self.direction not in DIRECTIONS:
            raise MechanismError(
                f"{where}: the direction is {self.direction!r}, expected {', '.join(map(repr, DIRECTIONS))}."
            )
        object.__setattr__(self, "change", frozen(self.change))


def by_sides(symbolic: SymbolicSystem) -> dict[str, TensorVariable]:
    """Return dx/dt with what says the same as a switch, comparisons, maxima and minima, exchanged for its side.

    Examples
    --------
    >>> from qsp_bayes.systems import Process, System
    >>> loss = Process("loss", {"A": -1}, lambda s: s.k * pt.where(s.A > s.limit, 1.0, 0.5) * s.A)
    >>> high = Switch("high", lambda s: s.A - s.limit)
    >>> symbolic = System({"A": "mg"}, {"k": "1/h", "limit": "mg"}, [loss], switches=[high]).symbolic()
    >>> symbolic.parameters["limit"] in ancestors([by_sides(symbolic)["A"]])
    False
    """
    derivatives = dict(symbolic.derivatives)
    replaced: dict[TensorVariable, TensorVariable] = {}
    for variable in ancestors(list(derivatives.values())) if symbolic.switches else ():
        node = variable.owner
        operation = node.op.scalar_op if node is not None and isinstance(node.op, Elemwise) else None
        if not isinstance(operation, (*ABOVE, *BELOW)) or len(node.inputs) != 2:
            continue
        first, second = node.inputs if isinstance(operation, ABOVE) else node.inputs[::-1]
        for switch in symbolic.switches.values():
            for larger, smaller, holds in (
                (first, second, pt.gt(switch.side, 0.5)),
                (second, first, pt.lt(switch.side, 0.5)),
            ):
                if variable not in replaced and equal(larger - smaller, switch.when):
                    meant = holds
                    if isinstance(operation, Maximum):
                        meant = pt.switch(holds, first, second)
                    elif isinstance(operation, Minimum):
                        meant = pt.switch(holds, second, first)
                    replaced[variable] = pt.cast(meant, variable.type.dtype)
    if not replaced:
        return derivatives
    return dict(zip(derivatives, clone_replace(list(derivatives.values()), replaced), strict=True))


def check_read(symbolic: SymbolicSystem) -> None:
    """Raise where nothing depends on the side of a switch that changes no state.

    Raises
    ------
    MechanismError
        Naming the switch.
    """
    read = set(ancestors([*symbolic.expressions.values(), *by_sides(symbolic).values()]))
    for name, switch in symbolic.switches.items():
        if not switch.change and switch.side not in read:
            raise MechanismError(
                f"switch {name!r} has no effect: it changes no state, and no rate reads it. Write s.{name} in a rate, "
                "which is 1 where its condition holds and 0 elsewhere, or a comparison of exactly the two sides of the "
                "condition; another way of writing the comparison is not recognised."
            )


def equal(first: TensorVariable, second: TensorVariable) -> bool:
    """Whether two graphs are seen to be the same function."""
    (difference,) = rewrite_graph([first - second], include=("merge", "canonicalize"), clone=True)
    return isinstance(difference, Constant) and float(difference.data) == 0.0
