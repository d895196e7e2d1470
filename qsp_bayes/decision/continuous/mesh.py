"""Mesh: how the simulated time is cut into pieces, short where the path bends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from qsp_bayes.decision.continuous.free_dose import DoseLayout, FreeRegimen

MOST_ROUNDS = 12
MOST_PIECES = 600


@dataclass(frozen=True)
class Mesh:
    """Breaks at doses and ends of infusions, and the pieces between them.

    Attributes
    ----------
    of_course, step, steady, broken, offset : array
        As in `DoseGraph`.
    cuts : tuple of tuple of float
        For each segment between breaks, where it is cut, as shares of it: 0 first, 1 not said.
    error : float
        Of the pieces, estimated, relative to the path, at most, when the mesh was made.
    """

    layout: DoseLayout
    of_course: np.ndarray
    step: np.ndarray
    steady: np.ndarray
    broken: np.ndarray
    offset: np.ndarray
    cuts: tuple[tuple[float, ...], ...]
    error: float = np.inf

    @classmethod
    def uncut(
        cls,
        regimen: FreeRegimen,
        layout: DoseLayout,
        offsets: Sequence[tuple[int, int, str]],
        later: Sequence[bool],
        start: float,
    ) -> Mesh:
        """Make a mesh with one piece in each segment.

        Parameters
        ----------
        regimen : FreeRegimen
        layout : DoseLayout
        offsets : sequence
            Keys of `DoseGraph.offsets`.
        later : sequence of bool
            For each of them whether it may be other than zero.
        start : float
            Begin of the span: what is fixed there makes no break.
        """
        courses = regimen.regimen.courses
        of_course = (layout.course == np.arange(len(courses))[:, None]).astype(float)
        found: list[tuple[int, int]] = []
        for k, (course, index) in enumerate(zip(layout.course, layout.index, strict=True)):
            stays = regimen.position("start", int(course)) is None and courses[course].start <= start
            for o, ((c, r, _), moved) in enumerate(zip(offsets, later, strict=True)):
                if c != course or (not moved and (r > 0 or (index == 0 and stays))):
                    continue
                found.append((k, o))
        broken, offset = np.zeros((layout.course.size, len(found))), np.zeros((len(offsets), len(found)))
        for column, (k, o) in enumerate(found):
            broken[k, column] = offset[o, column] = 1.0
        return cls(
            layout,
            of_course,
            of_course * layout.index,
            of_course * (layout.steady_state > 0),
            broken,
            offset,
            ((0.0,),) * (len(found) + 1),
        )

    @property
    def n_pieces(self) -> int:
        """Number of pieces."""
        return sum(map(len, self.cuts))

    def arrays(self) -> list[np.ndarray]:
        """Give the inputs by layout of a `DoseGraph`, in its order."""
        segments = np.repeat(np.arange(len(self.cuts)), [len(cuts) for cuts in self.cuts])
        segment = (segments == np.arange(len(self.cuts))[:, None]).astype(float)
        share = segment * np.concatenate(self.cuts)
        return [
            self.of_course,
            self.step,
            self.steady,
            self.layout.steady_state,
            self.broken,
            self.offset,
            segment,
            share,
        ]

    def halved(self, pieces: np.ndarray) -> Mesh:
        """Cut some pieces in two."""
        left = iter(pieces.tolist())
        cuts = []
        for segment in self.cuts:
            kept: list[float] = []
            for here, after in zip(segment, (*segment[1:], 1.0), strict=True):
                kept += [here, 0.5 * (here + after)] if next(left) else [here]
            cuts.append(tuple(kept))
        return replace(self, cuts=tuple(cuts))

    def refined(self, errors: Callable[[Mesh], np.ndarray], tolerance: float) -> Mesh:
        """Cut in two what does not follow the path, until everything does or there is no room.

        Parameters
        ----------
        errors : callable
            Gives the error of each piece relative to the path.
        tolerance : float
        """
        mesh = self
        for _ in range(MOST_ROUNDS):
            found = errors(mesh)
            mesh = replace(mesh, error=float(found.max(initial=0.0)))
            bad = found > tolerance
            if not bad.any() or mesh.n_pieces + bad.sum() > MOST_PIECES:
                break
            mesh = mesh.halved(bad)
        return mesh
