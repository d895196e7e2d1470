"""First dose in humans: the highest that keeps below its limits, and the one of highest expected utility."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from arviz_stats import mcse

from qsp_bayes.decision.choice.choose import choose
from qsp_bayes.decision.choice.simulation_error import SAMPLE
from qsp_bayes.decision.first_dose.first_doses import ANY, FirstInHuman
from qsp_bayes.decision.first_dose.limits import Exposure, Limit
from qsp_bayes.decision.utilities.utility import Utility, predictions_of
from qsp_bayes.errors import DecisionError


def first_in_human(
    future: xr.DataTree,
    limits: Sequence[Limit],
    *,
    doses: Mapping[str, float],
    loss: float,
    unit: str = "mg",
    tolerated: float = 0.05,
    alpha: float = 0.1,
    benefit: Utility | None = None,
    random_seed: int = 0,
) -> FirstInHuman:
    r"""Judge candidate first doses against limits of exposure.

    With :math:`\theta_s` the draws of the population, :math:`E_{sid}` the exposure of new individual i under dose d and
    :math:`L_s` the limit, drawn from its figure once for each draw of the population:

    .. math::
        p(d, \theta_s) &= \operatorname{mean}_i 1\{E_{sid} > L_s\} \qquad \text{(share of individuals)} \\
        P(d) &= \operatorname{mean}_s 1\{p(d, \theta_s) > \text{tolerated}\} \qquad \text{(over what is not known)} \\
        u_{sid} &= \log\frac{d}{d_\min} - \text{loss}\; 1\{E_{sid} > L_s \text{ for any limit}\}

    The two probabilities are never mixed: a dose is allowed where :math:`P(d) \le \alpha`, for any limit together,
    and for all lower doses too. The utility u goes to `choose`, on the same draws and individuals.

    Parameters
    ----------
    future : xarray.DataTree
        From `Calibration.simulate`: the candidate doses in new individuals, over the time in which a first dose acts.
        For an intravenous bolus let the grid start just after the dose: on it, the concentration at the dose's time
        is that before.
    limits : sequence of NoaelLimit, MabelLimit, OccupancyLimit
        With different names.
    doses : mapping of str to float
        Dose of each regimen of `future`.
    loss : float
        What passing a limit costs, in units of the benefit. There is no default: it is the judgement that the choice
        rests on. With the benefit log dose and a loss of 10, an e-fold higher dose is worth another 10 % of
        individuals beyond a limit.
    unit : str
        Of the doses.
    tolerated : float
        Share of individuals who may pass a limit.
    alpha : float
        Probability, over the draws of the population, that more of them do.
    benefit : Utility, optional
        Takes the place of log dose: exposure, an effect, a biomarker.
    random_seed : int
        Of the draws of uncertain limits.

    Returns
    -------
    FirstInHuman

    Raises
    ------
    DecisionError, UnitsError
        If doses, limits and simulation do not fit together.

    References
    ----------
    Reigner BG, Blesch KS (2002) Eur J Clin Pharmacol 57:835-845 (starting doses). Muller PY et al. (2009) Curr Opin
    Biotechnol 20:722-729 (MABEL). Berger JO (1985) Statistical Decision Theory and Bayesian Analysis.

    Examples
    --------
    >>> from qsp_bayes.decision import OccupancyLimit
    >>> from qsp_bayes.physiology import Figure
    >>> rng = np.random.default_rng(1)
    >>> clearance = xr.DataArray(rng.lognormal(0, 0.3, (4, 50, 20)), dims=("chain", "draw", "subject"))
    >>> dose = xr.DataArray([1.0, 10.0], dims="regimen", coords={"regimen": ["1 mg", "10 mg"]})
    >>> course = (dose / clearance).expand_dims(time=[0.0, 1.0], axis=-1).assign_attrs(units="mg/L")
    >>> future = xr.DataTree.from_dict({"predictions": course.to_dataset(name="Cc")})
    >>> limit = OccupancyLimit(Figure(45, "mg/L", "binding assay", sd_log=0.2), at_most=0.1)
    >>> found = first_in_human(future, [limit], doses={"1 mg": 1, "10 mg": 10}, loss=10)
    >>> found.highest(), found.best, found.binding
    ('1 mg', '1 mg', 'occupancy')
    """
    predictions = predictions_of(future)
    names = check(predictions, limits, doses, loss, tolerated, alpha)
    dose = xr.DataArray(
        [float(doses[str(label)]) for label in predictions["regimen"].values],
        dims="regimen",
        coords={"regimen": predictions["regimen"]},
        attrs={"units": unit},
    )
    simulated = json.loads(future.attrs.get("qsp_bayes", "{}"))
    exposure = Exposure(predictions, simulated.get("units", {}).get("time", "h"), dose)
    rng = np.random.default_rng(random_seed)
    margins = []
    for limit in limits:
        level = limit.level()
        size = [predictions.sizes[dim] for dim in SAMPLE]
        drawn = xr.DataArray(level.value * np.exp(level.sd_log * rng.standard_normal(size)), dims=SAMPLE)
        measured = limit.measured(exposure)
        if not (measured >= 0).all():
            raise DecisionError(
                f"{limit.name}: an exposure is negative or not a number. Check the simulation."
            )
        # No exposure at all is infinitely far from a limit.
        margins.append(drawn / measured.where(measured > 0, np.finfo(float).tiny))
    single = xr.concat(margins, dim="limit")
    margin = xr.concat([single, single.min("limit")], dim="limit").assign_coords(limit=[*names, ANY])
    passed = margin < 1
    share = passed.mean("subject")
    beyond = share > tolerated
    decision = choose(future, utility_of(passed.sel(limit=ANY, drop=True), dose, loss, benefit))
    data = xr.Dataset(
        {
            "share": share.transpose(*SAMPLE, "limit", "regimen"),
            "probability": beyond.mean(SAMPLE),
            "probability_mcse": mcse(beyond.astype(float)),
            "expected_share": share.mean(SAMPLE),
            "share_q95": share.quantile(0.95, SAMPLE).drop_vars("quantile"),
            "margin": margin.median("subject").median(SAMPLE),
            "dose": dose,
        }
    )
    settings = {
        "tolerated": tolerated,
        "alpha": alpha,
        "loss": loss,
        "unit": unit,
        "benefit": None if benefit is None else benefit.description,
        "levels": {limit.name: str(limit.level()) for limit in limits},
    }
    return FirstInHuman(data.assign_attrs(qsp_bayes=json.dumps(settings)), decision)


def utility_of(passed: xr.DataArray, dose: xr.DataArray, loss: float, benefit: Utility | None) -> Utility:
    """Give the utility: benefit, less the loss where a limit is passed."""
    gain = xr.apply_ufunc(np.log, dose / dose.min())

    def value(x: xr.Dataset) -> xr.DataArray:
        of_dose = gain.sel(regimen=x["regimen"]) if benefit is None else benefit.of_one_regimen(x)
        return of_dose - loss * passed.sel(regimen=x["regimen"])

    described = "log of the dose over the lowest" if benefit is None else benefit.description
    return Utility(value, f"{described}, less {loss:g} where a limit is passed")


def check(
    predictions: xr.Dataset,
    limits: Sequence[Limit],
    doses: Mapping[str, float],
    loss: float,
    tolerated: float,
    alpha: float,
) -> list[str]:
    """Require that doses, limits and simulation fit together, and name the limits."""
    names = [limit.name for limit in limits]
    if not names or len(set(names)) != len(names) or ANY in names:
        raise DecisionError(
            f"Give limits with different names (name='...'); got {', '.join(names) or 'none'}."
        )
    labels = [str(label) for label in predictions["regimen"].values]
    if set(labels) != set(doses):
        raise DecisionError(f"doses is for {', '.join(doses)}; the simulation has {', '.join(labels)}.")
    if not all(dose > 0 for dose in doses.values()):
        raise DecisionError(f"doses must be positive; got {dict(doses)}. A placebo needs no limit.")
    if not loss > 0:
        raise DecisionError(f"loss is {loss}; what passing a limit costs must be positive.")
    if not (0 <= tolerated < 1 and 0 < alpha < 1):
        raise DecisionError(f"tolerated ({tolerated}) and alpha ({alpha}) are probabilities.")
    return names
