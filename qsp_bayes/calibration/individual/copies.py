"""Copies: one person many times over, each with parameters of its own, solved as one batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pymc.pytensorf import compile

from qsp_bayes.calibration.censored import Censored
from qsp_bayes.calibration.design import varies_in_time
from qsp_bayes.data.events import Events
from qsp_bayes.data.study import Study

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration

BY_RECORD = (
    *("time", "evid", "compartment", "amount", "rate", "duration"),
    *("interval", "additional", "steady_state", "output"),
)


@dataclass(frozen=True, eq=False)
class Copies:
    """A person's records repeated n times, as n subjects of one batch.

    A thousand guesses at the parameters of one person are thus one call of the solver. Each function is compiled when
    it is first called, without optimisation, which a few calls with long arrays would not repay: the solver itself is
    compiled anyway.

    Attributes
    ----------
    calibration : Calibration
    study : Study
        Of one subject.
    n : int
        Number of copies.
    outputs : tuple of str
        What is predicted; the study has it.
    levels : mapping of str to {"population", "subject", "occasion", "record"}
        What the last axis of each parameter stands for; "population" for none.
    """

    calibration: Calibration
    study: Study
    n: int
    outputs: tuple[str, ...]
    levels: Mapping[str, Any] = field(repr=False)

    def predict(self, parameters: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Solve for every copy.

        Parameters
        ----------
        parameters : mapping of str to array
            Every parameter of the system, (copy,) or (copy, row), row being the subject, its occasions or its records.

        Returns
        -------
        dict of str to array
            By output, (copy, observation); not finite where the system cannot be solved.
        """
        rows = [np.ravel(parameters[name]) for name in self.levels]
        with np.errstate(all="ignore"):
            found = self.solver(*rows)
        return {
            output: np.reshape(values, (self.n, -1))
            for output, values in zip(self.outputs, found, strict=True)
        }

    def log_likelihood(
        self, predictions: Mapping[str, np.ndarray], population: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Give the log density of the person's observations around the predictions of each copy.

        Parameters
        ----------
        predictions : mapping of str to array
            From `predict`.
        population : mapping of str to array
            Variables of the error models, (copy,).

        Returns
        -------
        array
            (copy,); minus infinity where the prediction is not finite, or excludes the observations.
        """
        total = np.zeros(self.n)
        for output in self.outputs:
            n_observations = len(self.study.rows[output])
            if not n_observations:
                continue
            names, density = self.densities[output]
            values = [np.repeat(population[name], n_observations) for name in names]
            with np.errstate(all="ignore"):
                found = density(np.ravel(predictions[output]), *values)
            total += found.reshape(self.n, n_observations).sum(axis=1)
        return np.where(np.isnan(total), -np.inf, total)

    @cached_property
    def solver(self) -> Callable[..., list[np.ndarray]]:
        """The compiled solution, from the parameters in the order of `levels`."""
        inputs = {name: pt.dvector(name) for name in self.levels}
        system = self.calibration.system
        levels = {name: "subject" if level == "population" else level for name, level in self.levels.items()}
        # An input that stays the same makes one row of parameters for each copy, not one for each record.
        constant = [
            name
            for name in system.inputs
            if name not in system.interpolated and not varies_in_time(self.study, name)
        ]
        path = system.solve(
            copied(self.study.events(), self.n),
            inputs,
            levels={**levels, **dict.fromkeys(constant, "subject")},
            covariates={name: np.full(self.n, self.study.covariate(name)[0]) for name in constant},
            solver=self.calibration.solver,
        )
        return pytensor.function(
            list(inputs.values()),
            [path[output] for output in self.outputs],
            mode="FAST_COMPILE",
            on_unused_input="ignore",
        )

    @cached_property
    def densities(self) -> dict[str, tuple[list[str], Callable[..., np.ndarray]]]:
        """By output, the names of the variables of its error model, and the log density of each observation."""
        return {output: self.density(output) for output in self.outputs if len(self.study.rows[output])}

    def density(self, output: str) -> tuple[list[str], Callable[..., np.ndarray]]:
        """Compile the density of the observations of an output."""
        error = self.calibration.error[output]
        inputs: dict[str, Any] = {}

        def variable(name: str) -> Any:
            if name in self.calibration.fix:
                return pt.constant(self.calibration.fix[name], dtype="float64")
            return inputs.setdefault(name, pt.dvector(name))

        observed = self.study.table["DV"].to_numpy()[self.study.rows[output]]
        marks = self.study.censoring(output)
        prediction, name, dims = pt.dvector("prediction"), f"DV_{output}", f"obs_{output}"
        # An impossible error of one copy, such as 0, must not void the others: no bound is checked for all at once.
        with pm.Model(check_bounds=False, coords={dims: np.arange(self.n * len(observed))}) as model:
            noise = error.noise(output, prediction, variable)
            tiled = np.tile(observed, self.n)
            if isinstance(error, Censored):
                error.observe(
                    name,
                    noise,
                    np.tile(marks.CENS, self.n),
                    np.tile(marks.LIMIT, self.n),
                    pt.constant(tiled),
                    dims,
                )
            else:
                noise.observe(name, observed=tiled, dims=dims)
            (logp,) = model.logp(vars=[model[name]], sum=False)
            return list(inputs), compile([prediction, *inputs.values()], logp, mode="FAST_COMPILE")


def copied(events: Events, n: int) -> Events:
    """Repeat the records of one subject.

    Parameters
    ----------
    events : Events
        Of one subject, as numpy arrays.
    n : int

    Returns
    -------
    Events
        Of n subjects with the same records; rows and occasions are numbered on.

    Examples
    --------
    >>> from qsp_bayes.data import load_dataset
    >>> three = copied(load_dataset("theophylline").subset(["1"]).events(), 3)
    >>> three.rows["Cc"].reshape(3, -1)[:, 0], three.subject[three.rows["Cc"][::10]]
    (array([ 1, 12, 23]), array([0, 1, 2]))
    """
    n_records, n_occasions = len(events.time), len(events.occasion_subject)
    copy = np.arange(n)
    by_record: dict[str, Any] = {name: np.tile(events[name], n) for name in BY_RECORD}
    return replace(
        events,
        subjects=tuple(str(k) for k in copy),
        subject=np.repeat(copy, n_records),
        occasion=np.concatenate([events.occasion + k * n_occasions for k in copy]),
        occasion_subject=np.repeat(copy, n_occasions),
        rows={output: (rows + n_records * copy[:, None]).ravel() for output, rows in events.rows.items()},
        DV={output: np.tile(values, n) for output, values in events.DV.items()},
        covariates={name: np.tile(values, n) for name, values in events.covariates.items()},
        **by_record,
    )
