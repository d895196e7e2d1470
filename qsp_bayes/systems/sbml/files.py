"""SBML files: a model is read from one, and a system written to one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from pathlib import Path

from qsp_bayes.errors import MechanismError, UnitsError
from qsp_bayes.systems.sbml.library import document, text_of
from qsp_bayes.systems.sbml.model import SBMLModel
from qsp_bayes.systems.sbml.reader import Reader
from qsp_bayes.systems.sbml.writer import Writer
from qsp_bayes.systems.system import System


def read_sbml(
    path: str | Path, *, declared_units: bool = True, given_units: Mapping[str, str] | None = None
) -> SBMLModel:
    r"""Read a model of systems biology from an SBML file.

    Reactions become processes, so that dx/dt = S v(x) and conservation laws come with the model. A file is data:
    nothing in it is executed, and nothing outside it is read.

    ================================== ====================================================================
    in SBML                            here
    ================================== ====================================================================
    species that react                 states in amounts; where formulas mean its concentration, the state
                                       is ``<id>_amount`` and ``<id>`` an expression, the amount by volume
    boundary and constant species      parameters (states where events change them)
    compartments, constant parameters  parameters with their values
    parameters of one reaction         parameters ``<reaction>_<id>``
    assignment rules                   expressions
    rate rules                         states, each with a process of its own
    initial assignments                initial values and expressions of parameters
    function definitions               put in the place of their calls
    events                             a `Switch` each; conditions in rates become switches too
    ================================== ====================================================================

    Parameters
    ----------
    path : str or Path
        A file of level 2 or 3, in UTF-8.
    declared_units : bool
        Whether units are read, and checked as those of any `System`. A model that declares none, or False, is one of
        pure numbers: all units are empty, that of time too. Doses need a unit of time.
    given_units : mapping of str to str, optional
        Units of parameters, compartments and species (as they stand in formulas) by name, and of ``time``, for files
        that leave some or all out; they come before those of the file.

    Returns
    -------
    SBMLModel
        The `system` and the values of its `parameters`. All quantities that change are outputs. SBML has no doses:
        declare them, as in ``dataclasses.replace(model.system, doses={"drug": DoseInto("drug_amount")})``.

    Raises
    ------
    MechanismError
        For a file that is no valid SBML, a DOCTYPE, and what is not supported, by element: algebraic rules, delays,
        priorities, compartments and stoichiometries that change, conversion factors, fast reactions, constraints,
        packages. Where python-libsbml is missing, with the command that installs it.
    UnitsError
        Where the units that are declared do not agree.

    Notes
    -----
    Holds for models of ordinary differential equations with events that act at once. What a file of nominal values
    says of identifiability is nothing: fix what your data cannot tell.

    References
    ----------
    Hucka M et al. (2003). The systems biology markup language (SBML): a medium for representation and exchange of
    biochemical network models. Bioinformatics 19:524-531.

    Examples
    --------
    >>> read_sbml("missing.xml")
    Traceback (most recent call last):
    ...
    qsp_bayes.errors.MechanismError: missing.xml: no such file.
    """
    return read_text(text_of(path), str(path), declared_units, given_units or {})


def read_text(text: str, where: str, declared_units: bool, given_units: Mapping[str, str]) -> SBMLModel:
    """Read a model from the text of an SBML file."""
    parsed = document(text, where)
    draft = Reader(parsed.getModel(), where, declared_units, given_units).draft()
    try:
        system = draft.system()
        system.symbolic()
    except UnitsError as error:
        raise UnitsError(
            f"{where}: {error} These are the units that the file declares: correct them, give others in "
            "given_units, or read with declared_units=False, which takes all numbers as they stand."
        ) from None
    except MechanismError as error:
        raise MechanismError(f"{where}: {error}") from None
    return SBMLModel(system, draft.values)


def write_sbml(system: System, path: str | Path, parameters: Mapping[str, float] | None = None) -> Path:
    r"""Write a system as an SBML file (level 3 version 1).

    States in amounts, and concentrations (of the same substance) in a volume of 1 L, become species, their processes
    reactions with the same stoichiometry. Other states become parameters with rate rules, expressions and outputs
    assignment rules, switches events. Doses, scales, and what a system shares with others have no place in SBML.

    Parameters
    ----------
    system : System
    path : str or Path
        The file is written under a temporary name and then renamed, so that it is whole or not there at all.
    parameters : mapping of str to float, optional
        Values of parameters, and of inputs, which must have one. Parameters without a value are written without.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    MechanismError
        For a value of a parameter that does not exist, an input without a value or one that is interpolated, a release
        of doses, an operation that SBML lacks, and a folder that is not there. Where python-libsbml is missing, with
        the command that installs it.

    Examples
    --------
    >>> import tempfile
    >>> from qsp_bayes.models import mapk_cascade
    >>> from qsp_bayes.systems.sbml import read_sbml
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = write_sbml(mapk_cascade(), f"{folder}/cascade.xml", {"V1": 2.5})
    ...     model = read_sbml(file)
    >>> model.system.conservation_laws()
    ['MKKK_amount + MKKK_P_amount', 'MKK_amount + MKK_P_amount + MKK_PP_amount', ...]
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise MechanismError(f"{path}: the folder {path.parent} is not there. Make it first.")
    text = Writer(system, parameters or {}).text()
    temporary = path.with_name(f".{path.stem}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
