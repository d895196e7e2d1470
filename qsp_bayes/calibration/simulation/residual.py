"""Residual error: observations drawn around predicted outputs, the same whatever part of a simulation is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import pytensor.tensor as pt
import xarray as xr
from pymc.pytensorf import compile, find_rng_nodes, reseed_rngs

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration


@dataclass(frozen=True)
class Residual:
    """The compiled error model of one output.

    Every draw has random numbers of its own, whose seed is made of `key` and the labels of what is drawn.

    Attributes
    ----------
    function : callable
        Takes predictions, then the variables of the error model.
    generators : list
        Its sources of random numbers.
    variables : array (draw, variable)
        Variables of the error model.
    key : int
    lock : threading.Lock
        The function serves one thread at a time.
    """

    function: Any
    generators: list[Any]
    variables: np.ndarray
    key: int
    lock: Any

    @classmethod
    def compile(cls, calibration: Calibration, output: str, population: xr.Dataset, key: int) -> Residual:
        """Compile the error model of an output, with the variables of the population's draws, chain after chain."""
        inputs: dict[str, Any] = {}

        def variable(name: str) -> Any:
            if name in calibration.fix:
                return pt.constant(calibration.fix[name])
            return inputs.setdefault(name, pt.dscalar(name))

        prediction = pt.dvector("prediction")
        drawn = calibration.error[output].noise(output, prediction, variable).draw()
        function = compile([prediction, *inputs.values()], drawn, random_seed=key)
        columns = [population[name].transpose("chain", "draw").to_numpy().ravel() for name in inputs]
        n = population.sizes["chain"] * population.sizes["draw"]
        return cls(
            function, find_rng_nodes([drawn]), np.array(columns).T.reshape(n, len(inputs)), key, Lock()
        )

    def __call__(self, prediction: np.ndarray, draw: int, labels: Sequence[int]) -> np.ndarray:
        """Draw observations around the predictions of one draw of the population.

        Parameters
        ----------
        prediction : array
            By observation.
        draw : int
            Position of the draw, all chains one after another.
        labels : sequence of int
            What else tells this part of the simulation from others.
        """
        with self.lock:
            reseed_rngs(self.generators, [self.key, draw, *labels])
            return self.function(prediction, *self.variables[draw])


def residuals(
    calibration: Calibration, outputs: Sequence[str], population: xr.Dataset, keys: Sequence[int]
) -> Mapping[str, Residual]:
    """Compile the error models of several outputs."""
    return {
        output: Residual.compile(calibration, output, population, key)
        for output, key in zip(outputs, keys, strict=True)
    }


def add_residual(
    calibration: Calibration, output: str, predictions: np.ndarray, population: xr.Dataset, random_seed: int
) -> np.ndarray:
    """Draw observations around the predictions of an output, (draw, regimen, observation)."""
    residual = Residual.compile(calibration, output, population, random_seed)
    return np.stack(
        [
            [residual(values, draw, (regimen, 0)) for regimen, values in enumerate(by_regimen)]
            for draw, by_regimen in enumerate(predictions)
        ]
    )
