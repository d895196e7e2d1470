"""Variables: how the parts of a calibration obtain the variables that their priors or fixed values describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytensor.tensor as pt

from qsp_bayes.calibration.prior import CreatesVariable, Prior
from qsp_bayes.errors import PriorError
from qsp_bayes.units import require_same_unit

# What a prior file should say, by the first letters of the variable's name: shown where a prior is missing.
EXAMPLES = {
    "TV": "median = ...\nsd_log = 0.5",
    "omega_": 'distribution = "HalfNormal"\nsigma = 0.5',
    "pi_": 'distribution = "HalfNormal"\nsigma = 0.3',
    "corr_": 'distribution = "LKJCorr"\neta = 2.0',
    "nu_": 'distribution = "Gamma"\nmu = 20.0\nsigma = 14.0',
    "sigma_add_": 'distribution = "HalfNormal"\nsigma = ...',
    "sigma_": 'distribution = "HalfNormal"\nsigma = 0.3',
    "e_": 'distribution = "Normal"\nmu = 0.0\nsigma = 0.5',
}


@dataclass(frozen=True)
class Variables:
    """Create the variables of a model by name.

    Attributes
    ----------
    priors : mapping of str to Prior
    fixed : mapping of str to float
        Variables that are numbers.
    """

    priors: Mapping[str, CreatesVariable]
    fixed: Mapping[str, float]

    def __call__(self, name: str, **keywords: Any) -> Any:
        """Create `name` in the current model, or give its fixed value."""
        if name in self.fixed:
            return pt.constant(self.fixed[name], dtype="float64")
        return self.priors[name].create_variable(name, **keywords)


def require_priors(priors: Mapping[str, CreatesVariable], units: Mapping[str, str]) -> None:
    """Require a prior of the right unit for every variable.

    Parameters
    ----------
    priors : mapping of str to Prior
    units : mapping of str to str
        The variables of the model that are not fixed, and their units.

    Raises
    ------
    PriorError
        If priors are missing, with the lines to paste into the prior file.
    UnitsError
        If a prior has another unit than its variable.

    Examples
    --------
    >>> require_priors({}, {"omega_CL": ""})
    Traceback (most recent call last):
    ...
    qsp_bayes.errors.PriorError: No prior for omega_CL. Add it to the prior file, or fix it with fix={...}:
    <BLANKLINE>
    [omega_CL]
    unit = ""
    distribution = "HalfNormal"
    sigma = 0.5
    source = { kind = "assumption", text = "..." }
    """
    missing = [name for name in units if name not in priors]
    if missing:
        lines = "\n\n".join(lines_for(name, units[name]) for name in missing)
        it = "it" if len(missing) == 1 else "them"
        raise PriorError(
            f"No prior for {', '.join(missing)}. Add {it} to the prior file, or fix {it} with fix={{...}}:\n\n{lines}"
        )
    for name, unit in units.items():
        prior = priors[name]
        if isinstance(prior, Prior):
            require_same_unit(prior.unit, unit, f"prior {name}")
            if name.startswith("corr_") != (prior.distribution == "LKJCorr"):
                raise PriorError(f"prior {name}: LKJCorr is for correlation matrices, and only they take it.")


def lines_for(name: str, unit: str) -> str:
    """Give the table that a prior file lacks."""
    example = next(text for start, text in EXAMPLES.items() if name.startswith(start))
    return f'[{name}]\nunit = "{unit}"\n{example}\nsource = {{ kind = "assumption", text = "..." }}'
