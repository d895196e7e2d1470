"""Next cohort: what a design recommends after the data of a real trial so far."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from qsp_bayes.data.study import Study
from qsp_bayes.decision.trial.design import EscalationDesign
from qsp_bayes.decision.trial.dose_toxicity import DoseToxicity
from qsp_bayes.decision.trial.escalation_decision import EscalationDecision
from qsp_bayes.decision.trial.ladder import Ladder
from qsp_bayes.decision.trial.mechanism import Mechanism, compiled
from qsp_bayes.decision.trial.participant import Participant
from qsp_bayes.decision.trial.posterior import TrialPosterior, TrialPrecision
from qsp_bayes.decision.trial.schedule import observed_schedule, units_of
from qsp_bayes.decision.trial.standing import Standing
from qsp_bayes.decision.trial.trial_model import TrialModel
from qsp_bayes.errors import DecisionError
from qsp_bayes.units import require_same_unit

REAL = TrialPrecision(particles=2000, individuals=256, sweeps=15)
"""A real decision is made once: it can be computed more precisely than one of thousands in a simulation."""


def next_cohort(
    design: EscalationDesign,
    model: TrialModel,
    study: Study | None = None,
    *,
    levels: Mapping[str, str] | None = None,
    dlt: Mapping[str, bool] | None = None,
    backfilled: Collection[str] = (),
    precision: TrialPrecision = REAL,
    random_seed: int = 0,
) -> EscalationDecision:
    """Recommend the dose of the next cohort, given a trial's data so far.

    Parameters
    ----------
    design : EscalationDesign
    model : TrialModel
    study : Study, optional
        Doses as given, samples as measured, covariates; without it, the first cohort is asked for. All its subjects
        have completed their window for toxicities.
    levels : mapping of str to str
        Dose level of each subject: a label of the design. The doses themselves are those of the study.
    dlt : mapping of str to bool
        Whether each subject had a dose-limiting toxicity.
    backfilled : collection of str
        Subjects who were treated beside the escalation.
    precision : TrialPrecision
    random_seed : int

    Returns
    -------
    EscalationDecision

    Raises
    ------
    DecisionError, UnitsError
        If study, outcomes, design and model do not fit together.

    Examples
    --------
    ::

        study = qb.read_nonmem("cohorts.csv", compartments={1: "depot"}, outputs={1: "Cc"}, units=...)
        qb.next_cohort(
            design, model, study, levels={"1": "50 mg", "2": "50 mg", "3": "50 mg"},
            dlt={"1": False, "2": False, "3": True}, random_seed=1,
        )
    """
    mechanism = compiled(model)
    ladder = Ladder.of(model, mechanism, design.doses)
    participants = []
    if study is not None:
        check(design, model, study, levels or {}, dlt or {}, backfilled)
        participants = [
            participant(
                model,
                mechanism,
                study,
                subject,
                (levels or {})[subject],
                bool((dlt or {})[subject]),
                subject in backfilled,
            )
            for subject in study.subjects
        ]
    rng = np.random.default_rng(random_seed)
    posterior = TrialPosterior.prior(mechanism, precision, rng).updated(participants)
    probability = ladder.probability(
        posterior.cloud.populations, precision.individuals, int(rng.integers(2**31))
    )
    known = DoseToxicity(ladder.labels, probability, design.target)
    driving = sum(not p.backfill for p in participants)
    return design.decide(Standing.of(known, design.first, participants, -(-driving // design.cohort)))


def check(
    design: EscalationDesign,
    model: TrialModel,
    study: Study,
    levels: Mapping[str, str],
    dlt: Mapping[str, bool],
    backfilled: Collection[str],
) -> None:
    """Require that the data fit the design and the model."""
    for what, given in (("levels", levels), ("dlt", dlt)):
        missing, unknown = set(study.subjects) - set(given), set(given) - set(study.subjects)
        if missing or unknown:
            raise DecisionError(
                f"{what} must name each subject of study {study.name!r}: "
                f"{'missing ' + ', '.join(sorted(missing)) if missing else 'unknown ' + ', '.join(sorted(unknown))}."
            )
    if stray := set(backfilled) - set(study.subjects):
        raise DecisionError(
            f"backfilled: {', '.join(sorted(stray))} is no subject of study {study.name!r}. "
            f"Subjects are {', '.join(study.subjects)}."
        )
    for subject, label in levels.items():
        if label not in design.doses:
            raise DecisionError(
                f"subject {subject}: level {label!r} is not one of {', '.join(design.doses)}."
            )
    for subject, outcome in dlt.items():
        if not isinstance(outcome, bool | np.bool_):
            raise DecisionError(f"subject {subject}: dlt is {outcome!r}; expected True or False.")
    system = model.calibration.system
    own = units_of(system, list(model.samples), model.recruits.units)
    require_same_unit(study.units.time, own.time, "time of the study")
    require_same_unit(study.units.amount, own.amount, "amounts of the study")
    for output, rows in study.rows.items():
        if not len(rows):
            continue
        if output not in model.samples:
            raise DecisionError(
                f"The study observes {output}; the model's samples are of {', '.join(model.samples) or 'nothing'}. "
                "Add it to samples of the TrialModel, with its planned times."
            )
        require_same_unit(study.units.outputs[output], own.outputs[output], f"output {output}")
        if study.censoring(output).CENS.any():
            raise DecisionError(
                f"{output}: some samples are below or above a limit of quantification, which a trial cannot weigh. "
                "Leave them out, and say so."
            )
        if study.table["DV"].iloc[rows].isna().any():
            raise DecisionError(f"{output}: some samples hold no DV. Set MDV to 1 there.")
    for name in model.recruits.table:
        if name not in study.covariates:
            raise DecisionError(
                f"The study has no covariate {name}, which the trial's subjects have. Add the column."
            )
        require_same_unit(study.units.covariates[name], own.covariates[name], f"covariate {name}")
    for compartment in study.table.loc[study.table["EVID"].isin((1, 4)), "COMPARTMENT"].unique():
        if compartment not in system.doses:
            raise DecisionError(
                f"The study doses into {compartment!r}; the system takes doses into {', '.join(system.doses)}. "
                "Name the compartments when reading the study."
            )


def participant(
    model: TrialModel,
    mechanism: Mechanism,
    study: Study,
    subject: str,
    level: str,
    dlt: bool,
    backfill: bool,
) -> Participant:
    """Read one subject of a study."""
    position = study.subjects.index(subject)
    own = study.table["ID"].to_numpy() == subject
    return Participant(
        subject,
        level,
        observed_schedule(model.calibration.system, study, subject, mechanism.times, model.outputs),
        np.array([study.covariate(name)[position] for name in model.recruits.table], float),
        {name: study.table["DV"].to_numpy()[rows[own[rows]]] for name, rows in study.rows.items()},
        float(dlt),
        backfill,
    )
