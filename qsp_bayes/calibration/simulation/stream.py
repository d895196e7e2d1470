"""Stream: the blocks of a simulation, solved by all cores and given on in order, none kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from qsp_bayes.calibration.simulation.blocks import Block, Blocks
from qsp_bayes.ode.threads import threads

Paths = dict[str, np.ndarray]
"""By output: (draw, subject, time)."""
Task = Callable[[Event], Paths]
"""Solves a block, and gives up where the event is set."""


@dataclass(frozen=True)
class Stream:
    """Solve blocks one after another, or several at once.

    With more than one core, and at least twice as many blocks as cores, each thread solves a block of its own;
    otherwise the solves of one block share the cores. What is solved does not depend on it. No more than one block for
    each core is solved or waits to be fetched.

    Attributes
    ----------
    blocks : Blocks
    prepare : callable
        Gives the task of a block; called in order, in the calling thread.
    cores : int
    progressbar : bool
    """

    blocks: Blocks
    prepare: Callable[[Block], Task]
    cores: int
    progressbar: bool = False

    def solved(self) -> Generator[tuple[Block, Paths]]:
        """Give each block with its paths.

        An interruption, or an error of whoever takes the blocks, ends the threads before it is passed on.
        """
        with self.progress() as progress:
            done = progress.add_task("simulating", total=len(self.blocks))
            for block, paths in self.several() if self.at_once > 1 else self.one():
                yield block, paths
                progress.advance(done)

    @property
    def at_once(self) -> int:
        """Number of blocks that are solved at once."""
        return self.cores if len(self.blocks) >= 2 * self.cores else 1

    def one(self) -> Generator[tuple[Block, Paths]]:
        """Solve the blocks in this thread; the solves may share the cores."""
        never = Event()
        with threads(self.cores):
            for block in self.blocks:
                yield block, self.prepare(block)(never)

    def several(self) -> Generator[tuple[Block, Paths]]:
        """Solve several blocks at once, each in a thread."""
        stop = Event()
        waiting: deque[tuple[Block, Future[Paths]]] = deque()
        at_once = self.at_once
        with threads(1), ThreadPoolExecutor(at_once) as pool:
            try:
                for number, block in enumerate(self.blocks):
                    task = self.prepare(block)
                    waiting.append((block, pool.submit(task, stop)))
                    if number == 0:  # compiles; whoever looks at it may find that nothing else is needed
                        waiting[0][1].result()
                    if number == 0 or len(waiting) > at_once:
                        yield first(waiting)
                while waiting:
                    yield first(waiting)
            finally:
                stop.set()
                pool.shutdown(cancel_futures=True)

    def progress(self) -> Progress:
        """Make the bar, or one that shows nothing."""
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            transient=True,
            disable=not self.progressbar,
        )


def first(waiting: deque[tuple[Block, Future[Paths]]]) -> tuple[Block, Paths]:
    """Fetch the paths of the block that has waited longest."""
    block, future = waiting.popleft()
    return block, future.result()


def draw_by_draw(
    solve: Callable[[int], Sequence[np.ndarray]], draws: range, outputs: Sequence[str], shape: tuple[int, int]
) -> Task:
    """Make the task that solves some draws, each giving an array by observation for each output.

    Parameters
    ----------
    solve : callable
        Of the number of a draw.
    draws : range
    outputs : sequence of str
    shape : tuple
        Numbers of subjects and times.
    """

    def task(stop: Event) -> Paths:
        paths = {name: np.empty((len(draws), *shape)) for name in outputs}
        for row, draw in enumerate(draws):
            if stop.is_set():
                break
            for name, values in zip(outputs, solve(draw), strict=True):
                paths[name][row] = values.reshape(shape)
        return paths

    return task
