"""Whether the solver can be trusted where the priors reach: its errors against an independent engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from qsp_bayes.calibration.gradient_errors import gradient_errors
from qsp_bayes.calibration.solver_errors import draw_parameters, reference_solver, solver_errors
from qsp_bayes.data.study import Study
from qsp_bayes.formatting import count, join
from qsp_bayes.ode.solvers import Solver
from qsp_bayes.report.blocks import Key
from qsp_bayes.report.style import BLUE, GREEN, LARGE, ORANGE, NotebookFigure, Panel, arrange
from qsp_bayes.result import Result
from qsp_bayes.systems.solve import default_solver
from qsp_bayes.systems.system import System

SMALLEST = 1e-16
SERIES = {
    "error": ("against the reference", BLUE),
    "difference_error": ("against finite differences", GREEN),
    "reference_error": ("reference against finite differences", ORANGE),
}
"""What the errors of a dataset are called, and drawn in."""


@dataclass(frozen=True, repr=False)
class SolverCheck(Result):
    """Errors of a solver over prior draws, as made by :func:`solver_check` and :func:`gradient_check`.

    Attributes
    ----------
    data : xarray.Dataset
        ``error`` by draw, subject and output (and parameter, for derivatives): the largest over the observations of
        abs(error) / (abs(reference) + 0.001 largest abs(reference)), infinite where the solver failed;
        ``failed``, ``reference_failed``; ``value``, the parameters that were drawn.
    what : str
        What is compared.
    solver, reference : str
    note : str
        What has to be known of the reference.
    """

    data: xr.Dataset
    what: str
    solver: str
    reference: str
    note: str = ""

    @property
    def table(self) -> pd.DataFrame:
        """By output (and parameter): number of comparisons and failures, quantiles of the error, and the worst."""
        dims = [dim for dim in ("output", "parameter") if dim in self.data["error"].dims]
        stacked = self.data[["failed", "reference_failed", *self.series]].stack(part=dims)
        return pd.DataFrame(
            [row(stacked.isel(part=k), self.series) for k in range(stacked.sizes["part"])],
            index=[
                " by ".join(str(x) for x in np.atleast_1d(part)) for part in stacked["part"].values.tolist()
            ],
        )

    @property
    def series(self) -> list[str]:
        """Names of the errors in `data`."""
        return [name for name in SERIES if name in self.data]

    @property
    def n_failed(self) -> int:
        """Number of pairs of draw and subject in which the solver failed and the reference did not."""
        failed = self.data["failed"] & ~self.data["reference_failed"]
        return int(failed.any([dim for dim in failed.dims if dim not in ("draw", "subject")]).sum())

    @property
    def largest(self) -> float:
        """The largest error where the solver did not fail; NaN where nothing could be compared."""
        errors = self.data["error"].to_numpy()
        return (
            float(np.max(errors[np.isfinite(errors)], initial=-np.inf))
            if np.isfinite(errors).any()
            else np.nan
        )

    @property
    def verdict(self) -> str:
        """The result in words."""
        sizes = self.data.sizes
        pairs = f"{count(sizes['draw'], 'draw')} of {count(sizes['subject'], 'subject')}"
        failures = f"{self.n_failed} of {sizes['draw'] * sizes['subject']} could not be solved"
        missing = self.data["reference_failed"].any(
            [dim for dim in self.data["failed"].dims if dim not in ("draw", "subject")]
        )
        parts = [
            f"{self.what} of {self.solver} against {self.reference}, {pairs}: the largest scaled error is "
            f"{self.largest:.1e}; {failures}."
        ]
        if missing.any():
            parts.append(f"In {int(missing.sum())} the reference failed, and nothing is compared.")
        return " ".join([*parts, *([self.note] if self.note else [])])

    def summary(self) -> str:
        """The verdict."""
        return self.verdict

    def plot(self) -> NotebookFigure:
        """Draw the share of draws and subjects with at most some error, one panel for each output.

        A failure is an infinite error: where there are any, a curve ends below 100 %.
        """
        panels = []
        for output in self.data["output"].values.tolist():
            chosen = self.data.sel(output=output)
            curves = {name: chosen[name].to_numpy().ravel() for name in self.series}
            alt = (
                f"Distribution of the scaled errors of {output}: {join(SERIES[name][0] for name in curves)}."
            )
            panels.append(Panel(str(output), alt, partial(draw_errors, curves=curves), LARGE))
        return arrange(panels, 3, [Key(SERIES[name][0], "line", SERIES[name][1]) for name in self.series])


def row(part: xr.Dataset, series: list[str]) -> dict[str, Any]:
    """Give the row of one output (and parameter)."""
    error = part["error"].to_numpy()
    known = np.isfinite(error)
    facts: dict[str, Any] = {
        "compared": int(np.count_nonzero(~np.isnan(error))),
        "failed": int(np.isinf(error).sum()),
        "median": np.median(error[known]) if known.any() else np.nan,
        "95 %": np.quantile(error[known], 0.95) if known.any() else np.nan,
        "largest": error[known].max() if known.any() else np.nan,
    }
    for name in series[1:]:
        values = part[name].to_numpy()
        facts[f"largest {SERIES[name][0]}"] = np.max(values[np.isfinite(values)], initial=0.0)
    if not np.isnan(error).all():
        draw, subject = np.unravel_index(np.nanargmax(error), error.shape)
        facts |= {
            "worst draw": int(part["draw"][draw]),
            "worst subject": str(part["subject"].values[subject]),
        }
    return facts


def draw_errors(axes: Axes, curves: Mapping[str, np.ndarray]) -> None:
    """Draw the distribution of errors."""
    for name, errors in curves.items():
        errors = np.sort(errors[~np.isnan(errors)])
        share = np.arange(1, len(errors) + 1) / max(len(errors), 1)
        known = np.isfinite(errors)
        axes.step(np.maximum(errors[known], SMALLEST), share[known], where="post", color=SERIES[name][1])
    axes.set(xscale="log", ylim=(0.0, 1.02), xlabel="scaled error", ylabel="share of draws and subjects")


def solver_check(
    system: System,
    study: Study,
    priors: Mapping[str, Any],
    *,
    solver: Solver | None = None,
    reference: Solver | None = None,
    draws: int = 50,
    random_seed: int = 0,
) -> SolverCheck:
    """Compare a solver with a reference over parameters drawn from the priors.

    Parameters
    ----------
    system : System
    study : Study
        Its doses and the times of its observations are used.
    priors : Priors or mapping of str to Prior
        ``TV<name>`` for every parameter; where there is an ``omega_<name>`` subjects differ.
    solver : Solver, optional
        By default what the system is solved by.
    reference : Solver, optional
        By default `CVODES` at a tight tolerance; `Rodas5P` where sundials4py is not installed, which the result says.
    draws : int
    random_seed : int

    Returns
    -------
    SolverCheck
        It prints as a table; ``.plot()`` draws it, ``.data`` holds every error.

    Raises
    ------
    PriorError, CalibrationError, SolverError
        For a missing prior, a study that observes no output of the system, a solver that does not fit.

    Examples
    --------
    >>> import qsp_bayes as qb
    >>> check = qb.solver_check(
    ...     qb.one_compartment(absorption="first-order"),
    ...     qb.load_dataset("theophylline"),
    ...     qb.load_priors("theophylline"),
    ...     draws=3,
    ... )
    >>> check.n_failed, check.largest < 1e-8
    (0, True)
    """
    return compare("Predictions", solver_errors, system, study, priors, solver, reference, draws, random_seed)


def gradient_check(
    system: System,
    study: Study,
    priors: Mapping[str, Any],
    *,
    solver: Solver | None = None,
    reference: Solver | None = None,
    draws: int = 5,
    random_seed: int = 0,
) -> SolverCheck:
    r"""Compare a solver's derivatives with those of a reference, and with finite differences of the reference.

    The derivatives are those of every observation by the logarithm of every parameter of its subject,
    :math:`\partial y / \partial \log \theta`. The finite differences (five points, steps of 0.3 %) are good to about
    1e-8; they mean nothing for an observation across which a step moves the arrival of a dose (lag times).

    Parameters
    ----------
    system, study, priors, solver, reference, draws, random_seed
        As for :func:`solver_check`.

    Returns
    -------
    SolverCheck
        With errors by parameter too.

    Examples
    --------
    >>> import qsp_bayes as qb
    >>> check = qb.gradient_check(
    ...     qb.one_compartment(absorption="first-order"),
    ...     qb.load_dataset("theophylline").subset(["1"]),
    ...     qb.load_priors("theophylline"),
    ...     draws=2,
    ... )
    >>> check.largest < 1e-7
    True
    """
    return compare(
        "Derivatives", gradient_errors, system, study, priors, solver, reference, draws, random_seed
    )


def compare(
    what: str,
    errors: Callable[..., xr.Dataset],
    system: System,
    study: Study,
    priors: Mapping[str, Any],
    solver: Solver | None,
    reference: Solver | None,
    draws: int,
    random_seed: int,
) -> SolverCheck:
    """Draw parameters, solve, and compare."""
    standard, note = (reference, "") if reference is not None else reference_solver()
    chosen = default_solver(system.symbolic()) if solver is None else solver
    parameters = draw_parameters(system, study, priors, draws, random_seed)
    data = errors(system, study, parameters, chosen, standard)
    return SolverCheck(data, what, str(chosen), str(standard), note)
