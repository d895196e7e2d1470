"""Allometry: parameters that scale with a power of body size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import pytensor.tensor as pt

from qsp_bayes.calibration.design import Design, Term
from qsp_bayes.errors import CalibrationError
from qsp_bayes.systems.system import System

ESTIMATED = "estimated"


@dataclass(frozen=True, init=False)
class Allometry:
    r"""Scaling with body size: :math:`\theta_i = \mathrm{TV}\theta\,(W_i / W_\mathrm{ref})^b`.

    Parameters
    ----------
    covariate : str
        The size, such as ``"WT"``.
    reference : float
        Size at which the typical values hold, in the covariate's unit.
    unit : str
        Unit of `reference`; the study's covariate must have it.
    **exponents : float or "estimated"
        Exponent of each parameter; ``"estimated"`` makes it the variable ``e_wt_cl``, which then needs a prior.

    References
    ----------
    West GB, Brown JH, Enquist BJ (1997) Science 276:122-126. Anderson BJ, Holford NHG (2008) Annu Rev Pharmacol
    Toxicol 48:303-332.

    Examples
    --------
    >>> print(Allometry("WT", CL=0.75, Vc=1.0, reference=70))
    CL scales with (WT / 70 kg)^0.75, Vc with (WT / 70 kg)^1
    """

    order: ClassVar[int] = 0
    covariate: str
    exponents: Mapping[str, float | str]
    reference: float
    unit: str

    def __init__(
        self, covariate: str, *, reference: float, unit: str = "kg", **exponents: float | str
    ) -> None:
        if not exponents:
            raise CalibrationError(f"Allometry({covariate!r}): give exponents, such as CL=0.75, Vc=1.0.")
        if not reference > 0:
            raise CalibrationError(
                f"Allometry({covariate!r}): the reference must be positive; got {reference}."
            )
        for name, exponent in exponents.items():
            number = isinstance(exponent, int | float) and np.isfinite(exponent)
            if not number and exponent != ESTIMATED:
                raise CalibrationError(
                    f"Allometry({covariate!r}): the exponent of {name} is {exponent!r}; give a number or 'estimated'."
                )
        object.__setattr__(self, "covariate", covariate)
        object.__setattr__(self, "exponents", MappingProxyType(exponents))
        object.__setattr__(self, "reference", float(reference))
        object.__setattr__(self, "unit", unit)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the scaled parameters."""
        return tuple(self.exponents)

    def variables(self, system: System) -> dict[str, str]:
        """Give the variables that need a prior, with their units."""
        for name in self.parameters:
            if system.scales[name] != "log":
                raise CalibrationError(
                    f"Allometry on {name}: a power needs the log scale; {name} has another."
                )
        return {
            effect_name(self.covariate, name): ""
            for name, exponent in self.exponents.items()
            if exponent == ESTIMATED
        }

    def apply(self, predictors: Mapping[str, Term], design: Design) -> dict[str, Term]:
        """Add exponent times the logarithm of relative size."""
        size = design.map(design.covariate(self.covariate), lambda w: pt.log(w / self.reference))
        changed = {}
        for name, exponent in self.exponents.items():
            slope = design.variables(effect_name(self.covariate, name)) if exponent == ESTIMATED else exponent
            changed[name] = design.add(predictors[name], design.map(size, lambda x, slope=slope: slope * x))
        return {**predictors, **changed}

    def __str__(self) -> str:
        relative = f"({self.covariate} / {self.reference:g} {self.unit})"
        first, *others = (
            f"{name}{{}} with {relative}^"
            + (f"{b:g}" if isinstance(b, int | float) else effect_name(self.covariate, name))
            for name, b in self.exponents.items()
        )
        return ", ".join([first.format(" scales"), *(other.format("") for other in others)])


def effect_name(covariate: str, parameter: str) -> str:
    """Give the name of the effect of a covariate on a parameter.

    Examples
    --------
    >>> effect_name("WT", "CL")
    'e_wt_cl'
    """
    return f"e_{covariate.lower()}_{parameter.lower()}"
