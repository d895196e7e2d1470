r"""Transfer: the parameters of a linear system that give the same transfer functions, as polynomial equations.

With :math:`\dot x = A x + b + B u` and the start :math:`x_0`, an output :math:`y = c^T x + d` has the transform

.. math:: Y(s) = \frac{c^T \mathrm{adj}(sI - A)\,(s x_0 + b)}{s \det(sI - A)} + \frac{d}{s}
                 + \frac{c^T \mathrm{adj}(sI - A)\,B}{\det(sI - A)}\,U(s)

Data determine each quotient N/D. Parameters give the quotient N*/D* of the true ones, in lowest terms, where
:math:`N(s; \theta)\, D^*(s) = N^*(s)\, D(s; \theta)`: one polynomial equation for each power of s. It holds whatever
cancels, and :math:`\theta` appears in it once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qsp_bayes.identifiability.structural.design import Design
from qsp_bayes.identifiability.structural.groebner import common_divisor, quotient, trimmed
from qsp_bayes.identifiability.structural.polynomial import Polynomial
from qsp_bayes.identifiability.structural.rational import Rational
from qsp_bayes.identifiability.structural.series import Piece

Vector = dict[str, Polynomial]


def equations(design: Design, rational: Rational) -> list[Polynomial]:
    """Return the polynomials that vanish where parameters give what the true ones give.

    Raises
    ------
    NotRational
        If the system or what is observed is not linear in the states.
    """
    found: list[Polynomial] = []
    for piece in design.pieces:
        found += piece_equations(rational, piece)
    return [*found, *rational.ring.relations]


def piece_equations(rational: Rational, piece: Piece) -> list[Polynomial]:
    """Return the equations of one piece."""
    ring, tape = rational.ring, rational.tape
    rows = {f"state {state}": rational.linear(slot) for state, slot in piece.derivative.items()}
    matrix = {
        row: {c: f for c, f in parts.items() if c.startswith("state ")} for row, (parts, _) in rows.items()
    }
    constant: Vector = {row: rest for row, (_, rest) in rows.items() if rest}
    start: Vector = {f"state {state}": rational.polynomial(slot) for state, slot in piece.start.items()}
    inputs = sorted({c for parts, _ in rows.values() for c in parts if c.startswith("varying ")})
    found: list[Polynomial] = []
    for slot in piece.watched.values():
        parts, offset = rational.linear(slot)
        if not tape.moving[slot]:
            found.append(ring.add(offset, ring.number(ring.value(offset, rational.values())), -1))
            continue
        seen = {name: f for name, f in parts.items() if name.startswith("state ")}
        # A constant inflow, and a constant that is observed, are seen beside the response to the start.
        own = {row: f for row, f in start.items() if f}
        step = {row: f for row, f in constant.items() if f}
        found += quotient_equations(rational, matrix, seen, [step, own] if step or offset else [own], offset)
        for name in inputs:
            source = {row: parts[name] for row, (parts, _) in rows.items() if name in parts}
            found += quotient_equations(rational, matrix, seen, [source], {})
        for name, direct in parts.items():
            if name.startswith("varying "):
                found.append(ring.add(direct, ring.number(ring.value(direct, rational.values())), -1))
    return found


def quotient_equations(
    rational: Rational,
    matrix: Mapping[str, Vector],
    seen: Vector,
    sources: Sequence[Vector],
    offset: Polynomial,
) -> list[Polynomial]:
    """Equate the response to a source, a polynomial in s with vectors as coefficients, with the true one."""
    ring, p = rational.ring, rational.ring.prime
    block = between(matrix, set(seen), {row for source in sources for row in source})
    if not block and not offset:
        return []
    below = determinant(rational, matrix, block)
    above: list[Polynomial] = [{} for _ in range(len(below) + len(sources) - 1)]
    for power, source in enumerate(sources):
        for k, coefficient in enumerate(adjugate(rational, matrix, block, below, source, seen)):
            above[k + power] = ring.add(above[k + power], coefficient)
    for k, coefficient in enumerate(below):
        above[k] = ring.add(above[k], ring.multiply(coefficient, offset))
    if len(sources) > 1:
        below = [{}, *below]
    values = rational.values()
    true_above = trimmed([ring.value(f, values) for f in above], p)
    true_below = [ring.value(f, values) for f in below]
    if not true_above:
        return [f for f in above if f]
    common = common_divisor(true_above, true_below, p)
    true_above, true_below = quotient(true_above, common, p), quotient(true_below, common, p)
    return identity(rational, above, true_below, below, true_above)


def identity(
    rational: Rational,
    above: Sequence[Polynomial],
    true_below: Sequence[int],
    below: Sequence[Polynomial],
    true_above: Sequence[int],
) -> list[Polynomial]:
    """Return the coefficients of ``above * true_below - true_above * below``."""
    ring = rational.ring
    size = max(len(above) + len(true_below), len(below) + len(true_above)) - 1
    found: list[Polynomial] = [{} for _ in range(size)]
    for polynomials, numbers, sign in ((above, true_below, 1), (below, true_above, -1)):
        for j, polynomial in enumerate(polynomials):
            for k, number in enumerate(numbers):
                found[j + k] = ring.add(found[j + k], polynomial, sign * number)
    return [f for f in found if f]


def between(matrix: Mapping[str, Vector], seen: set[str], driven: set[str]) -> list[str]:
    """Return the states that a source reaches and that reach what is seen."""
    up = reach(seen, {row: set(parts) for row, parts in matrix.items()})
    down: dict[str, set[str]] = {row: set() for row in matrix}
    for row, parts in matrix.items():
        for column in parts:
            down[column].add(row)
    both = up & reach(driven, down)
    return [row for row in matrix if row in both]


def reach(begin: set[str], steps: Mapping[str, set[str]]) -> set[str]:
    """Follow steps from some states."""
    reached, frontier = set(begin), list(begin)
    while frontier:
        new = steps[frontier.pop()] - reached
        reached |= new
        frontier += new
    return reached


def determinant(rational: Rational, matrix: Mapping[str, Vector], block: Sequence[str]) -> list[Polynomial]:
    """Return the coefficients of det(sI - A), lowest first, group by group of states that exchange."""
    ring = rational.ring
    steps = {row: {c for c in matrix[row] if c in block} for row in block}
    reached = {row: reach({row}, steps) for row in block}
    done: set[str] = set()
    product: list[Polynomial] = [ring.number(1)]
    for row in block:
        if row not in done:
            group = [other for other in block if other in reached[row] and row in reached[other]]
            done |= set(group)
            product = convolved(rational, product, characteristic(rational, matrix, group))
    return product


def convolved(
    rational: Rational, first: Sequence[Polynomial], second: Sequence[Polynomial]
) -> list[Polynomial]:
    """Multiply polynomials in s."""
    ring = rational.ring
    product: list[Polynomial] = [{} for _ in range(len(first) + len(second) - 1)]
    for j, f in enumerate(first):
        for k, g in enumerate(second):
            rational.hurry()
            product[j + k] = ring.add(product[j + k], ring.multiply(f, g))
    return product


def characteristic(
    rational: Rational, matrix: Mapping[str, Vector], group: Sequence[str]
) -> list[Polynomial]:
    """Return det(sI - A) of one group of states (Faddeev and LeVerrier)."""
    ring, size = rational.ring, len(group)
    coefficients = [ring.number(1)]
    power = {row: {row: ring.number(1)} for row in group}
    for k in range(1, size + 1):
        product = {row: times(rational, matrix, power, row, group) for row in group}
        trace: Polynomial = {}
        for row in group:
            trace = ring.add(trace, product[row].get(row, {}))
        inverse = pow(k, -1, ring.prime)
        last = {m: -v * inverse % ring.prime for m, v in trace.items()}
        coefficients.append(last)
        power = {row: product[row] | {row: ring.add(product[row].get(row, {}), last)} for row in group}
    return coefficients[::-1]


def times(
    rational: Rational,
    matrix: Mapping[str, Vector],
    power: Mapping[str, Vector],
    row: str,
    group: Sequence[str],
) -> Vector:
    """Return a row of A times another matrix."""
    ring = rational.ring
    result: Vector = {}
    for middle, factor in matrix[row].items():
        if middle in power:
            for column, value in power[middle].items():
                rational.hurry()
                result[column] = ring.add(result.get(column, {}), ring.multiply(factor, value))
    return result


def adjugate(
    rational: Rational,
    matrix: Mapping[str, Vector],
    block: Sequence[str],
    below: Sequence[Polynomial],
    source: Vector,
    seen: Vector,
) -> list[Polynomial]:
    """Return the coefficients of c adj(sI - A) v, lowest first: w_1 = v, w_(k+1) = A w_k + (next coefficient) v."""
    ring, size = rational.ring, len(block)
    vector = {row: f for row, f in source.items() if row in block}
    coefficients: list[Polynomial] = []
    for k in range(size):
        value: Polynomial = {}
        for row, f in vector.items():
            if row in seen:
                value = ring.add(value, ring.multiply(seen[row], f))
        coefficients.append(value)
        moved: Vector = {}
        for row in block:
            total: Polynomial = {}
            for column, factor in matrix[row].items():
                if column in vector:
                    rational.hurry()
                    total = ring.add(total, ring.multiply(factor, vector[column]))
            if row in source:
                total = ring.add(total, ring.multiply(below[size - 1 - k], source[row]))
            if total:
                moved[row] = total
        vector = moved
    return coefficients[::-1]
