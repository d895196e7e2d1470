"""Global sensitivity: which inputs the spread of an output comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from scipy.stats import norm, qmc, rankdata

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import CalibrationError
from qsp_bayes.identifiability.courses import Courses
from qsp_bayes.identifiability.inputs import Inputs
from qsp_bayes.systems.scope import unknown_name
from qsp_bayes.systems.system import System

Method = Literal["sobol", "morris", "rank"]
MEASURES: dict[str, tuple[str, ...]] = {
    "sobol": ("first_order", "total_order", "first_order_error", "total_order_error"),
    "morris": ("mean_effect", "mean_absolute_effect", "sd_of_effects", "mean_absolute_effect_error"),
    "rank": ("partial_rank_correlation", "partial_rank_correlation_error"),
}
TAIL = 0.025
"""Morris's grid runs from this quantile to its mirror image: those at 0 and 1 may be infinite."""
LEVELS = 4
RESAMPLES = 200


def global_sensitivity(
    system: System,
    source: Mapping[str, Any] | xr.DataTree,
    times: Iterable[float],
    regimen: Regimen | None = None,
    *,
    outputs: Sequence[str] | None = None,
    measure: Callable[[xr.Dataset], xr.DataArray] | None = None,
    method: Method = "sobol",
    samples: int = 512,
    fix: Mapping[str, float] | None = None,
    inputs: Mapping[str, float] | None = None,
    solver: Any = None,
    level: float = 0.95,
    random_seed: int = 0,
) -> xr.Dataset:
    r"""Tell which parameters of the typical individual an output, or any number made of outputs, depends on.

    Parameters
    ----------
    system : System
    source : Priors, mapping of str to Prior, or DataTree
        Distributions of the parameters, under the names ``TVCL``, ...: priors, or the posterior of a fit.
    times : iterable of float
        Increasing, in the unit of the system.
    regimen : Regimen, optional
        Doses; none where left out.
    outputs : sequence of str, optional
        All where left out.
    measure : callable or Utility, optional
        From the dataset of outputs (dims chain, draw, regimen, subject, time) to one number for each draw, such as
        ``lambda x: qb.auc(x["Cc"])``. The outputs at all times where left out.
    method : {"sobol", "morris", "rank"}
        See `sensitivity_indices`.
    samples : int
        Of Sobol's sequence (a power of 2), trajectories of Morris, or draws.
    fix : mapping of str to float, optional
        Parameters that do not vary.
    inputs : mapping of str to float, optional
        Values of inputs that no other system gives.
    solver : Solver, optional
    level : float
        Of the intervals.
    random_seed : int
        The same seed gives the same result.

    Returns
    -------
    xarray.Dataset
        What `sensitivity_indices` returns, by ``input``, and by ``output`` and ``time`` where there is no `measure`.

    Raises
    ------
    CalibrationError
        If a parameter has no distribution, some sets of parameters cannot be solved, or SALib is missing.

    Examples
    --------
    >>> from qsp_bayes.calibration import load_priors
    >>> from qsp_bayes.models import one_compartment
    >>> found = global_sensitivity(
    ...     one_compartment(), load_priors("weakly_informative"), [0.01, 24.0],
    ...     Regimen(100, unit="mg", into="central"), samples=256,
    ... )
    >>> found.total_order.sel(output="Cc").idxmax("input").values.tolist()
    ['Vc', 'CL']
    """
    fix = dict(fix or {})
    for name in fix:
        if name not in system.parameters:
            raise unknown_name(name, {"parameters": system.parameters}, f"system {system.name!r}")
    names = [name for name in system.parameters if name not in fix]
    laws = Inputs.of(source, names, prefix="TV")
    courses = Courses.of(system, names, fix, times, regimen, outputs=outputs, inputs=inputs, solver=solver)

    def evaluate(values: np.ndarray) -> xr.DataArray:
        found = courses(values)
        if measure is None:
            return (
                found.to_array("output").isel(chain=0, regimen=0, subject=0, drop=True).rename(draw="sample")
            )
        number = getattr(measure, "function", measure)(found)
        return number.isel(chain=0, regimen=0, subject=0, drop=True).rename(draw="sample")

    return sensitivity_indices(
        evaluate, laws, method=method, samples=samples, level=level, random_seed=random_seed
    )


def sensitivity_indices(
    function: Callable[[np.ndarray], Any],
    inputs: Inputs | Mapping[str, Any],
    *,
    method: Method = "sobol",
    samples: int = 512,
    level: float = 0.95,
    random_seed: int = 0,
) -> xr.Dataset:
    r"""Tell which inputs the spread of a function comes from.

    - ``"sobol"``: with independent inputs the variance of the output splits into parts of one input, of two, and so on.

      .. math::

          S_k = \frac{\operatorname{var}(\operatorname{E}[y \mid x_k])}{\operatorname{var}(y)}, \qquad
          S_{Tk} = 1 - \frac{\operatorname{var}(\operatorname{E}[y \mid x_{-k}])}{\operatorname{var}(y)}

      ``first_order`` is what one would gain by knowing an input, ``total_order`` what would be left if all others were
      known; they differ by interactions. ``samples`` times (inputs + 2) evaluations.
    - ``"morris"``: mean, mean absolute value and standard deviation of the change of the output when an input alone
      moves across its central 95 %, from ``samples`` trajectories of (inputs + 1) evaluations: cheap, for screening. A
      standard deviation as large as the mean absolute effect means curvature or interactions.
    - ``"rank"``: the correlation of the ranks of input and output, the ranks of the other inputs held fixed, over
      ``samples`` draws, which are the posterior's joint draws where there are some. For monotone dependence; the one
      method here that respects correlated inputs.

    Parameters
    ----------
    function : callable
        From values, (sample, input), to an array (sample,) or a DataArray with the dim ``sample``.
    inputs : Inputs or mapping of str to distribution
    method : {"sobol", "morris", "rank"}
    samples : int
    level : float
        Of the intervals, of which ``..._error`` is half the width: bootstrap, or Fisher's transform for ranks.
    random_seed : int

    Returns
    -------
    xarray.Dataset
        By ``input``, and whatever dims the output has; NaN where the output does not vary. Attributes ``method``,
        ``samples``, ``evaluations``, ``level`` and ``warning``: what a reader must know of inputs that are correlated.

    Raises
    ------
    CalibrationError
        If the output is not finite, if SALib is not installed, or if Sobol's sequence is not a power of 2 long.

    References
    ----------
    Saltelli A et al (2010). Variance based sensitivity analysis of model output. Design and estimator for the total
    sensitivity index. Comput Phys Commun 181:259-270.

    Morris MD (1991). Factorial sampling plans for preliminary computational experiments. Technometrics 33:161-174.

    Marino S, Hogue IB, Ray CJ, Kirschner DE (2008). A methodology for performing global uncertainty and sensitivity
    analysis in systems biology. J Theor Biol 254:178-196.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> found = sensitivity_indices(lambda x: x[:, 0] + 2 * x[:, 1], {"a": norm(), "b": norm()}, samples=256)
    >>> found.first_order.values.round(1)
    array([0.2, 0.8])
    """
    laws = inputs if isinstance(inputs, Inputs) else Inputs.of(inputs)
    if method not in MEASURES:
        raise CalibrationError(f"method {method!r} is not known. Use one of {', '.join(MEASURES)}.")
    seed = int(np.random.SeedSequence(random_seed).generate_state(1)[0]) % (2**31 - 2) + 1
    plan, values = plan_of(laws, method, samples, seed)
    output = as_output(function(values), len(values))
    others = [dim for dim in output.dims if dim != "sample"]
    columns = output.transpose(*others, "sample").values.reshape(-1, len(values))
    found = np.full((len(MEASURES[method]), len(columns), len(laws.names)), np.nan)
    for position, column in enumerate(columns):
        # A column that is constant but for rounding, such as a concentration before the dose, has no variance to share.
        if np.ptp(column) > 1e-12 * np.abs(column).max():
            found[:, position] = measures(laws, method, plan, values, column, level, seed)
    labels = {str(dim): output[dim] for dim in others if dim in output.coords}
    shape = (*(output.sizes[dim] for dim in others), len(laws.names))
    dims = (*others, "input")
    return xr.Dataset(
        {name: (dims, table.reshape(shape)) for name, table in zip(MEASURES[method], found, strict=True)},
        {**labels, "input": list(laws.names)},
        {
            "method": method,
            "samples": samples,
            "evaluations": len(values),
            "level": level,
            "warning": "" if method == "rank" else laws.warning,
        },
    ).transpose("input", ...)


def plan_of(laws: Inputs, method: str, samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Choose where to evaluate: probabilities of the inputs, and their values."""
    if method == "rank":
        if laws.joint is not None:
            rows = np.random.default_rng(seed).permutation(len(laws.joint))[:samples]
            return rows, laws.joint[rows]
        plan = qmc.LatinHypercube(len(laws.names), rng=seed).random(samples)
    elif method == "sobol":
        if samples < 2 or samples & (samples - 1):
            raise CalibrationError(
                f"samples={samples}: Sobol's sequence is balanced at powers of 2, such as 512."
            )
        plan = salib("sample.sobol").sample(problem(laws), samples, calc_second_order=False, seed=seed)
    else:
        plan = salib("sample.morris").sample(problem(laws, TAIL), samples, num_levels=LEVELS, seed=seed)
    return plan, laws.values(plan)


def measures(
    laws: Inputs,
    method: str,
    plan: np.ndarray,
    values: np.ndarray,
    output: np.ndarray,
    level: float,
    seed: int,
) -> list[np.ndarray]:
    """Give the measures of one output, in the order of `MEASURES`."""
    if method == "rank":
        return partial_rank_correlation(values, output, level)
    if method == "sobol":
        found = salib("analyze.sobol").analyze(
            problem(laws),
            output,
            calc_second_order=False,
            num_resamples=RESAMPLES,
            conf_level=level,
            seed=seed,
        )
        return [found[key] for key in ("S1", "ST", "S1_conf", "ST_conf")]
    # The range of the grid stands for 1, so that effects are changes across it.
    unit = (plan - TAIL) / (1 - 2 * TAIL)
    found = salib("analyze.morris").analyze(
        problem(laws), unit, output, num_resamples=RESAMPLES, conf_level=level, num_levels=LEVELS, seed=seed
    )
    return [np.ma.getdata(found[key]) for key in ("mu", "mu_star", "sigma", "mu_star_conf")]


def problem(laws: Inputs, tail: float = 0.0) -> dict[str, Any]:
    """Describe the inputs as SALib wants them: probabilities."""
    n = len(laws.names)
    return {"num_vars": n, "names": list(laws.names), "bounds": [[tail, 1 - tail]] * n}


def salib(module: str) -> Any:
    """Import a module of SALib."""
    import importlib

    try:
        return importlib.import_module(f"SALib.{module}")
    except ImportError:
        raise CalibrationError(
            "Sobol's and Morris's methods need SALib: pip install qsp_bayes[sensitivity]. method='rank' does not."
        ) from None


def as_output(found: Any, n: int) -> xr.DataArray:
    """Check what the function returned, and label it."""
    output = found if isinstance(found, xr.DataArray) else xr.DataArray(np.asarray(found, float))
    if not isinstance(found, xr.DataArray):
        output = output.rename({output.dims[0]: "sample"}) if output.ndim else output
    if "sample" not in output.dims or output.sizes["sample"] != n:
        raise CalibrationError(
            f"the function must return one value (or row) for each of {n} samples; got {dict(output.sizes)}."
        )
    rows = output.transpose("sample", ...).values.reshape(n, -1)
    if not np.isfinite(rows).all():
        bad = int((~np.isfinite(rows)).any(axis=1).sum())
        raise CalibrationError(
            f"the output is not finite for {bad} of {n} samples. Narrow the distributions, or mind logarithms of 0."
        )
    return output.astype(float)


def partial_rank_correlation(values: np.ndarray, output: np.ndarray, level: float) -> list[np.ndarray]:
    """Give partial rank correlations, and half the width of their intervals by Fisher's transform.

    Examples
    --------
    >>> x = np.random.default_rng(1).normal(size=(500, 2))
    >>> partial_rank_correlation(x, np.exp(x[:, 0]), 0.95)[0].round(2)[0]
    np.float64(1.0)
    """
    n, p = values.shape
    ranks = rankdata(np.column_stack([values, output]), axis=0)
    ranks -= ranks.mean(axis=0)
    found = np.empty(p)
    for k in range(p):
        others = np.delete(ranks[:, :p], k, axis=1)
        both = ranks[:, [k, p]]
        left = both - others @ np.linalg.lstsq(others, both, rcond=None)[0] if p > 1 else both
        size = np.sqrt((left**2).sum(axis=0))
        found[k] = left[:, 0] @ left[:, 1] / (size[0] * size[1]) if size.all() else 0.0
    found = np.clip(found, -1.0, 1.0)
    z = np.arctanh(np.clip(found, -1 + 1e-12, 1 - 1e-12))
    half = norm.ppf((1 + level) / 2) / np.sqrt(max(n - p - 2, 1))
    return [found, (np.tanh(z + half) - np.tanh(z - half)) / 2]
