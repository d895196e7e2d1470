"""Powers of quantities that are 0 before the first dose, or a little below it in what a solver finds."""

from __future__ import annotations

from typing import Any

import pytensor.tensor as pt

LOWEST = 1e-200
"""Stands for 0: its powers are as good as 0, and so are their derivatives by the exponent."""


def power(base: Any, exponent: Any) -> Any:
    """Return a power with finite derivatives for every base.

    A power of 0 has no finite derivative by its base where the exponent is below 1, and one of a negative number is no
    number. Samplers need both: observations before the first dose are common.

    Examples
    --------
    >>> x, n = pt.dscalars("x", "n")
    >>> hill = power(x, n) / (1 + power(x, n))
    >>> [float(graph.eval({x: -1e-18, n: 0.5})) < 1e-90 for graph in (hill, *pt.grad(hill, [x, n]))]
    [True, True, True]
    """
    return pt.maximum(base, LOWEST) ** exponent
