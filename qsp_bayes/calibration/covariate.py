"""Covariate: the effect of a subject's characteristic on parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from qsp_bayes.calibration.allometry import effect_name
from qsp_bayes.calibration.design import Design, Term
from qsp_bayes.calibration.scales import SCALES
from qsp_bayes.errors import CalibrationError
from qsp_bayes.systems.system import System


@dataclass(frozen=True, init=False)
class Covariate:
    r"""The effect of a covariate X on a parameter, estimated as ``e_x_parameter``.

    With g the parameter's scale:

    - continuous, ``form="power"`` (log scale only): :math:`\theta = \mathrm{TV}\theta\,(X / X_\mathrm{ref})^e`;
    - continuous, ``form="exponential"``: :math:`g(\theta) = g(\mathrm{TV}\theta) + e\,(X - X_\mathrm{ref})`;
    - categorical: :math:`g(\theta) = g(\mathrm{TV}\theta) + e_k` in category k, 0 in the first one.

    The effect of a covariate with two categories is a number; with more, ``e_race_cl`` has the dim
    ``e_race_cl_category``.

    Parameters
    ----------
    name : str
        Covariate of the study.
    on : str or sequence of str
        Parameters that it changes.
    reference : float
        Value of a continuous covariate at which the typical value holds.
    categories : sequence of float
        Codes of a categorical covariate; the first one is the reference.
    form : {"power", "exponential"}
        Form of a continuous effect.
    unit : str
        Unit of a continuous covariate; the study's covariate must have it.

    Examples
    --------
    >>> print(Covariate("SEX", on="CL", categories=[0, 1]))
    SEX (categories 0, 1) on CL
    >>> print(Covariate("AGE", on=("CL", "Q"), reference=40, unit="year"))
    AGE (power, reference 40 year) on CL, Q
    """

    order: ClassVar[int] = 0
    name: str
    parameters: tuple[str, ...]
    reference: float | None
    categories: tuple[float, ...]
    form: Literal["power", "exponential"]
    unit: str

    def __init__(
        self,
        name: str,
        *,
        on: str | Sequence[str],
        reference: float | None = None,
        categories: Sequence[float] = (),
        form: Literal["power", "exponential"] = "power",
        unit: str = "",
    ) -> None:
        if (reference is None) == (not categories):
            raise CalibrationError(
                f"Covariate({name!r}): give reference=... for a continuous covariate, or categories=[...] for a "
                "categorical one."
            )
        if categories and (len(categories) < 2 or len(set(categories)) != len(categories)):
            raise CalibrationError(f"Covariate({name!r}): give at least two different categories.")
        if form not in ("power", "exponential"):
            raise CalibrationError(f"Covariate({name!r}): form is {form!r}; use 'power' or 'exponential'.")
        if reference is not None and form == "power" and not reference > 0:
            raise CalibrationError(
                f"Covariate({name!r}): a power needs a positive reference; got {reference}."
            )
        for key, value in {
            "name": name,
            "parameters": (on,) if isinstance(on, str) else tuple(on),
            "reference": reference,
            "categories": tuple(float(code) for code in categories),
            "form": form,
            "unit": unit,
        }.items():
            object.__setattr__(self, key, value)

    @property
    def covariate(self) -> str:
        """Name of the covariate."""
        return self.name

    def variables(self, system: System) -> dict[str, str]:
        """Give the variables that need a prior, with their units."""
        units = {}
        for parameter in self.parameters:
            unit = SCALES[system.scales[parameter]].unit_of_effects(system.parameters[parameter])
            if not self.categories and self.form == "power":
                if system.scales[parameter] != "log":
                    raise CalibrationError(
                        f"Covariate {self.name} on {parameter}: a power needs the log scale. Use form='exponential'."
                    )
            elif not self.categories and self.unit:
                unit = f"{unit or '1'}/({self.unit})"
            units[effect_name(self.name, parameter)] = unit
        return units

    def apply(self, predictors: Mapping[str, Term], design: Design) -> dict[str, Term]:
        """Add the effect to the predictors of the parameters."""
        x = design.covariate(self.name)
        changed = {}
        for parameter in self.parameters:
            name = effect_name(self.name, parameter)
            effect = (
                self.categorical(x, name, design) if self.categories else self.continuous(x, name, design)
            )
            changed[parameter] = design.add(predictors[parameter], effect)
        return {**predictors, **changed}

    def continuous(self, x: Term, name: str, design: Design) -> Term:
        """Give the slope times the covariate, on its form's axis."""
        slope = design.variables(name)
        if self.form == "power":
            return design.map(x, lambda value: slope * pt.log(value / self.reference))
        return design.map(x, lambda value: slope * (value - self.reference))

    def categorical(self, x: Term, name: str, design: Design) -> Term:
        """Give the effect of each one's category."""
        values = np.unique(design.study.covariate_by_record(self.name))
        unknown = sorted(set(values) - set(self.categories))
        if unknown:
            raise CalibrationError(
                f"Covariate {self.name}: the study has the code {', '.join(f'{code:g}' for code in unknown)}, which is "
                f"not among the categories {', '.join(f'{code:g}' for code in self.categories)}."
            )
        others = self.categories[1:]
        if len(others) == 1:
            effect = design.variables(name)
            return design.map(x, lambda value: effect * pt.eq(value, others[0]))
        dim = f"{name}_category"
        pm.modelcontext(None).add_coords({dim: others})
        effects = design.variables(name, dims=dim)
        return design.map(x, lambda value: pt.sum(pt.eq(value[:, None], np.array(others)) * effects, axis=1))

    def __str__(self) -> str:
        if self.categories:
            how = f"categories {', '.join(f'{code:g}' for code in self.categories)}"
        else:
            how = f"{self.form}, reference {self.reference:g} {self.unit}".rstrip()
        return f"{self.name} ({how}) on {', '.join(self.parameters)}"
