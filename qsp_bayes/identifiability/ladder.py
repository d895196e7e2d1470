"""The ladder: is it knowable in principle, does this design inform it, did this study inform it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.calibration.calibration import Calibration
from qsp_bayes.calibration.unknowable import (
    common_parameters,
    informed_parameters,
    known_parameters,
    settled_parameters,
)
from qsp_bayes.data.study import Study
from qsp_bayes.errors import MechanismError
from qsp_bayes.identifiability.contraction import Contraction, contraction
from qsp_bayes.identifiability.expected_information import expected_information
from qsp_bayes.identifiability.rungs import VERDICTS, Rungs
from qsp_bayes.identifiability.structural import StructuralIdentifiability, structural_identifiability
from qsp_bayes.identifiability.structural.result import NOT
from qsp_bayes.result import Result

PREFIXES = ("TV", "omega_species_", "omega_", "pi_")
"""Of variables that describe one parameter of the system."""


@dataclass(frozen=True, eq=False, repr=False)
class Ladder(Result):
    """What can be known of each variable of the population, by mechanism, design and data.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each variable: ``structural``, ``expected_error`` and ``expected_contraction`` of the design,
        ``contraction`` of the fit (NaN without one), ``verdict``, ``reason``, ``advice``.
    structural : StructuralIdentifiability or None
    refused : str
        Why the mechanism was not analysed, where it was not.
    design : xarray.Dataset
        From `expected_information`.
    practical : Contraction or None
        From `contraction`.
    """

    table: pd.DataFrame
    structural: StructuralIdentifiability | None
    refused: str
    design: xr.Dataset
    practical: Contraction | None

    def named(self, verdict: str) -> list[str]:
        """Return the variables with a verdict."""
        return list(self.table.index[self.table["verdict"] == verdict])

    @property
    def shown(self) -> pd.DataFrame:
        """The columns of `table` that a reader looks at first."""
        return self.table[["structural", "expected_contraction", "contraction", "verdict"]]

    @property
    def notes(self) -> list[str]:
        """Reason and advice for each variable that is not known well."""
        doubts = self.table[self.table["advice"] != ""]
        return [f"{name}: {row['reason']} {row['advice']}" for name, row in doubts.iterrows()]

    def summary(self) -> str:
        """Return the verdicts in sentences, the worst first."""
        said = [f"{verdict}: {', '.join(names)}" for verdict in VERDICTS if (names := self.named(verdict))]
        refused = f"The mechanism was not analysed: {self.refused}. " if self.refused else ""
        return f"{refused}{'. '.join(text[0].upper() + text[1:] for text in said)}."

    def group(self) -> xr.DataTree:
        """Return the ladder as a group to keep with a fit: ``fit["identifiability"] = ladder.group()``."""
        numbers = ("expected_error", "expected_contraction", "contraction")
        columns = {
            name: ("variable", values.to_numpy(dtype=float if name in numbers else object))
            for name, values in self.table.items()
        }
        dataset = xr.Dataset(columns, {"variable": self.table.index.to_numpy(dtype=object)})
        structural = None if self.structural is None else self.structural.describe()
        dataset.attrs = {
            "qsp_bayes": json.dumps({"structural": structural, "refused": self.refused}),
            "summary": self.summary(),
        }
        return xr.DataTree(dataset)


def identifiability(
    calibration: Calibration,
    study: Study,
    fit: xr.DataTree | None = None,
    *,
    draws: int = 20,
    seconds: float = 10.0,
    random_seed: int = 0,
) -> Ladder:
    r"""Say of every variable of the population what can be known of it, and why.

    Three questions, each of which supposes the one before:

    1. *Structural*: would perfect data of one individual, in the arms of this study, determine the parameter
       (`structural_identifiability`)?
    2. *Design*: how much of the prior's variance would this design take away (`expected_information`)?
    3. *Practical*: how much did the fit take away (`contraction`)?

    ================== ==========================================================================================
    verdict            when
    ================== ==========================================================================================
    cannot be known    not identifiable from perfect data, nor with the priors that are marked informative
    known by its prior not identifiable from perfect data, but with the priors that are marked informative
    known              80 % or more of the prior's variance is taken away, by the fit, or without one by the design
    known in part      20 to 80 %
    not known          less than 20 %
    ================== ==========================================================================================

    Parameters
    ----------
    calibration : Calibration
    study : Study
        Observed or planned.
    fit : xarray.DataTree, optional
        Of this calibration and study.
    draws : int
        Draws of the prior over which the design is averaged.
    seconds : float
        How long the count of solutions of the structural rung may take; 0 leaves it out.
    random_seed : int

    Returns
    -------
    Ladder
        Its ``table`` has a row for each variable, with reason and advice; ``group()`` keeps it with the fit, and the
        report then has a section of it; `plot_identifiability` draws it.

    Notes
    -----
    The structural verdict is for the parameters of one individual. That of a standard deviation between individuals is
    the one of its parameter where all that individuals have in common is known: how CL varies is known where CL/F is
    and F does not vary. Where that hides it, and the design informs it all the same, because individuals show together
    what none shows alone, the structural verdict is left out. Systems with switches or releases have no structural
    rung, and the ladder says so.

    Examples
    --------
    >>> import qsp_bayes as qb
    >>> system = qb.one_compartment(absorption="first-order", bioavailability=True)
    >>> priors = qb.load_priors("theophylline").replace(
    ...     TVF=qb.Prior(median=0.8, sd_logit=1.0, unit="", source="a guess")
    ... )
    >>> calibration = qb.Calibration(system, priors, error={"Cc": qb.Combined()})
    >>> found = identifiability(calibration, qb.load_dataset("theophylline"), draws=3)
    >>> found.named("cannot be known")
    ['TVF', 'TVCL', 'TVVc']
    >>> print(found.table.at["TVCL", "reason"])
    Perfect data of an individual would not determine CL. The data determine CL/F alone.
    """
    structural, refused = structure(calibration, study, known_parameters(calibration), seconds, random_seed)
    between = leaning = structural
    informed = informed_parameters(calibration)
    if structural is not None and not structural.identifiable:
        leaning, _ = structure(calibration, study, settled_parameters(calibration), 0.0, random_seed)
        # Between individuals only what varies has to be told: what is common to all is the same for all.
        between, _ = structure(calibration, study, common_parameters(calibration), 0.0, random_seed)
    design = expected_information(calibration, study, draws=draws, random_seed=random_seed)
    practical = None if fit is None else contraction(fit)
    names = [str(name) for name in design["variable"].values]
    partners = strongest(design["correlation"].to_numpy(), names)
    rows = {}
    for k, name in enumerate(names):
        of_mean = name.startswith("TV")
        rungs = climb(calibration, name, structural if of_mean else between, design, partners[k], practical)
        if rungs.open and leaning is not None and leaning.parameters.get(rungs.parameter, "") != NOT:
            rungs = replace(rungs, settled=tuple(informed))
        rows[name] = {
            "structural": rungs.structural,
            "expected_error": float(design["standard_error"][k]),
            "expected_contraction": rungs.expected,
            "contraction": np.nan if rungs.contraction is None else rungs.contraction,
            "verdict": rungs.verdict,
            "reason": rungs.reason,
            "advice": rungs.advice,
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("variable")
    return Ladder(table, structural, refused, design, practical)


def structure(
    calibration: Calibration, study: Study, known: list[str], seconds: float, random_seed: int
) -> tuple[StructuralIdentifiability | None, str]:
    """Return the structural verdict, or why there is none."""
    try:
        found = structural_identifiability(
            calibration.system, study, known=known, seconds=seconds, random_seed=random_seed or 1
        )
    except MechanismError as error:
        return None, str(error).rstrip(".")
    return found, ""


def climb(
    calibration: Calibration,
    name: str,
    structural: StructuralIdentifiability | None,
    design: xr.Dataset,
    partner: tuple[str, float],
    practical: Contraction | None,
) -> Rungs:
    """Collect what is said of one variable."""
    parameter = parameter_of(calibration, name)
    together: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    verdict = ""
    error = float(design["standard_error"].sel(variable=name))
    if structural is not None and parameter:
        verdict = structural.parameters.get(parameter, "")
        if verdict == NOT and not name.startswith("TV") and np.isfinite(error):
            verdict = ""  # individuals hide it one by one, and show it by how they differ together
    if structural is not None and verdict:
        together = tuple(text for text in structural.combinations if mentions(text, parameter))
        remedies = ways_out(structural, parameter)
    achieved = None
    if practical is not None and name in practical.table.index:
        achieved = float(practical.table.at[name, "contraction"])
    return Rungs(
        variable=name,
        parameter=parameter,
        informative=bool(getattr(calibration.priors.get(name), "informative", False)),
        structural=verdict,
        together=together,
        remedies=remedies,
        expected=float(design["contraction"].sel(variable=name)),
        partner=partner[0],
        correlation=partner[1],
        contraction=achieved,
    )


def parameter_of(calibration: Calibration, name: str) -> str:
    """Return the parameter that a variable describes; empty where it describes none."""
    for prefix in PREFIXES:
        if name.startswith(prefix) and name.removeprefix(prefix) in calibration.system.parameters:
            return name.removeprefix(prefix)
    return ""


def mentions(combination: str, parameter: str) -> bool:
    """Say whether a combination such as ``CL/F`` has a parameter in it.

    Examples
    --------
    >>> mentions("kon*R0", "R0"), mentions("CL2/F", "CL")
    (True, False)
    """
    words = "".join(letter if letter.isalnum() or letter == "_" else " " for letter in combination).split()
    return parameter in words


def ways_out(structural: StructuralIdentifiability, parameter: str) -> tuple[str, ...]:
    """Return what would make a parameter identifiable, in words."""
    fix = structural.remedies.fix_for.get(parameter, ())
    observe = structural.remedies.observe_for.get(parameter, ())
    return (
        *([f"Fix {' or '.join(fix)}."] if fix else []),
        *([f"Observe {' or '.join(observe)}."] if observe else []),
    )


def strongest(correlation: np.ndarray, names: list[str]) -> list[tuple[str, float]]:
    """Return for each variable the one it is correlated with most, and how much."""
    others = correlation - np.diag(np.diag(correlation))
    if len(names) == 1:
        return [("", 0.0)]
    best = np.abs(others).argmax(axis=1)
    return [(names[j], float(others[k, j])) for k, j in enumerate(best)]
