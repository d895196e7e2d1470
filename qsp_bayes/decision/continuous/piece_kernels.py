"""What can be asked of polynomial pieces, with exact derivatives: compiled loops over subjects and pieces.

A piece is the polynomial p(s), s in [-1, 1], through `values` at the nodes of `chebyshev`; it lasts `length`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numba
import numpy as np

from qsp_bayes.decision.continuous import chebyshev
from qsp_bayes.decision.continuous.chebyshev import BERNSTEIN, N_NODES, POWERS

KERNELS_VERSION = hashlib.sha256(
    b"".join(Path(source).read_bytes() for source in (__file__, chebyshev.__file__))
).hexdigest()[:16]
"""Part of the keys under which compiled graphs are cached: any change to a kernel makes new ones."""

FLAT = 1e-9
"""Slopes below this, relative to the values of the piece, count as this: at a tangency a duration has no derivative."""

ROUNDING = 1e-12
"""Of Bernstein coefficients, relative to the largest."""

compiled = numba.njit(cache=True, error_model="numpy")


@compiled
def evaluate(p, degree, s):  # type: ignore[no-untyped-def]
    """Evaluate a polynomial given by the coefficients of its powers, lowest first."""
    total = p[degree]
    for k in range(degree - 1, -1, -1):
        total = total * s + p[k]
    return total


@compiled
def basis(s, out):  # type: ignore[no-untyped-def]
    """Evaluate the polynomials that are 1 at one node and 0 at the others."""
    for j in range(N_NODES):
        total = POWERS[N_NODES - 1, j]
        for k in range(N_NODES - 2, -1, -1):
            total = total * s + POWERS[k, j]
        out[j] = total


@compiled
def root_between(p, degree, left, right, at_left):  # type: ignore[no-untyped-def]
    """Find the root in a bracket on which the polynomial is monotone: Newton's steps, halving where they leave it."""
    s = 0.5 * (left + right)
    for _ in range(200):
        value = slope = 0.0
        for k in range(degree, -1, -1):
            slope = slope * s + value
            value = value * s + p[k]
        if value == 0.0:
            return s
        if (value > 0.0) == (at_left > 0.0):
            left = s
        else:
            right = s
        step = s - value / slope if slope != 0.0 else left - 1.0
        new = step if left < step < right else 0.5 * (left + right)
        if abs(new - s) <= 1e-16 + 2e-16 * abs(s) or new in (left, right):
            return new
        s = new
    return s


@compiled
def roots_within(p, work, found):  # type: ignore[no-untyped-def]
    """Find where a polynomial changes sign in (-1, 1), ascending; return how many places.

    The roots of each derivative bracket those of the polynomial of which it is the derivative, so that none is missed.
    """
    degree = N_NODES - 1
    for k in range(degree + 1):
        work[0, k] = p[k]
    for order in range(1, degree):
        for k in range(degree + 1 - order):
            work[order, k] = work[order - 1, k + 1] * (k + 1)
    n_found = 0
    ends = work[degree]
    for order in range(degree - 1, -1, -1):
        ends[0] = -1.0
        for k in range(n_found):
            ends[k + 1] = found[k]
        ends[n_found + 1] = 1.0
        n_brackets, n_found = n_found + 1, 0
        at_left = evaluate(work[order], degree - order, -1.0)
        for k in range(n_brackets):
            at_right = evaluate(work[order], degree - order, ends[k + 1])
            if (at_left > 0.0) != (at_right > 0.0):
                found[n_found] = root_between(work[order], degree - order, ends[k], ends[k + 1], at_left)
                n_found += 1
            at_left = at_right
    return n_found


@compiled
def to_powers(values, p):  # type: ignore[no-untyped-def]
    """Give the coefficients of the powers of s of the polynomial through some values."""
    for k in range(N_NODES):
        p[k] = 0.0
    for j in range(N_NODES):
        for k in range(N_NODES):
            p[k] += POWERS[k, j] * values[j]


@compiled
def all_on_one_side(values, level):  # type: ignore[no-untyped-def]
    """Tell whether the values stay so far on one side of a level that the piece cannot cross it: -1, 1, or 0 if not.

    Between the nodes a polynomial leaves the range of its values by less than 1.5 times that range (its Lebesgue
    constant is below 2.5).
    """
    low = high = values[0]
    for j in range(1, N_NODES):
        low, high = min(low, values[j]), max(high, values[j])
    room = 1.5 * (high - low)
    if high + room < level:
        return -1
    if low - room > level:
        return 1
    return 0


@compiled
def to_bernstein(values, b):  # type: ignore[no-untyped-def]
    """Give the coefficients of Bernstein polynomials of the polynomial through some values."""
    for k in range(N_NODES):
        total = 0.0
        for j in range(N_NODES):
            total += BERNSTEIN[k, j] * values[j]
        b[k] = total


@compiled
def largest_size(b):  # type: ignore[no-untyped-def]
    """Give the largest absolute value."""
    size = 0.0
    for k in range(N_NODES):
        size = max(size, abs(b[k]))
    return size


@compiled
def sign_changes(b, degree, level, room):  # type: ignore[no-untyped-def]
    """Count how often coefficients pass a level: 0 and 1 are the exact number of roots (Descartes), more a bound.

    Coefficients closer to the level than rounding may put on either side: then nothing is said, by -1.
    """
    changes, above = 0, b[0] > level
    for k in range(degree + 1):
        if not abs(b[k] - level) > room:
            return -1
        if (b[k] > level) != above:
            changes, above = changes + 1, not above
    return changes


@compiled
def is_constant_at(values, level):  # type: ignore[no-untyped-def]
    """Tell whether a piece stays at a level."""
    same = True
    for j in range(N_NODES):
        same = same and values[j] == level
    return same


@compiled
def time_below_kernel(values, lengths, level, strict):  # type: ignore[no-untyped-def]
    """Time below a level, (subject,), and its derivatives by values, lengths and level."""
    n_subjects, n_pieces, _ = values.shape
    total = np.zeros(n_subjects)
    by_value = np.zeros_like(values)
    by_length = np.zeros((n_subjects, n_pieces))
    by_level = np.zeros(n_subjects)
    p, found, at_root = np.empty(N_NODES), np.empty(N_NODES), np.empty(N_NODES)
    b, work = np.empty(N_NODES), np.empty((N_NODES, N_NODES + 1))
    for i in range(n_subjects):
        for q in range(n_pieces):
            if not lengths[i, q] > 0.0:
                continue
            side, changes = all_on_one_side(values[i, q], level[i]), -1
            if side == 0:
                to_bernstein(values[i, q], b)
                changes = sign_changes(b, N_NODES - 1, level[i], ROUNDING * largest_size(b))
                if changes == 0:
                    side = 1 if b[0] > level[i] else -1
            if is_constant_at(values[i, q], level[i]):
                side = 1 if strict else -1
            if side != 0:
                by_length[i, q] = 1.0 if side < 0 else 0.0
                total[i] += by_length[i, q] * lengths[i, q]
                continue
            to_powers(values[i, q], p)
            p[0] -= level[i]
            if np.isnan(p[0]):  # a subject that could not be solved
                total[i] = np.nan
                continue
            size = 0.0
            for k in range(N_NODES):
                size = max(size, abs(p[k]))
            if changes == 1:
                n_found = 1
                found[0] = root_between(p, N_NODES - 1, -1.0, 1.0, b[0] - level[i])
            else:
                n_found = roots_within(p, work, found)
            share, left = 0.0, -1.0
            for r in range(n_found + 1):
                right = found[r] if r < n_found else 1.0
                if evaluate(p, N_NODES - 1, 0.5 * (left + right)) < 0.0:
                    share += 0.5 * (right - left)
                left = right
            by_length[i, q] = share
            total[i] += share * lengths[i, q]
            for r in range(n_found):
                slope = 0.0
                for k in range(N_NODES - 1, 0, -1):
                    slope = slope * found[r] + k * p[k]
                moved = 0.5 * lengths[i, q] / max(abs(slope), FLAT * size)
                basis(found[r], at_root)
                by_level[i] += moved
                for j in range(N_NODES):
                    by_value[i, q, j] -= moved * at_root[j]
    return total, by_value, by_length, by_level


@compiled
def largest_kernel(values, lengths):  # type: ignore[no-untyped-def]
    """Largest value over the pieces that last, (subject,), and its derivatives by the values."""
    n_subjects, n_pieces, _ = values.shape
    largest = np.full(n_subjects, -np.inf)
    by_value = np.zeros_like(values)
    p, slope, found = np.empty(N_NODES), np.zeros(N_NODES), np.empty(N_NODES)
    b, work = np.empty(N_NODES), np.empty((N_NODES, N_NODES + 1))
    for i in range(n_subjects):
        piece, place = -1, 0.0
        for q in range(n_pieces):
            if not lengths[i, q] > 0.0 or all_on_one_side(values[i, q], largest[i]) < 0:
                continue
            to_bernstein(values[i, q], b)
            room = ROUNDING * largest_size(b)
            if b.max() + room < largest[i]:
                continue
            to_powers(values[i, q], p)
            for k in range(N_NODES - 1):
                b[k] = b[k + 1] - b[k]
            n_found = 0
            if sign_changes(b, N_NODES - 2, 0.0, room) != 0:
                for k in range(N_NODES - 1):
                    slope[k] = (k + 1) * p[k + 1]
                n_found = roots_within(slope, work, found)
            for r in range(n_found + 2):
                s = -1.0 if r == n_found else 1.0 if r == n_found + 1 else found[r]
                value = evaluate(p, N_NODES - 1, s)
                if value > largest[i] or np.isnan(value):
                    largest[i], piece, place = value, q, s
        if piece >= 0:
            basis(place, by_value[i, piece])
    return largest, by_value


@compiled
def value_at_kernel(values, edges, time):  # type: ignore[no-untyped-def]
    """Value just before a time, (subject,), and its derivatives by values and edges."""
    n_subjects, n_pieces, _ = values.shape
    found = np.full(n_subjects, np.nan)
    by_value = np.zeros_like(values)
    by_edge = np.zeros((n_subjects, n_pieces + 1))
    p = np.empty(N_NODES)
    for i in range(n_subjects):
        piece = -1
        for q in range(n_pieces):
            if edges[i, q] < edges[i, q + 1] and (piece < 0 or edges[i, q] < time[i]):
                piece = q
        if piece < 0:
            continue
        left, right = edges[i, piece], edges[i, piece + 1]
        s = min(1.0, max(-1.0, 2.0 * (time[i] - left) / (right - left) - 1.0))
        to_powers(values[i, piece], p)
        found[i] = evaluate(p, N_NODES - 1, s)
        basis(s, by_value[i, piece])
        slope = 0.0
        for k in range(N_NODES - 1, 0, -1):
            slope = slope * s + k * p[k]
        by_edge[i, piece] = -slope * (1.0 - s) / (right - left)
        by_edge[i, piece + 1] = -slope * (1.0 + s) / (right - left)
    return found, by_value, by_edge
