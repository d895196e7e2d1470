"""Names here for the ids there: SBML allows words that are reserved here."""

from __future__ import annotations

import keyword
from collections.abc import Iterable

from qsp_bayes.systems.interpolation import unlike


class Identifiers:
    """The names of one model, each used once.

    Examples
    --------
    >>> names = Identifiers(["k", "lambda", "_J0", "t"])
    >>> [names[name] for name in ("k", "lambda", "_J0", "t")], names.new("k")
    (['k', 'lambda_', 'J0', 't_'], 'k_')
    >>> Identifiers(["k"])["t"]
    't, local'
    """

    def __init__(self, ids: Iterable[str]) -> None:
        ids = list(ids)
        self.taken = {"t"} | {name for name in ids if usable(name)}
        self.names = {name: name if usable(name) else self.new(name.lstrip("_") or "x") for name in ids}

    def __getitem__(self, name: str) -> str:
        # A name of a function or a reaction alone is never seen outside; called t, it must not be taken for time.
        return self.names.get(name, "t, local" if name == "t" else name)

    def new(self, stem: str) -> str:
        """Return a name like the stem that nothing else has."""
        stem = stem if stem[:1].isalpha() else f"x{stem}"
        return unlike(self.taken, f"{stem}_" if keyword.iskeyword(stem) else stem)


def usable(name: str) -> bool:
    """Say whether an id can be a name here."""
    return name != "t" and not name.startswith("_") and not keyword.iskeyword(name)
