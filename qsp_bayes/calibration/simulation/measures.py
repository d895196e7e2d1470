"""Measures: what is kept of simulated paths, one number for each draw, regimen and individual."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from qsp_bayes.errors import CalibrationError

DIMS = ("chain", "draw", "regimen", "subject")
ALONE = "utility"
"""Name of a measure that is given without one."""

Measure = Callable[[xr.Dataset], Any]


@dataclass(frozen=True)
class Measures:
    """Functions of the simulated paths, by name.

    Examples
    --------
    >>> paths = xr.Dataset(
    ...     {"Cc": (("chain", "draw", "regimen", "subject", "time"), np.arange(8.0).reshape(1, 2, 1, 2, 2))},
    ...     {"chain": [0], "draw": [0, 1], "regimen": ["a"], "subject": ["new 1", "new 2"], "time": [0.0, 1.0]},
    ... )
    >>> Measures.of(lambda x: x["Cc"].max("time"))(paths)["utility"].ravel()
    array([1., 3., 5., 7.])
    """

    functions: Mapping[str, Measure]

    @classmethod
    def of(cls, measures: Mapping[str, Measure] | Measure) -> Measures:
        """Read what the user gives: a mapping, or one function, which is then called ``utility``."""
        named = dict(measures) if isinstance(measures, Mapping) else {ALONE: measures}
        if not named:
            raise CalibrationError(
                "measures is empty: give at least one function of the paths, or leave it out."
            )
        for name, function in named.items():
            if not callable(function):
                raise CalibrationError(
                    f"Measure {name!r} is {type(function).__name__}; it must be a function of the simulated paths, "
                    'such as lambda x: x["Cc"].max("time").'
                )
        return cls(named)

    def __call__(self, paths: xr.Dataset) -> dict[str, np.ndarray]:
        """Reduce a block of paths, giving an array (chain, draw, regimen, subject) for each measure.

        Raises
        ------
        CalibrationError
            If a measure returns something else, or numbers that are not finite.
        """
        return {name: evaluate(name, function, paths) for name, function in self.functions.items()}

    def check(self, paths: xr.Dataset) -> None:
        """Require that every individual of every draw is measured for itself, by measuring a part of a block alone.

        The blocks in which a simulation is worked on could change the results otherwise.
        """
        whole = self(paths)
        for dim, others in (("draw", "other draws"), ("subject", "other individuals")):
            if paths.sizes[dim] == 1:
                continue
            part = slice(0, paths.sizes[dim] // 2)
            alone = self(paths.isel({dim: part}))
            for name, values in alone.items():
                expected = whole[name].take(range(part.stop), axis=DIMS.index(dim))
                if not np.allclose(values, expected, rtol=1e-9, atol=0.0):
                    raise CalibrationError(
                        f"Measure {name!r} of an individual depends on which {others} are simulated with it. Measure "
                        "each individual for itself; compare and average what the simulation returns."
                    )

    def describe(self) -> dict[str, str]:
        """Give what is known of each measure in words."""
        return {
            name: str(getattr(function, "description", "") or "") for name, function in self.functions.items()
        }


def evaluate(name: str, function: Measure, paths: xr.Dataset) -> np.ndarray:
    """Evaluate one measure and refuse what is not one finite number for each individual."""
    values = function(paths)
    if not isinstance(values, xr.DataArray) or set(values.dims) != set(DIMS):
        is_array = isinstance(values, xr.DataArray)
        received = f"dimensions {tuple(values.dims)}" if is_array else type(values).__name__
        hint = " Reduce 'time' with .max('time'), .mean('time') or a measure of exposure such as auc."
        raise CalibrationError(
            f"Measure {name!r} must return a DataArray with dimensions {DIMS}, one value for each individual; it "
            f"returned {received}.{hint if is_array and 'time' in values.dims else ''}"
        )
    if values.dtype.kind not in "fiub":
        raise CalibrationError(
            f"Measure {name!r} returned values of type {values.dtype}; it must return numbers."
        )
    values = values.transpose(*DIMS)
    found = values.to_numpy().astype(float)
    sizes = tuple(paths.sizes[dim] for dim in DIMS)
    if found.shape != sizes:
        raise CalibrationError(
            f"Measure {name!r} must return one value for each individual; of {sizes} {DIMS} it gives {found.shape}."
        )
    wrong = np.argwhere(~np.isfinite(found))
    if len(wrong):
        where = zip(DIMS, wrong[0], strict=True)
        first = ", ".join(f"{dim} {paths[dim].to_numpy()[position]}" for dim, position in where)
        raise CalibrationError(
            f"Measure {name!r} is not finite for {len(wrong)} of {found.size} individuals of a block, first for "
            f"{first}. Check for a logarithm of zero, a division by zero, and that the simulation itself is finite."
        )
    return found
