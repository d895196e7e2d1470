"""IOV: variability between the occasions of an individual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import pymc as pm

from qsp_bayes.calibration.design import Design, Term
from qsp_bayes.calibration.scales import SCALES
from qsp_bayes.errors import CalibrationError
from qsp_bayes.systems.system import System


@dataclass(frozen=True, init=False)
class IOV:
    r"""Inter-occasion variability of parameters: one variance shared by all occasions.

    .. math:: g(\theta_{ik}) = g(\theta_i) + \pi_\theta\,\kappa_{\theta ik}, \qquad \kappa_{\theta ik} \sim N(0, 1)

    Variables: ``pi_CL`` (standard deviation on the parameter's scale) and ``kappa_CL`` (dim ``occasion``, the
    (subject, occasion) pairs of the study). The parameter then has dim ``occasion``.

    Parameters
    ----------
    *parameters : str
        Parameters of the system.

    References
    ----------
    Karlsson MO, Sheiner LB (1993) The importance of modeling interoccasion variability in population pharmacokinetic
    analyses. J Pharmacokinet Biopharm 21:735-750.

    Examples
    --------
    >>> print(IOV("CL"))
    IOV on CL
    """

    order: ClassVar[int] = 2
    parameters: tuple[str, ...]

    def __init__(self, *parameters: str) -> None:
        if not parameters or len(set(parameters)) != len(parameters):
            raise CalibrationError(f"IOV needs different parameter names; got {parameters}.")
        object.__setattr__(self, "parameters", parameters)

    def variables(self, system: System) -> dict[str, str]:
        """Give the variables that need a prior, with their units."""
        return {
            f"pi_{name}": SCALES[system.scales[name]].unit_of_effects(system.parameters[name])
            for name in self.parameters
        }

    def apply(self, predictors: Mapping[str, Term], design: Design) -> dict[str, Term]:
        """Add the random effects to the predictors of the parameters."""
        changed = {}
        for name in self.parameters:
            kappa = pm.Normal(f"kappa_{name}", dims="occasion")
            changed[name] = design.add(
                predictors[name], Term(design.variables(f"pi_{name}") * kappa, "occasion")
            )
        return {**predictors, **changed}

    def __str__(self) -> str:
        return f"IOV on {', '.join(self.parameters)}"
