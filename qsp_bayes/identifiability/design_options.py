"""What a better design can choose from: further samples, or other doses, and the information they give."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from qsp_bayes.calibration.calibration import Calibration
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.study import Study
from qsp_bayes.identifiability.expected_information import Population, Slopes, planned
from qsp_bayes.identifiability.other_designs import with_records, with_regimen, with_samples

CANDIDATE = "CANDIDATE"
Choice = tuple[str, Any]
"""What is added or changed: the arm, and the time or the name of the regimen."""


class Options(Protocol):
    """What can be chosen, and the information that choices give at each draw."""

    @property
    def most(self) -> int:
        """How many choices there can be at once."""

    def informations(self, chosen: Sequence[Choice]) -> np.ndarray:
        """Give the information of the design with what is chosen, (draw, variable, variable)."""

    def open_choices(self, chosen: Sequence[Choice]) -> list[Choice]:
        """Give what can be chosen in addition."""

    def design(self, chosen: Sequence[Choice]) -> Study:
        """Give the design with what is chosen."""


@dataclass(frozen=True, eq=False)
class Case:
    """Subjects that are alike: how many, and at all draws covariance and derivatives of what they may have observed.

    `tag` is the candidate that each observation belongs to, -1 for the design as it is.
    """

    count: int
    tag: np.ndarray
    covariance: np.ndarray
    of_mean: np.ndarray
    of_covariance: np.ndarray

    def information(self, model: Population, positions: Collection[int] = ()) -> np.ndarray:
        """Give their information at all draws, with some of the candidates."""
        kept = np.flatnonzero((self.tag < 0) | np.isin(self.tag, list(positions)))
        if not len(kept):
            return np.zeros((1, len(model.names), len(model.names)))
        one = model.information_of(
            self.covariance[:, kept[:, None], kept],
            self.of_mean[:, :, kept],
            self.of_covariance[:, :, kept[:, None], kept],
        )
        return self.count * one


@dataclass(frozen=True, eq=False)
class SampleOptions:
    """Further sampling times of arms.

    Attributes
    ----------
    cases : mapping of str to list of Case
        The different subjects of each arm.
    known : dict
        Information that has been worked out, by arm and candidates: a search asks for the same again and again.
    """

    study: Study
    outputs: Sequence[str]
    groups: Mapping[str, Sequence[str]]
    choices: list[Choice]
    most: int
    positions: Mapping[float, int]
    model: Population
    cases: Mapping[str, list[Case]]
    known: dict[tuple[str, frozenset[Any]], np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        model: Population,
        full: Study,
        study: Study,
        times: Sequence[float],
        outputs: Sequence[str],
        groups: Mapping[str, Sequence[str]],
        points: np.ndarray,
        observed: Sequence[str],
    ) -> SampleOptions:
        """Work out the derivatives at all candidate times, once.

        `model` is that of the `full` design, with all candidates, and `observed` its outputs in the order of the model.
        """
        tags = full.table[CANDIDATE].to_numpy()
        tag = np.concatenate([tags[full.rows[output]] for output in observed]).astype(int)
        slopes = [model.slopes(point) for point in points]
        cases = {
            arm: alike(model, slopes, tag, [full.subjects.index(label) for label in labels])
            for arm, labels in groups.items()
        }
        rest = [label for label in study.subjects if not any(label in labels for labels in groups.values())]
        cases[""] = alike(model, slopes, tag, [full.subjects.index(label) for label in rest])
        choices = [(arm, time) for arm in groups for time in times]
        positions = {time: position for position, time in enumerate(times)}
        return cls(study, outputs, groups, choices, len(choices), positions, model, cases)

    def informations(self, chosen: Sequence[Choice]) -> np.ndarray:
        """Give the information of the design with what is chosen."""
        return sum(
            (
                self.of_arm(arm, frozenset(self.positions[t] for a, t in chosen if a == arm))
                for arm in self.cases
            ),
            np.zeros(()),
        )

    def of_arm(self, arm: str, positions: frozenset[int]) -> np.ndarray:
        """Give the information of one arm with some of the candidates."""
        key = (arm, positions)
        if key not in self.known:
            parts = [case.information(self.model, positions) for case in self.cases[arm]]
            self.known[key] = sum(parts, np.zeros(()))
        return self.known[key]

    def open_choices(self, chosen: Sequence[Choice]) -> list[Choice]:
        """Give the times that are left."""
        return [choice for choice in self.choices if choice not in chosen]

    def design(self, chosen: Sequence[Choice]) -> Study:
        """Give the design with further samples."""
        design = planned(self.study)
        for arm, time in sorted(chosen, key=lambda choice: choice[1]):
            design = with_samples(design, [time], self.groups[arm], self.outputs)
        return design


@dataclass(frozen=True, eq=False)
class DoseOptions:
    """Other doses of arms: the information of every subject under every regimen, at all draws."""

    study: Study
    regimens: Mapping[str, Regimen]
    groups: Mapping[str, Sequence[str]]
    choices: list[Choice]
    most: int
    as_it_is: Mapping[str, np.ndarray]
    of_choice: Mapping[Choice, np.ndarray]

    @classmethod
    def of(
        cls,
        calibration: Calibration,
        model: Population,
        study: Study,
        regimens: Mapping[str, Regimen],
        groups: Mapping[str, Sequence[str]],
        points: np.ndarray,
    ) -> DoseOptions:
        """Work out the information of all arms under all regimens."""
        rest = [label for label in study.subjects if not any(label in labels for labels in groups.values())]
        everyone = {**groups, "": rest}
        as_it_is = information_by_arm(model, study, everyone, points)
        choices = [(arm, name) for arm in groups for name in regimens]
        of_choice = {}
        for name, regimen in regimens.items():
            other = with_regimen(study, regimen)
            found = information_by_arm(Population.of(calibration, other), other, everyone, points)
            of_choice.update({(arm, name): found[arm] for arm in groups})
        return cls(study, regimens, groups, choices, len(groups), as_it_is, of_choice)

    def informations(self, chosen: Sequence[Choice]) -> np.ndarray:
        """Give the information of the design with what is chosen."""
        changed = {arm for arm, _ in chosen}
        kept = [information for arm, information in self.as_it_is.items() if arm not in changed]
        return sum([*kept, *(self.of_choice[choice] for choice in chosen)], np.zeros(()))

    def open_choices(self, chosen: Sequence[Choice]) -> list[Choice]:
        """Give the regimens of arms that have their own doses still."""
        changed = {arm for arm, _ in chosen}
        return [choice for choice in self.choices if choice[0] not in changed]

    def design(self, chosen: Sequence[Choice]) -> Study:
        """Give the design with other doses."""
        design = planned(self.study)
        for arm, name in chosen:
            design = with_regimen(design, self.regimens[name], self.groups[arm])
        return design


def with_candidates(study: Study, times: Sequence[float], outputs: Sequence[str]) -> Study:
    """Give the design with all candidates: each record has the position of its candidate, or -1."""
    full = replace(study, table=study.table.assign(**{CANDIDATE: -1.0}))
    rows = [
        {"TIME": time, "OUTPUT": output, CANDIDATE: float(position)}
        for position, time in enumerate(times)
        for output in outputs
    ]
    return with_records(full, rows)


def alike(
    model: Population, slopes: Sequence[Slopes], tag: np.ndarray, subjects: Sequence[int]
) -> list[Case]:
    """Give the different subjects among some, and how many are like each."""
    found: dict[bytes, Case] = {}
    for subject in subjects:
        own = model.subject == subject
        if not own.any():
            continue
        arrays = [
            np.stack(parts) for parts in zip(*(s.of_subject(subject, own) for s in slopes), strict=True)
        ]
        key = tag[own].tobytes() + b"".join(array.tobytes() for array in arrays)
        count = found[key].count if key in found else 0
        found[key] = Case(count + 1, tag[own], *arrays)
    return list(found.values())


def information_by_arm(
    model: Population, study: Study, groups: Mapping[str, Sequence[str]], points: np.ndarray
) -> dict[str, np.ndarray]:
    """Give the information of each arm at all points, (draw, variable, variable)."""
    slopes = [model.slopes(point) for point in points]
    tag = np.full(len(model.subject), -1)
    nothing = np.zeros((len(points), len(model.names), len(model.names)))
    found = {}
    for arm, labels in groups.items():
        cases = alike(model, slopes, tag, [study.subjects.index(label) for label in labels])
        found[arm] = sum((case.information(model) for case in cases), nothing)
    return found
