"""Where the files that travel with the package are: the datasets and the prior files."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal

from qsp_bayes.errors import DataError


def data_folder(name: Literal["datasets", "priors"]) -> Path:
    """Find a folder of files that ship with qsp_bayes.

    An installed wheel holds them inside the package, at ``qsp_bayes/_files/<name>``; a source checkout holds
    them at its top level, beside ``pyproject.toml``, where users read and edit them.

    Parameters
    ----------
    name : {"datasets", "priors"}
        Which folder.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    DataError
        If neither place holds it.

    Examples
    --------
    >>> data_folder("datasets").name
    'datasets'
    """
    package = Path(str(resources.files("qsp_bayes")))
    installed = package / "_files" / name
    if installed.is_dir():
        return installed
    checkout = package.parent
    # site-packages may hold an unrelated folder of the same name, so a checkout must show its pyproject.toml.
    if (checkout / "pyproject.toml").is_file() and (checkout / name).is_dir():
        return checkout / name
    raise DataError(
        f"the folder {name!r} that ships with qsp_bayes is not there",
        f"{installed} or {checkout / name}",
        "install qsp_bayes again; the installation is incomplete",
    )
