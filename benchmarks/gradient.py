"""Log posterior density and its gradient: through the whole engine, by hand in PyMC, and in Stan."""

from __future__ import annotations

import numpy as np

from benchmarks.comparison import Comparison
from benchmarks.engines import MissingPeerError, Nutpie, Stan
from benchmarks.theophylline_models import (
    Observations,
    closed_form,
    full_engine,
    handwritten,
    stan_order,
    theophylline,
)
from benchmarks.timing import compiled_gradient, interleaved, leapfrog_step

EVALUATIONS = 4000


def relative_error(values: np.ndarray, reference: np.ndarray) -> float:
    """Largest error, relative to the largest entry."""
    return float(np.abs(values - reference).max() / np.abs(reference).max())


def gradient_errors(
    ours: Nutpie, byhand: Nutpie, stan: Stan | None, points: np.ndarray, order: list[str]
) -> dict[str, float]:
    """Errors against the closed form by hand, at points whose columns are in `order`."""
    values, gradients = byhand.logp_and_gradient(byhand.arranged(points, order))
    our_values, our_gradients = ours.logp_and_gradient(ours.arranged(points, order))
    errors = {
        "logp": relative_error(our_values, values),
        "gradient": relative_error(
            our_gradients[:, [ours.names.index(name) for name in byhand.names]], gradients
        ),
    }
    if stan is not None:
        errors["gradient of Stan"] = relative_error(byhand.arranged(stan.gradient(points), order), gradients)
    return errors


def prediction_error(ours: Nutpie, observations: Observations) -> float:
    """Error of predicted concentrations against the closed form, over draws of the posterior."""
    draws = ours.sample(seed=1, warmup=300, draws=200, chains=1).draws
    weight = observations.weight
    exact = closed_form(observations, draws["CL"] / weight, draws["Vc"] / weight, draws["KA"])
    return relative_error(draws["Cc"], exact)


def measure() -> list[Comparison]:
    records = theophylline()
    observations = Observations.of(records)
    order = stan_order(len(observations.dose))
    ours, byhand = Nutpie(full_engine(records)), Nutpie(handwritten(observations))
    stan, missing = None, ""
    try:
        stan = Stan(observations)
    except MissingPeerError as error:
        missing = str(error)

    points = byhand.posterior_points(order)
    compiled = interleaved(
        {
            "ours": compiled_gradient(ours, ours.arranged(points, order), EVALUATIONS),
            "by hand": compiled_gradient(byhand, byhand.arranged(points, order), EVALUATIONS),
        },
        repeats=range(11),
    )
    engines = {"ours": ours, "by hand": byhand} | ({"Stan": stan} if stan else {})
    steps = interleaved({name: leapfrog_step(engine) for name, engine in engines.items()}, repeats=range(5))
    errors = gradient_errors(ours, byhand, stan, points, order)
    errors["predictions"] = prediction_error(ours, observations)

    def line(
        quantity: str, peer: str, ours: float, theirs: float | None, at_most: float, missing: str = ""
    ) -> Comparison:
        return Comparison(
            "gradient", quantity, "us", peer, ours, theirs, at_most=at_most, errors=errors, missing=missing
        )

    by_hand, sampling = "closed form by hand in PyMC", "leapfrog step while sampling"
    return [
        line("logp + gradient, compiled", by_hand, compiled["ours"], compiled["by hand"], 2.0),
        line(sampling, by_hand, steps["ours"], steps["by hand"], 2.0),
        line(sampling, "closed form in Stan", steps["ours"], steps.get("Stan"), 1.5, missing),
    ]
