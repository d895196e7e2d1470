"""Blocks: a simulation cut into parts that fit into memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

VALUES = 2**21
"""Largest number of values of paths in a block, 16 MiB, unless one individual's alone are more."""


@dataclass(frozen=True)
class Block:
    """Some draws of one chain, some subjects, one regimen.

    Attributes
    ----------
    subjects : slice
    regimen, chain : int
    draws : slice
        Within the chain.
    """

    subjects: slice
    regimen: int
    chain: int
    draws: slice

    @property
    def index(self) -> tuple[int, slice, int, slice]:
        """Where the block lies in an array (chain, draw, regimen, subject, ...)."""
        return self.chain, self.draws, self.regimen, self.subjects


@dataclass(frozen=True)
class Blocks:
    """The blocks of a simulation, in the order in which they are worked on: one regimen after another.

    All subjects of a draw are in one block, unless their paths alone are more than `most`; then every block holds one
    draw of some subjects. Neither the draws nor the subjects of a block have anything to do with its results.

    Attributes
    ----------
    chains, draws, regimens, subjects : int
        Numbers of them; draws by chain.
    values : int
        Values of the paths of one individual, all outputs together.
    most : int
        Values in a block.

    Examples
    --------
    >>> blocks = Blocks(chains=2, draws=30, regimens=1, subjects=500, values=100, most=10**6)
    >>> [(block.chain, block.draws) for block in blocks]
    [(0, slice(0, 15, None)), (0, slice(15, 30, None)), (1, slice(0, 15, None)), (1, slice(15, 30, None))]
    """

    chains: int
    draws: int
    regimens: int
    subjects: int
    values: int
    most: int = VALUES

    def __iter__(self) -> Iterator[Block]:
        for subjects in self.parts_of_subjects():
            size = subjects.stop - subjects.start
            for regimen in range(self.regimens):
                for chain in range(self.chains):
                    for draws in even(self.draws, max(1, self.most // (size * self.values))):
                        yield Block(subjects, regimen, chain, draws)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def parts_of_subjects(self) -> list[slice]:
        """Give the subjects that are solved together."""
        return even(self.subjects, max(1, self.most // self.values))


def even(n: int, most: int) -> list[slice]:
    """Cut n things into parts of almost equal size, none of more than `most`.

    Examples
    --------
    >>> even(10, 4)
    [slice(0, 3, None), slice(3, 6, None), slice(6, 10, None)]
    """
    parts = math.ceil(n / most)
    return [slice(n * part // parts, n * (part + 1) // parts) for part in range(parts)]
