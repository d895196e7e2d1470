"""Why sampling cannot start: which variable, which subject, which observation."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor


def explain_start(model: pm.Model, random_seed: int, error: Exception, tries: int = 5) -> str:
    """Say in words why no chain finds a start.

    Starting points are drawn from the prior; the log probability of each variable is evaluated there.

    Parameters
    ----------
    model : pymc.Model
    random_seed : int
    error : Exception
        What the sampler said.
    tries : int
        Starting points to look at.

    Returns
    -------
    str
    """
    values = model.value_vars
    observed = {variable.name: variable for variable in model.observed_RVs}
    outputs = [name.removeprefix("DV_") for name in observed]
    logps = model.logp(vars=model.basic_RVs, sum=False)
    predictions = model.replace_rvs_by_values([model[output] for output in outputs])
    evaluate = pytensor.function(
        values, [*logps, *predictions], mode="FAST_COMPILE", on_unused_input="ignore"
    )
    point = pm.initial_point.make_initial_point_fn(
        model=model, jitter_rvs=set(model.free_RVs), return_transformed=True
    )
    names = [variable.name for variable in model.basic_RVs]
    subject = model["record_subject"].eval()
    for trial in range(tries):
        start = point(random_seed + trial)
        results = evaluate(*[start[value.name] for value in values])
        by_name = dict(zip(names, results, strict=False))
        predicted = dict(zip(outputs, results[len(names) :], strict=True))
        bad = [name for name, logp in by_name.items() if not np.isfinite(logp).all()]
        if not bad:
            continue
        lines = []
        for name in bad:
            where = ""
            if name in observed:
                output = name.removeprefix("DV_")
                row = int(np.argmin(np.isfinite(by_name[name])))
                record = int(model[f"rows_{output}"].eval()[row])
                label = model.coords["subject"][int(subject[record])]
                time = float(model["record_time"].eval()[record])
                where = (
                    f" for subject {label} at time {time:g} (prediction {predicted[output][row]:.4g}, observed "
                    f"{float(model[f'observed_{output}'].eval()[row]):.4g})"
                )
            lines.append(f"the log probability of {name} is not finite{where}")
        typical = ", ".join(
            f"{variable.name}={float(value):.3g}"
            for variable, value in natural_values(model, start).items()
            if variable.name.startswith("TV")
        )
        return (
            f"Sampling could not start: {'; '.join(lines)}. At this start {typical}. This usually means (a) a prior "
            "far from the data or in another unit; (b) an observation that the error model excludes, such as a zero "
            "under a proportional error; (c) a dose that is missing. Draw from the prior with "
            "pm.sample_prior_predictive(model=calibration.build(study)) and compare with the data."
        )
    return (
        f"Sampling could not start ({error}), although the log probability is finite at {tries} starting points drawn "
        "from the prior. This usually means a gradient that is not finite: a parameter on the edge of its range, or a "
        "rate that has no derivative there."
    )


def natural_values(model: pm.Model, start: dict[str, np.ndarray]) -> dict:
    """Bring the scalar values of a starting point back from the unconstrained scale."""
    scalars = [variable for variable in model.free_RVs if variable.ndim == 0]
    natural = {}
    for variable in scalars:
        value = model.rvs_to_values[variable]
        transform = model.rvs_to_transforms[variable]
        number = np.asarray(start[value.name])
        natural[variable] = (
            number if transform is None else transform.backward(number, *variable.owner.inputs).eval()
        )
    return natural
