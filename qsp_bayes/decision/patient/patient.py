"""Patient: one person's posterior, and what it predicts under the doses that could come next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.calibration import Calibration, read_facts
from qsp_bayes.calibration.individual.course import individual_course
from qsp_bayes.calibration.individual.posterior import individual_posterior
from qsp_bayes.data.continued import continued_study
from qsp_bayes.data.more_records import with_more_records
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.study import Study
from qsp_bayes.decision.choice.choose import choose
from qsp_bayes.decision.patient.future import simulate_patient
from qsp_bayes.decision.patient.next_dose import NextDose, exposures
from qsp_bayes.decision.patient.tables import level_table, parameter_table
from qsp_bayes.decision.patient.words import cautions_of, how_obtained
from qsp_bayes.decision.utilities.utility import Utility
from qsp_bayes.errors import DecisionError
from qsp_bayes.formatting import rounded
from qsp_bayes.result import Result

INTERVAL = (0.05, 0.5, 0.95)


def individualise(
    calibration: Calibration,
    fit: xr.DataTree,
    patient: Study,
    *,
    draws: int = 1000,
    study: Study | None = None,
    random_seed: int = 0,
    progressbar: bool = True,
) -> Patient:
    r"""Combine what a fit says of the population with one patient's own levels.

    The posterior of the population is the prior; the patient's doses, covariates and levels are the data:

    .. math:: p(\theta, \eta, \kappa \mid y, \text{study}) \propto p(\theta \mid \text{study})\,
              p(\eta, \kappa \mid \theta)\, p(y \mid \theta, \eta, \kappa)

    Draws of the population with random effects from their distribution are weighted by the likelihood of the levels,
    with Pareto smoothing; where too few of them carry the weight the proposals learn from the weighted ones. All
    proposals are one batch of the solver, so that this takes seconds. Where the weights still cannot be trusted
    (Pareto k above 0.7, or too few effective draws), NUTS is run instead: with `study` on study and patient together,
    else with the population taken as normal on its unconstrained scale. `Patient.how` says which way was taken.

    Parameters
    ----------
    calibration : Calibration
    fit : DataTree
        From `Calibration.fit`, of a study without the levels of this patient.
    patient : Study
        The patient's records: doses, covariates, and levels, several visits after each other (occasions by OCC).
        Without levels the prediction from covariates alone is given.
    draws : int
        Draws to give, all chains together.
    study : Study, optional
        The study that was fitted, for the exact way where importance sampling fails.
    random_seed : int
        The same seed gives the same result.
    progressbar : bool

    Returns
    -------
    Patient

    Raises
    ------
    CalibrationError, UnitsError
        For more than one subject, missing covariates, other units or outputs, and levels that the fit has used.

    References
    ----------
    Sheiner LB, Beal S, Rosenberg B, Marathe VV (1979) Forecasting individual pharmacokinetics. Clin Pharmacol Ther
    26:294-305. Vehtari A, Simpson D, Gelman A, Yao Y, Gabry J (2024) Pareto smoothed importance sampling. J Mach
    Learn Res 25(72):1-58.

    Examples
    --------
    A newborn on phenobarbital. The fit is made by hand here; `Calibration.fit` gives it.

    >>> from qsp_bayes.calibration import IIV, Allometry, Proportional, load_priors
    >>> from qsp_bayes.calibration.metadata import as_attribute, describe_fit
    >>> from qsp_bayes.data import load_dataset
    >>> from qsp_bayes.models import one_compartment
    >>> study = load_dataset("phenobarbital")
    >>> others = study.subset(study.subjects[1:])
    >>> calibration = Calibration(
    ...     one_compartment(), load_priors("phenobarbital"),
    ...     individual=[Allometry("WT", CL=1, Vc=1, reference=1), IIV("CL", "Vc")], error={"Cc": Proportional()},
    ... )
    >>> found = {"TVCL": 0.0047, "TVVc": 1.0, "omega_CL": 0.2, "omega_Vc": 0.18, "sigma_prop_Cc": 0.12}
    >>> rng = np.random.default_rng(1)
    >>> draws = {
    ...     name: (("chain", "draw"), value * np.exp(0.05 * rng.normal(size=(4, 500)))) for name, value in found.items()
    ... }
    >>> fit = xr.DataTree.from_dict({"posterior": xr.Dataset(draws, {"chain": range(4), "draw": range(500)})})
    >>> fit.attrs = as_attribute(describe_fit(calibration, others, 1, {}))
    >>> patient = individualise(calibration, fit, study.subset(["1"]), progressbar=False)
    >>> patient.how
    'Importance resampling from the posterior of the population (Pareto k ..., ... effective of 4000 proposals).'
    >>> bool(patient.table.loc["Vc", "contraction"] > 0.7)
    True
    >>> regimens = {f"{d} mg q12h": Regimen(d, every=12, start=120, until=240, into="central") for d in (2, 3, 4)}
    >>> chosen = patient.next_dose(regimens, range(216, 241, 2), lambda x: -abs(x["Cc"].mean("time") - 25))
    >>> chosen.best
    '2 mg q12h'
    """
    tree = individual_posterior(
        calibration,
        fit,
        patient,
        draws=draws,
        random_seed=random_seed,
        study=study,
        progressbar=progressbar,
    )
    return Patient(calibration, fit, patient, tree, study, draws, random_seed)


@dataclass(frozen=True, eq=False, repr=False)
class Patient(Result):
    """One patient, as made by :func:`individualise`.

    Attributes
    ----------
    calibration : Calibration
    fit : DataTree
        The population.
    history : Study
        The patient's records.
    tree : DataTree
        Groups ``posterior`` and ``prior``; see `individual_posterior`.
    study : Study, optional
        The study of the fit.
    draws, random_seed : int
        As asked for.
    """

    calibration: Calibration
    fit: xr.DataTree = field(repr=False)
    history: Study
    tree: xr.DataTree
    study: Study | None = None
    draws: int = 1000
    random_seed: int = 0

    @property
    def label(self) -> str:
        """Label of the patient."""
        return self.history.subjects[0]

    @property
    def posterior(self) -> xr.DataTree:
        """Draws of the patient (chain, draw), of equal weight: population, ``eta_CL``, ``kappa_CL``, parameters.

        Where importance sampling draws one proposal twice, the two stand side by side, so that ArviZ's effective
        sample sizes count them as what they are.
        """
        return self.tree.children["posterior"]

    @property
    def prior(self) -> xr.DataTree:
        """The same before any level: individuals of the population with this patient's covariates."""
        return self.tree.children["prior"]

    @property
    def facts(self) -> dict[str, Any]:
        """How the posterior was obtained, as plain values."""
        return read_facts(self.tree)["how"]

    @property
    def how(self) -> str:
        """How the posterior was obtained, in words."""
        return how_obtained(self.facts)

    @property
    def cautions(self) -> tuple[str, ...]:
        """What the posterior cannot tell, in words; empty where nothing stands in the way."""
        return cautions_of(self.facts, self.levels)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each parameter; see `parameter_table`."""
        return parameter_table(self.calibration, self.prior, self.posterior)

    @cached_property
    def levels(self) -> pd.DataFrame:
        """One row for each level; see `level_table`."""
        return level_table(self)

    def predict(
        self,
        times: Iterable[float],
        *,
        outputs: Sequence[str] | None = None,
        residual: bool = False,
        population: bool = False,
        quantiles: Sequence[float] = INTERVAL,
        random_seed: int = 0,
    ) -> xr.Dataset:
        """Predict the course through the history, and beyond it without further doses.

        Parameters
        ----------
        times : iterable of float
            Increasing, on the patient's clock.
        outputs : sequence of str, optional
            All outputs of the system where left out, or with `residual` those with an error model.
        residual : bool
            Whether to add residual error: what an assay would show, rather than the true course.
        population : bool
            Whether to predict what the covariates alone tell, as before the first level.
        quantiles : sequence of float
        random_seed : int

        Returns
        -------
        Dataset
            Each output with dimensions (quantile, time).
        """
        outputs = self.choose_outputs(outputs, residual)
        plan = continued_study(
            self.history,
            times,
            outputs=self.units_of(outputs),
            compartments=list(self.calibration.system.doses),
        )
        draws = self.prior if population else self.posterior
        course = individual_course(
            self.calibration, draws.to_dataset(), plan, residual=residual, random_seed=random_seed
        )
        data = {
            name: (
                ("quantile", "time"),
                np.quantile(values, quantiles, axis=(0, 1)),
                {"units": self.units_of([name])[name]},
            )
            for name, values in course.items()
        }
        coords = {"quantile": list(quantiles), "time": ("time", times_of(plan), {"units": self.time_unit})}
        return xr.Dataset(data, coords)

    def simulate(
        self,
        regimens: Mapping[str, Regimen] | Regimen,
        times: Iterable[float],
        *,
        outputs: Sequence[str] | None = None,
        residual: bool = False,
        covariates: Mapping[str, float] | None = None,
        occasions: Sequence[float] = (),
        drop_later_doses: bool = False,
        random_seed: int = 0,
    ) -> xr.DataTree:
        r"""Predict the patient under regimens that follow the doses already given.

        Each draw of the patient keeps its :math:`\theta` and :math:`\eta`; occasions after the start of a regimen have
        new :math:`\kappa`, the same for every regimen. What is still in the body is carried over.

        Parameters
        ----------
        regimens : mapping of str to Regimen
            `start` is a time on the patient's clock, after the last dose given.
        times : iterable of float
            Increasing, on the patient's clock.
        outputs : sequence of str, optional
        residual : bool
            Whether to add residual error.
        covariates : mapping of str to float, optional
            New values from the start of the regimen; else the last ones hold.
        occasions : sequence of float
            Times after the start at which further occasions begin.
        drop_later_doses : bool
            Whether a regimen replaces what the history gives from its start on; else a start that is not after the
            last dose given is refused.
        random_seed : int

        Returns
        -------
        DataTree
            Group ``predictions``: each output (chain, draw, regimen, subject, time), the subject being the patient;
            chain and draw are those of `posterior`. `choose` takes it.

        Raises
        ------
        DataError, UnitsError, CalibrationError
            If regimens and patient do not fit together.
        """
        return simulate_patient(
            self,
            {"regimen": regimens} if isinstance(regimens, Regimen) else dict(regimens),
            np.asarray(list(times), dtype=float),
            outputs=self.choose_outputs(outputs, residual),
            residual=residual,
            covariates=covariates,
            occasions=occasions,
            drop_later_doses=drop_later_doses,
            random_seed=random_seed,
        )

    def next_dose(
        self,
        regimens: Mapping[str, Regimen],
        times: Iterable[float],
        utility_function: Utility | Callable[[xr.Dataset], Any],
        **simulation: Any,
    ) -> NextDose:
        """Choose among regimens for this patient, and tell the exposure that each would give.

        Parameters
        ----------
        regimens : mapping of str to Regimen
        times : iterable of float
            Where the utility and the exposure look: from the start of the regimens to the end of a dosing interval.
        utility_function : Utility or callable
            As for `choose`.
        **simulation
            Passed to `simulate`.

        Returns
        -------
        NextDose
        """
        future = self.simulate(regimens, times, **simulation)
        return NextDose(choose(future, utility_function), exposures(future), future)

    def update(self, levels: Study, *, progressbar: bool = True) -> Patient:
        """Add the records of another visit: the same as `individualise` with all records.

        Parameters
        ----------
        levels : Study
            New records of the same patient, doses as well as levels, on the same clock.
        progressbar : bool

        Returns
        -------
        Patient
        """
        return individualise(
            self.calibration,
            self.fit,
            with_more_records(self.history, levels),
            draws=self.draws,
            random_seed=self.random_seed,
            study=self.study,
            progressbar=progressbar,
        )

    @property
    def time_unit(self) -> str:
        """Unit of time."""
        return self.calibration.system.time_unit

    def units_of(self, outputs: Iterable[str]) -> dict[str, str]:
        """Give the unit of each output."""
        return {name: self.calibration.system.outputs[name].unit for name in outputs}

    def choose_outputs(self, outputs: Sequence[str] | None, residual: bool) -> list[str]:
        """Give the outputs asked for, or all possible ones."""
        possible = list(self.calibration.error) if residual else list(self.calibration.system.outputs)
        wanted = possible if outputs is None else list(outputs)
        unknown = [name for name in wanted if name not in possible]
        if unknown or not wanted:
            raise DecisionError(
                f"There is no output {', '.join(unknown) or 'asked for'}{' with an error model' if residual else ''}; "
                f"there is {', '.join(possible)}."
            )
        return wanted

    def summary(self) -> str:
        """Sentences that state what is known of the patient and how."""
        n = self.facts["levels"]
        sentences = [f"Patient {self.label}, {n} level{'' if n == 1 else 's'}. {self.how}"]
        sentences += [
            f"{name} is {rounded(row['median'])}{f' {row.unit}' if row['unit'] else ''} (90 % interval "
            f"{rounded(row['q05'])} to "
            f"{rounded(row['q95'])}); for the covariates alone it was {rounded(row['typical'])}."
            for name, row in self.table.iterrows()
        ]
        return " ".join([*sentences, *self.cautions])

    def to_datatree(self) -> xr.DataTree:
        """Give everything about the patient as one tree, which `save_fit` stores."""
        return self.tree


def times_of(plan: Study) -> np.ndarray:
    """Give the times of the first output of a plan."""
    return plan.table["TIME"].to_numpy()[plan.rows[plan.outputs[0]]]
