"""Simulate trials of a design, under truths drawn from its prior or fixed."""

from __future__ import annotations

import io
import multiprocessing
import pickle
import signal
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import cloudpickle
import numpy as np
from rich.progress import Progress

from qsp_bayes.decision.trial.design import EscalationDesign
from qsp_bayes.decision.trial.ladder import Ladder
from qsp_bayes.decision.trial.mechanism import compiled
from qsp_bayes.decision.trial.operating_characteristics import OperatingCharacteristics
from qsp_bayes.decision.trial.posterior import TrialPrecision
from qsp_bayes.decision.trial.trial import Trial, run_trial
from qsp_bayes.decision.trial.trial_model import TrialModel
from qsp_bayes.decision.trial.truth import PRIOR, Scenario, Truth
from qsp_bayes.errors import DecisionError
from qsp_bayes.ode.threads import threads


@dataclass(frozen=True, eq=False)
class Simulator:
    """What every trial of a simulation shares, compiled once in each process."""

    design: EscalationDesign
    model: TrialModel
    ladder: Ladder
    precision: TrialPrecision

    @classmethod
    def of(cls, design: EscalationDesign, model: TrialModel, precision: TrialPrecision) -> Simulator:
        """Compile the model and plan the doses."""
        mechanism = compiled(model)
        return cls(design, model, Ladder.of(model, mechanism, design.doses), precision)

    def run(self, scenario: Scenario | None, seed: np.random.SeedSequence) -> Trial:
        """Simulate one trial. Its result depends on the seed alone."""
        rng = np.random.default_rng(seed)
        population = self.ladder.mechanism.population
        truth_seed = int(rng.integers(2**31))
        if scenario is None:
            row = population.draws(1, truth_seed)
        else:
            row = population.unconstrained(scenario.complete(self.model, list(population.shapes)))
            truth_seed = 0  # one truth for all trials of a scenario, its Monte Carlo error included
        truth = Truth.of(self.ladder, row, self.design.target, truth_seed)
        name = PRIOR if scenario is None else scenario.name
        with threads(1):
            return run_trial(self.design, self.ladder, truth, self.precision, rng, name)


def simulate_trials(
    design: EscalationDesign,
    model: TrialModel,
    scenarios: Literal["prior"] | Scenario | Sequence[Scenario] = "prior",
    *,
    n: int = 1000,
    precision: TrialPrecision | None = None,
    workers: int = 1,
    random_seed: int = 0,
    progressbar: bool = True,
) -> OperatingCharacteristics:
    r"""Simulate trials and give the operating characteristics of their design.

    Each trial draws its subjects from a true population, with their samples and toxicities, and follows the design,
    whose posterior is computed anew after every cohort. With ``scenarios="prior"`` the truth of each trial is drawn
    from the priors that the design itself uses: the probabilities on which it acts then hold on average, and EWOC keeps
    its bound. Fixed scenarios show what it does where the prior is wrong.

    Parameters
    ----------
    design : EscalationDesign
    model : TrialModel
    scenarios : "prior", Scenario, or sequence of Scenario
    n : int
        Trials of each scenario.
    precision : TrialPrecision, optional
    workers : int
        Processes. Each compiles the model for itself (some 20 s). A script that uses several must start its own work
        below ``if __name__ == "__main__":``.
    random_seed : int
        Every trial has a seed of its own, spawned from this one: the result does not depend on `workers`.
    progressbar : bool

    Returns
    -------
    OperatingCharacteristics
        Interrupting (Ctrl-C) keeps the trials that are done, and the result says how many were asked for.

    Raises
    ------
    DecisionError
        If design, model and scenarios do not fit together.

    References
    ----------
    Babb J, Rogatko A, Zacks S (1998) Stat Med 17:1103-1120.

    Examples
    --------
    ::

        found = qb.simulate_trials(design, model, "prior", n=1000, random_seed=1, workers=2)
        found.table
        qb.plot_operating_characteristics(found)
    """
    for what, value in (("n", n), ("workers", workers)):
        if value != int(value) or value < 1:
            raise DecisionError(f"{what} is {value}; expected a whole number of at least 1.")
    chosen = chosen_scenarios(scenarios)
    precision = precision or TrialPrecision()
    seeds = np.random.SeedSequence(random_seed).spawn(len(chosen) * n)
    jobs = [(chosen[k // n], seed) for k, seed in enumerate(seeds)]
    done: dict[int, Trial] = {}
    source = (
        one_by_one(design, model, precision, jobs)
        if workers == 1
        else side_by_side(design, model, precision, jobs, workers)
    )
    with Progress(disable=not progressbar, transient=True) as progress:
        task = progress.add_task("compiling", total=len(jobs))
        try:
            for position, trial in source:
                done[position] = trial
                progress.update(task, description="trials", completed=len(done))
        except KeyboardInterrupt:
            source.close()
            if not done:
                raise
    return OperatingCharacteristics.of(
        design, [done[k] for k in sorted(done)], asked=len(jobs), random_seed=random_seed
    )


def chosen_scenarios(scenarios: Any) -> list[Scenario | None]:
    """Read the scenarios; None stands for truth drawn from the prior."""
    if isinstance(scenarios, str) and scenarios == PRIOR:
        return [None]
    found = [scenarios] if isinstance(scenarios, Scenario) else list(scenarios)
    if not found or not all(isinstance(scenario, Scenario) for scenario in found):
        raise DecisionError(f"scenarios is {PRIOR!r} or scenarios; got {scenarios!r}.")
    names = [scenario.name for scenario in found]
    if len(set(names)) < len(names):
        raise DecisionError(f"scenarios must have different names; got {', '.join(names)}.")
    return found


Jobs = Sequence[tuple[Scenario | None, np.random.SeedSequence]]


def one_by_one(
    design: EscalationDesign, model: TrialModel, precision: TrialPrecision, jobs: Jobs
) -> Generator[tuple[int, Trial]]:
    """Simulate in this process."""
    simulator = Simulator.of(design, model, precision)
    for position, (scenario, seed) in enumerate(jobs):
        yield position, simulator.run(scenario, seed)


def side_by_side(
    design: EscalationDesign, model: TrialModel, precision: TrialPrecision, jobs: Jobs, workers: int
) -> Generator[tuple[int, Trial]]:
    """Simulate in several processes; an interruption ends them."""
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=start_worker,
        initargs=(frozen((design, model, precision)),),
    )
    waiting: dict[Future[bytes], int] = {}
    try:
        for position, (scenario, seed) in enumerate(jobs):
            waiting[pool.submit(run_in_worker, frozen((scenario, seed)))] = position
        while waiting:
            finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                yield waiting.pop(future), pickle.loads(future.result())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class Pickler(cloudpickle.Pickler):
    """Pickle functions by value, as systems and measures of exposure hold them, and read-only mappings."""

    def reducer_override(self, obj: Any) -> Any:
        """Take a read-only mapping apart; leave the rest to cloudpickle."""
        if isinstance(obj, MappingProxyType):
            return MappingProxyType, (dict(obj),)
        return super().reducer_override(obj)


def frozen(value: Any) -> bytes:
    """Pickle a value for another process."""
    buffer = io.BytesIO()
    Pickler(buffer).dump(value)
    return buffer.getvalue()


WORKER: dict[str, Simulator] = {}
"""The simulator of a worker process."""


def start_worker(shared: bytes) -> None:
    """Compile the model in a worker process, which leaves interruptions to the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    WORKER["simulator"] = Simulator.of(*pickle.loads(shared))


def run_in_worker(job: bytes) -> bytes:
    """Simulate one trial in a worker process."""
    return frozen(WORKER["simulator"].run(*pickle.loads(job)))
