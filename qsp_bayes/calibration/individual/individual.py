"""Individual: how the parameters of one person follow from a population and the person's own random effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pytensor.graph.replace import vectorize_graph

from qsp_bayes.calibration.design import Design
from qsp_bayes.calibration.iiv import IIV
from qsp_bayes.calibration.individual.copies import Copies
from qsp_bayes.calibration.variables import Variables
from qsp_bayes.data.study import Study

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration

INDIVIDUAL = {"subject", "occasion", "record"}
"""Dimensions of what belongs to individuals rather than to their population."""


@dataclass(frozen=True, eq=False)
class Individual:
    r"""One person under a calibration: :math:`\phi = h(\theta, b, x)`.

    :math:`\theta` are the variables of the population, :math:`b \sim N(0, I)` the person's own deviations (those of
    its occasions included), x its covariates, and :math:`\phi` the parameters of the system. Everything is computed
    for many draws at once, which are the first axis of every array.

    Attributes
    ----------
    calibration : Calibration
        With standard normal effects.
    study : Study
        The person's records.
    population : tuple of str
        Variables of the population that individuals follow from; those of the error models are not among them.
    effects : mapping of str to tuple of int
        The person's deviations, and the shape of each.
    dims : mapping of str to tuple of str
        Dimensions of the deviations.
    levels : mapping of str to str
        Level of each parameter: population, subject, occasion or record.
    """

    calibration: Calibration
    study: Study
    population: tuple[str, ...]
    effects: Mapping[str, tuple[int, ...]]
    dims: Mapping[str, tuple[str, ...]]
    levels: Mapping[str, Any]
    deviations: tuple[str, ...]
    compiled: Callable[..., list[np.ndarray]] = field(repr=False)

    @classmethod
    def of(cls, calibration: Calibration, study: Study) -> Individual:
        """Compile the parameters of a person.

        Parameters
        ----------
        calibration : Calibration
        study : Study
            Of one subject.
        """
        calibration = uncentred(calibration)
        with pm.Model(coords=study.coords) as model:
            design = Design(study, study.as_pymc_data(), Variables(calibration.priors, calibration.fix))
            terms = calibration.individual_parameters(design)
        dims = {v.name: tuple(model.named_vars_to_dims.get(v.name) or ()) for v in model.free_RVs}
        effects = [v for v in model.free_RVs if INDIVIDUAL.intersection(dims[v.name])]
        population = [v for v in model.free_RVs if v not in effects]
        deviations = tuple(
            f"eta_{name}"
            for part in calibration.individual
            if isinstance(part, IIV)
            for name in part.parameters
        )
        inputs = {
            v: pt.tensor(v.name, dtype="float64", shape=(None,) * (v.ndim + 1))
            for v in (*population, *effects)
        }
        wanted = [*(term.value for term in terms.values()), *(model[name] for name in deviations)]
        compiled = pytensor.function(
            list(inputs.values()),
            vectorize_graph(wanted, inputs),
            mode="FAST_COMPILE",
            on_unused_input="ignore",
        )
        shapes = {
            v.name: tuple(int(n) for n in np.shape(model.initial_point()[model.rvs_to_values[v].name]))
            for v in effects
        }
        return cls(
            calibration=calibration,
            study=study,
            population=tuple(v.name for v in population),
            effects=shapes,
            dims={name: dims[name] for name in shapes},
            levels={name: term.level for name, term in terms.items()},
            deviations=deviations,
            compiled=compiled,
        )

    @property
    def n_effects(self) -> int:
        """Number of the person's deviations."""
        return sum(int(np.prod(shape)) for shape in self.effects.values())

    def split(self, effects: np.ndarray) -> dict[str, np.ndarray]:
        """Cut deviations (draw, number) into arrays by name."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self.effects.values()])[:-1]
        parts = np.split(effects, ends, axis=1) if self.effects else []
        return {
            name: part.reshape(len(effects), *self.effects[name])
            for name, part in zip(self.effects, parts, strict=True)
        }

    def parameters(
        self, population: Mapping[str, np.ndarray], effects: Mapping[str, np.ndarray], n: int
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Give the parameters, and the deviations as reports name them, at draws of population and effects.

        Parameters
        ----------
        population : mapping of str to array
            The population's variables, draws first.
        effects : mapping of str to array
            From `split`.
        n : int
            Number of draws.

        Returns
        -------
        parameters : dict of str to array
            (draw,) at the level of the population, else (draw, row).
        deviations : dict of str to array
            ``eta_CL``, correlated where the calibration says so, (draw, 1).
        """
        arguments = [np.asarray(population[name], float) for name in self.population]
        found = self.compiled(*arguments, *(effects[name] for name in self.effects))
        rows = [level != "population" for level in self.levels.values()] + [True] * len(self.deviations)
        # What does not depend on any draw, such as a fixed parameter, has no axis of draws yet.
        whole = [
            np.broadcast_to(values, (n, *np.shape(values))) if np.ndim(values) == row else values
            for values, row in zip(found, rows, strict=True)
        ]
        named = dict(zip((*self.levels, *self.deviations), whole, strict=True))
        return {name: named[name] for name in self.levels}, {name: named[name] for name in self.deviations}

    def copies(self, n: int, outputs: tuple[str, ...] | None = None) -> Copies:
        """Give n copies of the person, to be solved at n draws."""
        observed = tuple(name for name, rows in self.study.rows.items() if len(rows))
        return Copies(self.calibration, self.study, n, observed if outputs is None else outputs, self.levels)


def uncentred(calibration: Calibration) -> Calibration:
    """Give the same calibration with standard normal effects."""
    individual = [
        IIV(*part.parameters, correlated=part.correlated) if isinstance(part, IIV) and part.centred else part
        for part in calibration.individual
    ]
    return replace(calibration, individual=individual)
