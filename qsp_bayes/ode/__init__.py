"""Solvers of ordinary differential equations with dosing events. This layer knows no pharmacology and no PyMC."""

from qsp_bayes.ode.op import LinearSolve
from qsp_bayes.ode.structure import LinearStructure

__all__ = ["LinearSolve", "LinearStructure"]
