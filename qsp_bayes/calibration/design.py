"""Design: a study as the parts of a model see it, and the levels at which quantities vary."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

from qsp_bayes.calibration.variables import Variables
from qsp_bayes.data.events import Events
from qsp_bayes.data.study import Study
from qsp_bayes.errors import DataError
from qsp_bayes.ode.take import Take
from qsp_bayes.systems.system import System

Level = Literal["population", "subject", "occasion", "record"]
LEVELS: tuple[Level, ...] = ("population", "subject", "occasion", "record")


@dataclass(frozen=True)
class Term:
    """A quantity and the level at which it varies: one number, or one per subject, occasion or record."""

    value: TensorVariable
    level: Level = "population"


@dataclass(frozen=True)
class Design:
    """The study inside the model context, with what the parts of the model need from it.

    Attributes
    ----------
    study : Study
    events : Events
        Its records as ``pm.Data``.
    variables : Variables
        Where the parts obtain their variables.
    """

    study: Study
    events: Events
    variables: Variables

    def covariate(self, name: str) -> Term:
        """Give a covariate by subject where it is constant within subjects, by record where it varies in time."""
        by_record = self.events.covariates[name]
        if varies_in_time(self.study, name):
            return Term(by_record, "record")
        # Every record of a subject holds the same value. (PyTensor works this out beforehand; not so a `set`.)
        first = pt.searchsorted(self.events.subject, pt.arange(self.n_subjects))
        return Term(by_record[first], "subject")

    def inputs(self, system: System) -> tuple[dict[str, TensorVariable], dict[str, Level]]:
        """Give the inputs of a system that covariates feed, each at its own level, and these levels.

        A covariate that is constant within subjects makes one row of parameters for each of them, not one for each
        record. Interpolated inputs need their values at the records.
        """
        terms = {name: self.covariate(name) for name in system.inputs if name not in system.interpolated}
        values = {name: term.value for name, term in terms.items()}
        return values, {name: term.level for name, term in terms.items()}

    @property
    def n_subjects(self) -> TensorVariable:
        """Number of subjects: symbolic, so that another design can be set on the model."""
        return pm.modelcontext(None).dim_lengths["subject"]

    def at(self, term: Term, level: Level) -> TensorVariable:
        """Give the values of a term at a finer level."""
        index = {
            ("subject", "occasion"): self.events.occasion_subject,
            ("subject", "record"): self.events.subject,
            ("occasion", "record"): self.events.occasion,
        }
        if term.level in ("population", level):
            return term.value
        return Take()(term.value, index[term.level, level])

    def add(self, first: Term, second: Term) -> Term:
        """Add two terms at the finer of their levels."""
        level = max(first.level, second.level, key=LEVELS.index)
        return Term(self.at(first, level) + self.at(second, level), level)

    def map(self, term: Term, function: Any) -> Term:
        """Apply an elementwise function."""
        return replace(term, value=function(term.value))


def varies_in_time(study: Study, name: str) -> bool:
    """Tell whether a covariate takes several values within a subject."""
    try:
        study.covariate(name)
    except DataError:
        study.covariate_by_record(name)  # raises where the study has no such covariate at all
        return True
    return False
