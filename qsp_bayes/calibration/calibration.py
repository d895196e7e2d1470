"""Calibration: a system, its priors, how individuals differ and how observations err, joined into one PyMC model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

from qsp_bayes.calibration.censored import Censored
from qsp_bayes.calibration.checks import check_calibration, check_fixed, check_study, require_known
from qsp_bayes.calibration.design import Design, Term
from qsp_bayes.calibration.fit import fit
from qsp_bayes.calibration.predictions import require_positive
from qsp_bayes.calibration.priors import Priors
from qsp_bayes.calibration.resolve import Resolver
from qsp_bayes.calibration.scales import SCALES
from qsp_bayes.calibration.simulation.measures import Measure
from qsp_bayes.calibration.simulation.simulate import simulate
from qsp_bayes.calibration.unknowable import warn_of_unknowable
from qsp_bayes.calibration.variables import Variables, require_priors
from qsp_bayes.calibration.virtual.virtual_patients import VirtualPatients, virtual_patients
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.study import Study
from qsp_bayes.data.subjects import Subjects
from qsp_bayes.ode.threads import threads, usable_cores
from qsp_bayes.systems.system import System

DIMS = {"population": None, "subject": "subject", "occasion": "occasion", "record": "record"}


@dataclass(frozen=True, eq=False)
class Calibration:
    """What is to be learned from a study: system + priors + individuals + errors.

    Parameters
    ----------
    system : System
    priors : Priors or mapping of str to Prior
        Priors by the name of the variable they stand for: ``TVCL``, ``omega_CL``, ``sigma_prop_Cc``.
    individual : sequence of Allometry, Covariate, Species, IIV, IOV
        How individuals differ. Whatever the order, covariates act on typical values, and random effects around them.
    error : mapping of str to error model
        One for each observed output.
    solver : Solver, optional
        How the system is solved; chosen from its structure where left out.
    fix : mapping of str to float
        Numbers that take the place of priors, by the name of the variable; the name of a parameter means its typical
        value.

    Raises
    ------
    CalibrationError
        If the parts do not fit together.

    Examples
    --------
    >>> from qsp_bayes.calibration import Combined, IIV, load_priors
    >>> from qsp_bayes.data import load_dataset
    >>> from qsp_bayes.models import one_compartment
    >>> calibration = Calibration(
    ...     one_compartment(absorption="first-order"),
    ...     load_priors("theophylline"),
    ...     individual=[IIV("CL", "Vc")],
    ...     error={"Cc": Combined()},
    ... )
    >>> model = calibration.build(load_dataset("theophylline"))
    >>> [variable.name for variable in model.free_RVs]
    ['TVKA', 'TVCL', 'TVVc', 'omega_CL', 'omega_Vc', 'eta_CL', 'eta_Vc', 'sigma_add_Cc', 'sigma_prop_Cc']
    """

    system: System
    priors: Mapping[str, Any]
    individual: Sequence[Any] = ()
    error: Mapping[str, Any] = field(default_factory=dict)
    solver: Any = None
    fix: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        priors = self.priors if isinstance(self.priors, Priors) else Priors(self.priors)
        object.__setattr__(self, "priors", priors)
        object.__setattr__(self, "individual", tuple(sorted(self.individual, key=lambda part: part.order)))
        object.__setattr__(self, "error", MappingProxyType(dict(self.error)))
        check_calibration(self.system, self.individual, self.error)
        fixed = {
            f"TV{name}" if name in self.system.parameters else name: float(x) for name, x in self.fix.items()
        }
        require_known(fixed, self.variables, "fix", "variable")
        check_fixed(fixed)
        object.__setattr__(self, "fix", MappingProxyType(fixed))

    @property
    def variables(self) -> dict[str, str]:
        """Every variable that is fixed or needs a prior, with its unit."""
        units = {f"TV{name}": unit for name, unit in self.system.parameters.items()}
        for part in self.individual:
            units.update(part.variables(self.system))
        for output, error in self.error.items():
            units.update(error.variables(output, self.system.outputs[output].unit))
        return units

    def build(self, study: Study) -> pm.Model:
        """Build the model of a study.

        Parameters
        ----------
        study : Study
            Observed, or planned: then the observations are variables to be drawn.

        Returns
        -------
        pymc.Model
            An ordinary model. Free variables ``TVCL``, ``omega_CL``, ``eta_CL``, ...; deterministic variables for the
            individual parameters (``CL``) and predictions (``Cc``, dim ``obs_Cc``); observed variables ``DV_Cc``.

        Raises
        ------
        CalibrationError, UnitsError
            If names or units of study, system and calibration do not match.
        PriorError
            If a variable has no prior, with the lines to paste into the prior file.

        Notes
        -----
        The records are ``pm.Data``. Another design is set by ``model.set_dim("subject", n_subjects, subjects)`` and
        ``pm.set_data(study.data_arrays(), coords=study.coords)``.
        """
        return self.assemble(study).model

    def assemble(self, study: Study) -> Resolver:
        """Build the model as `build` does, and keep what tells how its solution ended."""
        check_study(self, study)
        require_priors(
            self.priors, {name: unit for name, unit in self.variables.items() if name not in self.fix}
        )
        with pm.Model(coords=study.coords) as model:
            design = Design(study, study.as_pymc_data(), Variables(self.priors, self.fix))
            parameters = self.individual_parameters(design)
            covariates, levels = design.inputs(self.system)
            path = self.system.solve(
                design.events,
                {name: term.value for name, term in parameters.items()},
                levels=levels
                | {name: term.level for name, term in parameters.items() if term.level != "population"},
                covariates=covariates,
                solver=self.solver,
            )
            for output in self.error:
                self.observe(output, path[output], design)
        require_positive(self, study)
        return Resolver(model, path.status(), study.units.time)

    def individual_parameters(
        self, design: Design, individual: Sequence[Any] | None = None
    ) -> dict[str, Term]:
        """Create the typical values and what individuals (or some parts of them) add, and give every parameter."""
        scales = {name: SCALES[self.system.scales[name]] for name in self.system.parameters}
        typical = {name: design.variables(f"TV{name}") for name in scales}
        predictors = {name: Term(scales[name].link(typical[name])) for name in scales}
        for part in self.individual if individual is None else individual:
            predictors = part.apply(predictors, design)
        parameters = {}
        for name, predictor in predictors.items():
            # A parameter that nothing moves is its typical value, without a round trip through its scale.
            alone = predictor.level == "population"
            value = typical[name] if alone else scales[name].inverse(predictor.value)
            parameters[name] = Term(
                pm.Deterministic(name, value, dims=DIMS[predictor.level]), predictor.level
            )
        return parameters

    def observe(self, output: str, prediction: Any, design: Design) -> None:
        """Create the prediction and the observations of an output."""
        error, study, dims = self.error[output], design.study, f"obs_{output}"
        prediction = pm.Deterministic(output, prediction, dims=dims)
        noise = error.noise(output, prediction, design.variables)
        if study.is_planned:
            noise.observe(f"DV_{output}", dims=dims)
        elif isinstance(error, Censored):
            marks = study.censoring(output)
            error.observe(f"DV_{output}", noise, marks.CENS, marks.LIMIT, design.events.DV[output], dims)
        else:
            noise.observe(f"DV_{output}", observed=design.events.DV[output], dims=dims)

    def fit(
        self,
        study: Study,
        *,
        draws: int = 1000,
        tune: int = 1000,
        chains: int = 4,
        cores: int | None = None,
        random_seed: int | None = None,
        target_accept: float = 0.9,
        progressbar: bool = True,
    ) -> xr.DataTree:
        """Sample the posterior by NUTS, and everything that judges it.

        Parameters
        ----------
        study : Study
        draws, tune, chains : int
            Draws kept and draws of adaptation, for each chain.
        cores : int, optional
            Chains that run at the same time: all, or as many as there are cores, where left out. The result does not
            depend on it.
        random_seed : int, optional
            The same seed gives the same result. Drawn, and recorded, where left out.
        target_accept : float
            Acceptance probability that the step size aims at.
        progressbar : bool

        Returns
        -------
        xarray.DataTree
            Groups ``prior``, ``prior_predictive``, ``posterior``, ``posterior_predictive`` (the fitted individuals),
            ``population_predictive`` (new individuals in the study's design), ``log_likelihood``, ``log_prior``,
            ``sample_stats``, ``observed_data`` and ``constant_data``, and ``derived`` (half-life, Vss and the
            like of the typical individual) where the system has the library's compartments; ``divergences`` where
            there were any, each solved again and put down to the solver (subject, state, time) or to geometry, and
            ``prior_failures`` where prior draws cannot be solved (`diagnose` tells of both in words); the attribute
            ``qsp_bayes`` is a JSON text with versions, seed, study, system, priors and settings.

        Raises
        ------
        CalibrationError
            If sampling cannot start, saying which subject or variable is the cause.

        Warns
        -----
        IdentifiabilityWarning
            Before sampling, for parameters that perfect data of this study would not determine (see
            `structural_identifiability`) and whose priors are not marked informative.

        Notes
        -----
        Cores that the chains leave idle go to the solves of nonlinear systems, whose subjects threads then share: two
        chains on eight cores use up to four threads each, four chains on two cores one each, and the predictions after
        sampling up to as many as there are cores. The result is the same to the last bit. Cores that the process is not
        bound to, or that its control group does not grant, do not count.

        Interrupting (Ctrl-C) keeps the draws that the chains have made so far.
        """
        seed = int(np.random.default_rng().integers(2**31)) if random_seed is None else int(random_seed)
        warn_of_unknowable(self, study)
        with threads(usable_cores()):
            return fit(
                self,
                study,
                draws=draws,
                tune=tune,
                chains=chains,
                cores=cores,
                random_seed=seed,
                target_accept=target_accept,
                progressbar=progressbar,
            )

    def virtual_patients(
        self, fit: xr.DataTree, subjects: Subjects, *, draws: int = 200, random_seed: int = 0
    ) -> VirtualPatients:
        """Draw individuals from the posterior, with parameters of their own.

        For each of `draws` posterior draws of the population, random effects are drawn for every subject. `simulate`
        with the same subjects, draws and seed simulates these very individuals.

        Parameters
        ----------
        fit : xarray.DataTree
            From `fit`.
        subjects : Subjects
            The individuals' covariates: from `new_subjects`, which draws rows of a study or, by `distribution`, from
            stated distributions.
        draws : int
            Posterior draws to use, taken evenly from all chains.
        random_seed : int

        Returns
        -------
        VirtualPatients

        Raises
        ------
        CalibrationError
            If the fit is not of this calibration, or covariates are missing.

        References
        ----------
        Allen RJ, Rieger TR, Musante CJ (2016) CPT Pharmacometrics Syst Pharmacol 5:140-146 (virtual populations).
        """
        return virtual_patients(self, fit, subjects, draws=draws, random_seed=random_seed)

    def simulate(
        self,
        fit: xr.DataTree,
        regimens: Mapping[str, Regimen] | Regimen,
        subjects: Subjects | VirtualPatients,
        times: Iterable[float],
        *,
        draws: int | None = None,
        outputs: Sequence[str] | None = None,
        residual: bool = False,
        change: Mapping[str, Callable[[Any], Any]] | None = None,
        measures: Mapping[str, Measure] | Measure | None = None,
        random_seed: int = 0,
        progressbar: bool = False,
    ) -> xr.DataTree:
        """Predict new individuals under regimens, with the uncertainty of the population.

        For each of `draws` posterior draws of the population, random effects of new individuals are drawn; the same
        individuals receive every regimen. All usable cores solve; the result does not depend on their number.

        Parameters
        ----------
        fit : xarray.DataTree
            From `fit`.
        regimens : mapping of str to Regimen
        subjects : Subjects or VirtualPatients
            The new individuals' covariates, or individuals that were drawn before.
        times : iterable of float
            In the unit of time of the system.
        draws : int, optional
            Posterior draws to use, taken evenly from all chains; 200 where left out. Virtual patients bring their own.
        outputs : sequence of str, optional
            What to predict; where left out, all outputs of the system, or with `residual` those with an error model.
        residual : bool
            Whether to add residual error: observations rather than true concentrations.
        change : mapping of str to callable, optional
            What-if: ``{"CL": lambda CL: 0.5 * CL}`` changes the individual parameters, on the same draws.
        measures : mapping of str to callable, or callable, optional
            What to keep of the paths, instead of the paths themselves: ``{"benefit": lambda x: time_within(x["Cc"], 10,
            20)}``. A function, or a `Utility`, that is given without a name is called ``utility``. Each sees some draws
            of all subjects under one regimen, as a utility does: ``x["Cc"]`` with dims (chain, draw, regimen, subject,
            time), ``x["n_doses"]``, ``x["amount_given"]`` and the covariates. It returns a DataArray without ``time``,
            in which every individual is measured for itself. A boolean becomes 0 or 1.
        random_seed : int
        progressbar : bool

        Returns
        -------
        xarray.DataTree
            Group ``predictions``: each output with dims (chain, draw, regimen, subject, time); or, with `measures`, the
            group ``measures``: each measure with dims (chain, draw, regimen, subject). Group ``dosing``: ``n_doses``
            (regimen) and ``amount_given`` (regimen, subject) from the first of the times, included, to the last,
            excluded. Group ``constant_data``: the covariates of the subjects.

        Raises
        ------
        CalibrationError
            If the fit is not of this calibration, or the parts do not fit together; before the long work where a
            measure returns other than one finite number for each individual of the first block.

        Notes
        -----
        Paths are solved block by block: some draws of one chain under one regimen, at most 2 million values (16 MiB),
        and where the paths of one draw are more, one draw of some subjects. With measures a block is given up as soon
        as it is measured, and no more than one for each core, and two, are there at a time. What grows with the numbers
        of draws, subjects and regimens is then the result and the individual parameters alone: 8 bytes for each draw,
        subject, and either regimen and measure, or parameter. Measures are called in the thread that calls `simulate`.

        Interrupting (Ctrl-C) ends the simulation and returns nothing: a part of it would pass for the whole.
        """
        return simulate(
            self,
            fit,
            {"regimen": regimens} if isinstance(regimens, Regimen) else dict(regimens),
            subjects,
            np.asarray(list(times), dtype=float),
            draws=draws,
            outputs=outputs,
            residual=residual,
            change=dict(change or {}),
            measures=measures,
            random_seed=random_seed,
            progressbar=progressbar,
        )

    def describe(self) -> dict[str, Any]:
        """Describe individuals, errors and fixed values as plain values, for metadata."""
        return {
            "individual": [str(part) for part in self.individual],
            "error": {output: str(error) for output, error in self.error.items()},
            "fixed": dict(self.fix),
            "solver": str(self.solver)
            if self.solver is not None
            else "chosen from the structure of the system",
        }

    def __repr__(self) -> str:
        lines = [repr(self.system), *self.describe()["individual"]]
        lines += [f"error of {output}: {error}" for output, error in self.describe()["error"].items()]
        lines += [f"{name} = {value:g}, fixed" for name, value in self.fix.items()]
        return "\n  ".join(["Calibration", *lines])
