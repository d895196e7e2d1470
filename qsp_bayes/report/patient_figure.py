"""One patient: levels and doses, what is known of the course, and what the next doses would do."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from qsp_bayes.calibration import read_facts
from qsp_bayes.decision import NextDose, Patient
from qsp_bayes.errors import DecisionError
from qsp_bayes.report.blocks import Key
from qsp_bayes.report.style import BLUE, GREY, INK, ORANGE, NotebookFigure, Panel, arrange

TIMES = 241
SIZE = (6.4, 3.4)
HISTORY_KEY = (
    Key("level", "point", INK),
    Key("patient: median and 90 %", "band", BLUE),
    Key("population: median and 90 %", "band", GREY),
)
FUTURE_KEY = Key("predicted", "band", ORANGE)


def plot_patient(
    patient: Patient,
    future: NextDose | xr.DataTree | None = None,
    *,
    regimen: str | None = None,
    output: str | None = None,
    target: tuple[float, float] | None = None,
) -> NotebookFigure:
    """Draw the levels and doses of a patient, the course that they tell, and the one that is predicted.

    Bands hold 90 % of what is not known of the true course, without residual error. Behind the patient's own stands the
    band of the population with the same covariates and doses.

    Parameters
    ----------
    patient : Patient
    future : NextDose or DataTree, optional
        From `Patient.next_dose` or `Patient.simulate`: the prediction to draw.
    regimen : str, optional
        Which of its regimens: the chosen one, or the first of a simulation, where left out.
    output : str, optional
        The first one with levels where left out, else the first of the system with an error model.
    target : tuple of float, optional
        Range to aim at, drawn as two lines.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DecisionError
        For an output or a regimen that is not there.
    """
    shown = chosen_output(patient, output)
    ahead = predicted(future, regimen, shown)
    key = (*HISTORY_KEY, FUTURE_KEY) if ahead is not None else HISTORY_KEY
    return arrange([panel(patient, shown, ahead, target)], 1, key)


def chosen_output(patient: Patient, output: str | None) -> str:
    """Give the output to draw."""
    possible = list(patient.calibration.system.outputs)
    if output is None:
        observed = [name for name, rows in patient.history.rows.items() if len(rows) and name in possible]
        return (observed or list(patient.calibration.error))[0]
    if output not in possible:
        raise DecisionError(f"plot_patient: there is no output {output!r}; there is {', '.join(possible)}.")
    return output


def predicted(
    future: NextDose | xr.DataTree | None, regimen: str | None, output: str
) -> tuple[xr.DataArray, str, float] | None:
    """Give the simulated course, its label, and when the regimen starts."""
    if future is None:
        return None
    tree = future.future if isinstance(future, NextDose) else future
    predictions = tree["predictions"].to_dataset()
    labels = [str(label) for label in predictions["regimen"].to_numpy()]
    default = future.best if isinstance(future, NextDose) else labels[0]
    label = default if regimen is None else regimen
    if label not in labels or output not in predictions:
        raise DecisionError(
            f"plot_patient: the simulation holds no {output} under regimen {label!r}; it has {', '.join(labels)}."
        )
    path = predictions[output].sel(regimen=label).isel(subject=0)
    return path, label, float(read_facts(tree)["starts"][label])


def panel(
    patient: Patient,
    output: str,
    ahead: tuple[xr.DataArray, str, float] | None,
    target: tuple[float, float] | None,
) -> Panel:
    """Give the panel."""
    title = f"Patient {patient.label}" if ahead is None else f"Patient {patient.label}: {ahead[1]}"
    alt = f"{output} of patient {patient.label} against time: levels, doses, and 90 % bands of patient and population."
    return Panel(
        title, alt, partial(draw_patient, patient=patient, output=output, ahead=ahead, target=target), SIZE
    )


def draw_patient(
    axes: Axes,
    patient: Patient,
    output: str,
    ahead: tuple[xr.DataArray, str, float] | None,
    target: tuple[float, float] | None,
) -> None:
    """Draw one patient."""
    table = patient.history.table
    until = float(table["TIME"].max()) if ahead is None else ahead[2]
    grid = fine_grid(table["TIME"].to_numpy(), until)
    for population, colour, alpha, line in ((True, GREY, 0.22, "--"), (False, BLUE, 0.3, "-")):
        course = patient.predict(grid, outputs=[output], population=population)[output].to_numpy()
        axes.fill_between(grid, course[0], course[2], color=colour, alpha=alpha, linewidth=0)
        axes.plot(grid, course[1], line, color=colour, linewidth=1.1)
    if ahead is not None:
        path, _, start = ahead
        time = path["time"].to_numpy()
        low, median, high = np.quantile(
            path.transpose("chain", "draw", "time"), (0.05, 0.5, 0.95), axis=(0, 1)
        )
        axes.fill_between(time, low, high, color=ORANGE, alpha=0.3, linewidth=0)
        axes.plot(time, median, color=ORANGE)
        axes.axvline(start, color=GREY, linewidth=0.7, linestyle=":")
    draw_levels(axes, patient, output)
    given = table[table["EVID"].isin((1, 4)) & (table["TIME"] <= until)]
    # Doses stand on the time axis, as short strokes.
    axes.plot(
        given["TIME"],
        np.full(len(given), 0.02),
        "|",
        color=INK,
        markersize=7,
        clip_on=False,
        transform=axes.get_xaxis_transform(),
    )
    for bound in target or ():
        axes.axhline(bound, color=ORANGE, linewidth=0.8, linestyle="--")
    unit = patient.units_of([output])[output]
    axes.set(
        xlabel=f"Time [{patient.time_unit}] (strokes: doses given)",
        ylabel=f"{output} [{unit}]" if unit else output,
    )
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))


def draw_levels(axes: Axes, patient: Patient, output: str) -> None:
    """Draw the levels; those beyond a limit of quantification as triangles at the limit."""
    if not patient.facts["levels"] or output not in patient.history.rows:
        return
    rows = patient.history.table.iloc[patient.history.rows[output]]
    for mark, shape, fill in ((0, "o", INK), (1, "v", "none"), (-1, "^", "none")):
        own = rows[rows["CENS"] == mark]
        axes.plot(own["TIME"], own["DV"], shape, color=INK, markerfacecolor=fill, zorder=5)


def fine_grid(times: np.ndarray, until: float) -> np.ndarray:
    """Give times up to an end, with each record and the moment behind it, where a bolus shows."""
    first = float(times.min())
    past = times[times < until]
    behind = 1e-6 * max(until - first, 1.0)
    grid = np.concatenate([np.linspace(first, until, TIMES), past, past + behind])
    return np.unique(grid[grid <= until])
