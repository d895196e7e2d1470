"""Solvers of ordinary differential equations with dosing events. This layer knows no pharmacology and no PyMC.

`Linear` solves linear systems exactly. Any other system is integrated, by `Rodas5P` (stiff), `Tsit5` (not stiff) or
`Automatic`, which takes whichever of the two fits. `CVODES` is an independent engine to compare with.

The integrators share the subjects among as many threads as `threads` allows, with the same results bit by bit.

Examples
--------
>>> import qsp_bayes as qb
>>> qb.ode.Rodas5P(rtol=1e-8)
Rodas5P(rtol=1e-08, atol=None, max_steps=100000)
"""

from qsp_bayes.ode import jax_rewrites  # noqa: F401  registers them
from qsp_bayes.ode.op import LinearSolve
from qsp_bayes.ode.solvers import CVODES, Automatic, Linear, Rodas5P, Solver, Tsit5
from qsp_bayes.ode.structure import LinearStructure
from qsp_bayes.ode.threads import threads, usable_cores

__all__ = [
    "CVODES",
    "Automatic",
    "Linear",
    "LinearSolve",
    "LinearStructure",
    "Rodas5P",
    "Solver",
    "Tsit5",
    "threads",
    "usable_cores",
]
