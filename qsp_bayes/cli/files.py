"""Files between the commands: opened with a message of one sentence, and not replaced by accident."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

import qsp_bayes as qb
from qsp_bayes.errors import DataError


def open_file(path: str) -> xr.DataTree:
    """Open a file that an earlier command wrote."""
    try:
        return qb.load_fit(path)
    except OSError as error:  # the file is there, but its content is something else
        raise DataError(
            f"cannot be read ({error})", "a file written by an earlier command", "check the path", file=path
        ) from error


def new_file(path: str, force: bool, option: str = "--output") -> Path:
    """Refuse to replace a file unless told to; asked before the work, not after it."""
    if Path(path).exists() and not force:
        raise DataError(f"{path!r} exists already", "a new file", f"choose another {option}, or add --force")
    return Path(path)
