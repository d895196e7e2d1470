"""Unknowable: parameters that no data of this design could determine, said before sampling begins."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from qsp_bayes.data.study import Study
from qsp_bayes.errors import IdentifiabilityWarning, MechanismError

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration


def warn_of_unknowable(calibration: Calibration, study: Study) -> None:
    """Warn of parameters that neither perfect data of an individual nor informative priors would determine.

    A prior that is marked informative is taken for knowledge of its parameter: with F given, CL/F tells CL. Systems
    that the analysis refuses (switches, releases) are passed over.
    """
    from qsp_bayes.identifiability.structural import structural_identifiability
    from qsp_bayes.identifiability.structural.result import NOT

    try:
        found = structural_identifiability(
            calibration.system, study, known=settled_parameters(calibration), seconds=0
        )
    except MechanismError:
        return
    open_ = [name for name, verdict in found.parameters.items() if verdict == NOT]
    if open_:
        together = f" They determine {', '.join(found.combinations)}." if found.combinations else ""
        fix = " or ".join(" and ".join(names) for names in found.remedies.fix)
        way_out = f" Fixing {fix} makes all others identifiable." if fix else ""
        warnings.warn(
            f"Perfect data of this study would not determine {', '.join(open_)}.{together}{way_out} Where a prior is "
            "to speak, mark it `informative = true`; qb.identifiability(calibration, study) says more.",
            IdentifiabilityWarning,
            stacklevel=3,  # the line that called fit
        )


def known_parameters(calibration: Calibration) -> list[str]:
    """Return the parameters that are given: fixed, and nothing but covariates moves them."""
    common = common_parameters(calibration)
    return [name for name in common if f"TV{name}" in calibration.fix]


def common_parameters(calibration: Calibration) -> list[str]:
    """Return the parameters that no random effect moves: individuals differ in them by covariates alone."""
    moved = {
        name
        for part in calibration.individual
        for name in part.parameters
        if any(variable.startswith(("omega_", "pi_")) for variable in part.variables(calibration.system))
    }
    return [name for name in calibration.system.parameters if name not in moved]


def informed_parameters(calibration: Calibration) -> list[str]:
    """Return the parameters whose typical values have priors that are marked informative."""
    return [
        name
        for name in calibration.system.parameters
        if getattr(calibration.priors.get(f"TV{name}"), "informative", False)
    ]


def settled_parameters(calibration: Calibration) -> list[str]:
    """Return the parameters that are given, or that informative priors speak for."""
    settled = {*known_parameters(calibration), *informed_parameters(calibration)}
    return [name for name in calibration.system.parameters if name in settled]
