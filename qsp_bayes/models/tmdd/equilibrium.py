"""Drug and target at equilibrium: free drug from the totals, by the root that loses no digits."""

from __future__ import annotations

from typing import Any

import pytensor.tensor as pt


def free_drug(total_drug: Any, total_target: Any, K: Any) -> Any:
    r"""Return the free drug of a drug and a target that bind one to one with dissociation constant K.

    It is the root :math:`C \ge 0` of :math:`C^2 + (R_{tot} - C_{tot} + K) C - K C_{tot} = 0`. With
    :math:`x = C_{tot} / K` and :math:`b = (R_{tot} - C_{tot}) / K + 1`,

    .. math::

        \frac{C}{K} = \begin{cases} x / q & b \ge 0 \\ q & b < 0 \end{cases}, \qquad
        q = \tfrac{1}{2} \left(|b| + \sqrt{b^2 + 4 x}\right)

    The textbook form :math:`\tfrac{1}{2}(-b + \sqrt{b^2 + 4x})` subtracts two nearly equal numbers where target
    is in excess, and keeps no digit once the free fraction is below 1e-16. Here nothing cancels but
    :math:`R_{tot} - C_{tot}`, which is exact where the two are close. Values and derivatives are continuous
    through b = 0, and finite without drug, where :math:`dC/dC_{tot} = K / (K + R_{tot})`.

    Parameters
    ----------
    total_drug, total_target : concentrations, 0 or more
    K : concentration, above 0
        KD, or Kss.

    Returns
    -------
    TensorVariable
        Free drug, in the unit of the arguments.

    Examples
    --------
    >>> float(free_drug(6.0, 5.0, 2.0).eval())
    3.0
    >>> float(free_drug(2.0**-30, 1.0, 2.0**-40).eval()) / 2.0**-70  # one part in 2^40 is free
    1.000000000930...
    """
    excess = target_excess(total_drug, total_target, K)
    return root_of(excess, larger_root(excess, total_drug, K), total_drug, K)


def target_excess(total_drug: Any, total_target: Any, K: Any) -> Any:
    """Return b: how much target there is beyond the drug, in units of K, and 1 more."""
    # Divided by K before 1 is added: what simplifies graphs would otherwise add K to the target first.
    return (total_target - total_drug) / K + 1


def larger_root(excess: Any, total_drug: Any, K: Any) -> Any:
    """Return q, of the two roots the one with the larger size, in units of K."""
    # The size of b, but with a derivative of 1 and not 0 at b = 0.
    size = pt.switch(pt.lt(excess, 0), -excess, excess)
    return (size + pt.sqrt(excess**2 + 4 * (total_drug / K))) / 2


def root_of(excess: Any, larger: Any, total_drug: Any, K: Any) -> Any:
    """Return the free drug from b and q."""
    return K * pt.switch(pt.lt(excess, 0), larger, total_drug / K / larger)
