"""``qsp-bayes simulate``: predict the candidates in new individuals."""

from __future__ import annotations

from argparse import Namespace, _SubParsersAction
from typing import Any

import numpy as np
import xarray as xr

import qsp_bayes as qb
from qsp_bayes.cli.candidates import open_population, simulate_candidates
from qsp_bayes.cli.files import new_file


def add_simulate(subparsers: _SubParsersAction, parents: list[Any]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("simulate", parents=parents, help="predict regimens in new individuals")
    parser.add_argument(
        "--output", default="future.nc", metavar="FILE", help="where it goes (default: %(default)s)"
    )
    parser.set_defaults(run=simulate)


def simulate(arguments: Namespace) -> None:
    """Simulate the candidates, save the paths and print what the exposure is."""
    output = new_file(arguments.output, arguments.force)
    future = simulate_candidates(arguments, open_population(arguments.fit))
    print(exposure_table(future))
    qb.save_fit(future, output)
    print(f"Simulation: {output.resolve()}")


def exposure_table(future: xr.DataTree) -> str:
    """Median and 90 % interval, over draws and individuals, of what each regimen leads to."""
    lines = []
    measures = {"Cmax": qb.cmax, "trough": qb.trough, "AUC": qb.auc}
    for name, path in future["predictions"].data_vars.items():
        lines.append(f"{name}: median (5 % to 95 % of individuals)")
        for label in path["regimen"].values:
            cells = []
            for measure, function in measures.items():
                low, middle, high = np.quantile(function(path.sel(regimen=label)), [0.05, 0.5, 0.95])
                cells.append(f"{measure} {middle:.3g} ({low:.3g} to {high:.3g})")
            lines.append(f"  {label:<16} {'   '.join(cells)}")
    return "\n".join(lines)
