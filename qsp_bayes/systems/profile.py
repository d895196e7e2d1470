"""Profiles: how what a dose brought moves on, as a function of the time since it arrived."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

from qsp_bayes.systems.declarations import Quantity

TERMS = 4
"""Terms of the series that a Weibull release is split by: what remains to be integrated has no infinite rate for shapes
above 1 / (TERMS + 1)."""


@dataclass(frozen=True, eq=False)
class Profile:
    """Distribution of the time that passes between the arrival of a dose and its release.

    The fraction that is released until a time is split in two: a part in closed form, which may begin infinitely fast,
    and the integral of a rate, which may not. Both are positive, so that nothing cancels, and the closed part vanishes
    with time.

    Attributes
    ----------
    word : str
        What equations call it.
    dimensions : mapping of str to bool
        Whether each quantity that describes it is a time, otherwise a number.
    """

    word: ClassVar[str]
    dimensions: ClassVar[Mapping[str, bool]]

    def quantities(self) -> dict[str, Quantity]:
        """Return what describes the distribution, functions of parameters and inputs."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def translated(self, translate: Callable[[Any], Any]) -> Profile:
        """Return the profile with its functions exchanged, as `System.rename` does."""
        return replace(self, **{name: translate(quantity) for name, quantity in self.quantities().items()})

    def closed(self, elapsed: TensorVariable, *quantities: TensorVariable) -> TensorVariable:
        """Return the part of the released fraction that has a closed form, at a time above 0."""
        raise NotImplementedError

    def rate(self, elapsed: TensorVariable, *quantities: TensorVariable) -> TensorVariable:
        """Return the derivative of the other part, at a time above 0."""
        raise NotImplementedError

    def middle(self, *quantities: TensorVariable) -> TensorVariable:
        """Return about the time when half is released, to which an integrator must not take one blind step."""
        raise NotImplementedError

    def possible(self, *quantities: TensorVariable) -> TensorVariable:
        """Tell for which values of the quantities there is such a distribution."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Weibull(Profile):
    r"""Weibull distribution: a fraction :math:`1 - e^{-w}`, :math:`w = (\tau / \mathrm{scale})^{\mathrm{shape}}`.

    A shape of 1 is release by first order at the rate constant 1 / scale. Below 1 release begins infinitely fast, and
    slows down; above 1 it is delayed.

    Parameters
    ----------
    scale : callable
        Time until 63.2 % are released.
    shape : callable
        A number above 0.

    Notes
    -----
    With m = 4 terms in closed form, and the rest as an integral,

    .. math:: 1 - e^{-w} = e^{-w} \sum_{j=1}^{m} \frac{w^j}{j!} + \int \frac{w^m e^{-w}}{m!}\,dw

    Where the shape is below 1, derivatives with respect to the time of the dose (its lag time) hold the infinite slope
    of the amount there: they converge with the tolerance, more slowly than all others.

    References
    ----------
    Piotrovskii VK (1987). The use of Weibull distribution to describe the in vivo absorption kinetics.
    J Pharmacokinet Biopharm 15:681-686.

    Examples
    --------
    >>> profile = Weibull(scale=lambda s: s.td, shape=lambda s: s.beta)
    >>> profile.quantities().keys()
    dict_keys(['scale', 'shape'])
    """

    scale: Quantity
    shape: Quantity

    word: ClassVar[str] = "weibull"
    dimensions: ClassVar[Mapping[str, bool]] = {"scale": True, "shape": False}

    def closed(self, elapsed: TensorVariable, *quantities: TensorVariable) -> TensorVariable:
        """Return the first terms of the series."""
        scale, shape = quantities
        w = (elapsed / scale) ** shape
        series = pt.constant(1.0 / TERMS, dtype="float64")
        for j in range(TERMS - 1, 0, -1):  # w + w^2 / 2 (1 + w / 3 (1 + ...))
            series = (1.0 + w * series) / j
        return pt.exp(-w) * w * series

    def rate(self, elapsed: TensorVariable, *quantities: TensorVariable) -> TensorVariable:
        """Return the derivative of the rest."""
        scale, shape = quantities
        w = (elapsed / scale) ** shape
        return shape * pt.exp(-w) * w ** (TERMS + 1) / (math.factorial(TERMS) * elapsed)

    def middle(self, *quantities: TensorVariable) -> TensorVariable:
        """Return the median."""
        scale, shape = quantities
        return scale * pt.exp(math.log(math.log(2.0)) / shape)

    def possible(self, *quantities: TensorVariable) -> TensorVariable:
        """Tell where scale and shape are above 0."""
        scale, shape = quantities
        return pt.gt(scale, 0.0) & pt.gt(shape, 0.0)


@dataclass(frozen=True, eq=False)
class Gamma(Profile):
    r"""Gamma distribution: what passes n transit compartments, where n need not be whole.

    .. math::

        f(\tau) = K_{TR} \frac{x^n e^{-x}}{\Gamma(n + 1)}, \qquad x = K_{TR}\,\tau, \qquad
        K_{TR} = \frac{n + 1}{\mathrm{mean}}

    is released per time. n is 0 or more; n = 0 is release by first order.

    Parameters
    ----------
    n : callable
        Number of transit compartments after the first.
    mean : callable
        Mean time until release.

    Notes
    -----
    One step of the recurrence of the incomplete gamma function leaves an integral whose rate begins at 0,

    .. math:: P(n + 1, x) = \frac{x^{n + 1} e^{-x}}{\Gamma(n + 2)} + \int \frac{x^{n + 1} e^{-x}}{\Gamma(n + 2)}\,dx

    References
    ----------
    Savic RM, Jonker DM, Kerbusch T, Karlsson MO (2007). Implementation of a transit compartment model for
    describing drug absorption in pharmacokinetic studies. J Pharmacokinet Pharmacodyn 34:711-726.

    Examples
    --------
    >>> profile = Gamma(n=lambda s: s.n, mean=lambda s: s.MTT)
    >>> profile.quantities().keys()
    dict_keys(['n', 'mean'])
    """

    n: Quantity
    mean: Quantity

    word: ClassVar[str] = "gamma"
    dimensions: ClassVar[Mapping[str, bool]] = {"n": False, "mean": True}

    def closed(self, elapsed: TensorVariable, *quantities: TensorVariable) -> TensorVariable:
        """Return the term that the recurrence splits off."""
        n, mean = quantities
        x = (n + 1.0) / mean * elapsed
        return pt.exp((n + 1.0) * pt.log(x) - x - pt.gammaln(n + 2.0))

    def rate(self, elapsed: TensorVariable, *quantities: TensorVariable) -> TensorVariable:
        """Return the derivative of the rest."""
        n, mean = quantities
        return (n + 1.0) / mean * self.closed(elapsed, n, mean)

    def middle(self, *quantities: TensorVariable) -> TensorVariable:
        """Return Wilson and Hilferty's approximation of the median."""
        n, mean = quantities
        return mean * (1.0 - 1.0 / (9.0 * (n + 1.0))) ** 3

    def possible(self, *quantities: TensorVariable) -> TensorVariable:
        """Tell where n is at least 0 and the mean above 0."""
        n, mean = quantities
        return pt.ge(n, 0.0) & pt.gt(mean, 0.0)
