"""Experiment: one arm of a study as structural identifiability sees it, and the arms of a real study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qsp_bayes.data.study import Study
from qsp_bayes.errors import MechanismError
from qsp_bayes.systems import System
from qsp_bayes.systems.declarations import frozen

STARTS = ("system", "steady", "unknown", "nuisance", "known")
INPUTS = ("constant", "varying")


@dataclass(frozen=True)
class Experiment:
    """One arm: what one individual is given, how it starts, and what is observed without error at all times.

    Parameters
    ----------
    doses : mapping of str to float
        Known amount given into each compartment when the experiment starts.
    outputs : sequence of str, optional
        What is observed: outputs, states or expressions of the system; all outputs where left out.
    initial : {"system", "steady", "unknown", "nuisance", "known"} or mapping of str to one of these or a number
        How the states start, before the dose: as the system says (0 where it says nothing), at rest (solved for without
        drug), at unknown values, at unknown values on which no verdict is asked for, or at known ones. States that a
        mapping leaves out start as the system says.
    rates, durations : mapping of str to float
        Known infusion rate or duration by compartment; a dose without either is a bolus, or takes the rate or duration
        that the system models.
    inputs : mapping of str to {"constant", "varying"}
        Whether each input (covariate) of the system is a known number or a known function of time, rich enough to
        excite the system. Left out, inputs that the system interpolates vary and others do not.
    repeated : bool
        Whether the same doses are given again at some later time.
    name : str

    Raises
    ------
    MechanismError
        For an infusion of a compartment without a dose, or a word that is not one of those above.

    Examples
    --------
    >>> Experiment({"depot": 100}, outputs=["Cc"]).describe()["doses"]
    {'depot': 100.0}
    """

    doses: Mapping[str, float] = field(default_factory=dict)
    outputs: Sequence[str] | None = None
    initial: str | Mapping[str, str | float] = "system"
    rates: Mapping[str, float] = field(default_factory=dict)
    durations: Mapping[str, float] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    repeated: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        for kind in ("doses", "rates", "durations"):
            object.__setattr__(self, kind, frozen({c: float(v) for c, v in getattr(self, kind).items()}))
        object.__setattr__(self, "inputs", frozen(self.inputs))
        if self.outputs is not None:
            object.__setattr__(self, "outputs", tuple(self.outputs))
        for compartment in (*self.rates, *self.durations):
            if compartment not in self.doses:
                raise MechanismError(
                    f"experiment {self.name!r} infuses {compartment!r} without a dose. Write its amount in `doses`."
                )
        starts = [self.initial] if isinstance(self.initial, str) else list(self.initial.values())
        for word, known in [
            *((start, STARTS) for start in starts if isinstance(start, str)),
            *((kind, INPUTS) for kind in self.inputs.values()),
        ]:
            if word not in known:
                raise MechanismError(f"experiment {self.name!r}: {word!r} is none of {', '.join(known)}.")

    def start_of(self, state: str) -> str | float:
        """Return how a state starts."""
        return self.initial if isinstance(self.initial, str) else self.initial.get(state, "system")

    def describe(self) -> dict[str, Any]:
        """Return the experiment as plain values that JSON can hold."""
        return {
            "name": self.name,
            "doses": dict(self.doses),
            "rates": dict(self.rates),
            "durations": dict(self.durations),
            "outputs": None if self.outputs is None else list(self.outputs),
            "initial": self.initial if isinstance(self.initial, str) else dict(self.initial),
            "inputs": dict(self.inputs),
            "repeated": self.repeated,
        }


def experiments_of(study: Study, system: System) -> list[Experiment]:
    """Collect the distinct arms of a study: what is dosed, how, and what is observed.

    Subjects with the same compartments, kinds of dose, outputs and covariates share an arm. Of their amounts the
    smallest and the largest are kept: more levels add nothing to two generic ones. A subject that is dosed into several
    compartments gives an arm for each. A subject that starts in a steady state (SS) starts at
    unknown values.

    Raises
    ------
    MechanismError
        If the study observes nothing that the system has.

    Examples
    --------
    >>> import qsp_bayes as qb
    >>> for arm in experiments_of(qb.load_dataset("theophylline"), qb.one_compartment(absorption="first-order")):
    ...     print(arm.name, dict(arm.doses), arm.outputs)
    depot, smallest dose {'depot': 267.84} ('Cc',)
    depot, largest dose {'depot': 320.65} ('Cc',)
    """
    amounts: dict[tuple, list[float]] = {}
    for _, records in study.records.groupby("ID", sort=False):
        for arm, amount in arms_of(records, study, system):
            amounts.setdefault(arm, []).append(amount)
    if not amounts:
        raise MechanismError(
            f"study {study.name!r} observes {', '.join(study.outputs) or 'nothing'}, of which system {system.name!r} "
            f"has none: it has {', '.join(system.outputs)}. Name the outputs at reading (outputs={{2: 'Cc'}})."
        )
    experiments = []
    for arm, given in amounts.items():
        levels = (
            {"smallest dose": min(given), "largest dose": max(given)}
            if min(given) < max(given)
            else {"": given[0]}
        )
        experiments += [experiment_of(arm, amount, level) for level, amount in levels.items()]
    return experiments


def arms_of(records: Any, study: Study, system: System) -> list[tuple[tuple, float]]:
    """Return what characterises the arms of one subject, each with the amount of its first dose."""
    seen = records[(records["EVID"] == 0) & (records["MDV"] == 0)]["OUTPUT"].unique()
    outputs = tuple(name for name in study.outputs if name in seen and name in system.outputs)
    inputs = tuple(
        (name, "varying" if name in system.interpolated or records[name].nunique() > 1 else "constant")
        for name in system.inputs
        if name in study.covariates
    )
    if not outputs:
        return []
    doses = records[records["EVID"].isin((1, 4)) & (records["AMT"] > 0)]
    if doses.empty:
        return [((None, "", 0.0, False, False, outputs, inputs), 0.0)]
    arms = []
    for compartment, given in doses.groupby("COMPARTMENT", sort=False):
        first = given.iloc[0]
        kind, size = "", 0.0
        if first["RATE"] > 0 or first["DUR"] > 0:
            kind = "rates" if first["RATE"] > 0 else "durations"
            size = float(first["RATE"] if kind == "rates" else first["DUR"])
        repeated = bool(len(given) > 1 or (given["ADDL"] > 0).any())
        steady = bool((given["SS"] > 0).any())
        # Infusions of one kind share an arm, whatever their rate: it is known.
        arms.append(((str(compartment), kind, size, repeated, steady, outputs, inputs), float(first["AMT"])))
    return arms


def experiment_of(arm: tuple, amount: float, level: str) -> Experiment:
    """Write an arm as an experiment."""
    compartment, kind, size, repeated, steady, outputs, inputs = arm
    words = [compartment or "no dose", {"rates": "infusion", "durations": "infusion"}.get(kind, ""), level]
    return Experiment(
        doses={compartment: amount} if compartment else {},
        outputs=outputs,
        initial="nuisance" if steady else "system",
        rates={compartment: size} if kind == "rates" else {},
        durations={compartment: size} if kind == "durations" else {},
        inputs=dict(inputs),
        repeated=repeated,
        name=", ".join(word for word in words if word),
    )


def checked(experiments: Sequence[Experiment] | None, system: System) -> list[Experiment]:
    """Return the experiments with names, outputs and kinds of inputs filled in.

    Raises
    ------
    MechanismError
        For a compartment, output, state or input that the system does not have.
    """
    if experiments is None:
        first = next(iter(system.doses), None)
        experiments = [Experiment({first: 100.0} if first else {})]
    if not experiments:
        raise MechanismError(
            "there are no experiments. Give at least one, such as Experiment({'depot': 100})."
        )
    checked = []
    for number, experiment in enumerate(experiments, start=1):
        name = experiment.name or ("" if len(experiments) == 1 else f"experiment {number}")
        outputs = tuple(system.outputs) if experiment.outputs is None else tuple(experiment.outputs)
        initial = experiment.initial
        observable = [*system.outputs, *system.states, *system.expressions]
        for kind, used, known in (
            ("doses", experiment.doses, list(system.doses)),
            ("outputs", outputs, observable),
            ("initial", [] if isinstance(initial, str) else initial, list(system.states)),
            ("inputs", experiment.inputs, list(system.inputs)),
        ):
            for each in used:
                if each not in known:
                    raise MechanismError(
                        f"experiment {name!r}, {kind}: system {system.name!r} has no {each!r}. "
                        f"It has {', '.join(known) or 'none'}."
                    )
        kinds = {each: "varying" if each in system.interpolated else "constant" for each in system.inputs}
        checked.append(
            Experiment(
                experiment.doses,
                outputs,
                initial,
                experiment.rates,
                experiment.durations,
                kinds | dict(experiment.inputs),
                experiment.repeated,
                name,
            )
        )
    return checked
