"""The static structure of a linear system: which state feeds which, and in what order.

The states of dx/dt = A x + b form strongly connected blocks (a depot is one, a central compartment with its peripherals
another). In topological order of the blocks A is block lower triangular, so its eigenvalues are those of the diagonal
blocks, and most blocks of pharmacology are tiny: single states, or trees of compartments that exchange both ways,
which a diagonal scaling makes symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

GENERAL = -2
"""Parent entry of the states of a block that is not a tree; it takes the general eigenvalue solver."""


@dataclass(frozen=True)
class LinearStructure:
    """Pattern of A, with its states in an order that the solver can use.

    Parameters
    ----------
    n_states : int
    entries : tuple of (int, int)
        Row and column of each structurally non-zero entry of A, in the caller's order of states.
    accumulators : tuple of int
        States that appear in no rate and take no part in steady states and resets.

    Attributes
    ----------
    order : tuple of int
        The caller's state at each position of the solver's order: blocks in topological order, accumulators last.

    Examples
    --------
    >>> structure = LinearStructure(3, ((0, 0), (1, 0), (1, 1), (1, 2), (2, 1), (2, 2)), ())
    >>> structure.order, structure.blocks.tolist(), structure.general
    ((0, 1, 2), [0, 1, 3], False)
    """

    n_states: int
    entries: tuple[tuple[int, int], ...]
    accumulators: tuple[int, ...] = ()

    @cached_property
    def _labels(self) -> np.ndarray:
        rows, columns = self._rows_columns(self.entries)
        graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(self.n_states, self.n_states))
        return connected_components(graph, directed=True, connection="strong")[1]

    @staticmethod
    def _rows_columns(entries: tuple[tuple[int, int], ...]) -> tuple[np.ndarray, np.ndarray]:
        table = np.array(entries, dtype=np.int64).reshape(-1, 2)
        return table[:, 0], table[:, 1]

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Caller's state at each solver position."""
        depth = dict.fromkeys(range(self.n_states), 0)
        labels = self._labels
        for _ in range(
            self.n_states
        ):  # longest path between blocks: a feeding block comes before the block it feeds
            for i, j in self.entries:
                if labels[i] != labels[j]:
                    needed = max(depth[k] for k in range(self.n_states) if labels[k] == labels[j]) + 1
                    if depth[i] < needed:
                        for k in range(self.n_states):
                            if labels[k] == labels[i]:
                                depth[k] = max(depth[k], needed)
        last = set(self.accumulators)
        return tuple(sorted(range(self.n_states), key=lambda k: (k in last, depth[k], labels[k], k)))

    @cached_property
    def position(self) -> np.ndarray:
        """Solver position of each of the caller's states."""
        position = np.empty(self.n_states, np.int64)
        position[list(self.order)] = np.arange(self.n_states)
        return position

    @property
    def n_dynamic(self) -> int:
        """Number of states that are not accumulators; they come first."""
        return self.n_states - len(self.accumulators)

    @cached_property
    def pattern(self) -> np.ndarray:
        """Solver row and column of each entry, (entry, 2)."""
        return self.position[np.array(self.entries, dtype=np.int64).reshape(-1, 2)]

    @cached_property
    def blocks(self) -> np.ndarray:
        """First position of each block, and the end."""
        labels = self._labels[list(self.order)]
        return np.array([0, *(np.flatnonzero(np.diff(labels)) + 1), self.n_states], np.int64)

    @cached_property
    def block_of(self) -> np.ndarray:
        """Block of each position."""
        return np.repeat(np.arange(self.blocks.size - 1), np.diff(self.blocks))

    @cached_property
    def parents(self) -> np.ndarray:
        """Parent of each position in the tree of its block; -1 at a root, GENERAL where the block is not a tree."""
        parents = np.full(self.n_states, -1, np.int64)
        coupled = {(int(i), int(j)) for i, j in self.pattern if i != j}
        for start, stop in zip(self.blocks[:-1], self.blocks[1:], strict=True):
            members = range(int(start), int(stop))
            edges = {(i, j) for i, j in coupled if i in members and j in members}
            if len(edges) != 2 * (len(members) - 1) or any((j, i) not in edges for i, j in edges):
                parents[start:stop] = GENERAL
                continue
            found, frontier = {int(start)}, [int(start)]
            while frontier:
                parent = frontier.pop()
                for child in members:
                    if (parent, child) in edges and child not in found:
                        parents[child] = parent
                        found.add(child)
                        frontier.append(child)
        return parents

    @property
    def general(self) -> bool:
        """Whether some block needs the general, complex eigenvalue solver."""
        return bool((self.parents == GENERAL).any())

    @cached_property
    def reachable(self) -> np.ndarray:
        """Whether position i is fed, directly or not, by position j; (i, j), diagonal included."""
        reach = np.eye(self.n_states, dtype=bool)
        for i, j in self.pattern:
            reach[i, j] = True
        for k in range(self.n_states):
            reach |= reach[:, [k]] & reach[[k], :]
        return reach
