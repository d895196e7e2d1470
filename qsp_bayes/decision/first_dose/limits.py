"""Limits of a first dose: what its exposure should not pass, and how well that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import xarray as xr

from qsp_bayes.decision.measures.exposure import auc, cmax
from qsp_bayes.errors import DecisionError
from qsp_bayes.physiology.figure import Figure
from qsp_bayes.units import require_same_unit

Measure = Literal["auc", "cmax", "dose"]


class Limit(Protocol):
    """What `first_in_human` takes: a measure of each individual's exposure, and the level it should stay below."""

    name: str

    def measured(self, future: Exposure) -> xr.DataArray:
        """Give the exposure of each individual, dims (chain, draw, regimen, subject)."""

    def level(self) -> Figure:
        """Give the level that the exposure should not pass, in the unit of what is measured."""


@dataclass(frozen=True)
class Exposure:
    """Simulated courses with their units, and the doses they belong to.

    Attributes
    ----------
    predictions : xarray.Dataset
    time_unit : str
    doses : xarray.DataArray
        By regimen, with the attribute ``units``.
    """

    predictions: xr.Dataset
    time_unit: str
    doses: xr.DataArray

    def of(self, measure: Measure, output: str, level: Figure, name: str) -> xr.DataArray:
        """Measure every individual, in the unit of a level.

        Raises
        ------
        DecisionError
            For an output that was not simulated.
        UnitsError
            If the level has another unit than what is measured.
        """
        if output not in self.predictions:
            raise DecisionError(
                f"{name}: the simulation has no output {output!r}; it has {', '.join(map(str, self.predictions))}."
            )
        course = self.predictions[output]
        unit = course.attrs.get("units", "")
        if measure == "dose":
            require_same_unit(level.unit, self.doses.attrs["units"], name)
            return self.doses + 0.0 * course.isel(time=0, drop=True)
        if measure == "auc":
            require_same_unit(level.unit, f"({unit})*({self.time_unit})", name)
            return auc(course)
        require_same_unit(level.unit, unit, name)
        return cmax(course)


@dataclass(frozen=True)
class NoaelLimit:
    r"""Exposure at the no-observed-adverse-effect level of animals, divided by a safety factor.

    .. math:: E_i \le \frac{E_\mathrm{NOAEL}}{\text{safety factor}}, \qquad E = \mathrm{AUC},\ C_\max \text{ or the
    dose}

    Parameters
    ----------
    exposure : Figure
        Of the most sensitive relevant species at its NOAEL: AUC over the simulated time span, Cmax, or for
        ``measure="dose"`` the human equivalent dose (`human_equivalent_dose` times the body weight). Unbound exposure
        differs between species: correct it before, if binding does.
    measure : {"auc", "cmax", "dose"}
    safety_factor : float
        10 by default.
    output : str
        Concentration that is simulated.

    References
    ----------
    FDA (2005) Guidance for Industry: Estimating the Maximum Safe Starting Dose in Initial Clinical Trials for
    Therapeutics in Adult Healthy Volunteers.

    Examples
    --------
    >>> NoaelLimit(Figure(120, "mg*h/L", "13-week study in dogs")).level()
    12 mg*h/L (sd_log 0; 13-week study in dogs)
    """

    exposure: Figure
    measure: Measure = "auc"
    safety_factor: float = 10.0
    output: str = "Cc"
    name: str = "NOAEL"

    def __post_init__(self) -> None:
        if self.measure not in ("auc", "cmax", "dose"):
            raise DecisionError(f"{self.name}: measure is {self.measure!r}; use 'auc', 'cmax' or 'dose'.")
        require_number(self.name, "safety_factor", self.safety_factor, 1.0, np.inf)

    def measured(self, future: Exposure) -> xr.DataArray:
        """Give the exposure of each individual."""
        return future.of(self.measure, self.output, self.level(), self.name)

    def level(self) -> Figure:
        """Give the exposure at the NOAEL divided by the safety factor."""
        return self.exposure.times(1 / self.safety_factor, self.exposure.unit)


@dataclass(frozen=True)
class MabelLimit:
    r"""Minimal anticipated biological effect level: the unbound concentration of a small part of the largest effect.

    .. math:: f_u C_{\max,i} \le \mathrm{EC50} \left(\frac{E}{1 - E}\right)^{1/\gamma}

    Parameters
    ----------
    potency : Figure
        EC50 in human cells or tissue, unbound, with its spread between donors and experiments (``sd_log``).
    effect : float
        E, the share of Emax that counts as minimal: 0.1 or 0.2 (EC10, EC20).
    gamma : float
        Slope of the concentration-effect curve.
    fraction_unbound : float
        fu of the simulated concentration; 1 where that is unbound already.
    output, name : str

    References
    ----------
    EMA (2017) Guideline on strategies to identify and mitigate risks for first-in-human and early clinical trials with
    investigational medicinal products, EMEA/CHMP/SWP/28367/07 Rev. 1. Muller PY, Milton M, Lloyd P, Sims J, Brennan FR
    (2009) Curr Opin Biotechnol 20:722-729.

    Examples
    --------
    >>> MabelLimit(Figure(2, "mg/L", "cytokine release, four donors", sd_log=0.4), effect=0.2).level()
    0.5 mg/L (sd_log 0.4; cytokine release, four donors)
    """

    potency: Figure
    effect: float = 0.2
    gamma: float = 1.0
    fraction_unbound: float = 1.0
    output: str = "Cc"
    name: str = "MABEL"

    def __post_init__(self) -> None:
        require_number(self.name, "effect", self.effect, 0.0, 1.0)
        require_number(self.name, "gamma", self.gamma, 0.0, np.inf)
        require_fraction(self.name, self.fraction_unbound)

    def measured(self, future: Exposure) -> xr.DataArray:
        """Give the largest unbound concentration of each individual."""
        return self.fraction_unbound * future.of("cmax", self.output, self.level(), self.name)

    def level(self) -> Figure:
        """Give the unbound concentration with the effect E."""
        return self.potency.times((self.effect / (1 - self.effect)) ** (1 / self.gamma), self.potency.unit)


@dataclass(frozen=True)
class OccupancyLimit:
    r"""Receptor occupancy at the peak, in equilibrium with the unbound concentration.

    .. math:: \frac{f_u C_{\max,i}}{f_u C_{\max,i} + K_D} \le x \quad\Longleftrightarrow\quad
              f_u C_{\max,i} \le K_D \frac{x}{1 - x}

    It holds where drug is in excess of its target; where it is not, simulate occupancy by `tmdd` instead.

    Parameters
    ----------
    KD : Figure
        Dissociation constant, with its spread between assays (``sd_log``).
    at_most : float
        x, such as 0.1 for an agonist; antagonists are often allowed more.
    fraction_unbound : float
        fu of the simulated concentration.
    output, name : str

    References
    ----------
    EMA (2017) Guideline on strategies to identify and mitigate risks for first-in-human and early clinical trials with
    investigational medicinal products, EMEA/CHMP/SWP/28367/07 Rev. 1.

    Examples
    --------
    >>> OccupancyLimit(Figure(9, "nmol/L", "surface plasmon resonance", sd_log=0.3), at_most=0.1).level()
    1 nmol/L (sd_log 0.3; surface plasmon resonance)
    """

    KD: Figure
    at_most: float = 0.1
    fraction_unbound: float = 1.0
    output: str = "Cc"
    name: str = "occupancy"

    def __post_init__(self) -> None:
        require_number(self.name, "at_most", self.at_most, 0.0, 1.0)
        require_fraction(self.name, self.fraction_unbound)

    def measured(self, future: Exposure) -> xr.DataArray:
        """Give the largest unbound concentration of each individual."""
        return self.fraction_unbound * future.of("cmax", self.output, self.level(), self.name)

    def level(self) -> Figure:
        """Give the unbound concentration with the largest occupancy allowed."""
        return self.KD.times(self.at_most / (1 - self.at_most), self.KD.unit)


def require_number(name: str, what: str, value: Any, low: float, high: float) -> None:
    """Require a number between two bounds; the lower one counts where it is not 0."""
    if not (low <= value < high) or value == 0:
        raise DecisionError(f"{name}: {what} is {value}; it must lie between {low:g} and {high:g}.")


def require_fraction(name: str, value: float) -> None:
    """Require an unbound fraction."""
    if not 0 < value <= 1:
        raise DecisionError(f"{name}: fraction_unbound is {value}; it must be above 0 and at most 1.")
