"""A solve keeps its path only where a gradient needs it, and then there is one solve for both."""

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.traversal import ancestors

from qsp_bayes import one_compartment
from qsp_bayes.data import read_nonmem
from qsp_bayes.ode.integration import KEEP
from qsp_bayes.ode.nonlinear_op import NonlinearSolve, NonlinearSolveAdjoint


@pytest.fixture(scope="module")
def solution():
    rows = [{"TIME": t, "AMT": 100.0 * (t == 0), "EVID": int(t == 0), "DV": 1.0} for t in (0, 1, 4, 9, 30)]
    data = pd.concat([pd.DataFrame(rows).assign(ID=i, CMT=1) for i in range(40)])
    units = {"TIME": "h", "AMT": "mg", "DV": "mg/L"}
    study = read_nonmem(data, units=units, compartments={1: "central"}, outputs="Cc")
    Vmax = pt.dvector("Vmax")
    path = one_compartment(elimination="saturable").solve(
        study.events(), {"Vmax": Vmax, "Km": 2.0, "Vc": 20.0}
    )
    return Vmax, path["Cc"]


def solves(function):
    return [node for node in function.maker.fgraph.toposort() if isinstance(node.op, NonlinearSolve)]


def test_values_keep_no_path_and_a_gradient_shares_one_solve(solution):
    Vmax, Cc = solution
    slope = pt.grad((Cc**2).sum(), Vmax)
    values = pytensor.function([Vmax], Cc, mode="NUMBA")
    both = pytensor.function([Vmax], [Cc, slope], mode="NUMBA")
    assert [node.inputs[-1].data[KEEP] for node in solves(values)] == [0]
    assert [node.inputs[-1].data[KEEP] for node in solves(both)] == [1]
    assert sum(isinstance(node.op, NonlinearSolveAdjoint) for node in both.maker.fgraph.toposort()) == 1
    at = np.linspace(5.0, 20.0, 40)
    np.testing.assert_array_equal(values(at), both(at)[0])


def test_memory_of_values_does_not_grow_with_the_steps(solution):
    Vmax, Cc = solution
    slope = pt.grad(Cc.sum(), Vmax)
    (node,) = {v.owner for v in ancestors([Cc]) if v.owner and isinstance(v.owner.op, NonlinearSolve)}
    (adjoint,) = {
        v.owner for v in ancestors([slope]) if v.owner and isinstance(v.owner.op, NonlinearSolveAdjoint)
    }
    path = pytensor.function([Vmax], node.outputs[-1].shape[0], mode="NUMBA")
    whole = pytensor.function([Vmax], adjoint.inputs[-1].shape[0], mode="NUMBA")
    at = np.full(40, 10.0)
    assert path(at) < 50
    assert whole(at) > 40 * 10 * 10
