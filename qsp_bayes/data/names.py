"""Names for the codes of a file: compartments from CMT, outputs from DVID or CMT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qsp_bayes.data.cells import Cells
from qsp_bayes.data.event_rules import RecordColumns


def compartment_names(
    cells: Cells, columns: RecordColumns, compartments: str | Mapping[Any, str] | None
) -> np.ndarray:
    """Name of the compartment that each dose goes into; ``""`` for other records."""
    if isinstance(compartments, str):
        return np.where(columns.dose, compartments, "").astype(object)
    codes = cells.text("CMT") if "CMT" in cells else np.full(len(cells), "", dtype=object)
    known = {str(code): str(label) for code, label in (compartments or {}).items()}
    cells.refuse(
        columns.dose & ((codes == "") | ((codes == "0") & ("0" not in known))),
        "CMT",
        "a dose without compartment",
        "the code or name of the compartment",
        "fill CMT, or name the single compartment that is dosed, compartments='depot'",
    )
    return named(cells, "CMT", codes, columns.dose, known, "compartments", "depot")


def output_names(cells: Cells, columns: RecordColumns, outputs: str | Mapping[Any, str]) -> np.ndarray:
    """Name of the output that each record with EVID 0 belongs to; ``""`` for other records."""
    column = "DVID" if "DVID" in cells else "CMT"
    codes = cells.text(column) if column in cells else np.full(len(cells), "", dtype=object)
    if isinstance(outputs, str):
        found = sorted(set(codes[columns.observed]) - {""})
        if len(found) > 1:
            cells.refuse_column(
                column,
                f"observations have {column} {', '.join(found)} and the only output is {outputs!r}",
                "a name for each code",
                f"write outputs={{{found[0]!r}: {outputs!r}, {found[1]!r}: '...'}}",
            )
        return np.where(columns.EVID == 0, outputs, "").astype(object)
    known = {str(code): str(label) for code, label in outputs.items()}
    cells.refuse(
        columns.observed & (codes == ""),
        column,
        "an observation without output",
        f"a code or name of outputs ({', '.join(known)})",
        f"fill {column}, or name the single output, outputs='Cc'",
    )
    # A record with MDV 1 observes nothing, so its code need not be one of the outputs.
    other = (columns.EVID == 0) & ~columns.observed & np.isin(codes, [*known, *known.values()])
    return named(cells, column, codes, columns.observed | other, known, "outputs", "Cc")


def named(
    cells: Cells,
    column: str,
    codes: np.ndarray,
    where: np.ndarray,
    known: Mapping[str, str],
    what: str,
    example: str,
) -> np.ndarray:
    """Turn codes into names at the records `where`; names in the file stand for themselves."""
    spelled = {**{name: name for name in known.values()}, **known}
    cells.refuse(
        where & ~np.isin(codes, list(spelled)),
        column,
        f"{{cell}} is not one of {what}",
        f"one of {', '.join(f'{code} ({name})' for code, name in known.items())}"
        if known
        else "a name for the code",
        f"name the code when reading, {what}={{1: {example!r}, ...}}, or correct the cell",
    )
    return np.array(
        [spelled[code] if here else "" for code, here in zip(codes, where, strict=True)], dtype=object
    )


def distinct_names(names: str | Mapping[Any, str] | None) -> tuple[str, ...]:
    """Names in the order they are declared, each once."""
    return (names,) if isinstance(names, str) else tuple(dict.fromkeys((names or {}).values()))
