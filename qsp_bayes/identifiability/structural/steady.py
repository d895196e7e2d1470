"""Steady: the state in which a system rests before the first dose, as functions of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from qsp_bayes.errors import MechanismError
from qsp_bayes.identifiability.structural.modular import PRIMES
from qsp_bayes.identifiability.structural.point import Point, SingularStart, UnluckyPoint
from qsp_bayes.identifiability.structural.series import Piece, observed
from qsp_bayes.identifiability.structural.tape import Tape

Rates = Callable[[Mapping[str, int]], Mapping[str, int]]
"""Slots of all derivatives where the states stand for given slots."""


def steady_states(tape: Tape, states: Sequence[str], rates: Rates, where: str) -> dict[str, int]:
    """Return the slots of the states at rest.

    States that stay at 0 when they are all 0 are 0: a system without drug. The others are solved for, one by one where
    the derivative of one depends on it alone, and together where they are linear.

    Raises
    ------
    MechanismError
        If the remaining states are not linear in each other.
    """
    zero = tape.number(0)
    empty = list(states)
    while True:
        trial = rates({s: zero if s in empty else tape.slot("state", s) for s in states})
        filled = [s for s in empty if not vanishes(tape, states, trial[s])]
        if not filled:
            break
        empty = [s for s in empty if s not in filled]
    solved = dict.fromkeys(empty, zero)
    left = [s for s in states if s not in solved]
    while left:
        single = next((s for s in left if is_alone(tape, states, rates, solved, s)), None)
        group = [single] if single else left
        solved |= solution(tape, states, rates, solved, group, where)
        left = [s for s in left if s not in solved]
    return {s: solved[s] for s in states}


def vanishes(tape: Tape, states: Sequence[str], slot: int) -> bool:
    """Say whether a slot is 0 for all values of the states and parameters."""
    start = {s: tape.slot("known", f"any {s}") for s in states}
    piece = Piece("", start, dict.fromkeys(states, tape.number(0)))
    for seed in range(40):
        try:
            series = observed(tape, piece, Point(PRIMES[0], (), seed), 0, [slot])
        except SingularStart:
            return False
        except UnluckyPoint:
            continue
        return not series[slot][0, 0]
    return False


def is_alone(tape: Tape, states: Sequence[str], rates: Rates, solved: Mapping[str, int], state: str) -> bool:
    """Say whether the derivative of a state depends on no other state that is still to be solved for."""
    slot = rates({s: solved.get(s, tape.slot("state", s)) for s in states})[state]
    return {tape.instructions[k][1] for k in tape.needed([slot]) if tape.instructions[k][0] == "state"} <= {
        state
    }


def solution(
    tape: Tape,
    states: Sequence[str],
    rates: Rates,
    solved: Mapping[str, int],
    group: Sequence[str],
    where: str,
) -> dict[str, int]:
    """Solve for a group of states that are linear in each other, by elimination."""
    zero, one = tape.number(0), tape.number(1)

    def at(values: Mapping[str, int]) -> list[int]:
        slots = rates({s: values.get(s, solved.get(s, zero)) for s in states})
        return [slots[s] for s in group]

    rest = at({})
    columns = [[tape.slot("sub", a, b) for a, b in zip(at({s: one}), rest, strict=True)] for s in group]
    anywhere = {s: tape.slot("state", s) for s in group}
    for row, value in enumerate(at(anywhere)):
        expected = rest[row]
        for column, s in zip(columns, group, strict=True):
            expected = tape.add(expected, tape.mul(column[row], anywhere[s]))
        if not vanishes(tape, states, tape.slot("sub", value, expected)):
            raise MechanismError(
                f"{where}: the steady state of {', '.join(group)} solves equations that are not linear. Write it as "
                "`initial` of the system, or take initial='unknown'."
            )
    matrix = [
        [column[row] for column in columns] + [tape.slot("sub", zero, rest[row])] for row in range(len(group))
    ]
    for k in range(len(group)):
        pivot = next((r for r in range(k, len(group)) if not vanishes(tape, states, matrix[r][k])), None)
        if pivot is None:
            raise MechanismError(
                f"{where}: {', '.join(group)} have no steady state of their own: nothing leaves them, or their total "
                "is fixed. Write their start as `initial` of the system."
            )
        matrix[k], matrix[pivot] = matrix[pivot], matrix[k]
        matrix[k] = [tape.slot("div", value, matrix[k][k]) for value in matrix[k]]
        for r in range(len(group)):
            if r != k and not vanishes(tape, states, matrix[r][k]):
                factor = matrix[r][k]
                matrix[r] = [
                    tape.slot("sub", a, tape.mul(factor, b))
                    for a, b in zip(matrix[r], matrix[k], strict=True)
                ]
    return {s: matrix[k][-1] for k, s in enumerate(group)}
