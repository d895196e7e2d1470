"""Limits: what constraints ask of a dose while it is searched for, as functions that are 0 at the limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from qsp_bayes.decision.choice.constraint import Constraint
from qsp_bayes.decision.continuous.expected_utility import Evaluation

ROOM = 1e-6
"""How far a mean may be beyond its limit, relative to its size: no search ends closer."""
BINDING = 1e-4
"""How close to its limit, relative to its size, a mean is held by it."""


@dataclass(frozen=True, eq=False)
class Limits:
    r"""Excess of each constraint over its limit, :math:`e_k = \pm (\operatorname{mean} c_k - L_k) / size_k \le 0`.

    Attributes
    ----------
    constraints : sequence of Constraint
    n_subjects : int
        Individuals in a draw; the certainty of a constraint is over draws.
    sizes : (constraint,) array
        Unit of each excess; see `sized`.
    room : float
        How far beyond its limit a mean may be, in that unit. Without any, a mean at its limit does not keep to it, as
        for `Constraint`; a search along gradients ends at limits, to within rounding.
    """

    constraints: Sequence[Constraint] = ()
    n_subjects: int = 1
    sizes: np.ndarray = field(default_factory=lambda: np.empty(0))
    room: float = ROOM

    def sized(self, found: Evaluation) -> Limits:
        """Take as unit the limit, or what is limited where that is larger: a limit may be 0."""
        typical = np.abs(found.limited).mean(axis=1) if self.constraints else np.empty(0)
        limits = np.array([abs(constraint.limit) for constraint in self.constraints])
        return replace(self, sizes=np.maximum(np.maximum(limits, typical), 1e-300))

    @property
    def signs(self) -> np.ndarray:
        """1 for a limit from above, -1 for one from below."""
        return np.array([1.0 if constraint.below is not None else -1.0 for constraint in self.constraints])

    def excess(self, found: Evaluation) -> np.ndarray:
        """How far each mean, or its certainty, is beyond its limit; negative where it keeps to it."""
        limits = np.array([constraint.limit for constraint in self.constraints])
        beyond = self.signs * (found.means - limits) / self.sizes
        for k, constraint in enumerate(self.constraints):
            if constraint.certainty is not None:
                by_draw = found.limited[k].reshape(-1, self.n_subjects).mean(axis=1)
                kept = constraint.keeps(by_draw)
                beyond[k] = constraint.certainty - kept.mean()
        return beyond

    def slopes(self, found: Evaluation) -> np.ndarray:
        """Gradients of the excesses, (constraint, free)."""
        return (self.signs / self.sizes)[:, None] * found.mean_slopes

    def violation(self, found: Evaluation) -> float:
        """Sum of what is beyond."""
        return float(np.maximum(self.excess(found), 0.0).sum()) if self.constraints else 0.0

    def admits(self, found: Evaluation) -> bool:
        """Whether a point keeps to all limits."""
        if not self.constraints:
            return True
        beyond = self.excess(found)
        certain = np.array([constraint.certainty is not None for constraint in self.constraints])
        return bool(np.where(certain, beyond <= 0, beyond < self.room).all())

    def binding(self, found: Evaluation) -> np.ndarray:
        """Positions of the constraints whose limit is reached."""
        return np.flatnonzero(self.excess(found) > -BINDING) if self.constraints else np.empty(0, dtype=int)

    def describe(self, found: Evaluation) -> str:
        """Give the figures at a point against their limits."""
        return "; ".join(
            f"{constraint.name} {mean:.4g}, asked {'below' if constraint.below is not None else 'above'} "
            f"{constraint.limit:g}"
            for constraint, mean in zip(self.constraints, found.means, strict=True)
        )
