"""Callbacks that are compiled at their first call: from several threads, after others, and when they do not compile."""

import os
import subprocess
import sys
import textwrap

import pytest

PREAMBLE = """
import threading
import time
import numpy as np
import pytensor
import pytensor.tensor as pt
from numba import njit
from qsp_bayes.data.events import Events
from qsp_bayes.ode import CVODES, Rodas5P, callbacks, lazy
from qsp_bayes.systems import DoseInto, Output, Process, System

system = System(
    states={"central": "mg"}, parameters={"ke": "1/h"},
    processes=[Process("elimination", {"central": -1}, lambda s: s.ke * s.central)],
    outputs={"A": Output("mg", lambda s: s.central)}, doses={"central": DoseInto()},
)

def model(steady_state, solver=None):
    evid = np.array([1, 0])
    events = Events(
        subjects=("1",), compartments=("central",), outputs=("A",), subject=np.zeros(2, int), time=np.array([0.0, 2.0]),
        evid=evid, compartment=np.array([0, -1]), amount=np.array([100.0, 0.0]), rate=np.zeros(2), duration=np.zeros(2),
        interval=np.array([8.0, 0.0]), additional=np.zeros(2, int), steady_state=np.array([steady_state, 0]),
        occasion=np.zeros(2, int), output=np.array([-1, 0]), occasion_subject=np.zeros(1, int),
        rows={"A": np.array([1])}, DV={"A": np.zeros(1)}, carry="nocb",
    )
    ke = pt.dscalar()
    amount = system.solve(events, {"ke": ke}, solver=solver)["A"][0]
    return pytensor.function([ke], [amount, pt.grad(amount, ke)], mode="NUMBA")

def expected(ke):
    decayed, period = np.exp(-2 * ke), np.exp(-8 * ke)
    amount = 100 * decayed / (1 - period)
    return [amount, amount * (-2 - 8 * period / (1 - period))]

def late():
    return {f.function.__name__: f for f in lazy.bound.values()}
"""


def run(folder, script):
    """Run in a process of its own, in which nothing has been called yet; return what it says on stderr."""
    path = folder / "script.py"
    path.write_text(PREAMBLE + textwrap.dedent(script))
    environment = {**os.environ, "PYTENSOR_FLAGS": f"base_compiledir={folder}"}
    done = subprocess.run([sys.executable, path], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A folder whose caches the first process finds empty."""
    return tmp_path_factory.mktemp("shared")


@pytest.mark.parametrize("found", ["compiled", "in the cache"])
def test_callbacks_come_with_the_first_steady_state_of_a_process(shared, found):
    run(
        shared,
        """
        single, steady = model(0), model(1)
        np.testing.assert_allclose(single(0.3), [100 * np.exp(-0.6), -200 * np.exp(-0.6)], rtol=1e-12)
        assert not any(f.compiled for f in late().values())
        np.testing.assert_allclose(steady(0.3), expected(0.3), rtol=1e-12)
        assert late()["special_trees"].compiled and late()["special_adjoint_trees"].compiled
        assert not late()["coast_trees"].compiled
        np.testing.assert_allclose(steady(0.1), expected(0.1), rtol=1e-12)
        """,
    )


@pytest.mark.parametrize("found", ["compiled", "in the cache"])
def test_what_python_calls_works_in_the_first_process_and_in_the_next(shared, found):
    """The timeline that CVODES walks comes from functions that numba keeps on disk with their machine code."""
    pytest.importorskip("sundials4py")
    run(
        shared,
        """
        single = model(0, CVODES(rtol=1e-12))
        np.testing.assert_allclose(single(0.3), [100 * np.exp(-0.6), -200 * np.exp(-0.6)], rtol=1e-9)
        """,
    )


def test_threads_that_call_at_once_share_one_compilation(shared):
    """They run compiled code without Python's lock, as those of a sampler do."""
    run(
        shared,
        """
        def probe_trees(address, step, row):
            return step + 10 * row

        compiled, compile_callback = [], lazy.compile_callback

        def slowly(function):
            compiled.append(function)
            time.sleep(0.2)
            return compile_callback(function)

        lazy.compile_callback = slowly
        lazy.bind(probe_trees)
        probe = lazy.late_by_number("probe")

        @njit("int64(int64, float64[::1])", nogil=True)
        def call(row, like):
            return probe(0, 1, row, like)

        barrier, found = threading.Barrier(4), {}

        def first_call(row):
            barrier.wait()
            found[row] = call(row, np.zeros(1))

        threads = [threading.Thread(target=first_call, args=(row,)) for row in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert found == {row: 1 + 10 * row for row in range(4)}
        assert compiled == [probe_trees]
        """,
    )


@pytest.mark.parametrize(
    ("broken", "value", "solver"),
    [
        ("special_trees", "np.nan", "None"),
        ("special_adjoint_trees", "expected(0.3)[0]", "None"),
        ("steady_state_nonlinear", "np.nan", "Rodas5P(rtol=1e-13)"),
        ("steady_state_nonlinear_adjoint", "expected(0.3)[0]", "Rodas5P(rtol=1e-13)"),
    ],
)
def test_a_callback_that_does_not_compile_is_reported_and_gives_nan(shared, broken, value, solver):
    said = run(
        shared,
        f"""
        compile_callback = lazy.compile_callback

        def failing(function):
            if function.__name__ == "{broken}":
                raise RuntimeError("the reason")
            return compile_callback(function)

        lazy.compile_callback = failing
        steady = model(1, {solver})
        for _ in range(2):
            np.testing.assert_allclose(steady(0.3), [{value}, np.nan], rtol=1e-12 if {solver} is None else 1e-9)
        """,
    )
    assert said.count("RuntimeError: the reason") == 1
    assert said.count(f"could not compile '{broken}'") == 1
