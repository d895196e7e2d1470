"""What the last solve of each system has cost, by which the next one chooses its threads and the room for its path.

A sampler solves a system thousands of times at parameters that change little. How long it takes cannot be known before,
but the last time tells. Nothing that a solve returns depends on these numbers.
"""

from __future__ import annotations

import ctypes

import llvmlite.binding

STEPS, ROWS = range(2)
"""Entries: steps of the integration, and rows of the path, for each subject."""

FIRST_GUESS = 64

efforts: dict[str, ctypes.Array[ctypes.c_int64]] = {}
"""By symbol: they must outlive the graphs that hold their addresses."""


def effort_symbol(name: str) -> str:
    """Return the symbol by which compiled code finds the effort of a system, given the name of its equations."""
    symbol = f"qsp_bayes_effort_{name}"
    if symbol not in efforts:
        efforts[symbol] = (ctypes.c_int64 * 2)(FIRST_GUESS, FIRST_GUESS)
        llvmlite.binding.add_symbol(symbol, ctypes.addressof(efforts[symbol]))
    return symbol
