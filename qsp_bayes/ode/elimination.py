"""The sparse LU decomposition of shift I - J and its solutions, written as Python from their plan."""

from __future__ import annotations

from collections.abc import Iterable

from qsp_bayes.ode.sparse import Elimination

USABLE = "1e-12"
"""A pivot must keep this part of the terms that it is the sum of, so that four digits are left of sixteen, and so must
the entry of the matrix that it began with, which otherwise is lost among terms much larger than itself. The test does
not depend on the units of the states: scaling rows and columns scales pivot, entry and terms alike."""


def functions(plan: Elimination) -> dict[str, list[str]]:
    """Write the bodies of factor, solve and solve_transposed."""
    if plan.straight:
        bodies = straight_factor(plan), straight_solve(plan), straight_solve_transposed(plan)
    else:
        bodies = LOOP_FACTOR, LOOP_SOLVE, LOOP_SOLVE_TRANSPOSED
    return dict(zip(("factor", "solve", "solve_transposed"), bodies, strict=True))


def straight_factor(plan: Elimination) -> list[str]:
    """Write the decomposition, one line for each operation."""
    place = {entry: k for k, entry in enumerate(plan.entries)}
    lines = ["usable = True"]
    for i, j in sorted(set(plan.entries) | {(i, i) for i in range(plan.n_states)}):
        entry = f"J[{place[i, j]}]" if (i, j) in place else None
        if i == j:
            lines.append(f"w_{i}_{i} = shift - {entry}" if entry else f"w_{i}_{i} = shift")
            lines.append(f"first_{i} = abs(w_{i}_{i})")
            lines.append(f"size_{i} = abs(shift) + abs({entry})" if entry else f"size_{i} = abs(shift)")
        else:
            lines.append(f"w_{i}_{j} = -{entry}")
    filled = set(plan.entries) | {(i, i) for i in range(plan.n_states)}
    for step, k in enumerate(plan.order):
        lines.append(
            f"usable = usable & (abs(w_{k}_{k}) > {USABLE} * size_{k}) & (first_{k} > {USABLE} * size_{k})"
        )
        lines.append(f"r_{k} = 1.0 / w_{k}_{k}")
        for i in plan.below(step):
            lines.append(f"l_{i}_{k} = w_{i}_{k} * r_{k}")
            for j in plan.right(step):
                product = f"l_{i}_{k} * w_{k}_{j}"
                if i == j:
                    lines.append(f"size_{i} = size_{i} + abs({product})")
                lines.append(
                    f"w_{i}_{j} = w_{i}_{j} - {product}" if (i, j) in filled else f"w_{i}_{j} = -{product}"
                )
                filled.add((i, j))
    lines += [f"W[{place}] = {_factor_name(plan, i, j)}" for (i, j), place in plan.position.items()]
    return [*lines, "return not usable"]


def _factor_name(plan: Elimination, i: int, j: int) -> str:
    if i == j:
        return f"r_{i}"
    return f"l_{i}_{j}" if plan.order.index(i) > plan.order.index(j) else f"w_{i}_{j}"


def straight_solve(plan: Elimination) -> list[str]:
    """Write the solution of (shift I - J) x = b."""
    return in_place(plan, solution(plan, "b_{}", "W[{}]"))


def straight_solve_transposed(plan: Elimination) -> list[str]:
    """Write the solution of the transposed system."""
    return in_place(plan, transposed_solution(plan, "b_{}", "W[{}]"))


def in_place(plan: Elimination, lines: list[str]) -> list[str]:
    """Write how b is read and written back around a solution."""
    states = range(plan.n_states)
    return [*(f"b_{i} = b[{i}]" for i in states), *lines, *(f"b[{i}] = b_{i}" for i in states), "return 0"]


def solution(plan: Elimination, b: str, W: str) -> list[str]:
    """Write the solution for a right-hand side and factors that are called by number, as in `b_{}`."""
    lines, at = [], plan.position
    for step, k in enumerate(plan.order):
        lines += [
            f"{b.format(i)} = {b.format(i)} - {W.format(at[i, k])} * {b.format(k)}" for i in plan.below(step)
        ]
    for step, k in reversed(list(enumerate(plan.order))):
        known = "".join(f" - {W.format(at[k, j])} * {b.format(j)}" for j in plan.right(step))
        lines.append(f"{b.format(k)} = ({b.format(k)}{known}) * {W.format(at[k, k])}")
    return lines


def transposed_solution(plan: Elimination, b: str, W: str) -> list[str]:
    """Write the same for the transposed system."""
    lines, at = [], plan.position
    for step, k in enumerate(plan.order):
        lines.append(f"{b.format(k)} = {b.format(k)} * {W.format(at[k, k])}")
        lines += [
            f"{b.format(j)} = {b.format(j)} - {W.format(at[k, j])} * {b.format(k)}" for j in plan.right(step)
        ]
    for step, k in reversed(list(enumerate(plan.order))):
        known = "".join(f" - {W.format(at[i, k])} * {b.format(i)}" for i in plan.below(step))
        if known:
            lines.append(f"{b.format(k)} = {b.format(k)}{known}")
    return lines


def tables(plan: Elimination) -> dict[str, Iterable[int]]:
    """Return what the loops run over: places in W, and states."""
    if plan.straight:
        return {}
    at, order = plan.position, plan.order
    steps = range(plan.n_states)
    lower = [(i, order[step]) for step in steps for i in plan.below(step)]
    upper = [(order[step], j) for step in steps for j in plan.right(step)]
    updates = [(i, k, j) for s, k in enumerate(order) for i in plan.below(s) for j in plan.right(s)]

    def starts(counts: Iterable[int]) -> list[int]:
        total = [0]
        for count in counts:
            total.append(total[-1] + count)
        return total

    return {
        "ENTRIES": [at[entry] for entry in plan.entries],
        "DIAGONAL": [at[i, i] for i in steps],
        "ORDER": order,
        "LOWER_STARTS": starts(len(plan.below(s)) for s in steps),
        "LOWER": [at[entry] for entry in lower],
        "LOWER_ROWS": [i for i, _ in lower],
        "UPPER_STARTS": starts(len(plan.right(s)) for s in steps),
        "UPPER": [at[entry] for entry in upper],
        "UPPER_COLUMNS": [j for _, j in upper],
        "UPDATE_STARTS": starts(len(plan.below(s)) * len(plan.right(s)) for s in steps),
        "TARGETS": [at[i, j] for i, _, j in updates],
        "LEFT": [at[i, k] for i, k, _ in updates],
        "RIGHT": [at[k, j] for _, k, j in updates],
        "SIZES": [len(at) + plan.n_states + i if i == j else -1 for i, _, j in updates],
    }


LOOP_FACTOR = """\
for k in range(N_FACTORS):
    W[k] = 0.0
for k in range(N_ENTRIES):
    W[ENTRIES[k]] = -J[k]
first = N_FACTORS - 2 * N_STATES
size = N_FACTORS - N_STATES
usable = True
for i in range(N_STATES):
    entry = W[DIAGONAL[i]]
    W[DIAGONAL[i]] = shift + entry
    W[first + i] = abs(shift + entry)
    W[size + i] = abs(shift) + abs(entry)
for step in range(N_STATES):
    i = ORDER[step]
    pivot = W[DIAGONAL[i]]
    least = USABLE * W[size + i]
    usable = usable & (abs(pivot) > least) & (W[first + i] > least)
    W[DIAGONAL[i]] = 1.0 / pivot
    for k in range(LOWER_STARTS[step], LOWER_STARTS[step + 1]):
        W[LOWER[k]] = W[LOWER[k]] / pivot
    for k in range(UPDATE_STARTS[step], UPDATE_STARTS[step + 1]):
        change = W[LEFT[k]] * W[RIGHT[k]]
        W[TARGETS[k]] = W[TARGETS[k]] - change
        if SIZES[k] >= 0:
            W[SIZES[k]] = W[SIZES[k]] + abs(change)
return not usable""".splitlines()

LOOP_SOLVE = """\
for step in range(N_STATES):
    known = b[ORDER[step]]
    for k in range(LOWER_STARTS[step], LOWER_STARTS[step + 1]):
        b[LOWER_ROWS[k]] = b[LOWER_ROWS[k]] - W[LOWER[k]] * known
for step in range(N_STATES - 1, -1, -1):
    i = ORDER[step]
    left = b[i]
    for k in range(UPPER_STARTS[step], UPPER_STARTS[step + 1]):
        left = left - W[UPPER[k]] * b[UPPER_COLUMNS[k]]
    b[i] = left * W[DIAGONAL[i]]
return 0""".splitlines()

LOOP_SOLVE_TRANSPOSED = """\
for step in range(N_STATES):
    i = ORDER[step]
    known = b[i] * W[DIAGONAL[i]]
    b[i] = known
    for k in range(UPPER_STARTS[step], UPPER_STARTS[step + 1]):
        b[UPPER_COLUMNS[k]] = b[UPPER_COLUMNS[k]] - W[UPPER[k]] * known
for step in range(N_STATES - 1, -1, -1):
    i = ORDER[step]
    left = b[i]
    for k in range(LOWER_STARTS[step], LOWER_STARTS[step + 1]):
        left = left - W[LOWER[k]] * b[LOWER_ROWS[k]]
    b[i] = left
return 0""".splitlines()
