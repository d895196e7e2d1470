"""Dose-limiting toxicity: from an individual's exposure to the probability of the event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from scipy.special import expit, log_expit

from qsp_bayes.calibration.prior import CreatesVariable, Prior
from qsp_bayes.errors import DecisionError

Link = Literal["logit", "cloglog", "hazard"]
INTERCEPT, SLOPE = "dlt_intercept", "dlt_slope"


@dataclass(frozen=True, eq=False)
class DoseLimitingToxicity:
    r"""Probability that an individual has a dose-limiting toxicity (DLT) within the window of observation.

    With E the exposure of the individual and :math:`x = \alpha + \beta \log(E / E_\mathrm{ref})`:

    ========== =========================================== =======================================================
    link       P(DLT)                                      holds where
    ========== =========================================== =======================================================
    logit      :math:`1 / (1 + e^{-x})`                    nothing but the exposure is known to matter
    cloglog    :math:`1 - \exp(-e^x)`                      :math:`e^x` is the cumulative hazard, proportional to
                                                           :math:`E^\beta`
    hazard     :math:`1 - e^{-E}`                          E itself is the cumulative hazard, an output of the
                                                           system (see `time_to_event`); there is no prior to state
    ========== =========================================== =======================================================

    Parameters
    ----------
    exposure : callable
        Measure of exposure, as a utility sees it: ``lambda x: auc(x["Cc"])``, one number for each individual, at
        least 0.
    reference : float
        :math:`E_\mathrm{ref}`, in the unit of the measure: about where a toxicity is expected, so that intercept and
        slope are nearly independent. It is not used by the link hazard.
    priors : mapping of str to Prior
        ``dlt_intercept``, the logit (or log cumulative hazard) at the reference exposure, and ``dlt_slope``.
    link : {"logit", "cloglog", "hazard"}
    outputs : tuple of str, optional
        Outputs of the system that the measure reads; all where left out.

    Raises
    ------
    DecisionError
        For an unknown link, a reference that is not positive, and priors that are missing or not asked for.

    References
    ----------
    Collett D (2015). Modelling survival data in medical research, 3rd ed. Chapman and Hall/CRC (cumulative hazard).

    Examples
    --------
    >>> from qsp_bayes.calibration import Prior
    >>> from qsp_bayes.decision import auc
    >>> toxicity = DoseLimitingToxicity(
    ...     lambda x: auc(x["Cc"]), reference=40.0,
    ...     priors={
    ...         "dlt_intercept": Prior(distribution="Normal", mu=-1.0, sigma=1.0, unit="", source="toxicology"),
    ...         "dlt_slope": Prior(median=2.0, sd_log=0.4, unit="", source="the class of drugs"),
    ...     },
    ... )
    >>> toxicity.probability(np.array([0.0, 40.0, 80.0]), intercept=-1.0, slope=2.0).round(3)
    array([0.   , 0.269, 0.595])
    """

    exposure: Callable[[Any], Any]
    reference: float = 1.0
    priors: Mapping[str, CreatesVariable] = field(default_factory=dict)
    link: Link = "logit"
    outputs: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.link not in get_args(Link):
            raise DecisionError(f"link {self.link!r} is not known. Use one of {', '.join(get_args(Link))}.")
        if not callable(self.exposure):
            raise DecisionError(f"exposure must be a function of the outputs; got {self.exposure!r}.")
        if not (np.isfinite(self.reference) and self.reference > 0):
            raise DecisionError(f"reference is {self.reference}; it must be a positive exposure.")
        if set(self.priors) != set(self.variables):
            raise DecisionError(
                f"The toxicity with link {self.link!r} needs priors for "
                f"{', '.join(self.variables) or 'nothing'}; got {', '.join(self.priors) or 'none'}."
            )
        for name, prior in self.priors.items():
            if isinstance(prior, Prior) and prior.unit:
                raise DecisionError(f"prior {name}: its unit is {prior.unit!r}; it is a number without unit.")
        object.__setattr__(self, "priors", MappingProxyType(dict(self.priors)))

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables that need a prior."""
        return () if self.link == "hazard" else (INTERCEPT, SLOPE)

    def predictor(self, exposure: Any, intercept: Any = 0.0, slope: Any = 1.0) -> np.ndarray:
        """Give the log odds of the event, or the log cumulative hazard."""
        with np.errstate(divide="ignore"):  # no exposure: the event cannot happen
            log_exposure = np.log(exposure)
        if self.link == "hazard":
            return log_exposure
        return intercept + slope * (log_exposure - np.log(self.reference))

    def probability(self, exposure: Any, intercept: Any = 0.0, slope: Any = 1.0) -> np.ndarray:
        """Probability of the event, of the shape that the arguments broadcast to."""
        x = self.predictor(exposure, intercept, slope)
        return expit(x) if self.link == "logit" else -np.expm1(-np.exp(x))

    def log_likelihood(
        self, event: np.ndarray, exposure: Any, intercept: Any = 0.0, slope: Any = 1.0
    ) -> np.ndarray:
        """Log probability of what was seen: `event` is True, False, or NaN where it is not known yet.

        Examples
        --------
        >>> toxicity = DoseLimitingToxicity(lambda x: x["cumulative_hazard"].isel(time=-1), link="hazard")
        >>> toxicity.log_likelihood(np.array([1.0, 0.0, np.nan]), np.array([0.5, 0.5, 0.5])).round(3)
        array([-0.933, -0.5  ,  0.   ])
        """
        x = self.predictor(exposure, intercept, slope)
        if self.link == "logit":
            happened, spared = log_expit(x), log_expit(-x)
        else:
            hazard = np.exp(np.minimum(x, 700.0))
            with np.errstate(divide="ignore"):
                happened, spared = np.log(-np.expm1(-hazard)), -hazard
        return np.where(np.isnan(event), 0.0, np.where(event == 1.0, happened, spared))
