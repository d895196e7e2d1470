"""Errors users meet. Each message names the offender, what was expected, and what to do next."""

from __future__ import annotations


class QSPBayesError(Exception):
    """Base class of every error raised on purpose by qsp_bayes."""


class DataError(QSPBayesError, ValueError):
    """A study file or data frame that cannot be read as it stands.

    Parameters
    ----------
    problem : str
        What was found.
    expected : str
        What was expected instead.
    cure : str
        What the user can do about it.
    file, row, column : optional
        Where the problem is. `row` counts the lines of the file, the header being line 1.

    Examples
    --------
    >>> print(DataError("cell holds 'abc'", "a number", "correct the cell", file="a.csv", row=3, column="DV"))
    a.csv, row 3, column DV: cell holds 'abc'. Expected: a number. What to do: correct the cell.
    """

    def __init__(
        self,
        problem: str,
        expected: str,
        cure: str,
        *,
        file: str | None = None,
        row: int | None = None,
        column: str | None = None,
    ) -> None:
        self.file, self.row, self.column = file, row, column
        where = ", ".join(
            part
            for part in (
                file,
                None if row is None else f"row {row}",
                None if column is None else f"column {column}",
            )
            if part
        )
        text = f"{problem}. Expected: {expected}. What to do: {cure}."
        super().__init__(f"{where}: {text}" if where else text)


class UnitsError(QSPBayesError, ValueError):
    """Units that are unknown, or that do not match where they must."""


class MechanismError(QSPBayesError, ValueError):
    """A system that is not well defined: unknown or duplicate names, unbalanced units, algebraic loops."""


class PriorError(QSPBayesError, ValueError):
    """A prior or prior file that is incomplete or contradictory."""


class CalibrationError(QSPBayesError, ValueError):
    """A calibration whose parts do not fit together, or a fit that cannot start."""


class SolverError(QSPBayesError, ValueError):
    """A system, or a set of events, that the chosen solver cannot solve."""


class DecisionError(QSPBayesError, ValueError):
    """Regimens, simulations or utilities that do not fit together."""


class IdentifiabilityWarning(UserWarning):
    """A parameter that the data of this design could not determine, whose prior is not marked informative."""
