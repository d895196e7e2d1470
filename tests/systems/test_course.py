"""The course of one individual, against closed forms."""

import dataclasses

import numpy as np
import pytest

from qsp_bayes.data import Regimen
from qsp_bayes.errors import MechanismError, SolverError
from qsp_bayes.models import one_compartment
from qsp_bayes.systems import Output, Process, System

TIMES = np.array([0.0, 1.0, 5.0])


def growth(rate):
    """A quantity that grows without limit, in finite time."""
    return System(
        {"x": "1"}, {"k": "1/h"}, [Process("growth", {"x": 1}, rate)], {"size": Output("", lambda s: s.x)},
        initial={"x": 1.0},
    )  # fmt: skip


def test_without_doses_a_system_starts_from_its_initial_values():
    found = growth(lambda s: s.k * s.x).course({"k": 0.5}, TIMES)
    np.testing.assert_allclose(found["size"], np.exp(0.5 * TIMES), rtol=1e-10)
    assert found.time.units == "h"


def test_doses_and_inputs():
    system = one_compartment().define({"CL0": "L/h"}, CL=lambda s: s.CL0)
    found = system.course({"CL0": 2.0, "Vc": 10.0}, TIMES[1:], Regimen(100, unit="mg", into="central"))
    np.testing.assert_allclose(found["Cc"], 10 * np.exp(-0.2 * TIMES[1:]), rtol=1e-10)


def test_an_output_that_no_state_changes_has_all_times():
    system = one_compartment()
    system = dataclasses.replace(system, outputs={**system.outputs, "volume": Output("L", lambda s: s.Vc)})
    found = system.course({"CL": 2.0, "Vc": 10.0}, TIMES, Regimen(100, unit="mg", into="central"))
    np.testing.assert_array_equal(found["volume"], [10.0, 10.0, 10.0])


def test_what_cannot_be_followed_is_refused():
    system, values = one_compartment(), {"CL": 1.0, "Vc": 10.0}
    with pytest.raises(MechanismError, match="Cp"):
        system.course(values, TIMES, outputs=["Cp"])
    with pytest.raises(MechanismError, match="doses into 'gut'"):
        system.course(values, TIMES, Regimen(1, unit="mg", into="gut"))
    with pytest.raises(MechanismError, match="increasing"):
        system.course(values, TIMES[::-1])
    with pytest.raises(SolverError, match="state `x`"):
        growth(lambda s: s.k * s.x**2).course({"k": 1.0}, TIMES)
