"""BlockSolver: the paths of one block of a simulation after another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from qsp_bayes.calibration.simulation.blocks import Block, Blocks
from qsp_bayes.calibration.simulation.dosing import dosing
from qsp_bayes.calibration.simulation.plan import amount_unit, plan
from qsp_bayes.calibration.simulation.predictor import Predictor
from qsp_bayes.calibration.simulation.residual import Residual
from qsp_bayes.calibration.simulation.stream import Task, draw_by_draw
from qsp_bayes.calibration.virtual.virtual_patients import VirtualPatients
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.subjects import Subjects

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration


@dataclass(frozen=True, eq=False)
class BlockSolver:
    """What the blocks of a simulation have in common.

    Attributes
    ----------
    calibration : Calibration
    patients : VirtualPatients
    regimens : mapping of str to Regimen
    times : array
    outputs : tuple of str
    parameters : mapping of str to array
        Individual parameters, (draw, subject) or (draw,), chains one after another.
    residuals : mapping of str to Residual
        Error models of the outputs, where observations are wanted.
    """

    calibration: Calibration
    patients: VirtualPatients
    regimens: Mapping[str, Regimen]
    times: np.ndarray
    outputs: tuple[str, ...]
    parameters: Mapping[str, np.ndarray]
    residuals: Mapping[str, Residual]
    planned: dict[tuple[int, int, int], Any] = field(default_factory=dict, repr=False)
    """Records of the latest design: the next block is likely to have the same."""

    @cached_property
    def blocks(self) -> Blocks:
        """How the simulation is cut."""
        chains, draws = (self.patients.parameters.sizes[dim] for dim in ("chain", "draw"))
        values = len(self.times) * len(self.outputs)
        return Blocks(chains, draws, len(self.regimens), len(self.patients), values)

    @cached_property
    def coords(self) -> dict[str, xr.DataArray]:
        """Coordinates of all paths."""
        values = {
            **{name: self.patients.parameters[name].to_numpy() for name in ("chain", "draw")},
            "regimen": np.array(list(self.regimens), dtype=object).astype(str),
            "subject": np.array(self.patients.labels, dtype=object).astype(str),
            "time": self.times,
        }
        units = {"time": {"units": self.calibration.system.time_unit}}
        return {
            name: xr.DataArray(array, dims=name, attrs=units.get(name, {})) for name, array in values.items()
        }

    def units(self, output: str) -> dict[str, str]:
        """Attributes of an output."""
        return {"units": self.calibration.system.outputs[output].unit}

    @cached_property
    def dosing(self) -> xr.Dataset:
        """Number of doses and amounts; by draw too, where the patients' covariates are and scale the amounts."""
        unit = amount_unit(self.calibration, next(iter(self.regimens.values())))
        scaled = any(course.per for regimen in self.regimens.values() for course in regimen.courses)
        if not (scaled and self.patients.covariates_by_draw):
            return dosing(self.regimens, self.patients.subjects_of(0), self.times, unit)
        each = [
            dosing(self.regimens, self.patients.subjects_of(draw), self.times, unit)
            for draw in range(self.patients.n_draws)
        ]
        chains, draws = self.coords["chain"], self.coords["draw"]
        amounts = np.stack([given["amount_given"].to_numpy() for given in each])
        return each[0].assign(
            amount_given=xr.DataArray(
                amounts.reshape(chains.size, draws.size, *amounts.shape[1:]),
                {"chain": chains, "draw": draws, **each[0].coords},
                ("chain", "draw", "regimen", "subject"),
                attrs=each[0]["amount_given"].attrs,
            )
        )

    @cached_property
    def predictor(self) -> Predictor:
        """The compiled solution."""
        study = plan(
            self.calibration,
            next(iter(self.regimens.values())),
            self.patients.subjects_of(0).part(slice(2)),
            self.times,
            self.outputs,
        )
        return Predictor.compile(self.calibration, study, self.parameters)

    def prepare(self, block: Block) -> Task:
        """Plan a block, and give the task that solves it; its results are those of one draw after another."""
        draws_of_chain = self.patients.parameters.sizes["draw"]
        first = block.chain * draws_of_chain
        draws = range(first + block.draws.start, first + block.draws.stop)
        records = {draw: self.records(block, draw) for draw in draws}
        shape = (block.subjects.stop - block.subjects.start, len(self.times))
        labels = (block.regimen, block.subjects.start)

        def solve(draw: int) -> list[np.ndarray]:
            row = [
                values[draw, block.subjects] if values.ndim == 2 else values[draw]
                for values in self.parameters.values()
            ]
            predicted = dict(zip(self.outputs, self.predictor(records[draw], row), strict=True))
            for output, residual in self.residuals.items():
                predicted[output] = residual(predicted[output], draw, labels)
            return list(predicted.values())

        return draw_by_draw(solve, draws, self.outputs, shape)

    def records(self, block: Block, draw: int) -> Any:
        """Records of the design of a block: one for all draws, unless covariates matter and differ by draw."""
        regimen = list(self.regimens.values())[block.regimen]
        matter = self.calibration.system.inputs or any(course.per for course in regimen.courses)
        by_draw = draw if matter and self.patients.covariates_by_draw else 0
        key = (block.subjects.start, block.regimen, by_draw)
        if key not in self.planned:
            subjects: Subjects = self.patients.subjects_of(by_draw).part(block.subjects)
            records = self.predictor.records(
                plan(self.calibration, regimen, subjects, self.times, self.outputs)
            )
            self.planned.clear()
            self.planned[key] = records
        return self.planned[key]
