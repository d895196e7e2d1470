"""Individuals: draws of the population and new individuals within them, common to all regimens that are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from qsp_bayes.calibration.calibration import Calibration
from qsp_bayes.calibration.fit import thin
from qsp_bayes.calibration.metadata import read_facts
from qsp_bayes.calibration.simulation.simulate import check_fit, new_individuals, plan
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.subjects import Subjects


@dataclass(frozen=True, eq=False)
class Individuals:
    """Individual parameters and covariates, draw by draw and within a draw subject by subject.

    Attributes
    ----------
    parameters, covariates : dict of str to (individual,) array
    chains, draws : array
        Coordinates of the draws used.
    subjects : tuple of str
        Labels.
    """

    parameters: Mapping[str, np.ndarray]
    covariates: Mapping[str, np.ndarray]
    chains: np.ndarray
    draws: np.ndarray
    subjects: tuple[str, ...]

    @classmethod
    def drawn(
        cls,
        calibration: Calibration,
        fit: xr.DataTree,
        regimen: Regimen,
        subjects: Subjects,
        times: tuple[float, float],
        draws: int,
        random_seed: int,
    ) -> Individuals:
        """Draw new individuals: the very ones whom `Calibration.simulate` draws with the same seed and draws."""
        check_fit(calibration, read_facts(fit))
        study = plan(
            calibration, regimen, subjects, np.asarray(times, dtype=float), [*calibration.system.outputs]
        )
        population = thin(fit["posterior"].to_dataset(), draws)
        seed = int(np.random.SeedSequence(random_seed).generate_state(1)[0])
        n_draws = population.sizes["chain"] * population.sizes["draw"]
        shape = (n_draws, len(subjects))
        parameters = {
            # A parameter in which individuals do not differ has one value for each draw.
            name: np.ascontiguousarray(
                np.broadcast_to(values.reshape(n_draws, -1), shape), dtype=float
            ).ravel()
            for name, values in new_individuals(calibration, population, study, seed).items()
        }
        return cls(
            parameters,
            {name: np.tile(values.to_numpy(dtype=float), n_draws) for name, values in subjects.table.items()},
            population.coords["chain"].to_numpy(),
            population.coords["draw"].to_numpy(),
            subjects.labels,
        )

    def __len__(self) -> int:
        return self.chains.size * self.draws.size * len(self.subjects)

    def columns(self, chosen: np.ndarray) -> list[np.ndarray]:
        """Give parameters, then covariates, of some individuals."""
        return [values[chosen] for values in (*self.parameters.values(), *self.covariates.values())]

    def spread(self, n: int) -> np.ndarray:
        """Choose n individuals, always the same ones, from all draws and of all labels."""
        return np.sort(np.random.default_rng(0).permutation(len(self))[:n])

    def describe(self, position: int) -> str:
        """Say who is meant."""
        draw, subject = divmod(position, len(self.subjects))
        chain, draw = divmod(draw, self.draws.size)
        return f"chain {self.chains[chain]}, draw {self.draws[draw]}, subject {self.subjects[subject]}"

    def labelled(self, values: np.ndarray) -> xr.DataArray:
        """Give values by individual dimensions (chain, draw, subject)."""
        coords = {"chain": self.chains, "draw": self.draws, "subject": list(self.subjects)}
        return xr.DataArray(
            values.reshape(self.chains.size, self.draws.size, len(self.subjects)), coords, tuple(coords)
        )
