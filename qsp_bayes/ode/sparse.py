"""The plan of the sparse LU decomposition of shift I - J, made once from the pattern of J."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

MAX_STRAIGHT = 2000
"""Number of multiplications of the decomposition up to which each is a line of its own. Longer ones are loops over
tables, which take no longer to compile however many there are."""


@dataclass(frozen=True)
class Elimination:
    """Plan of the decomposition with pivots on the diagonal, in Markowitz's order.

    The next pivot is always the one with the smallest product of the numbers of others in its row and its column,
    which bounds how many zeros can become non-zero.

    Parameters
    ----------
    n_states : int
    entries : tuple of (int, int)
        Row and column of each structurally non-zero entry of J.

    Examples
    --------
    An arrow matrix fills in wholly when its hub goes first, and not at all when the hub goes last.

    >>> hub = Elimination(4, ((0, 1), (0, 2), (0, 3), (1, 0), (2, 0), (3, 0)))
    >>> hub.order, len(hub.position)
    ((1, 2, 0, 3), 10)
    """

    n_states: int
    entries: tuple[tuple[int, int], ...]

    @cached_property
    def _plan(self) -> tuple[tuple[int, ...], frozenset[tuple[int, int]]]:
        present = set(self.entries) | {(i, i) for i in range(self.n_states)}
        rows = {i: {j for k, j in present if k == i} for i in range(self.n_states)}
        columns = {j: {i for i, k in present if k == j} for j in range(self.n_states)}
        left, order = set(range(self.n_states)), []
        while left:
            pivot = min(sorted(left), key=lambda k: (len(rows[k] & left) - 1) * (len(columns[k] & left) - 1))
            left.remove(pivot)
            order.append(pivot)
            for i in columns[pivot] & left:
                for j in rows[pivot] & left:
                    rows[i].add(j)
                    columns[j].add(i)
        return tuple(order), frozenset((i, j) for i, columns_of_row in rows.items() for j in columns_of_row)

    @property
    def order(self) -> tuple[int, ...]:
        """State of each pivot."""
        return self._plan[0]

    @cached_property
    def position(self) -> dict[tuple[int, int], int]:
        """Place in W of each entry of the factors, row by row."""
        return {entry: k for k, entry in enumerate(sorted(self._plan[1]))}

    def below(self, step: int) -> list[int]:
        """Rows still to come with an entry in the column of a pivot."""
        return [i for i in self.order[step + 1 :] if (i, self.order[step]) in self.position]

    def right(self, step: int) -> list[int]:
        """Columns still to come with an entry in the row of a pivot."""
        return [j for j in self.order[step + 1 :] if (self.order[step], j) in self.position]

    @cached_property
    def n_multiplications(self) -> int:
        """Number of multiplications that the decomposition takes."""
        return sum(len(self.below(k)) * (1 + len(self.right(k))) for k in range(self.n_states))

    @property
    def straight(self) -> bool:
        """Whether each operation is written out."""
        return self.n_multiplications <= MAX_STRAIGHT

    @property
    def n_factors(self) -> int:
        """Length of W: the factors, and in loops two numbers that each pivot is compared with."""
        return len(self.position) + (0 if self.straight else 2 * self.n_states)
