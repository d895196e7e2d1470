"""Allometry: one species' value from another's, and the straight line through several on logarithmic axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from qsp_bayes.errors import MechanismError

CLEARANCE_EXPONENT, VOLUME_EXPONENT, TIME_EXPONENT = 0.75, 1.0, 0.25
"""Exponents of body weight: clearances and flows (Kleiber), volumes, and times such as half-lives."""


def scale(value: Any, from_weight: Any, to_weight: Any, exponent: Any = CLEARANCE_EXPONENT) -> Any:
    r"""Scale a value from one body weight to another.

    .. math:: y_2 = y_1 \left(\frac{W_2}{W_1}\right)^b

    Parameters
    ----------
    value : float or array
        At `from_weight`, in any unit; the result has the same unit.
    from_weight, to_weight : float or array
        Both in the same unit.
    exponent : float or array
        0.75 for clearances and flows, 1 for volumes, 0.25 for times (``CLEARANCE_EXPONENT``, ``VOLUME_EXPONENT``,
        ``TIME_EXPONENT``); posterior draws of an exponent give draws of the result.

    Raises
    ------
    MechanismError
        For a weight that is not positive.

    References
    ----------
    Kleiber M (1932) Hilgardia 6:315-353. West GB, Brown JH, Enquist BJ (1997) Science 276:122-126. Boxenbaum H (1982)
    J Pharmacokinet Biopharm 10:201-227.

    Examples
    --------
    >>> round(float(scale(0.5, 0.25, 70)), 1)
    34.2
    >>> round(float(scale(1.0, 0.25, 70, TIME_EXPONENT)), 2)
    4.09
    """
    require_positive(from_weight=from_weight, to_weight=to_weight)
    return np.asarray(value) * (np.asarray(to_weight) / np.asarray(from_weight)) ** np.asarray(exponent)


@dataclass(frozen=True)
class SimpleAllometry:
    """The power law through the values of several species, by `simple_allometry`.

    Attributes
    ----------
    coefficient, exponent : float
        a and b of :math:`y = a W^b`.
    exponent_error, log_coefficient_error : float
        Standard errors of b and of log a.
    residual_sd : float
        Standard deviation of log y about the line.
    n : int
        Number of species.
    mean_log_weight, spread : float
        Mean of log W, and the sum of squares about it: what the width of a prediction depends on.
    """

    coefficient: float
    exponent: float
    exponent_error: float
    log_coefficient_error: float
    residual_sd: float
    n: int
    mean_log_weight: float
    spread: float

    def predict(self, weight: Any) -> Any:
        """Give the value on the line at a body weight."""
        require_positive(weight=weight)
        return self.coefficient * np.asarray(weight) ** self.exponent

    def interval(self, weight: float, probability: float = 0.9) -> tuple[float, float]:
        r"""Give the prediction interval of one further species.

        .. math:: \log y \pm t_{n-2}\, s \sqrt{1 + \frac1n + \frac{(\log W - \overline{\log W})^2}{S}}

        With three species there is one degree of freedom, and the interval is as wide as that deserves.
        """
        if not 0 < probability < 1:
            raise MechanismError(f"probability must lie between 0 and 1; got {probability}.")
        away = (np.log(weight) - self.mean_log_weight) ** 2 / self.spread
        half = (
            stats.t.ppf(0.5 + probability / 2, self.n - 2) * self.residual_sd * np.sqrt(1 + 1 / self.n + away)
        )
        middle = float(self.predict(weight))
        return middle * float(np.exp(-half)), middle * float(np.exp(half))

    def __str__(self) -> str:
        return (
            f"{self.coefficient:.3g} W^{self.exponent:.3g} ({self.n} species; standard error of the exponent "
            f"{self.exponent_error:.2g})"
        )


def simple_allometry(weights: Any, values: Any) -> SimpleAllometry:
    r"""Fit a power law to the values of several species, by least squares on logarithmic axes.

    .. math:: \log y_s = \log a + b \log W_s + e_s

    Parameters
    ----------
    weights, values : array
        One entry for each species. The coefficient a is the value at weight 1, in the units given.

    Returns
    -------
    SimpleAllometry

    Raises
    ------
    MechanismError
        For fewer than three species, equal weights only, or numbers that are not positive.

    Notes
    -----
    Values count as known without error and species as exchangeable about the line: the number of animals behind each
    does not enter. `Species` in a `Calibration` has neither restriction, and prior knowledge of b.

    References
    ----------
    Boxenbaum H (1982) J Pharmacokinet Biopharm 10:201-227.

    Examples
    --------
    >>> line = simple_allometry([0.02, 0.25, 10], [0.05, 0.30, 5.2])
    >>> print(line)
    0.903 W^0.749 (3 species; standard error of the exponent 0.018)
    >>> round(float(line.predict(70)), 1), [round(limit, 1) for limit in line.interval(70)]
    (21.8, [9.7, 49.1])
    """
    weights, values = np.asarray(weights, dtype=float), np.asarray(values, dtype=float)
    require_positive(weights=weights, values=values)
    if weights.shape != values.shape or weights.ndim != 1 or len(weights) < 3 or len(set(weights)) < 2:
        raise MechanismError(
            f"simple_allometry needs the weights and values of at least three species; got shapes {weights.shape} and "
            f"{values.shape}. With one or two, scale one of them by an exponent that theory gives (scale)."
        )
    x, y = np.log(weights), np.log(values)
    line = stats.linregress(x, y)
    residual = y - line.intercept - line.slope * x
    return SimpleAllometry(
        coefficient=float(np.exp(line.intercept)),
        exponent=float(line.slope),
        exponent_error=float(line.stderr),
        log_coefficient_error=float(line.intercept_stderr),
        residual_sd=float(np.sqrt(np.sum(residual**2) / (len(x) - 2))),
        n=len(x),
        mean_log_weight=float(x.mean()),
        spread=float(np.sum((x - x.mean()) ** 2)),
    )


def require_positive(**values: Any) -> None:
    """Require numbers that a logarithm exists of, naming the ones that are not."""
    for name, value in values.items():
        if not (np.isfinite(value) & (np.asarray(value) > 0)).all():
            raise MechanismError(f"{name} must be positive; got {value}.")
