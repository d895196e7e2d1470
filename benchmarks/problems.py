"""Four nonlinear problems, stated once for every engine.

A right-hand side ``field(t, y, p)`` takes one subject's states and parameters as sequences of scalars and gives the
derivatives as a list. It uses arithmetic alone, so the scalars may be numbers, arrays, or variables of PyTensor or JAX.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Vector = Sequence[Any]
Field = Callable[[Any, Vector, Vector], list[Any]]

SEED = 7
"""Of the parameters of each problem."""


@dataclass(frozen=True)
class Dose:
    """What all subjects get at one time: `amounts` (subject,), in units of the state, at once or over a duration."""

    time: float
    state: str
    amounts: np.ndarray
    duration: float = 0.0


@dataclass(frozen=True, eq=False)
class Problem:
    """A system, its subjects and what is wanted of them.

    Parameters
    ----------
    name, title : str
        How the problem is called and what it is.
    states, parameters : tuple of str
        Names, in the order in which `field` takes them.
    field : callable
        Right-hand side, without what infusions add.
    start : callable
        Initial state, given the parameters, before the doses of time 0.
    values : numpy.ndarray
        Parameters (subject, parameter).
    times : numpy.ndarray
        When the states of every subject are wanted. None is the time of a dose.
    doses : tuple of Dose
        In the order of their times.
    """

    name: str
    title: str
    states: tuple[str, ...]
    parameters: tuple[str, ...]
    field: Field
    start: Callable[[Vector], list[Any]]
    values: np.ndarray
    times: np.ndarray
    doses: tuple[Dose, ...]

    @property
    def subjects(self) -> int:
        return len(self.values)

    def events(self) -> np.ndarray:
        """Doses as (subject, event, 4) with columns time, state, jump of the state and change of its input."""
        found = []
        for dose in self.doses:
            state = self.states.index(dose.state)
            for subject, amount in enumerate(dose.amounts):
                if dose.duration:
                    rate = amount / dose.duration
                    found.append((subject, dose.time, state, 0.0, rate))
                    found.append((subject, dose.time + dose.duration, state, 0.0, -rate))
                else:
                    found.append((subject, dose.time, state, amount, 0.0))
        table = np.array(sorted(found))[:, 1:]
        return np.ascontiguousarray(table.reshape(self.subjects, -1, 4))


def spread(medians: Sequence[float], deviation: float, subjects: int = 12) -> np.ndarray:
    """Log-normal parameters (subject, parameter)."""
    deviates = np.random.default_rng(SEED).standard_normal((subjects, len(medians)))
    return np.array(medians) * np.exp(deviation * deviates)


def michaelis_menten() -> Problem:
    """One compartment with first-order absorption and saturable elimination."""

    def field(t: Any, y: Vector, p: Vector) -> list[Any]:
        depot, central = y
        ka, V, Vmax, Km = p
        return [-ka * depot, (ka * depot - Vmax * central / (Km + central)) / V]

    hours = [0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 30, 36, 48]
    return Problem(
        name="P1",
        title="one compartment, oral dose, Michaelis-Menten elimination",
        states=("depot", "central"),
        parameters=("ka", "V", "Vmax", "Km"),
        field=field,
        start=lambda p: [0.0, 0.0],
        values=spread([1.0, 30.0, 10.0, 2.0], 0.3),
        times=np.array(hours),
        doses=(Dose(0.0, "depot", np.full(12, 100.0)),),
    )


def target_mediated() -> Problem:
    """A drug and its target, three doses in eight weeks, from far below to far above the target."""

    def field(t: Any, y: Vector, p: Vector) -> list[Any]:
        drug, tissue, target, complex_ = y
        kel, kpt, ktp, kon, koff, kdeg, kint, R0 = p
        binding = kon * drug * target - koff * complex_
        return [
            -(kel + kpt) * drug + ktp * tissue - binding,
            kpt * drug - ktp * tissue,
            kdeg * R0 - kdeg * target - binding,
            binding - kint * complex_,
        ]

    fortnight = np.array([1, 4, 12, 24, 48, 96, 168, 240, 300, 335])
    last = np.array([2, 8, 24, 72, 168, 240, 336, 450, 560, 672])
    amounts = np.geomspace(3.0, 1000.0, 12)
    return Problem(
        name="P2",
        title="target-mediated disposition, 3 doses, 56 days",
        states=("drug", "tissue", "target", "complex"),
        parameters=("kel", "kpt", "ktp", "kon", "koff", "kdeg", "kint", "R0"),
        field=field,
        start=lambda p: [0.0, 0.0, p[7], 0.0],
        values=spread([0.0028, 0.01, 0.008, 0.091, 0.001, 0.02, 0.05, 10.0], 0.2),
        times=np.concatenate([fortnight, 336 + fortnight, 672 + last]).astype(float),
        doses=tuple(Dose(time, "drug", amounts) for time in (0.0, 336.0, 672.0)),
    )


CARDIAC_OUTPUT = 390.0
"""L/h."""
VOLUME = {
    "adipose": 18.2,
    "bone": 10.5,
    "brain": 1.45,
    "heart": 0.33,
    "kidney": 0.31,
    "muscle": 29.0,
    "skin": 3.3,
    "rest": 3.0,
    "gut": 1.2,
    "spleen": 0.15,
    "pancreas": 0.1,
    "liver": 1.8,
    "lung": 0.53,
    "artery": 1.7,
    "vein": 3.4,
}
"""L."""
TO_VEIN = {
    "adipose": 0.05,
    "bone": 0.05,
    "brain": 0.12,
    "heart": 0.04,
    "kidney": 0.19,
    "muscle": 0.17,
    "skin": 0.05,
    "rest": 0.08,
}
TO_LIVER = {"gut": 0.15, "spleen": 0.02, "pancreas": 0.01}
"""Shares of the cardiac output; the rest is the liver's own artery."""
PARTITION = {
    "adipose": 5.0,
    "bone": 0.8,
    "brain": 2.0,
    "heart": 1.5,
    "kidney": 3.0,
    "muscle": 1.5,
    "skin": 1.2,
    "rest": 1.0,
    "gut": 2.0,
    "spleen": 2.0,
    "pancreas": 2.0,
    "liver": 4.0,
    "lung": 1.8,
}
UNBOUND = 0.1


def physiological() -> Problem:
    """Perfusion-limited organs in a circle: linear in the states, given to the engines as any nonlinear system."""
    states = (*VOLUME, "lumen")

    def field(t: Any, y: Vector, p: Vector) -> list[Any]:
        CLint, muscle, adipose, others, ka = p
        C = dict(zip(states, y, strict=True))
        scale: dict[str, Any] = dict.fromkeys(PARTITION, others)
        scale |= {"muscle": muscle, "adipose": adipose}
        venous = {organ: C[organ] / (PARTITION[organ] * scale[organ]) for organ in PARTITION}
        flow = {organ: share * CARDIAC_OUTPUT for organ, share in (TO_VEIN | TO_LIVER).items()}
        own = CARDIAC_OUTPUT - sum(flow.values())
        through_liver = own + sum(flow[organ] for organ in TO_LIVER)
        absorbed = ka * C["lumen"]
        # What enters an organ less what leaves it, in mg/h.
        net = {organ: Q * (C["artery"] - venous[organ]) for organ, Q in flow.items()}
        net["gut"] = net["gut"] + absorbed
        net["liver"] = (
            own * C["artery"]
            + sum(flow[organ] * venous[organ] for organ in TO_LIVER)
            - (through_liver + UNBOUND * CLint) * venous["liver"]
        )
        returned = sum(flow[organ] * venous[organ] for organ in TO_VEIN) + through_liver * venous["liver"]
        net["vein"] = returned - CARDIAC_OUTPUT * C["vein"]
        net["lung"] = CARDIAC_OUTPUT * (C["vein"] - venous["lung"])
        net["artery"] = CARDIAC_OUTPUT * (venous["lung"] - C["artery"])
        return [*(net[organ] / VOLUME[organ] for organ in VOLUME), -absorbed]

    first = [0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 10, 12, 16, 20, 23.5]
    second = [24.25, 24.75, 25.5, 27, 30, 36, 42, 48]
    return Problem(
        name="P3",
        title="physiologically based, 16 states, oral dose and infusion",
        states=states,
        parameters=("CLint", "muscle", "adipose", "others", "ka"),
        field=field,
        start=lambda p: [0.0] * len(states),
        values=spread([300.0, 1.0, 1.0, 1.0, 1.2], 0.2),
        times=np.array(first + second),
        doses=(
            Dose(0.0, "lumen", np.full(12, 100.0)),
            Dose(24.0, "vein", np.full(12, 50.0 / VOLUME["vein"]), duration=1.0),
        ),
    )


STUDY = json.loads((Path(__file__).parent / "six_subjects.json").read_text())
"""Simulated observations of six subjects: times (day), doses (nmol), free drug and total target (nM), by time."""
TRUTH = (0.3, 3.0, 0.5, 3.0, 1.0, 10.0, 0.5, 0.2)
"""Parameters that the observations were simulated with."""
KON = 5.0
"""1/nM/day; fixed, for the data do not inform it."""


def six_subjects() -> Problem:
    """The full model of target-mediated disposition with volumes, in six subjects of one dose each, at the truth."""

    def field(t: Any, y: Vector, p: Vector) -> list[Any]:
        amount, peripheral, target, complex_ = y
        CL, V1, Q, V2, KD, R0, kdeg, kint = p
        drug = amount / V1
        binding = KON * (drug * target - KD * complex_)
        exchange = Q * (drug - peripheral)
        return [
            -CL * drug - exchange - binding * V1,
            exchange / V2,
            kdeg * (R0 - target) - binding,
            binding - kint * complex_,
        ]

    doses = np.array(STUDY["dose"])
    return Problem(
        name="m3",
        title="target-mediated disposition, 6 subjects, 15 times",
        states=("amount", "peripheral", "target", "complex"),
        parameters=("CL", "V1", "Q", "V2", "KD", "R0", "kdeg", "kint"),
        field=field,
        start=lambda p: [0.0, 0.0, p[5], 0.0],
        values=np.tile(TRUTH, (len(doses), 1)),
        times=np.array(STUDY["time"]),
        doses=(Dose(0.0, "amount", doses),),
    )


def cascade() -> Problem:
    """A cascade of three kinases with feedback (Kholodenko 2000, with the exponent 2), which may oscillate."""

    def field(t: Any, y: Vector, p: Vector) -> list[Any]:
        a, ap, b, bp, bpp, c, cp, cpp = y
        K1, KI, K2, K3, K4, K5, K6, K7, K8, K9, K10, V1, V2, k3, k4, V5, V6, k7, k8, V9, V10 = p[:21]
        v1 = V1 * a / ((K1 + a) * (1 + (cpp / KI) * (cpp / KI)))
        v2 = V2 * ap / (K2 + ap)
        v3, v4 = k3 * ap * b / (K3 + b), k4 * ap * bp / (K4 + bp)
        v5, v6 = V5 * bpp / (K5 + bpp), V6 * bp / (K6 + bp)
        v7, v8 = k7 * bpp * c / (K7 + c), k8 * bpp * cp / (K8 + cp)
        v9, v10 = V9 * cpp / (K9 + cpp), V10 * cp / (K10 + cp)
        return [v2 - v1, v1 - v2, v6 - v3, v3 + v5 - v4 - v6, v4 - v5, v10 - v7, v7 + v9 - v8 - v10, v8 - v9]

    K = {"K1": 10.0, "KI": 9.0, "K2": 8.0, **{f"K{k}": 15.0 for k in range(3, 11)}}
    rates = {
        "V1": 2.5,
        "V2": 0.25,
        "k3": 0.025,
        "k4": 0.025,
        "V5": 0.75,
        "V6": 0.75,
        "k7": 0.025,
        "k8": 0.025,
    }
    rates |= {"V9": 0.5, "V10": 0.5}
    totals = {"MKKK_total": 100.0, "MKK_total": 300.0, "MAPK_total": 300.0}
    medians = K | rates | totals
    return Problem(
        name="cascade",
        title="a cascade of three kinases with feedback",
        states=("MKKK", "MKKK_P", "MKK", "MKK_P", "MKK_PP", "MAPK", "MAPK_P", "MAPK_PP"),
        parameters=tuple(medians),
        field=field,
        start=lambda p: [p[21], 0.0, p[22], 0.0, 0.0, p[23], 0.0, 0.0],
        values=spread(list(medians.values()), 0.3),
        times=np.array([50.0, 200.0, 400.0, 600.0, 900.0, 1300.0, 1700.0]),
        doses=(Dose(0.0, "MKKK", np.zeros(12)),),
    )


PROBLEMS = {
    "P1": michaelis_menten,
    "P2": target_mediated,
    "P3": physiological,
    "m3": six_subjects,
}
