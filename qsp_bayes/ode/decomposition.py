"""Eigenvalues and eigenvectors of the matrices of a linear system, block by block.

A = V diag(w) V^-1, with A block lower triangular (see `structure`). A block that is a tree of compartments
exchanging both ways is made symmetric by a diagonal scaling and solved by Jacobi rotations; another block of more
than one state goes to LAPACK in complex arithmetic. Blocks are then coupled by substitution.

Where eigenvalues nearly coincide along a path of the system (KA close to CL/Vc, an Erlang chain) V is
ill-conditioned or does not exist. Each row of the parameter table is therefore marked: `EIGEN` where differences of
exponentials lose at most a factor of `MAX_AMPLIFICATION`, `TAYLOR` where the other propagator (see `taylor`) must
be used, `INVALID` where A is not finite. Where blood circulates (a block that is no tree, as in a whole-body model) a
dozen rates lie close enough for two of them to be within a twentieth of each other in every third draw, and the series
would take a thousand times longer, for the fastest organ is filled in seconds: there `MAX_AMPLIFICATION_GENERAL` holds.
"""

from __future__ import annotations

import math

import numpy as np

from qsp_bayes.ode.jit import allocating_kernel, inlined_kernel, kernel
from qsp_bayes.ode.structure import GENERAL

EIGEN, TAYLOR, INVALID = np.int64(0), np.int64(1), np.int64(2)
MAX_AMPLIFICATION = 20.0
"""Largest product of rate / difference of rates along a path. At 20, values are good to 1e-14 of the maximum."""
MAX_AMPLIFICATION_GENERAL = 1e4
"""The same for a system with a block that is no tree: values are good to 1e-11 of the maximum."""
JACOBI_SWEEPS = 30


@inlined_kernel()
def assemble(pattern, values, row, A):  # type: ignore[no-untyped-def]
    """Set the entries of A, which is 0 elsewhere; return whether all are finite."""
    finite = True
    for k in range(pattern.shape[0]):
        value = values[k, row]
        finite = finite and math.isfinite(value)
        A[pattern[k, 0], pattern[k, 1]] = value
    return finite


@inlined_kernel()
def tree_block(start, stop, parents, work, row, w, V, U):  # type: ignore[no-untyped-def]
    """Eigen-decomposition of a block whose off-diagonal entries form a tree; False where the scaling does not exist."""
    A, S, Q, scale, size = work.A, work.loss, work.base, work.scale, stop - start
    if size == 1:
        w[row, start] = A[start, start]
        V[row, start, start] = 1.0
        U[row, start, start] = 1.0
        return True
    for i in range(size):
        for j in range(size):
            S[i, j] = 0.0
            Q[i, j] = 0.0
        Q[i, i] = 1.0
        scale[i] = 0.0  # not known yet
    scale[0] = 1.0
    for _ in range(size):  # parents may stand after their children
        for i in range(size):
            p = parents[start + i] - start
            if scale[i] == 0.0 and p >= 0 and scale[p] > 0.0:
                forward, back = A[start + i, start + p], A[start + p, start + i]
                if not forward * back > 0.0:
                    return False
                scale[i] = scale[p] * math.sqrt(forward / back)
    for i in range(size):
        S[i, i] = A[start + i, start + i]
        p = parents[start + i] - start
        if p >= 0:
            forward, back = A[start + i, start + p], A[start + p, start + i]
            S[i, p] = math.copysign(math.sqrt(forward * back), forward)
            S[p, i] = S[i, p]
    for _ in range(JACOBI_SWEEPS):
        rotated = False
        for p in range(size - 1):
            for q in range(p + 1, size):
                off = S[p, q]
                if off == 0.0 or abs(off) <= 1e-17 * math.sqrt(abs(S[p, p] * S[q, q])):
                    continue
                rotated = True
                theta = (S[q, q] - S[p, p]) / (2.0 * off)
                t = math.copysign(1.0, theta) / (abs(theta) + math.sqrt(theta * theta + 1.0))
                c = 1.0 / math.sqrt(t * t + 1.0)
                s = t * c
                S[p, p] -= t * off
                S[q, q] += t * off
                S[p, q] = 0.0
                S[q, p] = 0.0
                for k in range(size):
                    if k != p and k != q:
                        a, b = S[k, p], S[k, q]
                        S[k, p] = c * a - s * b
                        S[k, q] = s * a + c * b
                        S[p, k] = S[k, p]
                        S[q, k] = S[k, q]
                    a, b = Q[k, p], Q[k, q]
                    Q[k, p] = c * a - s * b
                    Q[k, q] = s * a + c * b
        if not rotated:
            break
    for i in range(size):
        w[row, start + i] = S[i, i]
        for j in range(size):
            V[row, start + i, start + j] = scale[i] * Q[i, j]
            U[row, start + j, start + i] = Q[i, j] / scale[i]
    return True


@kernel()
def invert(A, inverse):  # type: ignore[no-untyped-def]
    """Gauss-Jordan inversion with partial pivoting (A is overwritten); False where A is singular."""
    n = A.shape[0]
    for i in range(n):
        for j in range(n):
            inverse[i, j] = 0.0
        inverse[i, i] = 1.0
    for k in range(n):
        pivot = k
        for i in range(k + 1, n):
            if abs(A[i, k]) > abs(A[pivot, k]):
                pivot = i
        if not abs(A[pivot, k]) > 0.0:
            return False
        for j in range(n):
            a, b = A[k, j], inverse[k, j]
            A[k, j], inverse[k, j] = A[pivot, j], inverse[pivot, j]
            A[pivot, j], inverse[pivot, j] = a, b
        factor = 1.0 / A[k, k]
        for j in range(n):
            A[k, j] *= factor
            inverse[k, j] *= factor
        for i in range(n):
            if i != k:
                factor = A[i, k]
                if factor != 0.0:
                    for j in range(n):
                        A[i, j] -= factor * A[k, j]
                        inverse[i, j] -= factor * inverse[k, j]
    return True


@inlined_kernel()
def couple(blocks, block_of, reachable, shortest, amplification, work, row, w, V, Vi):  # type: ignore[no-untyped-def]
    """Extend the eigenvectors of the blocks to the whole system; return False where they are too close to parallel.

    With U A V lower triangular in the blocks' own coordinates, the eigenvectors X of that triangle follow by forward
    substitution with denominators w_a - w_i. `loss` follows the same recursion with absolute values, and `base` with
    the denominators that well-separated rates would have: their ratio is the amplification of rounding errors.
    """
    n = w.shape[1]
    A, L, T, X, Y, loss, base = work.A, work.L, work.T, work.X, work.Y, work.loss, work.base
    single = blocks.size == n + 1  # every block is one state, its own eigenvector
    if single:
        for i in range(n):
            for j in range(i):
                L[i, j] = A[i, j]
    else:  # (sums are gathered in a variable: loops that clear arrays become calls of memset)
        for i in range(n):
            for j in range(blocks[block_of[i]]):
                total = w[row, 0] * 0.0
                for k in range(blocks[block_of[j]], blocks[block_of[j] + 1]):
                    total += A[i, k] * V[row, k, j]
                T[i, j] = total
        for i in range(n):
            for j in range(blocks[block_of[i]]):
                total = w[row, 0] * 0.0
                for k in range(blocks[block_of[i]], blocks[block_of[i] + 1]):
                    total += Vi[row, i, k] * T[k, j]
                L[i, j] = total
    for a in range(n):
        for i in range(n):
            X[i, a] = 1.0 if i == a else 0.0
            loss[i, a] = 1.0 if i == a else 0.0
            base[i, a] = loss[i, a]
            if i == a or not reachable[i, a]:
                continue
            gap = abs(w[row, a] - w[row, i])
            scale = max(abs(w[row, a]), abs(w[row, i]), shortest)
            if not gap * amplification > scale:
                return False
            if block_of[i] == block_of[a]:
                continue
            total, lost, spread = w[row, 0] * 0.0, 0.0, 0.0
            for j in range(a, blocks[block_of[i]]):
                total += L[i, j] * X[j, a]
                lost += abs(L[i, j]) * loss[j, a]
                spread += abs(L[i, j]) * base[j, a]
            X[i, a] = total / (w[row, a] - w[row, i])
            loss[i, a] = lost / gap
            base[i, a] = spread / scale
            if loss[i, a] > amplification * base[i, a]:
                return False
    for a in range(n):  # the inverse of the unit lower triangle X
        Y[a, a] = 1.0
        for i in range(a + 1, n):
            total = -X[i, a]
            for j in range(a + 1, i):
                total -= X[i, j] * Y[j, a]
            Y[i, a] = total
    if single:
        for i in range(n):
            for j in range(i):
                V[row, i, j] = X[i, j]
                Vi[row, i, j] = Y[i, j]
        return True
    for i in range(n):  # both are 0 beyond the diagonal block
        stop = blocks[block_of[i] + 1]
        for j in range(stop):
            total = X[i, j] * 0.0
            for k in range(max(j, blocks[block_of[i]]), stop):
                total += V[row, i, k] * X[k, j]
            T[i, j] = total
            total = X[i, j] * 0.0
            for k in range(blocks[block_of[j]], blocks[block_of[j] + 1]):
                total += Y[i, k] * Vi[row, k, j]
            L[i, j] = total
    for i in range(n):
        for j in range(blocks[block_of[i] + 1]):
            V[row, i, j] = T[i, j]
            Vi[row, i, j] = L[i, j]
    return True


@kernel()
def use_identity(row, w, V, Vi):  # type: ignore[no-untyped-def]
    """Mark a row without eigenvectors: its state is kept in the system's own coordinates."""
    for i in range(w.shape[1]):
        w[row, i] = 0.0
        for j in range(w.shape[1]):
            V[row, i, j] = 0.0
            Vi[row, i, j] = 0.0
        V[row, i, i] = 1.0
        Vi[row, i, i] = 1.0


@inlined_kernel()
def decompose_trees(matrix, horizon, work, modes):  # type: ignore[no-untyped-def]
    """Decompose every row of a system whose blocks are all trees, in real arithmetic.

    Fills w (row, n), V (row, n, n), inverse (row, n, n), which come filled with 0, and mode (row,).
    """
    w, V, inverse, mode = modes.w, modes.V, modes.inverse, modes.mode
    pattern, values, reachable = matrix.pattern, matrix.values, matrix.reachable
    blocks, block_of, parents = matrix.blocks, matrix.block_of, matrix.parents
    shortest = 1.0 / max(horizon, 1e-300)
    for row in range(values.shape[1]):
        mode[row] = EIGEN
        if not assemble(pattern, values, row, work.A):
            mode[row] = INVALID
            continue
        good = True
        for b in range(blocks.size - 1):
            good = good and tree_block(blocks[b], blocks[b + 1], parents, work, row, w, V, inverse)
        if not (
            good
            and couple(blocks, block_of, reachable, shortest, MAX_AMPLIFICATION, work, row, w, V, inverse)
        ):
            use_identity(row, w, V, inverse)
            mode[row] = TAYLOR


@allocating_kernel()
def general_block(A, start, stop, row, w, V, U):  # type: ignore[no-untyped-def]
    """Eigen-decomposition of any block, by LAPACK; False where its eigenvectors are too close to parallel."""
    size = stop - start
    block = np.zeros((size, size), np.complex128)
    for i in range(size):
        for j in range(size):
            block[i, j] = A[start + i, start + j]
    values, vectors = np.linalg.eig(block)
    copy = np.zeros((size, size), np.complex128)
    inverse = np.zeros((size, size), np.complex128)
    for i in range(size):
        for j in range(size):
            copy[i, j] = vectors[i, j]
    if not invert(copy, inverse):
        return False
    for i in range(size):
        w[row, start + i] = values[i]
        loss = 0.0
        for j in range(size):
            V[row, start + i, start + j] = vectors[i, j]
            U[row, start + i, start + j] = inverse[i, j]
            loss += abs(vectors[i, j] * inverse[j, i])
        if not loss < MAX_AMPLIFICATION_GENERAL:
            return False
    return True


@inlined_kernel()
def decompose_general(matrix, horizon, work, modes):  # type: ignore[no-untyped-def]
    """As `decompose_trees`, for systems with blocks that are not trees, in complex arithmetic."""
    w, V, inverse, mode = modes.w, modes.V, modes.inverse, modes.mode
    pattern, values, reachable = matrix.pattern, matrix.values, matrix.reachable
    blocks, block_of, parents = matrix.blocks, matrix.block_of, matrix.parents
    shortest = 1.0 / max(horizon, 1e-300)
    for row in range(values.shape[1]):
        mode[row] = EIGEN
        if not assemble(pattern, values, row, work.A):
            mode[row] = INVALID
            continue
        good = True
        for b in range(blocks.size - 1):
            start, stop = blocks[b], blocks[b + 1]
            if parents[start] == GENERAL:
                good = good and general_block(work.A, start, stop, row, w, V, inverse)
            else:
                good = good and tree_block(start, stop, parents, work, row, w, V, inverse)
        if not (
            good
            and couple(
                blocks, block_of, reachable, shortest, MAX_AMPLIFICATION_GENERAL, work, row, w, V, inverse
            )
        ):
            use_identity(row, w, V, inverse)
            mode[row] = TAYLOR
