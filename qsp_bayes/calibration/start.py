"""Why sampling cannot start: which variable, which subject, which observation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor
from pymc.initial_point import make_initial_point_fn

from qsp_bayes.calibration.resolve import Resolver
from qsp_bayes.ode.status import Failure

TRIES = 5


@dataclass(frozen=True)
class Start:
    """A starting point, evaluated: log probability of each variable, gradient for each free one, predictions."""

    values: dict[str, np.ndarray]
    log_probability: dict[str, np.ndarray]
    gradient: dict[str, np.ndarray]
    predictions: dict[str, np.ndarray]


def explain_start(resolver: Resolver, random_seed: int, error: Exception) -> str:
    """Say in words why no chain finds a start, after evaluating a few starting points as the sampler makes them.

    Parameters
    ----------
    resolver : Resolver
        The model.
    random_seed : int
    error : Exception
        What the sampler said.

    Returns
    -------
    str
    """
    model = resolver.model
    for start in evaluate_starts(model, random_seed):
        found = [
            f"the log probability of {name} is not finite{where(model, name, logp, start)}"
            for name, logp in start.log_probability.items()
            if not np.isfinite(logp).all()
        ]
        steep = [name for name, slope in start.gradient.items() if not np.isfinite(slope).all()]
        if not found and steep:
            found = [f"the gradient for {', '.join(steep)} is not finite"]
        if found:
            typical = ", ".join(
                f"{name}={float(value):.3g}" for name, value in start.values.items() if name.startswith("TV")
            )
            opening = f"Sampling could not start: {'; '.join(found)}. At this start {typical}."
            if failures := resolver.failures(start.values):
                return f"{opening} {explain_failures(failures, resolver.time_unit)}"
            return (
                f"{opening} This usually means (a) "
                "a prior far from the data or in another unit; (b) an observation that the error model excludes, such "
                "as a zero under a proportional error; (c) a dose that is missing. Draw from the prior with "
                "pm.sample_prior_predictive(model=calibration.build(study)) and compare with the data."
            )
    reason = str(error).split("Stack backtrace", maxsplit=1)[0].strip()
    return (
        f"Sampling could not start, although log probability and gradient are finite at {TRIES} starting points. "
        f"The sampler said: {reason}"
    )


def explain_failures(failures: list[Failure], time_unit: str) -> str:
    """Explain the first subject that cannot be solved, and count the others."""
    first, others = failures[0], len(failures) - 1
    more = {0: "", 1: " One more subject fails."}.get(others, f" {others} more subjects fail.")
    return f"The system cannot be solved there. {first.explain(time_unit)}{more}"


def evaluate_starts(model: pm.Model, random_seed: int) -> list[Start]:
    """Evaluate a few starting points."""
    free, basic = model.free_RVs, model.basic_RVs
    values = [model.rvs_to_values[variable] for variable in free]
    outputs = [variable.name.removeprefix("DV_") for variable in model.observed_RVs]
    logps = model.logp(vars=basic, sum=False)
    gradients = pytensor.grad(sum(logp.sum() for logp in logps), values)
    graphs = [*free, *(model[output] for output in outputs)]
    natural = model.replace_rvs_by_values(graphs)
    evaluate = pytensor.function(
        values, [*logps, *gradients, *natural], mode="FAST_COMPILE", on_unused_input="ignore"
    )
    point = make_initial_point_fn(model=model, jitter_rvs=set(free), return_transformed=True)
    starts = []
    for trial in range(TRIES):
        unconstrained = point(random_seed + trial)
        results = iter(evaluate(*(unconstrained[value.name] for value in values)))
        starts.append(
            Start(
                log_probability={variable.name: next(results) for variable in basic},
                gradient={variable.name: next(results) for variable in free},
                values={variable.name: next(results) for variable in free},
                predictions={output: next(results) for output in outputs},
            )
        )
    return starts


def where(model: pm.Model, name: str, log_probability: np.ndarray, start: Start) -> str:
    """Name the first observation whose log probability is not finite; nothing for a free variable."""
    output = name.removeprefix("DV_")
    if output not in start.predictions:
        return ""
    row = int(np.argmin(np.isfinite(log_probability)))
    record = int(model[f"rows_{output}"].get_value()[row])
    subject = model.coords["subject"][int(model["record_subject"].get_value()[record])]
    time = float(model["record_time"].get_value()[record])
    observed = float(model[f"observed_{output}"].get_value()[row])
    predicted = float(start.predictions[output][row])
    return f" for subject {subject} at time {time:g} (prediction {predicted:.4g}, observed {observed:.4g})"
