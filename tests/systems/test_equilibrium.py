"""A steady state that does not exist is refused when the graph is built, by the names of the states."""

import dataclasses

import numpy as np
import pandas as pd
import pymc as pm
import pytest

from qsp_bayes.data import read_nonmem
from qsp_bayes.errors import SolverError
from qsp_bayes.systems import DoseInto, Output, Process, System

PARAMETERS = {"k": "1/h", "back": "1/h", "out": "1/h", "kin": "mg/h", "Vc": "L"}
EXCHANGE = [
    Process("there", {"blood": -1, "tissue": 1}, lambda s: s.k * s.blood),
    Process("back", {"blood": 1, "tissue": -1}, lambda s: s.back * s.tissue),
]
OUT = Process("out", {"tissue": -1}, lambda s: s.out * s.tissue)
EXCRETED = Process("excreted", {"tissue": -1, "urine": 1}, lambda s: s.out * s.tissue)
MADE = Process("made", {"blood": 1}, lambda s: s.kin)


def system(*processes, states=("blood", "tissue"), dose="blood", accumulators=()):
    return System(
        dict.fromkeys(states, "mg"),
        PARAMETERS,
        list(processes),
        outputs={"Cc": Output("mg/L", lambda s: s.blood / s.Vc)},
        doses={dose: DoseInto()},
        accumulators=accumulators,
    )


def study(dose="blood", steady=1):
    rows = [
        {"ID": 1, "TIME": 0.0, "AMT": 100.0, "EVID": 1, "CMT": 1, "SS": steady, "II": 12.0, "DV": None},
        {"ID": 1, "TIME": 1.0, "AMT": 0.0, "EVID": 0, "CMT": 0, "SS": 0, "II": 0.0, "DV": 1.0},
    ]
    units = {"TIME": "h", "AMT": "mg", "DV": "mg/L"}
    return read_nonmem(pd.DataFrame(rows), units=units, compartments={1: dose}, outputs="Cc")


def events(dose="blood", steady=1):
    return study(dose, steady).events()


VALUES = dict.fromkeys(PARAMETERS, 0.5)


@pytest.mark.parametrize("steady", [1, 2])
def test_a_closed_exchange_has_no_steady_state(steady):
    with pytest.raises(SolverError, match=r"nothing leaves (blood and tissue|tissue and blood)"):
        system(*EXCHANGE).solve(events(steady=steady), VALUES)


def test_the_data_of_a_model_are_looked_at_too():
    with pm.Model(coords=study().coords):
        data = study().as_pymc_data()
        with pytest.raises(SolverError, match="nothing leaves"):
            system(*EXCHANGE).solve(data, VALUES)


def test_one_compartment_with_elimination_and_one_without():
    out = Process("out", {"blood": -1}, lambda s: s.out * s.blood)
    Cc = system(out, states=("blood",)).solve(events(), VALUES)["Cc"].eval(mode="FAST_COMPILE")
    np.testing.assert_allclose(Cc, 100.0 / 0.5 * np.exp(-0.5) / (1.0 - np.exp(-6.0)), rtol=1e-12)
    with pytest.raises(SolverError, match="nothing leaves blood:"):
        system(states=("blood",)).solve(events(), VALUES)


def test_without_ss_a_closed_exchange_is_solved():
    at = dataclasses.replace(events(), steady_state=np.zeros(2, np.int64))
    blood = system(*EXCHANGE).solve(at, VALUES)["Cc"].eval({}, mode="FAST_COMPILE")
    np.testing.assert_allclose(blood, 100.0 / 0.5 * (0.5 + 0.5 * np.exp(-1.0)), rtol=1e-12)


@pytest.mark.parametrize(
    "open_system",
    [
        system(*EXCHANGE, OUT),
        system(*EXCHANGE, EXCRETED, states=("blood", "tissue", "urine"), accumulators=("urine",)),
    ],
    ids=["eliminated", "excreted into an accumulator"],
)
def test_an_open_exchange_reaches_one(open_system):
    assert np.isfinite(open_system.solve(events(), VALUES)["Cc"].eval(mode="FAST_COMPILE")).all()


def test_a_sink_that_is_no_accumulator_has_none():
    with pytest.raises(SolverError, match=r"nothing leaves urine: .* in `accumulators`"):
        system(*EXCHANGE, EXCRETED, states=("blood", "tissue", "urine")).solve(events(), VALUES)


def test_a_dose_that_does_not_reach_the_closed_group_is_accepted_but_production_into_it_is_not():
    depot = Process("absorbed", {"depot": -1}, lambda s: s.out * s.depot)
    states = ("depot", "blood", "tissue")
    apart = system(depot, *EXCHANGE, states=states, dose="depot")
    assert np.isfinite(apart.solve(events("depot"), VALUES)["Cc"].eval(mode="FAST_COMPILE")).all()
    made = system(depot, MADE, *EXCHANGE, states=states, dose="depot")
    with pytest.raises(SolverError, match="nothing leaves"):
        made.solve(events("depot"), VALUES)
    made.solve(
        events("depot", steady=2), VALUES
    )  # adds to what is there: production is not asked for its steady state


def test_a_solver_that_does_not_exist_is_refused():
    with pytest.raises(SolverError, match="solver 'LSODA' is none"):
        system(*EXCHANGE, OUT).solve(events(), VALUES, solver="LSODA")
