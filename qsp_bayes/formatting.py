"""Numbers as a reader wants them: few digits, decimals aligned, no precision pretended."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

MANY_SIZES = 30
FIGURE_SPACE = "\u2007"
PUNCTUATION_SPACE = "\u2008"
MINUS = "\u2212"
TITLES = {
    "mcse": "MCSE",
    "p_best": "P(best)",
    "ess": "ESS",
    "p_dlt": "P(DLT)",
    "p_mtd": "P(MTD)",
    "dlts": "DLTs",
}
"""Heads of columns whose names cannot be read as words."""
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def significant(value: float, digits: int = 3) -> str:
    """Print a number with `digits` significant digits, never rounding away digits before the decimal point.

    Examples
    --------
    >>> significant(0.040234), significant(1234.5), significant(31.96), significant(-0.5, 2)
    ('0.0402', '1234', '32.0', '−0.50')
    >>> significant(1.5e-7), significant(float("nan")), significant(0.0)
    ('1.50 × 10⁻⁷', '–', '0')
    """
    value = float(value)
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if value == 0:
        return "0"
    mantissa, exponent = f"{abs(value):.{digits - 1}e}".split("e")
    power = int(exponent)
    sign = MINUS if value < 0 else ""
    if not -4 <= power <= 6:
        return f"{sign}{mantissa} × 10{str(power).translate(SUPERSCRIPTS)}"
    return f"{sign}{abs(value):.{max(0, digits - 1 - power)}f}"


def rounded(value: float, digits: int = 3) -> str:
    """Print a number within a sentence: as `significant` does, without zeros at its end, and with a plain minus.

    Examples
    --------
    >>> rounded(0.5), rounded(1234.5), rounded(-0.0204, 2), rounded(11.8, 1), rounded(2.1e-6, 1)
    ('0.5', '1234', '-0.02', '12', '2e-06')
    """
    if not (value == 0 or 1e-4 <= abs(value) < 1e7):
        return f"{value:.{digits}g}"
    text = significant(value, digits).replace(MINUS, "-")
    return text.rstrip("0").rstrip(".") if "." in text else text


def fixed(value: float, decimals: int) -> str:
    """Print a number with a fixed number of decimals.

    Examples
    --------
    >>> fixed(1.0034, 3), fixed(float("nan"), 2), fixed(-2, 1), fixed(float("inf"), 1)
    ('1.003', '–', '−2.0', '∞')
    """
    value = float(value)
    return f"{value:.{decimals}f}".replace("-", MINUS) if math.isfinite(value) else significant(value)


def alike(values: Iterable[float], digits: int = 3) -> list[str]:
    """Print numbers with the same decimals, those that show `digits` significant digits of the largest.

    Examples
    --------
    >>> alike([0.101, 0.0789, 0.129]), alike([32.04, 9.81]), alike([1.5e-9, 0.0])
    (['0.101', '0.079', '0.129'], ['32.0', '9.8'], ['1.50 × 10⁻⁹', '0'])
    """
    values = [float(value) for value in values]
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    power = math.floor(math.log10(largest)) if largest else 0
    if not -4 <= power <= 6:
        return [significant(value, digits) for value in values]
    return [fixed(value, max(0, digits - 1 - power)) for value in values]


def interval(low: float, high: float, digits: int = 3) -> str:
    """Print an interval.

    Examples
    --------
    >>> interval(1.2345, 10.0)
    '1.23 to 10.0'
    """
    return f"{significant(low, digits)} to {significant(high, digits)}"


def percent(share: float) -> str:
    """Print a share in percent; a share that is not quite 0 or 1 is not printed as such.

    Examples
    --------
    >>> percent(0.875), percent(0.999), percent(1.0), percent(0.001), percent(float("nan"))
    ('88 %', '> 99 %', '100 %', '< 1 %', '–')
    """
    share = float(share)
    if math.isnan(share):
        return "–"
    if 0 < share < 0.01:
        return "< 1 %"
    if 0.99 < share < 1:
        return "> 99 %"
    return f"{100 * share:.0f} %"


def count(number: int, noun: str) -> str:
    """Print a number with its noun.

    Examples
    --------
    >>> count(1, "subject"), count(12, "subject")
    ('1 subject', '12 subjects')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def join(words: Iterable[str]) -> str:
    """Print a list of words as a sentence would.

    Examples
    --------
    >>> join(["CL", "Vc", "KA"]), join(["CL"]), join([])
    ('CL, Vc and KA', 'CL', '')
    """
    *first, last = list(words) or [""]
    return f"{', '.join(first)} and {last}" if first else last


def align(cells: Sequence[str]) -> list[str]:
    """Pad the cells of a right-aligned column with spaces as wide as a digit, so that decimal points line up.

    Examples
    --------
    >>> spaces = str.maketrans({FIGURE_SPACE: "_", PUNCTUATION_SPACE: ","})
    >>> [cell.translate(spaces) for cell in align(["1.25", "12", "0.5"])]
    ['1.25', '12,__', '0.5_']
    """
    tails = [cell.partition(".")[2] if cell[-1:].isdigit() else "" for cell in cells]
    width = max(map(len, tails), default=0)
    return [
        cell + (PUNCTUATION_SPACE if width and not tail else "") + FIGURE_SPACE * (width - len(tail))
        for cell, tail in zip(cells, tails, strict=True)
    ]


def printed(values: pd.Series) -> list[str]:
    """Print a column: numbers alike, unless their sizes are too different; yes or no; a dash where there is nothing.

    Examples
    --------
    >>> printed(pd.Series([0.5, 0.125])), printed(pd.Series([True, False])), printed(pd.Series([31.1, 0.6]))
    (['0.500', '0.125'], ['yes', 'no'], ['31.1', '0.600'])
    >>> printed(pd.Series([None, "10 mg", 0.12345, np.nan], dtype=object))
    ['–', '10 mg', '0.123', '–']
    """
    if values.dtype.kind == "f":
        numbers = values.to_numpy(dtype=np.float64)
        return [significant(x) for x in numbers] if of_many_sizes(numbers) else alike(numbers)
    return [cell(value) for value in values]


def cell(value: Any) -> str:
    """Print one value of a column of mixed ones."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return significant(float(value))
    return "–" if value is None or value is pd.NA else str(value)


def are_numbers(values: pd.Series) -> bool:
    """Tell whether a column holds numbers only, to be aligned as such."""
    return values.dtype.kind in "iuf"


def of_many_sizes(numbers: np.ndarray) -> bool:
    """Tell whether numbers are of sizes so different, as those of several units, that common decimals hide some.

    Examples
    --------
    >>> of_many_sizes(np.array([0.6, 31.1])), of_many_sizes(np.array([0.0, 0.5, 2.0]))
    (True, False)
    """
    sizes = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
    return bool(sizes.size and sizes.max() > MANY_SIZES * sizes.min())


def heading(name: Any) -> str:
    """Make the name of a column words.

    Examples
    --------
    >>> heading("expected_regret"), heading("p_best"), heading("expected_regret_mcse"), heading("")
    ('expected regret', 'P(best)', 'expected regret MCSE', '')
    """
    text = str(name)
    stem = text.removesuffix("_mcse")
    if stem != text:
        return f"{heading(stem)} MCSE"
    return TITLES.get(text, text.replace("_", " "))
