"""Log probabilities of the standard normal law whose values and gradients stay finite far out in both tails."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.tensor as pt


def log_cdf(z: Any) -> pt.TensorVariable:
    r"""Give :math:`\log \Phi(z)`.

    Each branch sees only the half line where it is finite: an infinite value in the branch that is not taken would
    turn the gradient into NaN (0 times infinity).
    """
    low, high = pt.minimum(z, -1.0), pt.maximum(z, -1.0)
    far_left = pt.log(pt.erfcx(-low / np.sqrt(2.0)) / 2.0) - 0.5 * pt.sqr(low)
    elsewhere = pt.log1p(-0.5 * pt.erfc(high / np.sqrt(2.0)))
    return pt.switch(pt.lt(z, -1.0), far_left, elsewhere)


def log_interval(low: Any, high: Any) -> pt.TensorVariable:
    r"""Give :math:`\log(\Phi(b) - \Phi(a))` for a < b, computed in the tail where both are small."""
    right = pt.gt(low, 0.0)
    a, b = pt.switch(right, -high, low), pt.switch(right, -low, high)
    log_b = log_cdf(b)
    return log_b + pt.log1mexp(log_cdf(a) - log_b)
