"""Polynomials through values at Chebyshev nodes: what a piece of a path is between two events."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import chebyshev
from scipy.special import comb

N_NODES = 8
"""Values by which a piece of a path is known."""


def nodes_of(n: int) -> np.ndarray:
    r"""Nodes :math:`s_j = -\cos\frac{(2j+1)\pi}{2n}` of the first kind on (-1, 1), ascending.

    None is an end of the piece: whether a value stands before or after the dose at an end needs no asking.

    Examples
    --------
    >>> nodes_of(2).round(3)
    array([-0.707,  0.707])
    """
    return -np.cos((2 * np.arange(n) + 1) * np.pi / (2 * n))


NODES = nodes_of(N_NODES)
SERIES = np.linalg.inv(chebyshev.chebvander(NODES, N_NODES - 1))
"""From values to the coefficients of Chebyshev polynomials, (coefficient, node)."""

POWERS = np.linalg.inv(np.vander(NODES, increasing=True))
"""From values to the coefficients of powers of s, lowest first, (power, node)."""

DEGREES = np.arange(N_NODES)
SHARES = 0.5 * (NODES[:, None] + 1)
BERNSTEIN = np.linalg.inv(
    comb(N_NODES - 1, DEGREES) * SHARES**DEGREES * (1 - SHARES) ** (N_NODES - 1 - DEGREES)
)
"""From values to the coefficients of Bernstein polynomials, (coefficient, node).

The polynomial stays between the least and the greatest of them, and has at most as many roots as they change sign.
"""

WEIGHTS = np.array([2 / (1 - k**2) if k % 2 == 0 else 0.0 for k in range(N_NODES)]) @ SERIES
r"""Fejér's weights: :math:`\int_{-1}^{1} p(s) \, ds = \sum_j w_j p(s_j)` for the polynomial through the values."""

TAIL = SERIES[-4:]
"""From values to the last four coefficients, whose decay says how well the polynomial follows the path."""
