"""IIV: variability between individuals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pymc as pm
import pytensor.tensor as pt

from qsp_bayes.calibration.correlation import CorrelationFactor
from qsp_bayes.calibration.design import Design, Term
from qsp_bayes.calibration.scales import SCALES
from qsp_bayes.errors import CalibrationError
from qsp_bayes.systems.system import System


@dataclass(frozen=True, init=False)
class IIV:
    r"""Inter-individual variability of parameters, normal on their scale.

    .. math:: g(\theta_{i}) = g(\mathrm{TV}\theta) + \ldots + \omega_\theta\,\eta_{\theta i}, \qquad
              \eta_i \sim N(0, C)

    Variables: ``omega_CL`` (standard deviation on the parameter's scale), ``eta_CL`` (dim ``subject``, a standard
    normal deviation, whatever the parametrisation) and, if correlated, ``corr_eta`` (dims ``parameter``,
    ``parameter_bis``).

    Parameters
    ----------
    *parameters : str
        Parameters of the system.
    correlated : bool
        Whether the deviations are correlated; the prior ``corr_eta`` is then an LKJ distribution.
    centred : bool
        Sample the individual values themselves (``individual_CL``, on the parameter's scale) rather than their
        deviations: better where every individual is well observed, worse where data are sparse.

    References
    ----------
    Betancourt M, Girolami M (2015) Hamiltonian Monte Carlo for hierarchical models. arXiv:1312.0906.
    Lewandowski D, Kurowicka D, Joe H (2009) J Multivariate Anal 100:1989-2001.

    Examples
    --------
    >>> print(IIV("CL", "Vc", correlated=True))
    IIV on CL, Vc, correlated, non-centred
    """

    order: ClassVar[int] = 1
    parameters: tuple[str, ...]
    correlated: bool
    centred: bool

    def __init__(self, *parameters: str, correlated: bool = False, centred: bool = False) -> None:
        if not parameters or len(set(parameters)) != len(parameters):
            raise CalibrationError(f"IIV needs different parameter names; got {parameters}.")
        if correlated and len(parameters) == 1:
            raise CalibrationError(
                f"IIV({parameters[0]!r}, correlated=True): one parameter has nothing to correlate."
            )
        object.__setattr__(self, "parameters", parameters)
        object.__setattr__(self, "correlated", correlated)
        object.__setattr__(self, "centred", centred)

    def variables(self, system: System) -> dict[str, str]:
        """Give the variables that need a prior, with their units."""
        units = {
            f"omega_{name}": SCALES[system.scales[name]].unit_of_effects(system.parameters[name])
            for name in self.parameters
        }
        return {**units, **({"corr_eta": ""} if self.correlated else {})}

    def apply(self, predictors: Mapping[str, Term], design: Design) -> dict[str, Term]:
        """Add the random effects to the predictors of the parameters."""
        omega = {name: design.variables(f"omega_{name}") for name in self.parameters}
        factor = None
        if self.correlated:
            factor = CorrelationFactor.create(
                "corr_eta", self.parameters, design.variables.priors["corr_eta"]
            )
        effects = self.centred_effects if self.centred else self.standard_effects
        return {**predictors, **effects(predictors, omega, factor, design)}

    def standard_effects(
        self,
        predictors: Mapping[str, Term],
        omega: Mapping[str, Any],
        factor: CorrelationFactor | None,
        design: Design,
    ) -> dict[str, Term]:
        """Non-centred: standard normal variables, scaled."""
        if factor is None:
            eta = {name: pm.Normal(f"eta_{name}", dims="subject") for name in self.parameters}
        else:
            independent = pm.Normal("eta_independent", dims=("parameter", "subject"))
            together = factor.correlate([independent[row] for row in range(len(self.parameters))])
            eta = {
                name: pm.Deterministic(f"eta_{name}", values, dims="subject")
                for name, values in zip(self.parameters, together, strict=True)
            }
        return {
            name: design.add(predictors[name], Term(omega[name] * eta[name], "subject"))
            for name in self.parameters
        }

    def centred_effects(
        self,
        predictors: Mapping[str, Term],
        omega: Mapping[str, Any],
        factor: CorrelationFactor | None,
        design: Design,
    ) -> dict[str, Term]:
        """Centred: the individual values on the scale are the variables, around their predictors."""
        for name in self.parameters:
            if predictors[name].level not in ("population", "subject"):
                raise CalibrationError(
                    f"IIV on {name} is centred, but {name} has a covariate that varies in time. Use centred=False."
                )
        mean = [pt.zeros(design.n_subjects) + predictors[name].value for name in self.parameters]
        sd = [omega[name] for name in self.parameters]
        if factor is None:
            value = [
                pm.Normal(f"individual_{name}", m, s, dims="subject")
                for name, m, s in zip(self.parameters, mean, sd, strict=True)
            ]
        else:
            rows = pm.MvNormal(
                "individual",
                mu=pt.stack(mean, axis=1),
                chol=pt.stack(sd)[:, None] * factor.matrix,
                dims=("subject", "parameter"),
            )
            value = [rows[:, position] for position in range(len(self.parameters))]
        for name, v, m, s in zip(self.parameters, value, mean, sd, strict=True):
            pm.Deterministic(f"eta_{name}", (v - m) / s, dims="subject")
        return {name: Term(v, "subject") for name, v in zip(self.parameters, value, strict=True)}

    def __str__(self) -> str:
        how = "centred" if self.centred else "non-centred"
        return f"IIV on {', '.join(self.parameters)}, {'correlated' if self.correlated else 'independent'}, {how}"
