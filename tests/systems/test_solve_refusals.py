"""What solve refuses, and the messages it gives: the same for numpy events and for `pm.Data`."""

import numpy as np
import pandas as pd
import pymc as pm
import pytest

from qsp_bayes.data import read_nonmem
from qsp_bayes.errors import SolverError
from qsp_bayes.models import one_compartment
from qsp_bayes.ode.solvers import Linear
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.systems.known import known_value

PARAMETERS = {"CL": 2.0, "Vc": 20.0}
SYSTEM = one_compartment()


def study(compartment="central", rate=0.0):
    records = pd.DataFrame(
        {
            "ID": 1,
            "TIME": [0.0, 1.0, 2.0],
            "AMT": [100.0, 0.0, 0.0],
            "RATE": [rate, 0.0, 0.0],
            "EVID": [1, 0, 0],
            "DV": [np.nan, 4.5, 4.0],
        }
    )
    units = {"TIME": "h", "AMT": "mg", "DV": "mg/L"}
    return read_nonmem(records, units=units, outputs="Cc", compartments=compartment)


@pytest.fixture(params=["numpy", "pm.Data"])
def events_of(request):
    """Give the events of a study as arrays or as variables of a model."""
    if request.param == "numpy":
        yield lambda study: study.events()
    else:

        def as_data(study):
            with pm.Model(coords=study.coords):
                return study.as_pymc_data()

        yield as_data


def test_doses_into_a_compartment_that_the_system_does_not_take(events_of):
    with pytest.raises(SolverError, match="doses into depot, but the system takes doses into central"):
        SYSTEM.solve(events_of(study("depot")), PARAMETERS)


@pytest.mark.parametrize(("code", "field"), [(-1, "rate"), (-2, "duration")])
def test_a_modelled_rate_or_duration_that_is_not_declared(events_of, code, field):
    message = rf"modelled {field} \(RATE = {code}\) of doses into 'central'.*DoseInto\({field}=lambda"
    with pytest.raises(SolverError, match=message):
        SYSTEM.solve(events_of(study(rate=code)), PARAMETERS)


def test_a_missing_parameter(events_of):
    with pytest.raises(SolverError, match=r"no value for parameter Vc\. Its parameters are CL, Vc"):
        SYSTEM.solve(events_of(study()), {"CL": 2.0})


def test_an_unknown_parameter(events_of):
    with pytest.raises(SolverError, match=r"the system has no parameter V\. Its parameters are CL, Vc"):
        SYSTEM.solve(events_of(study()), {**PARAMETERS, "V": 1.0})


def test_a_system_that_is_not_linear(events_of):
    saturable = System(
        {"central": "mg"},
        {"Vmax": "mg/h", "Km": "mg"},
        [Process("loss", {"central": -1}, lambda s: s.Vmax * s.central / (s.Km + s.central))],
        outputs={"Cc": Output("mg", lambda s: s.central)},
    )
    with pytest.raises(SolverError, match="solves linear systems only"):
        saturable.solve(events_of(study()), {"Vmax": 1.0, "Km": 1.0}, solver=Linear())


def test_parameters_of_too_many_dimensions_or_an_unknown_level(events_of):
    events = events_of(study())
    with pytest.raises(SolverError, match="parameter 'CL' has 2 dimensions"):
        SYSTEM.solve(events, {**PARAMETERS, "CL": np.ones((1, 1))})
    with pytest.raises(
        SolverError, match="parameter 'CL': level 'visit' is not one of subject, occasion, record"
    ):
        SYSTEM.solve(events, {**PARAMETERS, "CL": np.ones(1)}, levels={"CL": "visit"})


def test_outputs_that_there_are_not(events_of):
    path = SYSTEM.solve(events_of(study()), PARAMETERS)
    with pytest.raises(SolverError, match="no output 'effect'"):
        path["effect"]


def test_values_are_told_through_a_change_of_type():
    with pm.Model():
        integers = pm.Data("integers", np.array([1, 2]))
        drawn = pm.Normal("drawn")
    assert np.array_equal(known_value(integers), [1, 2])
    assert known_value(drawn.astype("int64")) is None
