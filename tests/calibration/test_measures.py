"""Measures kept of a simulation are those of its stored paths, whatever the blocks, threads and interruptions."""

import functools
import sys
import threading
import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from handmade import calibration, fit, people
from hypothesis import given
from hypothesis import strategies as st

from qsp_bayes.calibration import load_fit, save_fit
from qsp_bayes.calibration.simulation import block_solver
from qsp_bayes.calibration.simulation import simulate as simulate_module
from qsp_bayes.calibration.simulation.blocks import Blocks
from qsp_bayes.calibration.simulation.predictor import Predictor
from qsp_bayes.calibration.simulation.stream import Stream
from qsp_bayes.data import Regimen, Subjects
from qsp_bayes.decision import (
    auc,
    choose,
    cmax,
    dosing_cost,
    fraction_within,
    larger_is_better,
    time_above,
    utility,
)
from qsp_bayes.errors import CalibrationError, DecisionError

CALIBRATION = calibration()
DRAWS, SUBJECTS = 24, 15
TIMES = np.linspace(0.0, 24.0, 49)
REGIMENS = {
    "none": Regimen(0, every=8, until=24),
    "100 mg q8h": Regimen(100, every=8, until=24),
    "5 mg/kg": Regimen(5, unit="mg/kg", per="WT"),
}


def window(x):
    """Hours within the window, less some for dosing, weight and amount."""
    of_heavy = larger_is_better(x["WT"], 30, 120)
    return fraction_within(x["Cc"], 2, 4) * of_heavy - dosing_cost(x, per_dose=0.1, per_amount=0.001)


MEASURES = {
    "window": window,
    "attained": lambda x: cmax(x["Cc"]) > 3,
    "burden": utility(lambda x: -auc(x["Cc"]) - time_above(x["Cc"], 4), "exposure, negative"),
}


@pytest.fixture(scope="module")
def posterior():
    return fit(CALIBRATION, DRAWS)


def simulated(posterior, **options):
    arguments = {"draws": DRAWS, "random_seed": 3, **options}
    subjects = arguments.pop("subjects", people(SUBJECTS))
    return CALIBRATION.simulate(
        posterior, arguments.pop("regimens", REGIMENS), subjects, arguments.pop("times", TIMES), **arguments
    )


@pytest.fixture(scope="module")
def stored(posterior):
    return simulated(posterior)


@pytest.fixture(scope="module")
def measured(posterior):
    return simulated(posterior, measures=MEASURES)


def small_blocks(monkeypatch, most):
    """Blocks of few values, so that a small simulation has many of them."""
    monkeypatch.setattr(block_solver, "Blocks", functools.partial(Blocks, most=most))


def test_paths_are_those_of_the_closed_form(stored, posterior):
    patients = CALIBRATION.virtual_patients(posterior, people(SUBJECTS), draws=DRAWS, random_seed=3)
    CL, Vc, KA = (patients.parameters[name] for name in ("CL", "Vc", "KA"))
    time = stored["predictions"]["time"]

    def after(dose, start):
        """One oral dose; at its time, the value before it."""
        t = (time - start).clip(min=0)
        k = CL / Vc
        return dose * KA / (Vc * (KA - k)) * (np.exp(-k * t) - np.exp(-KA * t))

    WT = xr.DataArray(people(SUBJECTS).table["WT"].to_numpy(), dims="subject")
    expected = {
        "none": after(0, 0),
        "100 mg q8h": sum(after(100, start) for start in (0, 8, 16)),
        "5 mg/kg": after(5 * WT, 0),
    }
    for regimen, exact in expected.items():
        found = stored["predictions"]["Cc"].sel(regimen=regimen)
        np.testing.assert_allclose(found, exact.transpose(*found.dims), rtol=1e-9, atol=1e-12)


def test_measures_are_those_of_the_stored_paths(stored, measured):
    assert set(measured.children) == {"measures", "dosing", "constant_data"}
    for name, function in MEASURES.items():
        expected = utility(function)(stored) if name != "burden" else function(stored)
        found = measured["measures"][name]
        assert found.dims == ("chain", "draw", "regimen", "subject")
        assert found.dtype == float
        xr.testing.assert_allclose(found.drop_attrs(), expected.drop_attrs(), rtol=1e-12, atol=0)
    assert measured["measures"]["burden"].attrs["description"] == "exposure, negative"
    assert measured["dosing"].to_dataset().identical(stored["dosing"].to_dataset())


def test_a_choice_is_the_same_from_measures_and_from_paths(stored, measured):
    by_paths = choose(stored, lambda x: window(x) - (cmax(x["Cc"]) > 3))
    by_measures = choose(measured, lambda x: x["window"] - x["attained"])
    pd.testing.assert_frame_equal(by_paths.table, by_measures.table, rtol=1e-10, atol=1e-12)
    assert by_measures.metadata["n_subjects"] == SUBJECTS
    with pytest.raises(KeyError, match="Cc"):
        choose(measured, lambda x: x["Cc"].max("time"))


def test_one_measure_without_a_name_is_the_utility(posterior, measured):
    alone = simulated(posterior, measures=window)["measures"]
    assert list(alone.data_vars) == ["utility"]
    np.testing.assert_array_equal(alone["utility"], measured["measures"]["window"])


@pytest.fixture(scope="module", params=[False, True], ids=["outputs", "observations"])
def whole(request, posterior):
    """A simulation in one block for each chain and regimen: its options, paths and measures."""
    options = {
        "residual": request.param,
        "regimens": {name: REGIMENS[name] for name in ("100 mg q8h", "5 mg/kg")},
        "times": TIMES[1:],  # a proportional error needs concentrations
    }
    return options, simulated(posterior, **options), simulated(posterior, measures=MEASURES, **options)


@pytest.mark.parametrize(("most", "cores"), [(48 * 15 * 4, 1), (48 * 15 * 4, 3), (48 * 4, 2)])
def test_neither_blocks_nor_threads_change_a_bit(whole, posterior, monkeypatch, most, cores):
    options, paths, kept = whole
    small_blocks(monkeypatch, most)
    monkeypatch.setattr(simulate_module, "usable_cores", lambda: cores)
    in_parts = simulated(posterior, **options)
    kept_in_parts = simulated(posterior, measures=MEASURES, **options)["measures"]
    splits_subjects = most < 48 * 15
    if not (options["residual"] and splits_subjects):
        # Otherwise not: random numbers belong to a draw and to the subjects that are solved together.
        np.testing.assert_array_equal(in_parts["predictions"]["Cc"], paths["predictions"]["Cc"])
        for name in MEASURES:
            np.testing.assert_allclose(kept_in_parts[name], kept["measures"][name], rtol=1e-12, atol=1e-12)
    for name, function in MEASURES.items():
        expected = utility(function)(in_parts) if name != "burden" else function(in_parts)
        np.testing.assert_allclose(kept_in_parts[name], expected, rtol=1e-12, atol=1e-12)


def test_residual_error_has_its_law(posterior):
    """y = f (1 + 0.1 e), and no two draws, regimens or individuals share their errors."""
    options = {"times": [2.0, 5.0, 9.0], "regimens": {"a": Regimen(100), "b": Regimen(100)}}
    true = simulated(posterior, **options)["predictions"]["Cc"]
    error = (simulated(posterior, residual=True, **options)["predictions"]["Cc"] / true - 1) / 0.1
    values = error.to_numpy()
    assert len(np.unique(values)) == values.size
    n = values.size
    assert abs(values.mean()) < 4 / np.sqrt(n)
    assert abs(values.var() - 1) < 4 * np.sqrt(2 / n)
    a, b = values[:, :, 0].ravel(), values[:, :, 1].ravel()
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(a.size)


@pytest.mark.parametrize(
    ("measures", "error", "message"),
    [
        ({"m": lambda x: x["Cc"]}, CalibrationError, r"'m' must return .*'time'.*Reduce 'time'"),
        ({"m": lambda x: cmax(x["Cc"]).mean("subject")}, CalibrationError, r"'m' must return a DataArray"),
        ({"m": lambda x: 1.0}, CalibrationError, "it returned float"),
        ({"m": lambda x: np.log(cmax(x["Cc"]))}, CalibrationError, "not finite for .* regimen none, subject"),
        ({"m": lambda x: cmax(x["Cc"]) * 1j}, CalibrationError, "type complex128"),
        (
            {"WT": lambda x: cmax(x["Cc"])},
            CalibrationError,
            "'WT' is the name of a covariate and of a measure",
        ),
        ({"Cc": lambda x: cmax(x["Cc"])}, CalibrationError, "'Cc' is the name of an output and of a measure"),
        ({"draw": lambda x: cmax(x["Cc"])}, CalibrationError, "of a dimension and of a measure"),
        ({"m": "auc"}, CalibrationError, "'m' is str; it must be a function"),
        ({}, CalibrationError, "measures is empty"),
        (
            {"m": lambda x: cmax(x["Cc"]) - cmax(x["Cc"]).mean("draw")},
            CalibrationError,
            "depends on which other draws",
        ),
        (
            {"m": lambda x: cmax(x["Cc"]) - cmax(x["Cc"]).mean("subject")},
            CalibrationError,
            "depends on which other individuals",
        ),
        ({"m": utility(lambda x: x["Cc"])}, DecisionError, "must return a DataArray"),
    ],
)
def test_measures_that_cannot_be_kept_are_refused_before_the_long_work(
    posterior, monkeypatch, measures, error, message
):
    small_blocks(monkeypatch, 49 * 15 * 4)
    seen = []
    fetch = Stream.solved

    def counted(stream):
        for found in fetch(stream):
            seen.append(found)
            yield found

    monkeypatch.setattr(Stream, "solved", counted)
    regimens = {**REGIMENS, "50 mg": Regimen(50)}
    if "not finite" not in message:
        del regimens["none"]
    with (
        np.errstate(divide="ignore", invalid="ignore"),
        pytest.raises(error, match=message),
    ):
        simulated(posterior, measures=measures, regimens=regimens)
    assert len(seen) <= 1


@pytest.mark.parametrize("cores", [1, 2])
def test_an_interruption_passes_through_and_leaves_no_thread(posterior, monkeypatch, cores):
    small_blocks(monkeypatch, 49 * 15 * 2)
    monkeypatch.setattr(simulate_module, "usable_cores", lambda: cores)
    calls = []

    def interrupted(x):
        calls.append(x.sizes["draw"])
        if len(calls) > 6:
            raise KeyboardInterrupt
        return cmax(x["Cc"])

    before = threading.active_count()
    result = None
    with pytest.raises(KeyboardInterrupt):
        result = simulated(posterior, measures=interrupted)
    assert result is None
    assert len(calls) == 7
    assert threading.active_count() == before


def test_a_measure_is_called_in_the_callers_thread(posterior, monkeypatch):
    small_blocks(monkeypatch, 49 * 15 * 2)
    monkeypatch.setattr(simulate_module, "usable_cores", lambda: 2)
    threads = set()
    simulated(posterior, measures=lambda x: (threads.add(threading.get_ident()), cmax(x["Cc"]))[1])
    assert threads == {threading.get_ident()}


def memory_of(posterior, draws, keep):
    """Largest memory, in MiB, of Python's objects and numpy's arrays from the first block on."""

    def measure(x):
        if not tracemalloc.is_tracing():
            tracemalloc.start()
        keep(x)
        return cmax(x["Cc"])

    patients = CALIBRATION.virtual_patients(posterior, people(SUBJECTS), draws=draws)
    try:
        CALIBRATION.simulate(posterior, Regimen(100), patients, TIMES, measures=measure)
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_draws(monkeypatch):
    many = fit(CALIBRATION, 800)
    small_blocks(monkeypatch, 49 * 15 * 10)
    paths = 720 * SUBJECTS * len(TIMES) * 8 / 2**20
    few, more = (memory_of(many, draws, keep=lambda x: None) for draws in (80, 800))
    assert more - few < 0.1 * paths
    # Paths that are not given up would be found.
    kept = []
    assert memory_of(many, 800, keep=kept.append) - few > 0.9 * paths


@given(
    st.integers(1, 4), st.integers(1, 30), st.integers(1, 3), st.integers(1, 40), st.integers(1, 20),
    st.integers(1, 500),
)  # fmt: skip
def test_blocks_cover_everything_once(chains, draws, regimens, subjects, values, most):
    covered = np.zeros((chains, draws, regimens, subjects), dtype=int)
    blocks = Blocks(chains, draws, regimens, subjects, values, most)
    for block in blocks:
        covered[block.index] += 1
        n_draws = block.draws.stop - block.draws.start
        n_subjects = block.subjects.stop - block.subjects.start
        assert n_draws * n_subjects * values <= max(most, values)
    assert (covered == 1).all()
    assert len(blocks) == sum(1 for _ in blocks)


def test_progress_counts_the_blocks(posterior, monkeypatch):
    bars = []
    make = Stream.progress

    def kept(stream):
        bars.append(make(stream))
        return bars[-1]

    monkeypatch.setattr(Stream, "progress", kept)
    small_blocks(monkeypatch, 49 * 15 * 4)
    simulated(posterior, measures=window, progressbar=True)
    (task,) = bars[0].tasks
    assert not bars[0].disable
    assert task.completed == task.total == 18  # 3 regimens, 2 chains, 3 parts of 12 draws
    simulated(posterior, measures=window)
    assert bars[1].disable


def test_dosing_is_counted_within_the_times(posterior):
    weights = np.array([50.0, 80.0])
    regimens = {
        "four": Regimen(100, every=6, until=24),
        "load": Regimen(300) + Regimen(50, every=8, until=24, start=8),
        "per kg": Regimen(2, unit="mg/kg", per="WT", every=12, until=25),
        "infusion": Regimen(80, duration=4, start=23, into="central"),
        "late": Regimen(80, start=24),
        "placebo": Regimen(0, every=6, until=24),
    }
    future = simulated(posterior, regimens=regimens, subjects=people(2, weights), times=[0, 6, 24], draws=2)
    given = future["dosing"].to_dataset()
    assert given["n_doses"].values.tolist() == [4, 3, 2, 1, 0, 0]
    np.testing.assert_array_equal(
        given["amount_given"],
        [[400, 400], [400, 400], [200, 320], [80, 80], [0, 0], [0, 0]],
    )
    assert given["amount_given"].attrs["units"] == "mg"
    assert future["constant_data"]["WT"].attrs["units"] == "kg"
    assert future["predictions"]["time"].attrs["units"] == "h"
    later = simulated(posterior, regimens=regimens, subjects=people(2, weights), times=[6, 12], draws=2)
    assert later["dosing"]["n_doses"].values.tolist() == [1, 1, 0, 0, 0, 0]
    cost = choose(
        simulated(posterior, regimens=regimens, times=[0, 6, 24]),
        lambda x: -x["n_doses"] + 0 * fraction_within(x["Cc"], 2, 4),
    )
    assert cost.table["expected_utility"].tolist() == [-4, -3, -2, -1, 0, 0]


@pytest.mark.parametrize("name", ["future.nc", "future.zarr"])
def test_files_keep_measures_doses_and_units(measured, stored, tmp_path, name):
    for tree in (measured, stored):
        save_fit(tree, tmp_path / name)
        xr.testing.assert_identical(load_fit(tmp_path / name), tree)


def test_a_covariate_named_as_an_output_is_refused(posterior):
    table = people(2).table.assign(Cc=1.0)
    with pytest.raises(CalibrationError, match="'Cc' is the name of an output and of a covariate"):
        simulated(posterior, subjects=Subjects(table, {"WT": "kg"}, "given"))
    table = people(2).table.assign(n_doses=1.0)
    with pytest.raises(CalibrationError, match="'n_doses' is the name of a covariate and of a fact"):
        simulated(posterior, subjects=Subjects(table, {"WT": "kg"}, "given"))


def test_a_utility_sees_no_name_twice(stored):
    twice = stored.copy()
    twice["constant_data"] = xr.DataTree(stored["constant_data"].to_dataset().rename(WT="Cc"))
    with pytest.raises(DecisionError, match="'Cc' is simulated and known of the individuals"):
        choose(twice, lambda x: cmax(x["Cc"]))
    others = stored.copy()
    known = stored["constant_data"].to_dataset()
    others["constant_data"] = xr.DataTree(known.assign_coords(subject=[f"x{i}" for i in range(SUBJECTS)]))
    with pytest.raises(DecisionError, match="WT are not of the regimens and individuals"):
        choose(others, lambda x: cmax(x["Cc"]))


def test_no_regimen_is_refused(posterior):
    with pytest.raises(CalibrationError, match="no regimen to simulate"):
        simulated(posterior, regimens={})


def test_a_solve_lets_other_threads_run():
    """While one thread solves, this one must get to look at the clock."""
    subjects = people(2000)
    patients = CALIBRATION.virtual_patients(fit(CALIBRATION, 4), subjects, draws=4)
    study = simulate_module.plan(CALIBRATION, Regimen(100), subjects, TIMES, ["Cc"])
    parameters = patients.parameters_by_draw()
    predictor = Predictor.compile(CALIBRATION, study, parameters)
    records, row = predictor.records(study), [values[0] for values in parameters.values()]
    predictor(records, row)  # compiles
    starts, looks = [], []

    def solve():
        for _ in range(20):
            starts.append(time.perf_counter())
            predictor(records, row)

    def seconds():
        start = time.perf_counter()
        predictor(records, row)
        return time.perf_counter() - start

    least = min(seconds() for _ in range(10))  # what a solve takes alone

    # The thread that solves does not wait long for Python's lock before it begins.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        solving = threading.Thread(target=solve)
        solving.start()
        while solving.is_alive():
            looks.append(time.perf_counter())
    finally:
        sys.setswitchinterval(interval)
    early = [(start + 0.1 * least, start + 0.8 * least) for start in starts]
    assert sum(any(begin < look < end for look in looks) for begin, end in early) >= 3
