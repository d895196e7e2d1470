"""Compiled equations: written to the cache of kernels, compiled once, and called by their symbols."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import llvmlite.binding
import numba
import numpy as np
from numba import cfunc, types

from qsp_bayes.ode.codegen import EVERY_SIGNATURE, fingerprint, source
from qsp_bayes.ode.equations import Equations
from qsp_bayes.ode.jit import kernel_settings, loaded

NEVER = 2
"""Direction of a switch that changes no state."""

ADDRESS = types.CPointer(types.float64)
NUMBERS = ("t", "h", "shift")
"""Arguments of generated functions that are no addresses."""


@dataclass(frozen=True, eq=False)
class CompiledEquations:
    """Callbacks of a system and the facts that their callers need.

    Attributes
    ----------
    name : str
        Hash of the equations and of this layer's source.
    n_states, n_parameters : int
    rows, columns : array of int64
        Of the entries of df/dy that are not zero, row by row.
    n_factors : int
        Length of W.
    autonomous : bool
        Whether the time does not occur in the equations.
    directions : tuple of int
        Of each switch, the crossings at which states change: 1 upward, -1 downward, 0 both, `NEVER` none.
    source : str
        Text of the generated module; `qsp_bayes.ode.codegen.source` says what its functions do.
    symbols : mapping of str to str
        What compiled code calls each function by.
    addresses : mapping of str to int
    """

    name: str
    n_states: int
    n_parameters: int
    rows: np.ndarray
    columns: np.ndarray
    n_factors: int
    autonomous: bool
    directions: tuple[int, ...]
    source: str
    symbols: Mapping[str, str]
    addresses: Mapping[str, int]

    def external(self, function: str) -> types.ExternalFunction:
        """Return what compiled code calls a function by.

        Examples
        --------
        >>> import pytensor.tensor as pt
        >>> t, x, k = (pt.dscalar() for _ in range(3))
        >>> equations = compile_equations(Equations(t, {"x": x}, {"k": k}, {"x": -k * x}))
        >>> equations.external("solve").sig
        (float64*, float64*) -> int64
        """
        return types.ExternalFunction(self.symbols[function], signature(function))


def signature(function: str) -> Any:
    """Return the signature of a generated function."""
    arguments = EVERY_SIGNATURE[function].split(", ")
    return types.int64(*(types.float64 if name in NUMBERS else ADDRESS for name in arguments))


compiled: dict[str, CompiledEquations] = {}
"""By name, so that a system is compiled once in each process."""


def compile_equations(equations: Equations) -> CompiledEquations:
    """Compile the equations of a system, or load them from the cache.

    Parameters
    ----------
    equations : Equations

    Raises
    ------
    SolverError
        For an operation that cannot be compiled or has no derivative, by the state where it occurs.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> t, x, k = (pt.dscalar() for _ in range(3))
    >>> found = compile_equations(Equations(t, {"x": x}, {"k": k}, {"x": -k * x}))
    >>> found.rows.tolist(), found.columns.tolist(), found.autonomous
    ([0], [0], True)
    """
    name = fingerprint(equations)
    if name not in compiled:
        with kernel_settings():
            path = Path(numba.config.CACHE_DIR) / "equations" / f"qsp_bayes_equations_{name}.py"
            if not path.exists():
                write(path, source(equations))
            module = load(path)
            symbols = {
                function: f"qsp_bayes_{function}_{name}"
                for function in EVERY_SIGNATURE
                if hasattr(module, function)
            }
            for function, symbol in symbols.items():
                loaded[symbol] = callback(function, getattr(module, function))
                llvmlite.binding.add_symbol(symbol, loaded[symbol].address)
        compiled[name] = CompiledEquations(
            name=name,
            n_states=module.N_STATES,
            n_parameters=module.N_PARAMETERS,
            rows=module.ROWS,
            columns=module.COLUMNS,
            n_factors=module.N_FACTORS,
            autonomous=module.AUTONOMOUS,
            directions=tuple(
                switch.direction if switch.change else NEVER for switch in equations.switches.values()
            ),
            source=path.read_text(),
            symbols=symbols,
            addresses={function: loaded[symbol].address for function, symbol in symbols.items()},
        )
    return compiled[name]


def callback(function: str, python: Any) -> Any:
    """Compile one function.

    Numbers may be reordered and contracted, but never taken to be finite: a NaN must reach the solver.
    """
    return cfunc(
        signature(function),
        cache=True,
        error_model="numpy",
        fastmath={"contract", "arcp", "nsz", "reassoc", "afn"},
        _nrt=False,
    )(python)


def write(path: Path, text: str) -> None:
    """Write a file at once, so that no other process ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.replace(temporary, path)


def load(path: Path) -> ModuleType:
    """Import a generated module. Its text is made of graphs, with plain identifiers as the only foreign names."""
    specification = importlib.util.spec_from_file_location(path.stem, path)
    if specification is None or specification.loader is None:
        raise ImportError(f"{path} cannot be imported.")
    module = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module
    specification.loader.exec_module(module)
    return module
