"""Words that messages and views share."""

from __future__ import annotations

import difflib
from typing import Any


def counted(number: int, noun: str) -> str:
    """Write a number with its noun.

    Examples
    --------
    >>> counted(1, "record"), counted(12, "record")
    ('1 record', '12 records')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def close_names(name: str, known: Any) -> str:
    """Words for the known names nearest to `name`, or nothing.

    Examples
    --------
    >>> close_names("theophyline", ["theophylline", "quinidine"])
    " (did you mean 'theophylline'?)"
    """
    spelled = {str(candidate).lower(): str(candidate) for candidate in known}
    found = difflib.get_close_matches(name.lower(), list(spelled), n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(repr(spelled[key]) for key in found)}?)" if found else ""
