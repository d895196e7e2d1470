"""Full TMDD from free drug alone: known in principle, not in practice; the ladder before data and the posterior agree.

``make test-slow PYTEST_ARGS="tests/identifiability/test_tmdd_ladder.py -s"`` prints the figures.
"""

import numpy as np
import pandas as pd
import pytest
from small_models import half_normal, log_normal

import qsp_bayes as qb

TRUTH = {"CL": 0.3, "Vc": 3.0, "kon": 3.0, "koff": 3.0, "R0": 5.0, "kdeg": 0.3, "kint": 0.15}
SPREAD = {"CL": 0.4, "Vc": 0.3, "kon": 1.0, "koff": 1.0, "R0": 0.7, "kdeg": 0.5, "kint": 0.5}
OF_SUBJECTS = {"omega_CL": 0.2, "omega_R0": 0.3, "sigma_log_Cc": 0.1}
LATE = (1.0, 3.0, 7.0, 10.0, 14.0, 17.0, 21.0, 28.0, 35.0)  # day: binding is at rest within the first hour
EARLY = (5 / 1440, 15 / 1440, 30 / 1440, 2 / 24, *LATE)
DOSE = 100.0  # nmol
SUBJECTS = 6


def calibration():
    system = qb.tmdd(compartments=1)
    priors = {
        f"TV{name}": log_normal(median, system.parameters[name], SPREAD[name])
        for name, median in TRUTH.items()
    }
    priors |= {name: half_normal(1.5 * value) for name, value in OF_SUBJECTS.items()}
    return qb.Calibration(system, priors, individual=[qb.IIV("CL", "R0")], error={"Cc": qb.LogNormal()})


def study_of(times, seed):
    """Free drug of subjects that differ in CL and R0, with a tenth of error."""
    system, rng = qb.tmdd(compartments=1), np.random.default_rng(seed)
    regimen = qb.Regimen(DOSE, unit="nmol", into="central")
    rows = []
    for subject in range(SUBJECTS):
        own = TRUTH | {
            name: TRUTH[name] * np.exp(rng.normal(0, OF_SUBJECTS[f"omega_{name}"])) for name in ("CL", "R0")
        }
        course = system.course(own, times, regimen)["Cc"].to_numpy() * np.exp(rng.normal(0, 0.1, len(times)))
        rows.append((subject, 0.0, 1, DOSE, np.nan))
        rows += [(subject, t, 0, 0.0, c) for t, c in zip(times, course, strict=True)]
    return qb.read_nonmem(
        pd.DataFrame(rows, columns=["ID", "TIME", "EVID", "AMT", "DV"]).assign(CMT=1),
        units={"TIME": "day", "AMT": "nmol", "DV": "nmol/L"},
        compartments={1: "central"},
        outputs={1: "Cc"},
    )


@pytest.fixture(scope="module")
def study():
    return study_of(LATE, seed=1)


@pytest.fixture(scope="module")
def fitted(study):
    fit = calibration().fit(study, draws=300, tune=400, chains=2, random_seed=1, progressbar=False)
    return fit, qb.identifiability(calibration(), study, fit)


def at_truth(times):
    at = {f"TV{name}": value for name, value in TRUTH.items()} | OF_SUBJECTS
    return qb.expected_information(calibration(), study_of(times, seed=1), at=at)


def test_all_is_known_in_principle(study):
    """From one dose level: perfect data of free drug from a known baseline of the target determine every parameter."""
    found = qb.structural_identifiability(calibration().system, study)
    assert all(v.startswith(("globally", "locally")) for v in found.parameters.values()), found
    assert found.rank == len(TRUTH)


def test_before_data_the_ratio_is_known_and_its_parts_are_not():
    """Where a ratio is known exactly and equal priors stand on its parts, each keeps half of its variance."""
    found = at_truth(LATE)
    print(found[["standard_error", "contraction"]].to_dataframe().round(3))
    correlation = found.correlation.sel(variable="TVkon", variable_bis="TVkoff").item()
    sd = found.posterior_sd.to_series()
    of_ratio = np.sqrt(sd["TVkon"] ** 2 + sd["TVkoff"] ** 2 - 2 * correlation * sd["TVkon"] * sd["TVkoff"])
    print(f"correlation {correlation:.3f}, sd of log KD {of_ratio:.3f}")
    for name in ("TVkon", "TVkoff"):
        assert found.contraction.sel(variable=name).item() == pytest.approx(0.5, abs=0.06)
        assert found.standard_error.sel(variable=name).item() > 5  # without a prior: a factor of 150 and more
    assert correlation > 0.9
    assert of_ratio < 0.35
    assert found.contraction.sel(variable="TVkint").item() > 0.9


def test_samples_while_binding_is_under_way_tell_kon():
    """The same priors and a design that sees free drug fall as it binds: half is no constant, it is the design's."""
    late, early = at_truth(LATE), at_truth(EARLY)
    gain = early.contraction - late.contraction
    print(gain.to_series().round(3))
    assert gain.sel(variable="TVkon").item() > 0.2
    assert (
        early.standard_error.sel(variable="TVkon").item()
        < late.standard_error.sel(variable="TVkon").item() / 5
    )


@pytest.mark.slow
def test_the_posterior_does_what_the_ladder_said_before(fitted):
    fit, ladder = fitted
    print(ladder)
    logs = {name: np.log(fit["posterior"][name].to_numpy().ravel()) for name in ("TVkon", "TVkoff")}
    correlation = np.corrcoef(*logs.values())[0, 1]
    of_ratio = (logs["TVkoff"] - logs["TVkon"]).std()
    print(f"correlation {correlation:.3f}, sd of log KD {of_ratio:.3f}")
    assert correlation > 0.9
    assert of_ratio < 0.35
    for name in ("TVkon", "TVkoff"):
        row = ladder.table.loc[name]
        # 300 to 600 effective draws: contraction has a standard error of 0.04.
        assert row["contraction"] == pytest.approx(row["expected_contraction"], abs=0.15)
        assert row["verdict"] == "known in part"
    assert "goes together with TVkoff" in ladder.table.at["TVkon", "reason"]
    assert "goes together with TVkon" in ladder.table.at["TVkoff", "reason"]
    for name in ("TVVc", "TVkint", "sigma_log_Cc"):
        assert ladder.table.at[name, "verdict"] == "known"


def test_the_profile_sets_a_lower_limit_and_none_above(study):
    """Binding faster than the samples can follow is all the same to them; slower binding would have been seen."""
    mean = study.records.query("EVID == 0").groupby("TIME")["DV"].apply(lambda y: np.exp(np.log(y).mean()))
    rows = [(1, 0.0, 1, DOSE, np.nan), *((1, t, 0, 0.0, c) for t, c in mean.items())]
    one = qb.read_nonmem(
        pd.DataFrame(rows, columns=["ID", "TIME", "EVID", "AMT", "DV"]).assign(CMT=1),
        units={"TIME": "day", "AMT": "nmol", "DV": "nmol/L"},
        compartments={1: "central"},
        outputs={1: "Cc"},
    )
    pooled = qb.Calibration(
        qb.tmdd(compartments=1),
        calibration().priors,
        error={"Cc": qb.LogNormal()},
        fix={"sigma_log_Cc": 0.05, "CL": 0.3, "R0": 5.0},
    )
    found = qb.profile_likelihood(pooled, one, ["TVkon", "TVkint"], progressbar=False)
    print(found[["lower", "upper", "verdict"]].to_dataframe())
    assert 0 < found.lower.sel(variable="TVkon").item() < TRUTH["kon"]
    assert found.upper.sel(variable="TVkon").item() == np.inf
    assert found.verdict.sel(variable="TVkint").item() == "limits on both sides"
    assert found.lower.sel(variable="TVkint") < TRUTH["kint"] < found.upper.sel(variable="TVkint")
