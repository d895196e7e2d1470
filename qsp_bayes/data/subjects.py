"""Subjects: new individuals to simulate, as whole rows of covariates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from qsp_bayes.data.study import Study
from qsp_bayes.data.study_view import unit_text
from qsp_bayes.data.words import close_names
from qsp_bayes.errors import DataError


@dataclass(frozen=True, eq=False)
class Subjects:
    """Individuals described by their covariates.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per subject, one column per covariate; the index holds the labels.
    units : mapping of str to str
        Unit of each covariate.
    origin : str
        Where the rows come from, in words.
    random_seed : int, optional
        Seed that draws the same subjects again.
    """

    table: pd.DataFrame = field(repr=False)
    units: Mapping[str, str]
    origin: str
    random_seed: int | None = None

    def __post_init__(self) -> None:
        labels = [str(label) for label in self.table.index]
        if len(set(labels)) != len(labels) or not labels:
            raise DataError(
                "subjects without labels of their own",
                "at least one subject, each with its label",
                "set the index",
            )
        table = self.table.astype(np.float64).set_axis(pd.Index(labels, dtype="str", name="subject"))
        for name, values in table.items():
            if values.isna().any():
                raise DataError(
                    f"covariate {name} is missing for subject {values.index[values.isna()][0]}",
                    "a number for every subject",
                    "fill the covariate or leave the subject out",
                )
        object.__setattr__(self, "table", table)
        object.__setattr__(
            self, "units", MappingProxyType({name: self.units.get(name, "") for name in table.columns})
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping proxy cannot be copied; the plain mapping can.
        return Subjects, (self.table, dict(self.units), self.origin, self.random_seed)

    @property
    def covariates(self) -> pd.DataFrame:
        """One row per subject, as a data frame of its own."""
        return self.table.copy()

    @property
    def labels(self) -> tuple[str, ...]:
        """Subject labels."""
        return tuple(self.table.index)

    def part(self, rows: slice) -> Subjects:
        """Some of the subjects, by their positions."""
        return Subjects(self.table.iloc[rows], self.units, self.origin, self.random_seed)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        ranges = [
            f"{name}{unit_text(self.units[name])} {values.min():g} to {values.max():g}"
            for name, values in self.table.items()
        ]
        return "\n  ".join([f"{len(self)} subjects: {self.origin}", *ranges])

    def _repr_html_(self) -> str:
        summary = self.table.describe().loc[["min", "25%", "50%", "75%", "max"]].T
        summary.insert(0, "unit", [self.units[name] for name in summary.index])
        return f"<p>{len(self)} subjects: {escape(self.origin)}</p>{summary.to_html(escape=True, border=0)}"


def new_subjects(
    study: Study,
    n: int,
    random_seed: int | None = None,
    *,
    distribution: Mapping[str, Any] | None = None,
) -> Subjects:
    """Draw new individuals by resampling whole covariate rows of a study.

    Each new individual takes the covariates of one subject's first record, all together, so that correlations
    and impossible combinations stay as observed. A range outside the study is only reached when asked for.

    Parameters
    ----------
    study : Study
        Where the rows come from.
    n : int
        Number of individuals.
    random_seed : int, optional
        Seed; without one a fresh seed is drawn, and kept in the result.
    distribution : mapping, optional
        Covariates to draw independently of the others instead, each from ``callable(rng, n)`` or a frozen
        scipy distribution: ``{"WT": scipy.stats.uniform(3, 12)}``.

    Returns
    -------
    Subjects
        Labelled ``"new 1"`` to ``"new n"``.

    Raises
    ------
    DataError
        For a covariate the study does not have, or draws of the wrong length or not finite.

    Examples
    --------
    >>> from qsp_bayes.data import load_dataset
    >>> print(new_subjects(load_dataset("theophylline"), 500, random_seed=1))
    500 subjects: covariate rows of theophylline, drawn with replacement
      WT [kg] 54.6 to 86.4
      DOSE_MGKG [mg/kg] 3.1 to 5.86
    """
    if n != int(n) or n < 1:
        raise DataError(f"n is {n!r}", "a whole number of at least 1", "correct n")
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if random_seed is None else int(random_seed)
    rng = np.random.default_rng(seed)
    baseline = study.table.drop_duplicates("ID")[list(study.covariates)]
    table = (
        baseline.iloc[rng.integers(len(baseline), size=int(n))]
        .set_axis(range(1, int(n) + 1))
        .rename("new {}".format)
    )
    origin = f"covariate rows of {study.name}, drawn with replacement"
    for name, draw in (distribution or {}).items():
        if name not in table:
            raise DataError(
                f"study {study.name!r} has no covariate {name!r}{close_names(name, study.covariates)}",
                f"one of {', '.join(study.covariates)}",
                "correct the name in distribution",
            )
        table[name] = drawn(name, draw, rng, int(n))
    if distribution:
        origin += f"; {', '.join(distribution)} drawn apart, from a stated distribution"
    return Subjects(table, study.units.covariates, origin, seed)


def drawn(name: str, draw: Callable[..., Any] | Any, rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw `n` values of one covariate from a callable or a scipy distribution."""
    values = draw.rvs(size=n, random_state=rng) if hasattr(draw, "rvs") else draw(rng, n)
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (n,) or not np.isfinite(values).all():
        raise DataError(
            f"the distribution of {name} gave shape {values.shape}, {np.isfinite(values).sum()} finite",
            f"{n} finite numbers",
            "check the callable: it is called as callable(rng, n)",
        )
    return values
