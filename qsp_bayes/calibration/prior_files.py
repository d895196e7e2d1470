"""Prior files: priors as TOML, one table for each variable."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from qsp_bayes.calibration.families import FAMILIES
from qsp_bayes.calibration.prior import QUANTILE, SPREADS, Prior
from qsp_bayes.calibration.priors import Priors
from qsp_bayes.data.files import data_folder
from qsp_bayes.errors import PriorError

KEYS = {"unit", "source", "informative", "distribution", "median", *SPREADS}
PARAMETERS = {parameter for family in FAMILIES.values() for parameter in family.parameters}


def read_priors(path: str | Path) -> Priors:
    """Read a prior file.

    The file has one table for each variable of the model, named as the variable (``[TVCL]``, ``[omega_CL]``,
    ``[sigma_prop_Cc]``), and may begin with a ``title``. A table holds

    - ``unit``: a unit, ``""`` where the variable has none;
    - ``source``: a text (an assumption), or ``{ text = "...", kind = "literature", reference = "doi" }``;
    - the distribution, in one of the three ways of `Prior`;
    - ``informative = true`` where the prior is meant to move the result.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Priors

    Raises
    ------
    PriorError
        Naming the file, the table, the key, and what to write instead.

    Examples
    --------
    >>> read_priors(data_folder("priors") / "theophylline.toml")["TVCL"].unit
    'L/h'
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PriorError(
            f"{path}: no such file. Check the path; load_priors(name) gives the files that come with the package "
            f"({', '.join(list_priors())})."
        ) from None
    except UnicodeDecodeError:
        raise PriorError(f"{path}: not a text in UTF-8. Save the file as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise PriorError(
            f"{path}: not valid TOML ({error}). Correct the line; texts need quotation marks."
        ) from None
    title = content.pop("title", "")
    if not content:
        raise PriorError(
            f"{path}: holds no prior. Add a table such as [TVCL] with unit, source and distribution."
        )
    return Priors({name: read_table(path, name, table) for name, table in content.items()}, title)


def read_table(path: Path, name: str, table: Any) -> Prior:
    """Read one table of a prior file."""
    where = f"{path}, table [{name}]"
    if not isinstance(table, dict):
        raise PriorError(f"{path}, key {name}: expected a table [{name}] with unit, source and distribution.")
    for key in table:
        if key not in KEYS | PARAMETERS and not QUANTILE.fullmatch(key):
            raise PriorError(
                f"{where}, key {key}: not known. Keys are {', '.join(sorted(KEYS))}, quantiles such as q05, "
                "and the parameters of the distribution."
            )
    if "unit" not in table:
        raise PriorError(f'{where}, key unit: missing. Add unit = "L/h" (or "" for a number without unit).')
    if "source" not in table:
        raise PriorError(
            f"{where}, key source: missing. Add the publication, the experiment or the reasoning: "
            'source = { text = "...", kind = "literature" }.'
        )
    try:
        return Prior(**table)
    except (PriorError, ValueError) as error:
        raise PriorError(f"{where}: {error}") from None


def list_priors() -> list[str]:
    """Give the names of the prior files that come with the package.

    Examples
    --------
    >>> "theophylline" in list_priors()
    True
    """
    return sorted(path.stem for path in data_folder("priors").glob("*.toml"))


def load_priors(name: str) -> Priors:
    """Read a prior file that comes with the package.

    Parameters
    ----------
    name : str
        One of `list_priors`.

    Examples
    --------
    >>> load_priors("phenobarbital")["TVVc"].unit
    'L'
    """
    if name not in list_priors():
        raise PriorError(f"There is no prior file {name!r}. Choose from {', '.join(list_priors())}.")
    return read_priors(data_folder("priors") / f"{name}.toml")
