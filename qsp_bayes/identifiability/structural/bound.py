r"""Bound: how likely the verdict at random points is another than for generic parameters.

Ranks at a point are never too large, and too small only where a polynomial vanishes that does not vanish everywhere. By
Schwartz and Zippel that has a probability of at most its degree over the prime. With D the degree of the right-hand
sides and outputs over a common denominator, coefficient k has a numerator of degree :math:`(2k + 1) D`, its derivative
twice that, and a minor of r rows up to order N at most :math:`2 r (2N + 1) D D_0`, where :math:`D_0` is the degree of
the start. Points modulo two primes are independent.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from qsp_bayes.identifiability.structural.design import Design
from qsp_bayes.identifiability.structural.writer import followed


def error_bound(design: Design, rank: int, order: int, primes: Iterable[int]) -> float:
    """Return the bound for points modulo some primes."""
    degrees = degrees_of(design)
    worst = 1.0
    for piece in design.pieces:
        reached = followed(design.tape, piece, list(piece.watched.values()))
        moved = [slot for state, slot in piece.derivative.items() if slot in reached]
        equations = [degrees[slot] for slot in (*moved, *piece.watched.values())]
        below = sum(lower for _, lower in equations)
        top = max((upper for upper, _ in equations), default=1) + below
        start = max((max(degrees[slot]) for slot in piece.start.values()), default=1)
        worst = max(worst, 2 * rank * (2 * order + 1) * max(top, 1) * max(start, 1))
    return min(1.0, prod(worst / prime for prime in primes))


def degrees_of(design: Design) -> list[tuple[int, int]]:
    """Return degrees of numerator and denominator for each slot; a function counts as a variable."""
    degrees: list[tuple[int, int]] = []
    for kind, *arguments in design.tape.instructions:
        parts = [degrees[a] for a in arguments if isinstance(a, int)]
        match kind:
            case "number":
                degree = (0, 0)
            case "add" | "sub":
                (a, b), (c, d) = parts
                degree = (max(a + d, c + b), b + d)
            case "mul":
                degree = (parts[0][0] + parts[1][0], parts[0][1] + parts[1][1])
            case "div":
                degree = (parts[0][0] + parts[1][1], parts[0][1] + parts[1][0])
            case "choose":
                degree = (max(parts[1][0], parts[2][0]), max(parts[1][1], parts[2][1]))
            case _:
                degree = (1 + sum(a for a, _ in parts), sum(b for _, b in parts))
        degrees.append(degree)
    return degrees
