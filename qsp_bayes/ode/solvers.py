"""Solvers: how a system is solved, apart from what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qsp_bayes.errors import SolverError
from qsp_bayes.ode.integration import AUTOMATIC, NONSTIFF, STIFF


class Solver:
    """Base class of all solvers."""


@dataclass(frozen=True)
class Linear(Solver):
    """The exact solver of linear systems; it has nothing to set."""


@dataclass(frozen=True)
class Adaptive(Solver):
    """Base class of the solvers that integrate in steps, whose length follows from an estimate of their error.

    Parameters
    ----------
    rtol : float
        Error of a step that is allowed, as a share of the state.
    atol : float or mapping of str to float, optional
        Error that is allowed in any case, in the unit of the state, for all states or by state. Where it is left
        out, errors are relative down to a thousandth of the largest size that the state has had so far.
    max_steps : int
        A subject that needs more steps cannot be solved: its predictions are NaN, and such a draw is rejected.

    Raises
    ------
    SolverError
        For a tolerance that is not positive, or of a state that the system does not have.
    """

    rtol: float = 1e-6
    atol: float | Mapping[str, float] | None = None
    max_steps: int = 100_000

    method: ClassVar[np.int64]

    def __post_init__(self) -> None:
        values = self.atol.values() if isinstance(self.atol, Mapping) else [self.atol]
        if not 0.0 < self.rtol < 1.0 or any(value is not None and not value > 0.0 for value in values):
            raise SolverError(f"{self}: rtol lies between 0 and 1, and atol is positive.")
        if self.max_steps < 1:
            raise SolverError(f"{self}: max_steps is at least 1.")

    def tolerances(self, states: Sequence[str]) -> np.ndarray:
        """Return rtol and the absolute tolerance of each state, negative where it is left to the solver.

        Examples
        --------
        >>> Rodas5P(rtol=1e-5, atol={"target": 1e-3}).tolerances(["central", "target"]).tolist()
        [1e-05, -1.0, 0.001]
        """
        by_state = self.atol if isinstance(self.atol, Mapping) else dict.fromkeys(states, self.atol)
        unknown = [name for name in by_state if name not in states]
        if unknown:
            raise SolverError(
                f"atol names {', '.join(unknown)}; the states of the system are {', '.join(states)}."
            )
        given = [by_state.get(name) for name in states]
        return np.array([self.rtol, *(-1.0 if value is None else float(value) for value in given)])


@dataclass(frozen=True)
class Automatic(Adaptive):
    """Tsit5 while the system is not stiff, Rodas5P while it is.

    A subject starts with Rodas5P. Tsit5 takes over when three steps in a row are so short that it would be far from the
    limit of its stability, and hands back at the first step that is not.
    """

    method = AUTOMATIC


@dataclass(frozen=True)
class Rodas5P(Adaptive):
    """Rodas5P: an implicit (Rosenbrock) method of order 5, for stiff systems. See `qsp_bayes.ode.rodas5p`."""

    method = STIFF


@dataclass(frozen=True)
class Tsit5(Adaptive):
    """Tsit5: an explicit (Runge-Kutta) method of order 5, for systems that are not stiff. See `qsp_bayes.ode.tsit5`."""

    method = NONSTIFF


@dataclass(frozen=True)
class CVODES(Adaptive):
    """CVODES of SUNDIALS: BDF of order 1 to 5, for stiff systems. An engine that shares no code with the others.

    It is there to check them (see `qsp_bayes.solver_check`) and takes several times as long. Derivatives come from its
    own forward sensitivities. It needs the optional package sundials4py: ``pip install qsp_bayes[cvodes]``.
    See `qsp_bayes.ode.cvodes`.

    Examples
    --------
    >>> CVODES(rtol=1e-10)
    CVODES(rtol=1e-10, atol=None, max_steps=100000)
    """

    method = STIFF
