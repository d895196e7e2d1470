"""Threads change the time that a solve takes and no bit of its results; they really run, and never wait for Python."""

import ctypes
import os
import subprocess
import sys
import textwrap
import threading
from contextlib import contextmanager
from pathlib import Path

import llvmlite.binding
import numpy as np
import pytest
from ragged import KINDS, Batch, differences

from qsp_bayes.ode.threads import (
    CREATE,
    DETACH,
    HIRED,
    cells,
    granted_cores,
    number_of_threads,
    slots,
    threads,
    usable_cores,
    wait_for_helpers,
)

pytestmark = pytest.mark.skipif(cells[CREATE] == 0, reason="there are no POSIX threads")

MUCH = 10**6
"""Steps that make any solve worth all the threads that it may have."""
EAGAIN = 11

CREATES = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
DETACHES = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
JOINS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


@contextmanager
def hiring(create):
    """Have solves start helpers by another function, called in the calling thread; none is left from before."""
    wait_for_helpers()
    before = cells[CREATE], cells[DETACH]
    own = CREATES(create), DETACHES(nothing)
    cells[CREATE], cells[DETACH] = (ctypes.cast(function, ctypes.c_void_p).value for function in own)
    try:
        yield
    finally:
        cells[CREATE], cells[DETACH] = before


real_create = CREATES(cells[CREATE])
join_address = llvmlite.binding.address_of_symbol("pthread_join") or 0
real_join = JOINS(join_address)


def helpers_first(handle, attributes, function, argument):
    """Start a helper and let it work, and end, before anyone else does anything."""
    failed = real_create(handle, attributes, function, argument)
    return failed or real_join(ctypes.c_int64.from_address(handle).value, None)


def refused(handle, attributes, function, argument):
    """Say that the system has no more threads."""
    return EAGAIN


def nothing(handle):
    return 0


@pytest.fixture(scope="module", params=KINDS)
def batch(request):
    return Batch(kind=request.param)


@pytest.fixture(scope="module")
def sequential(batch):
    return {"states": batch.states(), "gradient": batch.gradient()}


def run(batch, what):
    batch.effort[0] = MUCH
    return getattr(batch, what)()


def test_the_batch_has_what_it_should(batch, sequential):
    how = sequential["gradient"]["failures"].reshape(-1, 3)[:, 0]
    assert {0, 1} <= set(how)
    rate, evid, steady = (batch.inputs[k] for k in (4, 12, 15))
    assert set(evid) == {0, 1, 3, 4}
    if batch.kind == "switches":
        assert batch.compiled.directions == (1,)
    else:
        assert set(steady) == {0, 1, 2}
        assert 3 in how
    assert (rate > 0).any()
    assert len(set(np.bincount(batch.subject))) > 5


@pytest.mark.parametrize("number", [2, 3, 7])
@pytest.mark.parametrize("what", ["states", "gradient"])
def test_every_bit_is_the_same_for_any_number_of_threads(batch, sequential, what, number):
    with threads(number):
        for _ in range(5):
            hired = cells[HIRED]
            assert differences(run(batch, what), sequential[what]) == []
            solves = 1 if what == "states" else 2
            # There is a second round where the part of the path that a thread has is too small.
            assert solves * (number - 1) <= cells[HIRED] - hired <= 2 * solves * (number - 1)


def test_helpers_end_when_nobody_needs_them(batch):
    with threads(3):
        run(batch, "states")
    wait_for_helpers()
    assert not any(slots[::16])


@pytest.mark.parametrize("create", [helpers_first, refused])
@pytest.mark.parametrize("what", ["states", "gradient"])
def test_whoever_takes_a_subject_finds_the_same(batch, sequential, what, create):
    """The helpers take all subjects before the calling thread takes any, or there are none."""
    with threads(3), hiring(create):
        assert differences(run(batch, what), sequential[what]) == []


def test_shared_rows_have_the_sum_of_what_each_subject_adds():
    """Rows of their own, all equal, give the terms of the sum."""
    shared, apart = Batch(8, "one row", difficult=False), Batch(8, "by subject", difficult=False)
    values, initial = shared.inputs[7] * [[1], [1], [1], [1], [0.02]], shared.inputs[8]
    shared.inputs = (*shared.inputs[:7], values, initial, *shared.inputs[9:])
    spread = (np.tile(values, 8), np.tile(initial, 8))
    apart.inputs = (*apart.inputs[:7], *spread, *apart.inputs[9:])
    apart.cotangent = shared.cotangent
    one, each = shared.gradient(), apart.gradient()
    assert not one["failures"].any()
    for name in ("values", "initial"):
        np.testing.assert_allclose(one[name][:, 0], each[name].sum(axis=1), rtol=1e-10)
    np.testing.assert_array_equal(one["amount"], each["amount"])


def test_one_subject_that_cannot_be_solved_makes_the_row_that_it_shares_nan():
    batch = Batch(8, "few rows", difficult=False, max_steps=250)
    with threads(2):
        found = run(batch, "gradient")
    failed = found["failures"].reshape(-1, 3)[:, 0] != 0
    of_failed = np.isin(np.arange(3), batch.row[failed[batch.subject]])
    assert 0 < failed.sum() < len(failed)
    np.testing.assert_array_equal(np.isnan(found["values"]).any(axis=0), of_failed)


def test_little_work_starts_no_thread(batch):
    def forbidden(*arguments):
        raise AssertionError("a thread was started")

    batch.effort[0] = 1
    with threads(2), hiring(forbidden):
        batch.states()


def test_a_path_that_is_too_short_is_made_longer(batch, sequential):
    for number in (1, 2, 5):
        with threads(number):
            batch.effort[1] = 1
            assert differences(run(batch, "gradient"), sequential["gradient"]) == []


def test_many_callers_at_once(batch, sequential):
    """As the chains of a sampler do, without Python's lock, each with helpers of its own."""
    wrong = []

    def chain(what):
        for _ in range(10):
            wrong.extend(differences(run(batch, what), sequential[what]))

    with threads(3):
        chains = [threading.Thread(target=chain, args=(what,)) for what in ("states", "gradient") * 2]
        for one in chains:
            one.start()
        for one in chains:
            one.join()
    assert wrong == []


LATE = {
    "by subject": ["steady_state_nonlinear", "steady_state_nonlinear_adjoint"],
    "switches": ["cut_step_nonlinear", "settle_nonlinear", "pass_back_nonlinear"],
}


@pytest.mark.parametrize(
    ("kind", "broken"), [(kind, broken) for kind, names in LATE.items() for broken in ("", *names)]
)
def test_what_is_compiled_late_does_not_block_threads(kind, broken):
    """The calling thread holds Python's lock while a helper does all the work, and what comes late needs that lock."""
    script = f"""
        import ctypes
        import numpy as np
        from ragged import Batch
        from qsp_bayes.ode import lazy, nonlinear_op
        from qsp_bayes.ode.batch import from_python
        from qsp_bayes.ode.threads import CREATE, cells, threads
        from test_threads import hiring, join_address

        start = ctypes.PYFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 4)(cells[CREATE])  # it keeps Python's lock
        wait = ctypes.PYFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 2)(join_address)  # so does this

        def helper_first(handle, attributes, function, argument):
            start(handle, attributes, function, argument)
            return wait(ctypes.c_int64.from_address(handle).value, None)

        compile_callback = lazy.compile_callback

        def failing(function):
            if function.__name__ == "{broken}":
                raise RuntimeError("the reason")
            return compile_callback(function)

        lazy.compile_callback = failing
        batch = Batch(6, "{kind}")
        batch.solve = from_python(nonlinear_op.solver, batch.compiled)
        batch.gather = from_python(nonlinear_op.adjoint, batch.compiled)
        batch.effort[0] = 10**6
        with threads(2), hiring(helper_first):
            found = batch.gradient()
        late = dict((one.function.__name__, one) for one in lazy.bound.values())
        assert all(late[name].compiled for name in {LATE[kind]} if not "{broken}")
        assert not "{broken}" or late["{broken}"].compiled is None
        # Each subject of a system with switches needs the search for crossings and what happens at one.
        needed = ("cut_step_nonlinear", "settle_nonlinear")
        assert np.isfinite(found["states"]).any() == ("{broken}" not in needed)
        if "{broken}" and "{kind}" == "by subject":
            steady = np.isin(np.arange(6), batch.subject[batch.inputs[15] > 0])
            assert 0 < steady.sum() < 6
            np.testing.assert_array_equal(np.isnan(found["values"]).any(axis=0)[2:], steady[2:])
        """
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])])}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


def test_the_number_is_put_back_and_must_be_positive():
    with threads(3), threads(2):
        assert number_of_threads() == 2
    assert number_of_threads() == 1
    with pytest.raises(ValueError, match="0 threads"), threads(0):
        pass
    assert number_of_threads() == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_begins_with_one_thread():
    script = """
        import os
        from qsp_bayes.ode.threads import number_of_threads, threads
        with threads(4):
            child = os.fork()
            if child == 0:
                os._exit(number_of_threads())
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        """
    root = str(Path(__file__).parents[2])
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": root},
        check=True,
    )


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "250000 100000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
    ],
)
def test_a_control_group_limits_the_cores(tmp_path, files, expected):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert granted_cores(8, tmp_path) == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes are not bound to cores")
def test_cores_that_the_process_is_not_bound_to_do_not_count():
    bound = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(bound)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, bound)
