"""Solutions: how many values of each parameter give the same data, where that can be decided in the time given."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from qsp_bayes.identifiability.structural import prolongation, transfer
from qsp_bayes.identifiability.structural.design import Design
from qsp_bayes.identifiability.structural.groebner import Endless, TimeIsUp, distinct_values
from qsp_bayes.identifiability.structural.jacobian import Jacobian, identified
from qsp_bayes.identifiability.structural.modular import PRIMES, reduced
from qsp_bayes.identifiability.structural.point import Point, SingularStart, UnluckyPoint
from qsp_bayes.identifiability.structural.polynomial import Polynomial
from qsp_bayes.identifiability.structural.rational import NotRational, Rational

SPARE = 400
SEED = 7


def solutions(design: Design, jacobian: Jacobian, seconds: float) -> dict[str, int]:
    """Count the values of the identifiable unknowns that give the data of a random point.

    What no data determine is fixed first: as many unknowns as there are directions in which nothing changes. The others
    then have as many values as before, for the functions that data determine are independent of what is fixed.

    Returns
    -------
    dict of str to int
        Without those that could not be decided in time, or whose equations are not rational.
    """
    null = jacobian.null()
    # Divisors first: without them the equations are shorter.
    divisors = divisors_of(design)
    order = sorted(range(len(design.unknowns)), key=lambda k: design.unknowns[k] not in divisors)
    fixed = {design.unknowns[order[k]] for k in reduced(null[:, order], jacobian.prime)[1]}
    wanted = [
        name for name, held in zip(design.unknowns, identified(null, design.asked), strict=False) if held
    ]
    deadline = time.monotonic() + seconds
    try:
        return counted(design, fixed, wanted, deadline, lambda r: transfer.equations(design, r))
    except NotRational:
        pass
    # Orders of a free start that follow the one after the last needed are consequences of those before; a start that
    # the system states may be special, so that more than one value counts only if the next order does not change it.
    last = jacobian.settled() + 1
    try:
        first = counted(design, fixed, wanted, deadline, lambda r: prolongation.equations(design, r, last))
        if all(count == 1 for count in first.values()):
            return first
        again = counted(
            design, fixed, wanted, deadline, lambda r: prolongation.equations(design, r, last + 1)
        )
    except NotRational:
        return {}
    return {name: again[name] for name in again if again[name] in (1, first.get(name))}


def divisors_of(design: Design) -> set[str]:
    """Return the unknowns that something is divided by."""
    tape = design.tape
    below = [instruction[2] for instruction in tape.instructions if instruction[0] == "div"]
    return {
        tape.instructions[slot][1] for slot in tape.needed(below) if tape.instructions[slot][0] == "unknown"
    }


def counted(
    design: Design,
    fixed: set[str],
    wanted: Sequence[str],
    deadline: float,
    equations: Callable[[Rational], list[Polynomial]],
) -> dict[str, int]:
    """Count the values of unknowns in the solutions of equations, as far as time allows."""
    point = Point(PRIMES[0], design.unknowns, SEED)
    rational = Rational(design, point, fixed, deadline, SPARE)
    try:
        found = equations(rational)
    except (TimeIsUp, OverflowError, SingularStart, UnluckyPoint, ZeroDivisionError):
        return {}
    positions = {name: rational.ring.position[name] for name in wanted}
    rest, counts = prolongation.substituted(found, PRIMES[0], positions)
    missing: Mapping[str, int] = {name: at for name, at in positions.items() if name not in counts}
    auxiliary = len(rational.free) + len(rational.leaves)
    try:
        counts |= (
            distinct_values(rest, missing, PRIMES[0], deadline - time.monotonic(), auxiliary)
            if missing
            else {}
        )
    except Endless:
        pass
    except TimeIsUp as partial:
        counts |= partial.args[0] if partial.args else {}
    return counts
