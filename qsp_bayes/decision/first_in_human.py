"""First dose in humans: the highest that keeps below its limits, and the one of highest expected utility."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from arviz_stats import mcse

from qsp_bayes.decision.choice import choose
from qsp_bayes.decision.decision import Decision
from qsp_bayes.decision.limits import Exposure, Limit
from qsp_bayes.decision.simulation_error import SAMPLE
from qsp_bayes.decision.utility import Utility, predictions_of
from qsp_bayes.errors import DecisionError

ANY = "any limit"


@dataclass(frozen=True, repr=False)
class FirstInHuman:
    """Candidate doses against their limits, as made by :func:`first_in_human`.

    Attributes
    ----------
    data : xarray.Dataset
        ``share`` (chain, draw, limit, regimen): the share of individuals who pass the limit at each draw of the
        population. By limit and regimen, the columns of `table`. ``dose`` by regimen. The last limit is "any limit".
    decision : Decision
        The choice among the doses by expected utility.
    """

    data: xr.Dataset
    decision: Decision

    @property
    def settings(self) -> dict[str, Any]:
        """Tolerated share of individuals, probability ``alpha``, loss, unit of the doses, levels of the limits."""
        return json.loads(self.data.attrs["qsp_bayes"])

    @property
    def table(self) -> pd.DataFrame:
        """One row for each regimen and limit.

        ``dose``; ``probability`` (over the population draws) that more than the tolerated share of individuals pass
        the limit, with its Monte Carlo standard error ``probability_mcse``; ``expected_share``, the share of
        individuals who pass it averaged over the draws, which is the probability for one new individual;
        ``share_q95``, its 95 % quantile over the draws; ``margin``, the level of the limit over the exposure: the
        median over the draws of the median individual's.
        """
        names = ["dose", "probability", "probability_mcse", "expected_share", "share_q95", "margin"]
        columns = [self.data[name].broadcast_like(self.data["probability"]) for name in names]
        frame = xr.Dataset(dict(zip(names, columns, strict=True))).to_dataframe()
        order = [(r, m) for r in self.data["regimen"].values for m in self.data["limit"].values]
        return frame.reorder_levels(["regimen", "limit"]).loc[order, names]

    def highest(self, limit: str = ANY) -> str | None:
        """Give the highest dose that keeps below a limit, as all lower ones do; None where not even the lowest does."""
        if limit not in self.data["limit"].values:
            raise DecisionError(
                f"There is no limit {limit!r}. There is {', '.join(self.data['limit'].values)}."
            )
        by_dose = self.data.sortby("dose")
        kept = (by_dose["probability"].sel(limit=limit) <= self.settings["alpha"]).to_numpy()
        n = int(np.cumprod(kept).sum())
        return str(by_dose["regimen"].values[n - 1]) if n else None

    @property
    def best(self) -> str:
        """The dose of highest expected utility."""
        return self.decision.best

    @property
    def binding(self) -> str | None:
        """The limit that is most probably passed at the dose next to the highest allowed one; None without a next."""
        by_dose = self.data.sortby("dose")
        labels = [str(label) for label in by_dose["regimen"].values]
        highest = self.highest()
        following = 0 if highest is None else labels.index(highest) + 1
        if following == len(labels):
            return None
        single = by_dose["probability"].drop_sel(limit=ANY).isel(regimen=following)
        return str(single.idxmax("limit").item())

    def summary(self) -> str:
        """Sentences that state the doses, the limit that binds, and what was asked."""
        settings = self.settings
        asked = (
            f"with probability at least {1 - settings['alpha']:.0%} over the uncertainty of the population, at most "
            f"{settings['tolerated']:.0%} of individuals pass a limit"
        )
        highest = self.highest()
        sentences = [
            f"The highest dose is {highest}: {asked}."
            if highest
            else f"No candidate is low enough: not even for the lowest, {asked}. Simulate lower doses."
        ]
        if self.binding is None:
            sentences.append(
                "It is the highest of the candidates; simulate higher ones to find the limit that binds."
            )
        else:
            each = ", ".join(
                f"{name} {self.highest(str(name)) or 'none'}"
                for name in self.data["limit"].values
                if name != ANY
            )
            sentences.append(f"{self.binding} binds (highest dose by each limit alone: {each}).")
        sentences.append(
            f"{self.best} has the highest expected utility, where passing a limit costs {settings['loss']:g} times "
            "what an e-fold higher dose is worth."
            if settings["benefit"] is None
            else f"{self.best} has the highest expected utility ({settings['benefit']}, less {settings['loss']:g} for "
            "passing a limit)."
        )
        return " ".join(sentences)

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.summary())}</p>{
            self.probabilities.to_html(border=0, float_format='{:.3g}'.format)
        }"

    @property
    def probabilities(self) -> pd.DataFrame:
        """The probability of each limit by dose, and the expected utility."""
        wide = self.data["probability"].to_pandas().T[[*self.data["limit"].values]]
        return wide.assign(**{"expected utility": self.decision.table["expected_utility"]})

    def __repr__(self) -> str:
        return (
            f"{self.summary()}\n\n{self.probabilities.to_string(float_format=lambda value: f'{value:.3g}')}"
        )


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
