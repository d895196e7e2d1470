"""Typical values: the parameters of an individual of given covariates whose random effects are zero, draw by draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pymc as pm
import xarray as xr

from qsp_bayes.calibration.checks import check_covariates
from qsp_bayes.calibration.design import Design
from qsp_bayes.calibration.iiv import IIV
from qsp_bayes.calibration.iov import IOV
from qsp_bayes.calibration.metadata import check_fit, read_facts
from qsp_bayes.calibration.sampler import quiet_pymc
from qsp_bayes.calibration.variables import Variables
from qsp_bayes.data.planned import planned_study
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.study import Study
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.data.subjects import Subjects

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration


def typical_values(
    calibration: Calibration,
    fit: xr.DataTree,
    subjects: Subjects,
    *,
    group: Literal["posterior", "prior"] = "posterior",
) -> xr.Dataset:
    r"""Give the parameters of typical individuals: allometry, covariates and species act, `IIV` and `IOV` are left out.

    .. math:: g(\theta) = g(\mathrm{TV}\theta) + \text{covariate effects} + \text{effect of the species}

    Parameters
    ----------
    calibration : Calibration
    fit : xarray.DataTree
        From `Calibration.fit`.
    subjects : Subjects
        One row for each typical individual: a 70 kg human, a 0.25 kg rat.
    group : {"posterior", "prior"}
        Which draws of the population.

    Returns
    -------
    xarray.Dataset
        Each parameter of the system, dims (chain, draw, subject), or without subject where nothing moves it.

    Raises
    ------
    CalibrationError
        If the fit is not of this calibration, or a covariate is missing.

    Examples
    --------
    The clearance of a typical human, and how far it is known::

        human = qb.Subjects(pd.DataFrame({"WT": [70], "SPECIES": [4]}, index=["human"]), {"WT": "kg"}, "a 70 kg human")
        qb.typical_values(calibration, fit, human)["CL"].quantile([0.05, 0.5, 0.95], ("chain", "draw"))
    """
    check_fit(calibration, read_facts(fit))
    study = design_of(calibration, subjects)
    check_covariates(calibration.individual, study)
    typical = [part for part in calibration.individual if not isinstance(part, IIV | IOV)]
    with pm.Model(coords=study.coords) as model, quiet_pymc():
        design = Design(study, study.as_pymc_data(), Variables(calibration.priors, calibration.fix))
        names = list(calibration.individual_parameters(design, typical))
        draws = fit[group].to_dataset()[[variable.name for variable in model.free_RVs]]
        found = pm.compute_deterministics(draws, var_names=names, progressbar=False)
    found.attrs = {}
    for name in names:
        found[name].attrs = {"units": calibration.system.parameters[name]}
    return found


def design_of(calibration: Calibration, subjects: Subjects) -> Study:
    """Give a design of these subjects, for their covariates alone: its one dose is nothing."""
    system = calibration.system
    compartment = next(iter(system.doses))
    amount = system.states[system.doses[compartment][0].state]
    output = next(iter(calibration.error))
    units = StudyUnits(system.time_unit, amount, {output: system.outputs[output].unit}, subjects.units)
    return planned_study(Regimen(0, unit=amount, into=compartment), subjects, [0.0], units=units)
