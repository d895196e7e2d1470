"""What a fit holds: its metadata, its observations, its population parameters, and their units."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from qsp_bayes.calibration.entries import SAMPLE, entries
from qsp_bayes.errors import CalibrationError

LIKELIHOOD = "DV_"
INTERNAL = ("corr_eta_canonical", "eta_independent")
"""Coordinates that the sampler moves in; what they mean is ``corr_eta`` and ``eta_CL``."""


@dataclass(frozen=True)
class Observations:
    """The observations of one output.

    Attributes
    ----------
    output, unit, time_unit : str
    subject : array of str
        Label of the subject of each observation.
    time, value : array of float
    censoring : array of int
        1 where the observation is below `value`, the lower limit of quantification; -1 where it is above
        `value`, the upper limit; 0 otherwise.
    """

    output: str
    unit: str
    time_unit: str
    subject: np.ndarray
    time: np.ndarray
    value: np.ndarray
    censoring: np.ndarray

    @property
    def limits(self) -> tuple[float, float]:
        """The lower and the upper limit of quantification, infinite where nothing is censored."""
        below, above = self.value[self.censoring == 1], self.value[self.censoring == -1]
        return below.max(initial=-np.inf), above.min(initial=np.inf)

    def quantified(self, values: np.ndarray) -> np.ndarray:
        """Set what lies beyond a limit of quantification at that limit, data and simulations alike."""
        return np.clip(values, *self.limits)

    @property
    def time_label(self) -> str:
        """Label of an axis of time."""
        return labelled("Time", self.time_unit)

    @property
    def value_label(self) -> str:
        """Label of an axis of values."""
        return labelled(self.output, self.unit)


def labelled(name: str, unit: str) -> str:
    """Give a name with its unit, for axes and headings.

    Examples
    --------
    >>> labelled("Cc", "mg/L"), labelled("ratio", "")
    ('Cc (mg/L)', 'ratio')
    """
    return f"{name} ({unit})" if unit else name


def metadata(fit: xr.DataTree) -> dict[str, Any]:
    """Read the JSON attribute ``qsp_bayes`` of a fit.

    Raises
    ------
    CalibrationError
        If the tree is not a fit of qsp_bayes.
    """
    try:
        return json.loads(fit.attrs["qsp_bayes"])
    except (KeyError, AttributeError, json.JSONDecodeError):
        raise CalibrationError(
            "This is not a fit: expected a DataTree with the JSON attribute 'qsp_bayes', as "
            "Calibration.fit returns it or xarray.open_datatree reads it back; received "
            f"{type(fit).__name__}."
        ) from None


def variables(fit: xr.DataTree, group: str) -> xr.Dataset:
    """Give the variables of a group but the internal ones; none where there is no such group."""
    return with_internal(fit, group).drop_vars(INTERNAL, errors="ignore")


def with_internal(fit: xr.DataTree, group: str) -> xr.Dataset:
    """Give all variables of a group; none where there is no such group."""
    return fit[group].to_dataset() if group in fit.children else xr.Dataset()


def outputs(fit: xr.DataTree) -> list[str]:
    """Name the observed outputs.

    Raises
    ------
    CalibrationError
        If the fit holds no observations.
    """
    names = [
        str(name).removeprefix(LIKELIHOOD)
        for name in variables(fit, "observed_data")
        if str(name).startswith(LIKELIHOOD)
    ]
    if not names:
        raise CalibrationError(
            "The fit holds no observations: expected variables such as 'DV_Cc' in its group 'observed_data'. "
            "Fit again with Calibration.fit."
        )
    return names


def require_output(fit: xr.DataTree, output: str | None) -> str:
    """Give the output asked for, or the first.

    Raises
    ------
    CalibrationError
        Naming the outputs there are.
    """
    known = outputs(fit)
    if output is not None and output not in known:
        raise CalibrationError(f"Output {output!r} is not observed in this fit. Choose one of {known}.")
    return output or known[0]


def output_unit(units: dict[str, Any], output: str) -> str:
    """Find the unit of an output among the units of a study."""
    return str(units.get("outputs", units).get(output, ""))


def observations(fit: xr.DataTree, output: str) -> Observations:
    """Give the observations of an output."""
    units = metadata(fit).get("study", {}).get("units", {})
    data = variables(fit, "constant_data")
    value = variables(fit, "observed_data")[LIKELIHOOD + output].values.astype(float)
    position = data[f"subject_{output}"].values.astype(int)
    censoring = data.get(f"CENS_{output}")
    return Observations(
        output=output,
        unit=output_unit(units, output),
        time_unit=str(units.get("time", "")),
        subject=subject_labels(fit, position.max() + 1)[position],
        time=data[f"time_{output}"].values.astype(float),
        value=value,
        censoring=np.zeros(len(value), int) if censoring is None else censoring.values.astype(int),
    )


def subject_labels(fit: xr.DataTree, at_least: int) -> np.ndarray:
    """Give the labels of the subjects, or their numbers where the fit names none."""
    for group in ("constant_data", "posterior"):
        coordinates = variables(fit, group).coords
        if "subject" in coordinates:
            return coordinates["subject"].values.astype(str)
    return np.arange(1, at_least + 1).astype(str)


def draws(fit: xr.DataTree, group: str, name: str) -> np.ndarray | None:
    """Give the draws of a variable, one row each, or None where the fit does not hold them."""
    found = variables(fit, group).get(name)
    if found is None:
        return None
    return found.stack(sample=SAMPLE).transpose("sample", ...).values.astype(float)


def varying_entries(data: xr.Dataset) -> dict[str, xr.DataArray]:
    """Give the scalar entries of variables, without those that are the same in every draw.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> data = xr.Dataset({"TVCL": (("chain", "draw"), rng.normal(size=(2, 5))),
    ...                    "fixed": (("chain", "draw"), np.ones((2, 5)))})
    >>> list(varying_entries(data))
    ['TVCL']
    """
    return {label: values for label, values in entries(data).items() if not (values == values[0, 0]).all()}


def sampled(fit: xr.DataTree) -> xr.Dataset:
    """Give the posterior without what is there once for every observation."""
    posterior = variables(fit, "posterior")
    return posterior[[name for name, values in posterior.data_vars.items() if not per_observation(values)]]


def population(data: xr.Dataset) -> xr.Dataset:
    """Keep what describes the population: nothing by subject, by occasion, by record or by observation."""
    individual = {"subject", "occasion", "record"}
    return data[
        [
            name
            for name, values in data.data_vars.items()
            if not individual & set(values.dims) and not per_observation(values)
        ]
    ]


def per_observation(values: xr.DataArray) -> bool:
    """Tell whether a variable has a dimension of observations."""
    return any(str(dim).startswith("obs") for dim in values.dims)
