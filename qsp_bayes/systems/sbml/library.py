"""The optional packages that parse SBML and Antimony, and what is refused before they see a text."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from qsp_bayes.errors import MechanismError

DECLARED_ENCODING = re.compile(r"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)", re.IGNORECASE)
MARKUP = re.compile(
    r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<(?P<end>/?)[^\W\d](?:[^<>\"']|\"[^\"]*\"|'[^']*')*?(?P<alone>/?)>",
    re.DOTALL,
)
DEEPEST = 250
"""Elements within each other; libsbml itself ends the process, without an error, at some ten thousands."""
FUNCTIONS = "l3v2extendedmath"
"""More functions for formulas; those that have no meaning here are refused where they stand."""
FORBIDDEN = re.compile(r"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


def package(name: str, distribution: str) -> ModuleType:
    """Load an optional package.

    Raises
    ------
    MechanismError
        If it is not installed, with the command that installs it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MechanismError(
            f"this needs the package {distribution}, which is not installed ({error}). "
            "Run: pip install 'qsp_bayes[sbml]'"
        ) from error


def libsbml() -> Any:
    """Load python-libsbml."""
    return package("libsbml", "python-libsbml")


def text_of(path: str | Path) -> str:
    """Read a file as UTF-8 text.

    Raises
    ------
    MechanismError
        If there is no such file, or it is no such text.
    """
    path = Path(path)
    if not path.is_file():
        raise MechanismError(f"{path}: no such file.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MechanismError(
            f"{path}: byte {error.start} is not UTF-8, the encoding of SBML. Convert it."
        ) from None
    if "\0" in text:
        raise MechanismError(f"{path}: the text holds a zero byte; it is no text in UTF-8. Convert it.")
    return text


def document(text: str, where: str) -> Any:
    """Parse an SBML document that reaches for nothing outside itself, and check that it is valid.

    Raises
    ------
    MechanismError
        For a document type or entity declaration, another encoding than UTF-8, a package that changes what the model
        means, or an error that libsbml finds.
    """
    forbidden = FORBIDDEN.search(text)
    if forbidden:
        line = text.count("\n", 0, forbidden.start()) + 1
        raise MechanismError(
            f"{where}, line {line}: holds a {forbidden[1].upper()} declaration, through which a file can read others. "
            "SBML needs none: delete it."
        )
    encoding = DECLARED_ENCODING.match(text.lstrip())
    if encoding and encoding[1].lower() not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise MechanismError(f"{where}: its encoding is {encoding[1]!r}, expected UTF-8. Convert it.")
    refuse_depth(text, where)
    sbml = libsbml()
    parsed = sbml.readSBMLFromString(text)
    refuse_errors(parsed, where)
    for i in range(parsed.getNumPlugins()):
        name = parsed.getPlugin(i).getPackageName()
        if parsed.getLevel() > 2 and name != FUNCTIONS and parsed.getPkgRequired(name):
            raise MechanismError(
                f"{where}: uses the SBML package {name!r}, which changes what the model means. "
                "Export it as SBML core (a model of `comp`: flattened)."
            )
    if parsed.getModel() is None:
        raise MechanismError(f"{where}: holds no model.")
    parsed.setConsistencyChecks(sbml.LIBSBML_CAT_UNITS_CONSISTENCY, False)
    parsed.setConsistencyChecks(sbml.LIBSBML_CAT_MODELING_PRACTICE, False)
    parsed.checkConsistency()
    refuse_errors(parsed, where)
    return parsed


def refuse_depth(text: str, where: str) -> None:
    """Raise where more elements stand within each other than any model needs.

    Raises
    ------
    MechanismError
        With the line.

    Examples
    --------
    >>> refuse_depth("<a><b/><!-- <c> --><d>text</d></a>", "m.xml")
    >>> refuse_depth("<a>" * 300, "m.xml")
    Traceback (most recent call last):
    ...
    qsp_bayes.errors.MechanismError: m.xml, line 1: more than 250 elements within each other. Split formulas by rules.
    """
    depth = 0
    for match in MARKUP.finditer(text):
        if match["end"] is None or match["alone"]:
            continue
        depth += -1 if match["end"] else 1
        if depth > DEEPEST:
            line = text.count("\n", 0, match.start()) + 1
            raise MechanismError(
                f"{where}, line {line}: more than {DEEPEST} elements within each other. Split formulas by rules."
            )


def refuse_errors(parsed: Any, where: str) -> None:
    """Raise for the first error that libsbml has found.

    Raises
    ------
    MechanismError
        With its line and message.
    """
    severe = libsbml().LIBSBML_SEV_ERROR
    for i in range(parsed.getNumErrors()):
        error = parsed.getError(i)
        if error.getSeverity() >= severe:
            message = " ".join(error.getMessage().split())
            raise MechanismError(f"{where}, line {error.getLine()}: is not valid SBML. {message}")
