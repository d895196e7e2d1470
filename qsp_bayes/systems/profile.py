"""Profiles: how what a dose brought moves on, as a function of the time since it arrived."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

from qsp_bayes.systems.declarations import Quantity


@dataclass(frozen=True, eq=False)
class Profile:
    """Distribution of the time that passes between the arrival of a dose and its release.

    Attributes
    ----------
    word : str
        What equations call it.
    cumulative : bool
        Whether `released` is the fraction released until then, otherwise the fraction released per time.
    """

    word: ClassVar[str]
    cumulative: ClassVar[bool]
    dimensions: ClassVar[Mapping[str, bool]]
    """Whether each quantity is a time, otherwise a number."""

    def quantities(self) -> dict[str, Quantity]:
        """Return what describes the distribution, functions of parameters and inputs."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def translated(self, translate: Callable[[Any], Any]) -> Profile:
        """Return the profile with its functions exchanged, as `System.rename` does."""
        return replace(self, **{name: translate(quantity) for name, quantity in self.quantities().items()})

    def released(self, elapsed: TensorVariable, *quantities: TensorVariable) -> TensorVariable:
        """Return the fraction released, until a time above 0 or per time (see `cumulative`)."""
        raise NotImplementedError

    def possible(self, *quantities: TensorVariable) -> TensorVariable:
        """Tell for which values of the quantities there is such a distribution."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Weibull(Profile):
    r"""Weibull distribution: a fraction :math:`1 - e^{-(\tau / \mathrm{scale})^{\mathrm{shape}}}` is released.

    A shape of 1 is release by first order at the rate constant 1 / scale. Below 1 release starts infinitely fast:
    what is solved holds the fraction, never the rate, and any shape above 0 is exact.

    Parameters
    ----------
    scale : callable
        Time until 63.2 % are released.
    shape : callable
        A number.

    References
    ----------
    Piotrovskii VK (1987). The use of Weibull distribution to describe the in vivo absorption kinetics.
    J Pharmacokinet Biopharm 15:681-686.

    Examples
    --------
    >>> profile = Weibull(scale=lambda s: s.td, shape=lambda s: s.beta)
    >>> float(profile.released(pt.constant(2.0), pt.constant(2.0), pt.constant(0.7)).eval().round(4))
    0.6321
    """

    scale: Quantity
    shape: Quantity

    word: ClassVar[str] = "weibull"
    cumulative: ClassVar[bool] = True
    dimensions: ClassVar[Mapping[str, bool]] = {"scale": True, "shape": False}

    def released(self, elapsed: TensorVariable, *quantities: TensorVariable) -> TensorVariable:
        """Return the fraction released until a time above 0."""
        scale, shape = quantities
        return -pt.expm1(-((elapsed / scale) ** shape))

    def possible(self, *quantities: TensorVariable) -> TensorVariable:
        """Tell where scale and shape are above 0."""
        scale, shape = quantities
        return pt.gt(scale, 0.0) & pt.gt(shape, 0.0)


@dataclass(frozen=True, eq=False)
class Gamma(Profile):
    r"""Gamma distribution: what passes n transit compartments, where n need not be whole.

    .. math::

        f(\tau) = K_{TR} \frac{(K_{TR}\,\tau)^n e^{-K_{TR}\,\tau}}{\Gamma(n + 1)}, \qquad
        K_{TR} = \frac{n + 1}{\mathrm{mean}}

    is released per time. n is 0 or more, so that the rate is finite; n = 0 is release by first order.

    Parameters
    ----------
    n : callable
        Number of transit compartments after the first.
    mean : callable
        Mean time until release.

    References
    ----------
    Savic RM, Jonker DM, Kerbusch T, Karlsson MO (2007). Implementation of a transit compartment model for
    describing drug absorption in pharmacokinetic studies. J Pharmacokinet Pharmacodyn 34:711-726.

    Examples
    --------
    >>> profile = Gamma(n=lambda s: s.n, mean=lambda s: s.MTT)
    >>> float(profile.released(pt.constant(2.0), pt.constant(1.0), pt.constant(2.0)).eval().round(4))
    0.2707
    """

    n: Quantity
    mean: Quantity

    word: ClassVar[str] = "gamma"
    cumulative: ClassVar[bool] = False
    dimensions: ClassVar[Mapping[str, bool]] = {"n": False, "mean": True}

    def released(self, elapsed: TensorVariable, *quantities: TensorVariable) -> TensorVariable:
        """Return the fraction released per time, at a time above 0."""
        n, mean = quantities
        passed = (n + 1.0) * elapsed / mean
        return (n + 1.0) / mean * pt.exp(n * pt.log(passed) - passed - pt.gammaln(n + 1.0))

    def possible(self, *quantities: TensorVariable) -> TensorVariable:
        """Tell where n is at least 0 and the mean above 0."""
        n, mean = quantities
        return pt.ge(n, 0.0) & pt.gt(mean, 0.0)
