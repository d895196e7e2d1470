"""VirtualPatients: individuals drawn from a posterior, uncertainty and variability kept apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.calibration.entries import SAMPLE
from qsp_bayes.calibration.fit import thin
from qsp_bayes.calibration.metadata import check_fit, read_facts
from qsp_bayes.calibration.simulation.dosing import covariates_of
from qsp_bayes.calibration.simulation.new_individuals import new_individuals
from qsp_bayes.calibration.simulation.plan import plan
from qsp_bayes.calibration.virtual.statistic import Statistic
from qsp_bayes.calibration.virtual.variance_split import split_table
from qsp_bayes.calibration.virtual.weights import Weights, match, resample
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.subjects import Subjects
from qsp_bayes.errors import CalibrationError
from qsp_bayes.formatting import rounded
from qsp_bayes.result import Result

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration

DRAWS = 200
"""Draws of the population, where nothing else is asked for."""


@dataclass(frozen=True, eq=False, repr=False)
class VirtualPatients(Result):
    """Individuals with parameters of their own, as `Calibration.virtual_patients` draws them.

    Two levels are kept apart. The dims ``chain`` and ``draw`` are draws of the population's parameters: what is not
    known (uncertainty). The dim ``subject`` within a draw is a sample of individuals of that population: how they
    differ (variability). More patients do not make the population better known, and more draws no individual more
    typical.

    Attributes
    ----------
    parameters : xarray.Dataset
        Individual parameters, (chain, draw, subject), or (chain, draw) where individuals do not differ; with the
        attributes ``units`` and ``scale``, the scale on which they vary.
    covariates : xarray.Dataset
        (subject), or (chain, draw, subject) after a selection, which may choose other individuals in every draw.
    origin : str
        Where they come from, in words.
    facts : mapping
        Seeds, and the checksum of the study they were learned from.

    References
    ----------
    Allen RJ, Rieger TR, Musante CJ (2016) CPT Pharmacometrics Syst Pharmacol 5:140-146. Rieger TR et al. (2018) Prog
    Biophys Mol Biol 139:15-22.

    Examples
    --------
    Patients of known clearances; `Calibration.virtual_patients` draws them from a fit.

    >>> rng = np.random.default_rng(1)
    >>> clearance = rng.lognormal(rng.normal(1.0, 0.1, (2, 100, 1)), 0.3, (2, 100, 200))
    >>> coords = {"chain": [0, 1], "draw": range(100), "subject": [f"new {i}" for i in range(1, 201)]}
    >>> CL = xr.DataArray(clearance, coords, attrs={"units": "L/h", "scale": "log"})
    >>> nothing = xr.Dataset(coords={"subject": coords["subject"]})
    >>> patients = VirtualPatients(xr.Dataset({"CL": CL}), nothing, "made by hand")
    >>> patients.table.loc["CL", ["spread", "share_uncertain"]].astype(float).round(1).to_dict()
    {'spread': 0.3, 'share_uncertain': 0.1}
    >>> weights = patients.match([Statistic("CL", mean=3.0, sd=0.9)])
    >>> chosen = patients.select(weights, 50, random_seed=1)
    >>> round(float(chosen.parameters["CL"].mean()), 1), chosen.labels[-1]
    (3.0, 'patient 50')
    """

    parameters: xr.Dataset
    covariates: xr.Dataset
    origin: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", MappingProxyType(dict(self.facts)))

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping proxy cannot be copied; the plain mapping can.
        return VirtualPatients, (self.parameters, self.covariates, self.origin, dict(self.facts))

    def __len__(self) -> int:
        return self.covariates.sizes["subject"]

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the individuals of each draw."""
        return tuple(str(label) for label in self.covariates["subject"].to_numpy())

    @property
    def n_draws(self) -> int:
        """Number of draws of the population, all chains together."""
        return self.parameters.sizes["chain"] * self.parameters.sizes["draw"]

    @property
    def covariates_by_draw(self) -> bool:
        """Whether the covariates of the individuals differ from draw to draw."""
        return "draw" in self.covariates.dims

    @property
    def table(self) -> pd.DataFrame:
        r"""One row for each parameter, on the scale g on which it varies (log, logit, identity).

        By the law of total variance, with :math:`z_{si} = g(\theta_{si})` of individual i in draw s,

        .. math:: \operatorname{Var}(z) = \underbrace{\operatorname{Var}_s E[z \mid s]}_\text{uncertainty} +
                  \underbrace{E_s \operatorname{Var}[z \mid s]}_\text{variability}

        Columns ``unit``, ``scale``; ``median``, ``q05`` and ``q95`` of all individuals in all draws; ``spread``, the
        standard deviation between the individuals of a draw, averaged over draws, with its 90 % interval over the
        draws, ``spread_q05`` and ``spread_q95``; the variances ``uncertainty`` and ``variability``, and
        ``share_uncertain``, the part of the first in both. The noise that a finite number of individuals leaves in the
        means of the draws is taken off the uncertainty.
        """
        return split_table(self.parameters)

    def summary(self) -> str:
        """Sentences that say how much individuals differ, and how much is not known."""
        sentences = [
            f"{len(self)} virtual patients in each of {self.n_draws} draws of the population: {self.origin}."
        ]
        for name, row in self.table.iterrows():
            if row["variability"] == 0:
                sentences.append(
                    f"{name} is the same for all patients of a draw, and all its variance is uncertainty."
                )
                continue
            spread = f"{rounded(row['spread'], 2)} ({rounded(row['spread_q05'], 2)} to {rounded(row['spread_q95'], 2)})"
            scale = "" if row["scale"] == "identity" else f" on the {row['scale']} scale"
            sentences.append(
                f"{name}, {rounded(row['median'])} {row['unit']} in the middle, differs between patients with a "
                f"standard deviation of {spread}{scale}; {100 * row['share_uncertain']:.0f} % of "
                "its variance is uncertainty of the population, "
                f"{100 * (1 - row['share_uncertain']):.0f} % variability."
            )
        return " ".join(sentences)

    def match(
        self,
        statistics: Sequence[Statistic],
        *,
        across: str = "subjects",
        lowest_ess: float = 0.1,
    ) -> Weights:
        r"""Weigh the patients so that they have given statistics, changing them as little as possible.

        Of all weights with these statistics, those nearest to equal ones in relative entropy are taken:

        .. math::
            \min_w \sum_i w_i \log(n w_i) \quad\text{with}\quad \sum_i w_i g_k(x_i) = 0, \; \sum_i w_i = 1
            \quad\Rightarrow\quad w_i \propto \exp\Bigl(\sum_k \lambda_k g_k(x_i)\Bigr)

        where :math:`g_k` is the statistic less its target. The multipliers minimise the convex function
        :math:`\log \sum_i \exp(\sum_k \lambda_k g_k(x_i))`.

        With ``across="subjects"`` each draw of the population gets weights of its own, which sum to the same: the
        variability within draws is changed, and every draw stays as probable as the posterior makes it. What the
        statistics fix is then the same in every draw: fixing a mean makes it certain. With ``across="draws"`` all
        individuals of all draws are weighed together: draws whose individuals suit the statistics become more probable,
        which changes the uncertainty of the population's parameters. It is not Bayesian learning, for the statistics
        carry no sampling error; where there are data behind them, put these into the likelihood.

        Parameters
        ----------
        statistics : sequence of Statistic
            Of parameters, covariates, or measured values (chain, draw, subject).
        across : {"subjects", "draws"}
        lowest_ess : float
            Least effective share of the patients, in any draw, that is accepted: :math:`1 / (n \sum_i w_i^2)`.

        Returns
        -------
        Weights

        Raises
        ------
        CalibrationError
            If no weights have these statistics, or only such that leave too few effective patients, naming the draw.

        References
        ----------
        Allen RJ, Rieger TR, Musante CJ (2016) CPT Pharmacometrics Syst Pharmacol 5:140-146. Rieger TR et al. (2018)
        Prog Biophys Mol Biol 139:15-22. Csiszar I (1975) Ann Probab 3:146-158 (the projection).
        """
        return match(self.values_of, statistics, across=across, lowest_ess=lowest_ess)

    def select(
        self, weights: Weights, n: int, *, replacement: bool = True, random_seed: int = 0
    ) -> VirtualPatients:
        """Draw equally weighted patients, in every draw of the population by its own weights.

        Parameters
        ----------
        weights : Weights
            From `match`, made within draws; others would need draws of the population to be left out or repeated.
        n : int
            Patients in each draw.
        replacement : bool
            Whether a patient may be drawn several times (systematic resampling). Without, each is accepted with a
            probability in proportion to its weight, and n of the accepted are kept.
        random_seed : int

        Returns
        -------
        VirtualPatients
            Labelled ``"patient 1"`` to ``"patient n"``. Who bears a label differs from draw to draw, and so do the
            covariates.

        Raises
        ------
        CalibrationError
            If fewer than n patients of a draw are accepted, saying how many are.
        """
        rows = resample(weights, n, random_seed, replacement)
        picked = xr.DataArray(rows, dims=(*SAMPLE, "subject"))
        labels = [f"patient {i}" for i in range(1, n + 1)]

        def taken(data: xr.Dataset) -> xr.Dataset:
            chosen = {
                name: values.drop_vars("subject").isel(subject=picked).transpose(*SAMPLE, "subject")
                if "draw" in values.dims
                else values.drop_vars("subject").isel(subject=picked)
                for name, values in data.data_vars.items()
                if "subject" in values.dims
            }
            coords = {dim: self.parameters[dim].to_numpy() for dim in SAMPLE} | {"subject": labels}
            return data.drop_dims("subject").assign(chosen).assign_coords(coords)

        return replace(
            self,
            parameters=taken(self.parameters),
            covariates=taken(self.covariates),
            origin=f"{n} of {len(self)} in each draw, selected to have {weights.description}; {self.origin}",
            facts={**self.facts, "selection_seed": int(random_seed)},
        )

    def values_of(self, quantity: str | xr.DataArray) -> xr.DataArray:
        """Values of a parameter, a covariate or what else is known of each individual, (chain, draw, subject)."""
        like = xr.DataArray(
            np.empty((*(self.parameters.sizes[dim] for dim in SAMPLE), len(self))),
            {**{dim: self.parameters[dim].to_numpy() for dim in SAMPLE}, "subject": list(self.labels)},
            (*SAMPLE, "subject"),
        )
        if isinstance(quantity, xr.DataArray):
            if set(quantity.dims) != set(like.dims) or any(
                not np.array_equal(quantity[dim], like[dim]) for dim in like.dims
            ):
                raise CalibrationError(
                    f"A statistic is of values {dict(quantity.sizes)}, and the patients are {dict(like.sizes)}: "
                    "there must be one value, by the same labels, for each of them."
                )
            values = quantity.transpose(*like.dims).astype(float)
        elif quantity in self.parameters or quantity in self.covariates:
            data = self.parameters if quantity in self.parameters else self.covariates
            values = data[quantity].broadcast_like(like).transpose(*like.dims)
        else:
            names = [*map(str, self.parameters.data_vars), *map(str, self.covariates.data_vars)]
            raise CalibrationError(
                f"The virtual patients have no parameter or covariate {quantity!r}; they have {', '.join(names)}. "
                "Statistics of anything else are made of its values, a DataArray (chain, draw, subject)."
            )
        if not np.isfinite(values).all():
            raise CalibrationError("A statistic is of values that are not all finite.")
        return values

    def subjects_of(self, draw: int) -> Subjects:
        """Covariates of the individuals of one draw, all chains counted together."""
        data = self.covariates
        if self.covariates_by_draw:
            chain, within = divmod(draw, self.parameters.sizes["draw"])
            data = data.isel(chain=chain, draw=within)
        table = pd.DataFrame(
            {name: values.to_numpy() for name, values in data.data_vars.items()}, index=list(self.labels)
        )
        units = {str(name): values.attrs.get("units", "") for name, values in data.data_vars.items()}
        return Subjects(table, units, self.origin)

    def parameters_by_draw(
        self, change: Mapping[str, Callable[[Any], Any]] | None = None
    ) -> dict[str, np.ndarray]:
        """Give the parameters as arrays, (draw, subject) or (draw,), chains one after another, some of them changed."""
        arrays = {
            str(name): np.ascontiguousarray(values.to_numpy().reshape(self.n_draws, *values.shape[2:]))
            for name, values in self.parameters.data_vars.items()
        }
        changed = {
            name: np.ascontiguousarray(function(arrays[name])) for name, function in (change or {}).items()
        }
        for name, values in changed.items():
            if values.shape != arrays[name].shape or values.dtype.kind not in "fiu":
                raise CalibrationError(
                    f"change: {name} of {arrays[name].shape} values became {values.dtype} of {values.shape}. "
                    "The function must return a number for every value it gets."
                )
        return arrays | {name: values.astype(float) for name, values in changed.items()}

    def for_fit(self, fit: xr.DataTree, draws: int | None) -> VirtualPatients:
        """Require that these patients come from a fit, and give them back."""
        if draws is not None:
            raise CalibrationError(
                f"draws={draws}: virtual patients bring the draws they were made with. Leave draws out."
            )
        posterior = fit["posterior"]
        known = all(np.isin(self.parameters[dim], posterior[dim]).all() for dim in SAMPLE)
        if not known or read_facts(fit)["study"]["checksum"] != self.facts.get("study"):
            raise CalibrationError(
                "The virtual patients were drawn from another fit. Draw them from this one."
            )
        return self

    def population(self, fit: xr.DataTree) -> xr.Dataset:
        """Draws of the population that the patients belong to."""
        return fit["posterior"].to_dataset().sel({dim: self.parameters[dim] for dim in SAMPLE})


def virtual_patients(
    calibration: Calibration,
    fit: xr.DataTree,
    subjects: Subjects,
    *,
    draws: int | None,
    random_seed: int,
) -> VirtualPatients:
    """Draw individuals from a posterior; `Calibration.virtual_patients` documents it."""
    facts = read_facts(fit)
    check_fit(calibration, facts)
    system = calibration.system
    population = thin(fit["posterior"].to_dataset(), DRAWS if draws is None else draws)
    seed = int(np.random.SeedSequence(random_seed).generate_state(1)[0])
    # A design needs records: a dose of nothing, and an observation.
    compartment, (route, *_) = next(iter(system.doses.items()))
    nothing = Regimen(0, unit=system.states[route.state], into=compartment)
    study = plan(calibration, nothing, subjects, np.zeros(1), [next(iter(calibration.error))])
    parameters = new_individuals(calibration, population, study, seed)
    coords = {dim: population[dim].to_numpy() for dim in SAMPLE} | {"subject": list(subjects.labels)}
    return VirtualPatients(
        xr.Dataset(
            {
                name: (
                    (*SAMPLE, "subject")[: values.ndim + 1],
                    values.reshape(population.sizes["chain"], population.sizes["draw"], *values.shape[1:]),
                    {"units": system.parameters[name], "scale": system.scales[name]},
                )
                for name, values in parameters.items()
            },
            coords,
        ),
        covariates_of(subjects),
        subjects.origin,
        {
            "random_seed": random_seed,
            "study": facts["study"]["checksum"],
            "fit_seed": facts.get("random_seed"),
        },
    )
