"""SequentialChoice: a simulation that is enlarged until the choice is sure enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import xarray as xr
from rich.progress import Progress, TextColumn

from qsp_bayes.decision.choice.choose import choose
from qsp_bayes.decision.choice.decision import Decision
from qsp_bayes.decision.choice.stopping_rule import Stop, StoppingRule
from qsp_bayes.decision.utilities.utility import Utility
from qsp_bayes.errors import DecisionError
from qsp_bayes.result import Result


class Simulate(Protocol):
    """What `choose_until` calls for a simulation of a given size."""

    def __call__(self, *, draws: int, subjects: int, random_seed: int) -> xr.DataTree:
        """Simulate new individuals under every candidate regimen."""


@dataclass(frozen=True, repr=False)
class SequentialChoice(Result):
    """A decision on a simulation that was enlarged until it sufficed, as made by :func:`choose_until`.

    Attributes
    ----------
    decision : Decision
        Of the last, largest simulation.
    reason : str
        Why it stopped.
    separated, sufficient : bool
        Whether the best is told apart from every rival, within the rule's rate of error; and whether any aim of the
        rule was reached, rather than the largest simulation or an interruption.
    table : pandas.DataFrame
        One row for each look: ``draws``, ``subjects``, ``best``, ``runner_up``, their ``difference`` with its ``mcse``,
        the ``separation`` of the closest rival in Monte Carlo standard errors, and the ``regret_mcse``.
    """

    decision: Decision
    reason: str
    separated: bool
    sufficient: bool
    table: pd.DataFrame

    def summary(self) -> str:
        """Sentences: why the search stopped and what it chose."""
        last = self.table.iloc[-1]
        looks = f"{len(self.table)} look{'s' if len(self.table) > 1 else ''}"
        return (
            f"After {looks}, with {last['draws']:g} draws and {last['subjects']:g} individuals, simulation stopped: "
            f"{self.reason}. {self.decision.summary()}"
        )


def choose_until(
    simulate: Simulate,
    utility_function: Utility | Callable[[xr.Dataset], Any],
    *,
    rule: StoppingRule | None = None,
    draws: int = 100,
    subjects: int = 100,
    random_seed: int = 0,
    progressbar: bool = True,
    **options: Any,
) -> SequentialChoice:
    r"""Simulate more until the choice is sure enough.

    After each look, the variance of the difference between best and runner-up is split (see `error_components`), and
    the draws are doubled where they contribute more to it, the individuals where those do. Each simulation is fresh and
    takes the place of the one before, so that the last one's errors mean what they say.

    Parameters
    ----------
    simulate : callable
        ``simulate(draws=, subjects=, random_seed=)`` gives what `choose` takes: a function that calls
        `Calibration.simulate` with these draws and ``new_subjects(study, subjects)``. Ask for no more draws than the
        posterior holds (``most_draws`` of the rule).
    utility_function : Utility or callable
    rule : StoppingRule, optional
    draws, subjects : int
        Of the first look.
    random_seed : int
    progressbar : bool
    **options
        For :func:`choose`: ``individuals``, ``uncertainty``, ``constraints``, ``targets``.

    Returns
    -------
    SequentialChoice
        Ctrl-C after the first look gives what was reached, and says so.

    Raises
    ------
    DecisionError
        As `choose`; or if the first look is larger than the largest.

    Notes
    -----
    Stopping at a separation is optimistic: the difference shown when it stops is too large on average, since it stops
    earlier when it is large by chance. `StoppingRule` says how often a claim is false.

    Examples
    --------
    >>> def simulate(*, draws, subjects, random_seed):
    ...     rng = np.random.default_rng(random_seed)
    ...     shape = ("chain", "draw", "regimen", "subject", "time")
    ...     values = rng.normal(size=(4, draws // 4, 2, subjects, 1)) + np.array([[[0.0] * 2], [[0.1] * 2]])
    ...     coords = {"regimen": ["a", "b"], "time": [0.0, 1.0]}
    ...     data = xr.DataArray(values, dims=shape, coords=coords)
    ...     return xr.DataTree.from_dict({"predictions": data.to_dataset(name="effect")})
    >>> found = choose_until(simulate, lambda x: x["effect"].mean("time"), progressbar=False)
    >>> found.decision.best, found.separated
    ('b', True)
    """
    rule = rule or StoppingRule()
    if draws > rule.most_draws or subjects > rule.most_subjects:
        raise DecisionError(
            f"The first look, {draws} draws and {subjects} individuals, is larger than the largest simulation of the "
            f"rule, {rule.most_draws} and {rule.most_subjects}. Begin with fewer, or raise the limits of the rule."
        )
    looks = rule.looks(draws, subjects)
    seeds = np.random.SeedSequence(random_seed).generate_state(looks)
    history: list[dict[str, Any]] = []
    decision: Decision | None = None
    with Progress(TextColumn("{task.description}"), disable=not progressbar, transient=True) as progress:
        task = progress.add_task("", total=None)
        for seed in seeds:
            progress.update(task, description=f"simulating {draws} draws of {subjects} individuals")
            try:
                future = simulate(draws=draws, subjects=subjects, random_seed=int(seed))
                decision = choose(future, utility_function, **options)
            except KeyboardInterrupt:
                if decision is None:
                    raise
                return concluded(decision, Stop("it was interrupted"), history)
            history.append(look_at(decision))
            stop = rule.judge(decision, looks)
            if stop is not None:
                return concluded(decision, stop, history)
            before = draws, subjects
            draws, subjects = enlarged(decision, rule, draws, subjects)
            if (draws, subjects) == before:
                break
    assert decision is not None
    return concluded(decision, Stop("the largest simulation was reached"), history)


def look_at(decision: Decision) -> dict[str, Any]:
    """Give the row of a look."""
    rivals = decision.table.loc[[label for label in decision.admissible if label != decision.best]]
    sampled = decision.utility.sizes
    row = {
        "draws": sampled["chain"] * sampled["draw"],
        "subjects": decision.metadata["n_subjects"],
        "best": decision.best,
    }
    if not len(rivals):
        return row
    second = rivals["expected_utility"].idxmax()
    with np.errstate(divide="ignore", invalid="ignore"):
        separation = (-rivals["difference"] / rivals["difference_mcse"]).min()
    return {
        **row,
        "runner_up": second,
        "difference": -rivals.loc[second, "difference"],
        "mcse": rivals.loc[second, "difference_mcse"],
        "separation": separation,
        "regret_mcse": decision.table.loc[decision.best, "expected_regret_mcse"],
    }


def enlarged(decision: Decision, rule: StoppingRule, draws: int, subjects: int) -> tuple[int, int]:
    """Double what contributes more to the error of the difference to the runner-up, as far as the rule allows."""
    rivals = decision.table.loc[[label for label in decision.admissible if label != decision.best]]
    parts = decision.data["difference_variance"].sel(regimen=rivals["expected_utility"].idxmax())
    of_draws, of_individuals = (float(parts.sel(component=name)) for name in ("draws", "individuals"))
    more_draws, more_subjects = min(2 * draws, rule.most_draws), min(2 * subjects, rule.most_subjects)
    if more_draws > draws and (of_draws >= of_individuals or more_subjects == subjects):
        return more_draws, subjects
    return draws, more_subjects


def concluded(decision: Decision, stop: Stop, history: list[dict[str, Any]]) -> SequentialChoice:
    """Give the result of a search."""
    return SequentialChoice(decision, stop.reason, stop.separated, stop.sufficient, pd.DataFrame(history))
