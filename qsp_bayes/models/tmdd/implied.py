"""What the full model implies: the parameters of its approximations, and the numbers that decide whether they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from qsp_bayes.errors import MechanismError
from qsp_bayes.models.tmdd.model import APPROXIMATIONS, tmdd


def implied_parameters(parameters: Mapping[str, float], approximation: str) -> dict[str, float]:
    r"""Return the parameters of an approximation that those of the full model imply.

    :math:`K_D = k_{off} / k_{on}` and :math:`K_{ss} = (k_{off} + k_{int}) / k_{on}`; what is common to both
    models is the same number. The Michaelis-Menten model then has :math:`V_{max} = k_{int} R_0 V_c`.

    Parameters
    ----------
    parameters : mapping of str to float
        Of the full model: kon, koff or KD, R0, kdeg, kint, and those of the drug.
    approximation : str
        One of those of `tmdd`.

    Returns
    -------
    dict of str to float
        With koff where binding is kinetic (`tmdd(binding="koff")`).

    Raises
    ------
    MechanismError
        For a parameter of the full model that is missing, or one that is not positive.

    Examples
    --------
    >>> full = {"CL": 0.2, "Vc": 3.0, "kon": 10.0, "koff": 1.0, "R0": 5.0, "kdeg": 0.5, "kint": 0.25}
    >>> implied_parameters(full, "Wagner")
    {'CL': 0.2, 'Vc': 3.0, 'R0': 5.0, 'kint': 0.25, 'Kss': 0.125}
    """
    known = completed(parameters)
    wanted = tmdd(compartments=1, approximation=approximation).parameters
    of_target = {"kon", "koff", "KD", "Kss", "R0", "kdeg", "kint"}
    return {name: value for name, value in known.items() if name in wanted or name not in of_target}


def completed(parameters: Mapping[str, float]) -> dict[str, float]:
    """Add koff, KD and Kss to the parameters of a full model."""
    missing = [name for name in ("Vc", "kon", "R0", "kdeg", "kint") if name not in parameters]
    if "koff" not in parameters and "KD" not in parameters:
        missing.append("koff (or KD)")
    if missing:
        raise MechanismError(
            f"the full model of target-mediated disposition lacks {', '.join(missing)}; "
            f"there is {', '.join(parameters)}. Add them."
        )
    for name, value in parameters.items():
        if not (np.isfinite(value) and value > 0) and not (name == "koff" and value == 0):
            raise MechanismError(f"{name} is {value!r}; the comparison needs a positive number.")
    known = {name: float(value) for name, value in parameters.items()}
    koff = known.get("koff", known["kon"] * known.get("KD", np.nan))
    return known | {
        "koff": koff,
        "KD": koff / known["kon"],
        "Kss": (koff + known["kint"]) / known["kon"],
    }


@dataclass(frozen=True)
class Number:
    """A number without unit on which approximations depend.

    Attributes
    ----------
    name : str
    meaning : str
        What has to hold.
    approximations : tuple of str
        Those that depend on it.
    """

    name: str
    meaning: str
    approximations: tuple[str, ...]


BINDING = Number(
    "binding / other rates",
    "far above 1: binding relaxes faster than anything else changes, at its slowest",
    ("QE", "QSS", "Wagner", "Michaelis-Menten"),
)
DISSOCIATION = Number(
    "koff / kint",
    "far above 1 for QE: bound drug comes off before it is internalised; far below 1 for irreversible",
    ("QE", "irreversible"),
)
TURNOVER = Number(
    "kint / kdeg",
    "near 1: bound target is lost as free target is, and the total stays at R0",
    ("Wagner", "Michaelis-Menten", "constant target"),
)
BOUND = Number(
    "R0 / Kss",
    "far below 1: even at low concentrations more drug is free than bound",
    ("Michaelis-Menten",),
)
DOSE = Number("dose / target", "far above 1: the first dose saturates all target that there is", ())
NUMBERS = (BINDING, DISSOCIATION, TURNOVER, BOUND, DOSE)


def dimensionless_numbers(
    parameters: Mapping[str, float], total_drug: np.ndarray, total_target: np.ndarray, dose: float
) -> dict[str, float]:
    r"""Return the numbers that decide which approximations hold, along one solution of the full model.

    Binding relaxes at the rate :math:`k_{on} \sqrt{(R_{tot} - C_{tot})^2 + 2 K_{ss} (R_{tot} + C_{tot}) + K_{ss}^2}`,
    slowest where target and drug are about equal. It stands against the largest of kint, kdeg, CL/Vc and Q/Vc.

    Examples
    --------
    >>> import numpy as np
    >>> full = {"CL": 0.2, "Vc": 3.0, "kon": 10.0, "koff": 1.0, "R0": 5.0, "kdeg": 0.5, "kint": 0.25}
    >>> found = dimensionless_numbers(full, np.array([100.0, 0.0]), np.array([5.0, 5.0]), dose=300.0)
    >>> {name: round(number, 2) for name, number in found.items()}
    {'binding / other rates': 102.5, 'koff / kint': 4.0, 'kint / kdeg': 0.5, 'R0 / Kss': 40.0, 'dose / target': 20.0}
    """
    p = completed(parameters)
    gap = (total_target - total_drug) ** 2
    relaxation = p["kon"] * np.sqrt(gap + 2 * p["Kss"] * (total_target + total_drug) + p["Kss"] ** 2)
    others = [p["kint"], p["kdeg"], *(p[name] / p["Vc"] for name in ("CL", "Q", "Q2") if name in p)]
    return {
        BINDING.name: float(relaxation.min() / max(others)),
        DISSOCIATION.name: p["koff"] / p["kint"],
        TURNOVER.name: p["kint"] / p["kdeg"],
        BOUND.name: p["R0"] / p["Kss"],
        DOSE.name: dose / (p["R0"] * p["Vc"]),
    }


def require_approximations(names: tuple[str, ...]) -> None:
    """Refuse what is no approximation of the full model."""
    for name in names:
        if name not in APPROXIMATIONS or name == "full":
            known = ", ".join(other for other in APPROXIMATIONS if other != "full")
            raise MechanismError(f"{name!r} is no approximation of the full model. Choose among {known}.")
