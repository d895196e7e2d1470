"""The threads of one solve: each works on a table of its own, and takes subjects until none is left.

What a thread changes beside the results of the subjects that it takes is its own: the row `SCRATCH` of its table, and
its part of the path. All else in its table is a copy of what the calling thread entered. Which thread takes which
subject is left to chance, so that all end at about the same time however much subjects differ; no result depends on it.
"""

from __future__ import annotations

import numpy as np

from qsp_bayes.ode.field import call
from qsp_bayes.ode.jit import allocating_kernel, kernel
from qsp_bayes.ode.nonlinear_problem import CREW, N_ROWS, QUEUE, SCRATCH, SERVE, WORKER
from qsp_bayes.ode.table import COLUMNS, WORD, allocate_cleared, carve, start
from qsp_bayes.ode.threads import (
    ATTRIBUTES,
    EMPTY,
    hire,
    let_others_run,
    look,
    show,
    threads_allowed,
    threads_exist,
    wait_for_work,
)

LINE = np.int64(16)
"""Words between what two threads write, so that neither waits for the other's processor."""
DONE = np.int64(1)
"""Words before a table: 1 when the helper that works on it is done."""
TABLE = np.int64(N_ROWS * COLUMNS)

ENOUGH = 150_000.0
"""Work for which a thread is worth its start, in ns. (Starting one takes 20 to 50 us, hiring one below 1.)"""


@kernel()
def crew_size(work, n_subjects):  # type: ignore[no-untyped-def]
    """Return how many threads to use for some work, in ns, on some subjects."""
    if threads_exist() == 0:
        return np.int64(1)
    return max(np.int64(1), min(threads_allowed(), n_subjects, np.int64(min(work, 1e15) / ENOUGH)))


@kernel()
def stride(own_words):  # type: ignore[no-untyped-def]
    """Words from one thread to the next."""
    return DONE + TABLE + own_words + LINE


@kernel()
def table_of(address, k, own_words):  # type: ignore[no-untyped-def]
    """Address of the table of a thread."""
    return start(address, CREW) + (LINE + k * stride(own_words) + DONE) * WORD


@allocating_kernel()
def assemble(address, size, own_words):  # type: ignore[no-untyped-def]
    """Make the tables of a crew, with so many words of scratch each, cleared; the queue begins at the first subject."""
    allocate_cleared(address, CREW, (LINE + size * stride(own_words) + ATTRIBUTES,))
    original, _ = carve(address, (N_ROWS, COLUMNS), np.int64)
    for k in range(size):
        at = table_of(address, k, own_words)
        table, scratch = carve(at, (N_ROWS, COLUMNS), np.int64)
        for row in range(N_ROWS):
            for column in range(COLUMNS):
                table[row, column] = original[row, column]
        table[QUEUE, 0], table[SCRATCH, 0] = start(address, CREW), scratch


@kernel()
def work(address, size, own_words):  # type: ignore[no-untyped-def]
    """Do the work with a crew, the calling thread being one of it; where a thread cannot be started, with fewer."""
    hired, room = np.int64(0), start(address, CREW) + (LINE + size * stride(own_words)) * WORD
    while hired < size - 1 and hire(table_of(address, hired + 1, own_words), start(address, SERVE), room):
        hired += 1
    call(start(address, WORKER), table_of(address, np.int64(0), own_words))
    for k in range(1, hired + 1):
        while look(table_of(address, k, own_words) - DONE * WORD) == 0:
            let_others_run()


@kernel()
def serve(slot):  # type: ignore[no-untyped-def]
    """Be a helper: work on the table in a slot, and on those that follow, until there are none."""
    task = look(slot)
    while task != EMPTY:
        call(start(task, WORKER), task)
        show(task - DONE * WORD, np.int64(1))  # from here on the table may be gone
        task = wait_for_work(slot)
