"""Reading Antimony, a text form of SBML models that people write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.sbml.library import package, text_of
from qsp_bayes.systems.sbml.model import SBMLModel

IMPORT = re.compile(r"\bimport\b", re.IGNORECASE)
"""What lets a model read other files. It is looked for in comments too: what ends a comment is Antimony's to say."""


def read_antimony(
    path: str | Path, *, declared_units: bool = True, given_units: Mapping[str, str] | None = None
) -> SBMLModel:
    """Read a model from an Antimony file; see `read_sbml` for what becomes of it.

    Parameters
    ----------
    path : str or Path
        A file of one main model, in UTF-8.
    declared_units, given_units
        As for `read_sbml`.

    Returns
    -------
    SBMLModel

    Raises
    ------
    MechanismError
        For a text that is no Antimony, with the line; for one that imports other files; for what `read_sbml` refuses;
        and where the packages antimony or python-libsbml are missing, with the command that installs them.

    References
    ----------
    Smith LP, Bergmann FT, Chandran D, Sauro HM (2009). Antimony: a modular model definition language.
    Bioinformatics 25:2452-2454.

    Examples
    --------
    >>> read_antimony("missing.ant")
    Traceback (most recent call last):
    ...
    qsp_bayes.errors.MechanismError: missing.ant: no such file.
    """
    from qsp_bayes.systems.sbml.files import read_text

    return read_text(sbml_text(text_of(path), str(path)), str(path), declared_units, given_units or {})


def sbml_text(text: str, where: str) -> str:
    """Translate Antimony to SBML.

    Raises
    ------
    MechanismError
        For a text that is no Antimony, or that imports other files.
    """
    found = IMPORT.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise MechanismError(
            f"{where}, line {line}: the word 'import' lets a model read other files, and is refused, in comments too. "
            "Put the text of the other file in its place."
        )
    antimony = package("antimony", "antimony")
    antimony.clearPreviousLoads()
    if antimony.loadAntimonyString(text) < 0:
        raise MechanismError(f"{where}: is not valid Antimony. {' '.join(antimony.getLastError().split())}")
    result: str = antimony.getSBMLString(antimony.getMainModuleName())
    antimony.clearPreviousLoads()
    return result
