"""Population: virtual humans who differ as humans do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from qsp_bayes.data.subjects import Subjects
from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology.human import check_sex_and_age, filtration, human
from qsp_bayes.physiology.human_ages import Sex, human_ages, masses_of, reference_individual
from qsp_bayes.physiology.organs import ARTERIAL, ORGANS
from qsp_bayes.physiology.physiology import Physiology

if TYPE_CHECKING:
    from qsp_bayes.systems.system import System

LEAST_ADIPOSE = 0.03
"""Share of body weight below which a body is not thought to live."""

ATTEMPTS = 200
UNITS = {"WT": "kg", "HT": "cm", "AGE": "year", "SEX": ""}
COLUMNS = (
    *(f"V_{organ}" for organ in ORGANS),
    *(f"Q_{name}" for name in (*ARTERIAL, "liver")),
    "cardiac_output",
    "blood_volume",
    "GFR",
)


@dataclass(frozen=True, eq=False)
class Population:
    """Virtual individuals, each with a physiology of its own.

    Parameters
    ----------
    individuals : sequence of Physiology
    covariates : pandas.DataFrame
        One row per individual: ``WT`` (kg), ``HT`` (cm), ``AGE`` (years), ``SEX`` (1 male, 0 female).
    random_seed : int
        Seed that draws the same individuals again.

    Examples
    --------
    >>> adults = virtual_population(3, random_seed=1)
    >>> len(adults), adults.subjects().labels
    (3, ('virtual 1', 'virtual 2', 'virtual 3'))
    """

    individuals: Sequence[Physiology] = field(repr=False)
    covariates: pd.DataFrame = field(repr=False)
    random_seed: int

    def __len__(self) -> int:
        return len(self.individuals)

    def __getitem__(self, index: int) -> Physiology:
        return self.individuals[index]

    def __iter__(self) -> Iterator[Physiology]:
        return iter(self.individuals)

    def subjects(self, system: System | None = None) -> Subjects:
        """Return the individuals as subjects whose covariates are size, age, sex and physiology.

        Parameters
        ----------
        system : System, optional
            Whose parameters are wanted, in its units. Where left out, all volumes in L, and flows (``Q_liver``,
            ``cardiac_output`` and ``GFR`` among them) in L/h.

        Returns
        -------
        Subjects
            With columns ``WT``, ``HT``, ``AGE``, ``SEX``, and one for each parameter: ``V_liver``, ``Q_kidney``, ...
        """
        if system is None:
            rows = [{name: body.known[name].value for name in COLUMNS} for body in self.individuals]
            units = {name: self.individuals[0].known[name].unit for name in COLUMNS}
        else:
            rows = [body.values(system) for body in self.individuals]
            units = {name: system.parameters[name] for name in rows[0]}
        table = self.covariates.join(pd.DataFrame(rows, index=self.covariates.index))
        return Subjects(table, UNITS | units, "virtual population", self.random_seed)

    def summary(self) -> pd.DataFrame:
        """Return mean, coefficient of variation and 5, 50 and 95 % quantiles of covariates and physiology."""
        table = self.subjects().covariates
        quantiles = table.quantile([0.05, 0.5, 0.95]).T.set_axis(["5%", "50%", "95%"], axis=1)
        return pd.DataFrame({"mean": table.mean(), "cv": table.std() / table.mean()}).join(quantiles)

    def _repr_html_(self) -> str:
        text = f"{len(self)} virtual individuals, random_seed {self.random_seed}"
        return f"<p>{escape(text)}</p>{self.summary().to_html(border=0, float_format=lambda x: f'{x:.4g}')}"


def virtual_population(
    n: int,
    *,
    share_female: float = 0.5,
    age: tuple[float, float] = (20.0, 50.0),
    random_seed: int | None = None,
) -> Population:
    r"""Draw virtual humans.

    Ages are uniform. Height and body mass index are log-normal about those of the reference individual of the same
    sex and age. Given weight and height, organs and blood are log-normal about their masses at that height, and
    adipose tissue takes what is left of body weight; organs that leave less than 3 per cent for it are drawn again,
    so that the lean have less muscle, and a weight that no organs fit (a body mass index of 15 or so) is drawn again.
    Cardiac output, the share each organ has of it, and GFR are log-normal.

    .. math:: m_o = m_o(\mathrm{sex, age}, H)\, e^{\eta_o} \qquad \sum_o m_o = W

    Parameters
    ----------
    n : int
    share_female : float
        The first so many of the n are women, rounded.
    age : (float, float)
        Years, 0 to 100.
    random_seed : int, optional
        Seed; without one a fresh seed is drawn, and kept in the result.

    Returns
    -------
    Population

    Raises
    ------
    MechanismError
        For a number, share or age out of range, and if no body is found for a weight and height.

    Notes
    -----
    Standard deviations of logarithms are in ``reference/human_ages.toml`` with their sources: brain 0.10, liver 0.22,
    kidney 0.27, heart 0.27, spleen 0.34 (weights at autopsy), height 0.045, body mass index 0.14 (men) and 0.20
    (women); muscle, skin, bone, gut, pancreas, lung, blood, cardiac output and GFR are assumptions, marked as such.
    Organs vary independently of each other but for the sum. Sizes of children are assumed to vary as those of adults.

    References
    ----------
    Willmann S et al (2007) J Pharmacokinet Pharmacodyn 34:401-431. de la Grandmaison GL et al (2001) Forensic Sci
    Int 119:149-154.

    Examples
    --------
    >>> adults = virtual_population(200, share_female=0.5, age=(20, 50), random_seed=1)
    >>> body = adults[0]
    >>> round(sum(body.masses().values()) - body.body_weight, 9) + 0.0
    0.0
    >>> adults.subjects().covariates[["WT", "HT"]].median().round(0).tolist()
    [68.0, 170.0]
    """
    if n != int(n) or n < 1:
        raise MechanismError(f"n must be a whole number of at least 1; got {n!r}.")
    if not 0 <= share_female <= 1:
        raise MechanismError(f"share_female must be between 0 and 1; got {share_female!r}.")
    check_sex_and_age("male", age[0])
    check_sex_and_age("male", age[1])
    if age[0] > age[1]:
        raise MechanismError(f"age must be (youngest, oldest); got {age!r}.")
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if random_seed is None else int(random_seed)
    rng = np.random.default_rng(seed)
    women = round(share_female * int(n))
    drawn = [draw("female" if i < women else "male", float(rng.uniform(*age)), rng) for i in range(int(n))]
    covariates = pd.DataFrame([row for _, row in drawn], index=[f"virtual {i + 1}" for i in range(int(n))])
    return Population([body for body, _ in drawn], covariates, seed)


@dataclass(frozen=True)
class Draws:
    """Log-normal factors about the reference, with the published spreads."""

    rng: np.random.Generator

    def factor(self, name: str) -> float:
        """Draw how far an individual is from others."""
        spread = human_ages()["variability"][name]["value"]
        return float(np.exp(spread * self.rng.standard_normal()))


def draw(sex: Sex, age: float, rng: np.random.Generator) -> tuple[Physiology, dict[str, float]]:
    """Draw one individual of a sex and age, with its covariates."""
    draws, reference = Draws(rng), reference_individual(sex, age)
    weight, height, masses = draw_masses(sex, age, draws)
    relative = height / reference.height
    output = sum(reference.flows.values()) * relative ** human_ages()["height_exponents"]["cardiac_output"]
    shares = {name: flow * draws.factor("flow") for name, flow in reference.flows.items()}
    scale = output * draws.factor("cardiac_output") / sum(shares.values())
    flows = {name: share * scale for name, share in shares.items()}
    filtered = filtration(age, reference.body_weight * relative**2) * draws.factor("GFR")
    row = {"WT": weight, "HT": height, "AGE": age, "SEX": float(sex == "male")}
    return human(sex, age, height, masses, flows, filtered), row


def draw_masses(sex: Sex, age: float, draws: Draws) -> tuple[float, float, dict[str, float]]:
    """Draw weight, height and the masses of organs, kg and cm.

    Organs that leave too little for adipose tissue are drawn again at the same weight and height, which leaves their
    distribution given weight and height; a weight and height that no organs fit is drawn again.
    """
    reference = reference_individual(sex, age)
    for _ in range(ATTEMPTS):
        relative = draws.factor("height")
        height = reference.height * relative
        weight = reference.body_weight * relative**2 * draws.factor(f"body_mass_index_{sex}")
        for _ in range(ATTEMPTS):
            factors = {name: draws.factor(name) for name in reference.masses if name != "adipose"}
            masses = masses_of(sex, age, weight, height, factors)
            if masses["adipose"] >= LEAST_ADIPOSE * weight:
                return weight, height, masses
    raise MechanismError(
        f"No body was found for {sex}, {age:.3g} years: organs leave nothing for adipose tissue. "
        "Choose another range of ages."
    )
