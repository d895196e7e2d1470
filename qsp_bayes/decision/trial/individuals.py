"""Individuals: their parameters as functions of the population, compiled for many populations at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pymc.pytensorf import compile
from pytensor.graph.replace import clone_replace, vectorize_graph
from pytensor.graph.traversal import ancestors
from scipy.special import expit

from qsp_bayes.calibration.design import Design, Level, Term
from qsp_bayes.calibration.scales import SCALES
from qsp_bayes.errors import DecisionError

INVERSES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "log": np.exp,
    "logit": expit,
    "identity": lambda x: x,
}
SINGULAR = 1e-10


@dataclass(frozen=True)
class Unscheduled(Design):
    """A design without records: individuals of given covariates, as symbols."""

    columns: Mapping[str, Any]
    number: Any

    def covariate(self, name: str) -> Term:
        """Give a covariate, constant within each individual."""
        if name not in self.columns:
            raise DecisionError(
                f"The calibration needs the covariate {name}: give the trial subjects=Subjects(...) that have it "
                f"(they have {', '.join(self.columns) or 'none'})."
            )
        return Term(self.columns[name], "subject")

    def at(self, term: Term, level: Level) -> Any:
        """Give the values of a term, which is of the population or of the individuals."""
        return term.value

    @property
    def n_subjects(self) -> Any:
        """Number of individuals, symbolic."""
        return self.number


@dataclass(frozen=True, eq=False)
class Individuals:
    r"""How individuals follow from a population.

    On the scales of their links, the parameters v that vary between individuals are

    .. math:: v_i = a(\theta, x_i) + B(\theta)\, \eta_i, \qquad \eta_i \sim N(0, I),

    with covariates :math:`x_i`; the others are functions of the population and the covariates.

    Attributes
    ----------
    names, links : list of str
        Parameters of the system, and the scale of each.
    varying : array of int
        Positions in `names` of the parameters with random effects.
    """

    names: list[str]
    links: list[str]
    varying: np.ndarray
    evaluate: Callable[..., np.ndarray]

    @classmethod
    def of(
        cls,
        terms: Mapping[str, Term],
        links: list[str],
        variables: list[Any],
        effects: list[Any],
        design: Unscheduled,
    ) -> Individuals:
        """Compile the parameters of individuals, which are graphs of variables, effects and covariates."""
        number = design.number
        linked = [
            pt.zeros(number) + SCALES[link].link(term.value)
            for link, term in zip(links, terms.values(), strict=True)
        ]
        table = pt.dmatrix("effects")  # (individual, effect)
        swap, at = {}, 0
        for effect in effects:
            rows = 1 if effect.ndim == 1 else effect.shape[0].eval()
            part = table[:, at : at + int(rows)]
            swap[effect] = part[:, 0] if effect.ndim == 1 else part.T
            at += int(rows)
        natural = [pt.tensor(f"of_{v.name}", dtype="float64", shape=(None,) * v.ndim) for v in variables]
        graph = clone_replace(
            pt.stack(linked, axis=1), {**dict(zip(variables, natural, strict=True)), **swap},
            rebuild_strict=False,
        )  # fmt: skip
        batched = [
            pt.tensor(f"rows_{v.name}", dtype="float64", shape=(None,) * (1 + v.ndim)) for v in variables
        ]
        graph = vectorize_graph(graph, replace=dict(zip(natural, batched, strict=True)))
        columns = list(design.columns.values())
        function = compile([*batched, table, number, *columns], graph, on_unused_input="ignore")

        def evaluate(values: Mapping[str, np.ndarray], eta: np.ndarray, covariates: np.ndarray) -> np.ndarray:
            """Parameters on their links, (population, individual, parameter)."""
            found = function(*(values[v.name] for v in variables), eta, len(eta), *covariates.T)
            n_populations = len(next(iter(values.values())))
            return np.broadcast_to(found, (n_populations, *found.shape[-2:])).copy()

        varying = np.flatnonzero([depends(term.value, effects) for term in terms.values()])
        if len(varying) != at:
            raise DecisionError(
                f"{at} random effects move {len(varying)} parameters. A trial needs exactly one random effect for each "
                "parameter that varies: name each parameter in one IIV."
            )
        return cls(list(terms), links, varying, evaluate)

    def linear(
        self, values: Mapping[str, np.ndarray], covariates: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Give a (population, individual, parameter) and B (population, varying parameter, effect)."""
        n, d = len(covariates), len(self.varying)
        effects = np.concatenate([np.zeros((n, d)), np.eye(d)])
        found = self.evaluate(values, effects, covariates[[*range(n), *([0] * d)]])
        step = found[:, n:, self.varying] - found[:, :1, self.varying]
        return found[:, :n], step.transpose(0, 2, 1)

    def natural(self, linked: np.ndarray) -> list[np.ndarray]:
        """Give each parameter in its own unit, from an array whose last axis is the parameter on its link."""
        return [INVERSES[link](linked[..., k]) for k, link in enumerate(self.links)]

    def check(self, values: Mapping[str, np.ndarray], covariates: np.ndarray) -> None:
        """Require that the parameters are linear in the effects, and that each effect moves them."""
        rng = np.random.default_rng(0)
        covariates = covariates[rng.integers(len(covariates), size=8)]
        eta = rng.standard_normal((8, len(self.varying)))
        shift, factor = self.linear(values, covariates)
        expected = shift.copy()
        expected[..., self.varying] += eta @ factor.transpose(0, 2, 1)
        if not np.allclose(self.evaluate(values, eta, covariates), expected, rtol=1e-8, atol=1e-8):
            raise DecisionError(
                "A parameter is not linear in its random effects on the scale of its link, or its spread depends on a "
                "covariate; a trial cannot follow that. Use IIV, Allometry and Covariate."
            )
        if len(self.varying) and (np.abs(np.linalg.det(factor)) < SINGULAR).any():
            raise DecisionError(
                "A standard deviation between individuals is zero. Leave its parameter out of IIV instead."
            )


def depends(graph: Any, variables: list[Any]) -> bool:
    """Tell whether a graph uses some of the variables."""
    return not set(variables).isdisjoint(ancestors([graph]))
