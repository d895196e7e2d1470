"""A next cohort in one compartment: likelihoods against quadrature, values against bounds and each other."""

import numpy as np
import pandas as pd
import pytest
from cohorts import OMEGA, SIGMA, VOLUME, alike, calibration_of, decision_of, fit_of, into_central
from scipy.special import logsumexp, roots_hermitenorm
from scipy.stats import norm

import qsp_bayes as qb
from qsp_bayes.calibration.simulation.common_individuals import common_individuals
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.decision import ProposedStudy, evpi, evppi, evsi, net_benefit
from qsp_bayes.decision.information.preposterior import by_weights
from qsp_bayes.decision.information.study_data import CohortData
from qsp_bayes.decision.information.value_of_information import differences
from qsp_bayes.errors import CalibrationError, DecisionError

TIMES = [2.0, 6.0, 12.0]
SIZES = [1, 3, 8]


@pytest.fixture(scope="module")
def calibration():
    return calibration_of()


@pytest.fixture(scope="module")
def fit(calibration):
    return fit_of(calibration)


@pytest.fixture(scope="module")
def decision(calibration, fit):
    return decision_of(calibration, fit)


@pytest.fixture(scope="module")
def population(fit):
    return fit["posterior"].to_dataset()


@pytest.fixture(scope="module")
def cohort():
    return ProposedStudy(into_central(100.0), alike(max(SIZES)), TIMES)


@pytest.fixture(scope="module")
def simulated(calibration, population, cohort):
    return CohortData.simulated(calibration, population, cohort, random_seed=1)


def by_quadrature(observed, typical):
    """Log-likelihood of subjects' data (..., time) given a typical clearance, over 40 nodes of the random effect."""
    eta, weight = roots_hermitenorm(40)
    clearance = typical * np.exp(OMEGA * eta)
    log_mean = np.log(100.0 / VOLUME) - clearance[:, None] / VOLUME * np.array(TIMES)
    y = observed[..., None, :]
    density = (norm.logpdf(np.log(y), log_mean, SIGMA) - np.log(y)).sum(axis=-1)
    return logsumexp(density, b=weight / weight.sum(), axis=-1)


def exact_densities(simulated, population, source):
    typical = population["TVCL"].to_numpy().ravel()
    observed = simulated.observations["Cc"][source]
    return np.stack([by_quadrature(observed, one) for one in typical], axis=-1)


def test_simulated_data_follow_the_model(simulated, population):
    """Mean and variance of log concentrations at a known clearance: normal effects, normal errors."""
    typical = population["TVCL"].to_numpy().ravel()[:, None]
    log_y = np.log(simulated.observations["Cc"])
    clearance = typical * np.exp(OMEGA**2 / 2)
    variance = (clearance / VOLUME) ** 2 * np.expm1(OMEGA**2) * np.square(TIMES) + SIGMA**2
    z = (log_y - np.log(100 / VOLUME) + clearance[..., None] / VOLUME * np.array(TIMES)) / np.sqrt(
        variance[:, None]
    )
    assert np.abs(z.mean(axis=(0, 1))).max() < 4 / np.sqrt(z.shape[0] * z.shape[1])
    np.testing.assert_allclose(z.std(axis=(0, 1)), 1, atol=0.06)


def test_common_individuals_differ_by_the_population_alone(calibration, population, cohort):
    study = qb.planned_study(
        cohort.regimen,
        alike(30),
        TIMES,
        units=StudyUnits("h", "mg", {"Cc": "mg/L"}, {}),
        outputs=["Cc"],
        compartments=["central"],
    )
    clearance = common_individuals(calibration, population, study, 3)["CL"]
    relative = clearance / population["TVCL"].to_numpy().ravel()[:, None]
    np.testing.assert_allclose(relative, relative[:1] * np.ones((len(relative), 1)), rtol=1e-10)
    assert np.std(np.log(relative[0])) == pytest.approx(OMEGA, rel=0.4)


def test_likelihood_of_an_individual_against_quadrature(simulated, population):
    source = np.arange(0, 200, 20)
    found, ess = simulated.log_likelihoods(source, 1000, random_seed=2, progressbar=False)
    exact = exact_densities(simulated, population, source)
    # Where the data are plausible at all; far away few of the individuals come near them.
    plausible = exact > exact.max(axis=-1, keepdims=True) - 3
    difference = (found - exact)[plausible]
    assert np.sqrt(np.mean(difference**2)) < 0.12
    assert ess.shape == (10, max(SIZES))
    assert np.median(ess) > 200
    assert (ess >= 1).all()
    assert (ess <= 1000).all()


def test_value_of_a_cohort(calibration, fit, decision, cohort, simulated, population):
    weighted = evsi(
        decision, calibration, fit, cohort, sizes=SIZES, individuals=200, random_seed=1, progressbar=False
    )
    regressed = evsi(
        decision, calibration, fit, cohort, sizes=SIZES, method="regression", random_seed=1, progressbar=False
    )
    assert set(weighted.table["method"]) == {"weights"}
    assert set(regressed.table["method"]) == {"regression"}
    exact = exact_densities(simulated, population, np.arange(200))
    bound = weighted.metadata["evpi"]
    for n, one, other in zip(SIZES, weighted.table.itertuples(), regressed.table.itertuples(), strict=True):
        # The same data and draws, the likelihood by quadrature: only the average over individuals differs.
        by_exact = by_weights(differences(decision), exact[:, :n].sum(axis=1), np.arange(200)).value
        assert one.value == pytest.approx(by_exact, abs=0.15 * one.mcse + 0.01 * bound), n
        # The same draws, so that most of the error is common to both.
        assert abs(one.value - other.value) < 1.5 * one.mcse, n
        assert one.value < bound
    assert (np.diff(weighted.table["value"]) > 0).all()
    assert (np.diff(regressed.table["value"]) > 0).all()
    value_of_clearance = evppi(decision, fit, random_seed=1).table.loc["TVCL"]
    assert weighted.table["value"].iloc[-1] < value_of_clearance["value"] + value_of_clearance["mcse"]
    benefit = net_benefit(weighted, treated=1000, fixed=20, each=2)
    by_hand = 1000 * weighted.table["value"].to_numpy() - 20 - 2 * np.array(SIZES)
    np.testing.assert_allclose(benefit.table["net_benefit"], by_hand)
    assert benefit.best == weighted.table.index[int(np.argmax(by_hand))]
    assert net_benefit(weighted, treated=1, fixed=100).best is None
    assert "Choose now" in net_benefit(weighted, treated=1, fixed=100).summary()
    with pytest.raises(DecisionError, match="is no design"):
        net_benefit(weighted, treated=1, costs={"x": 1})
    with pytest.raises(DecisionError, match="only data have a cost"):
        net_benefit(evpi(decision), treated=1)


def test_a_large_cohort_is_worth_all_that_can_be_known(calibration, fit, decision):
    large = ProposedStudy(into_central(100.0), alike(400), TIMES)
    found = evsi(decision, calibration, fit, large, method="regression", progressbar=False)
    share = found.table["share"].item()
    assert 0.95 < share < 1.01


def test_covariates_of_the_cohort_count(population):
    """With a clearance in proportion to weight, subjects of 35 kg under half the dose are those of 70 kg."""
    scaled = calibration_of(individual=[qb.Allometry("WT", CL=1.0, Vc=1.0, reference=70), qb.IIV("CL")])
    table = pd.DataFrame({"WT": [70.0, 35.0]})
    cohort = ProposedStudy(
        qb.Regimen(100 / 70, unit="mg/kg", per="WT", into="central"),
        qb.Subjects(table, {"WT": "kg"}, "two"),
        TIMES,
    )
    data = CohortData.simulated(scaled, population, cohort, 1)
    same = np.repeat(data.observations["Cc"][:, :1], 2, axis=1)
    twice = CohortData(scaled, population, cohort, {"Cc": same})
    found, _ = twice.log_likelihoods(np.arange(0, 200, 20), 1000, 1, progressbar=False)
    exact = np.stack(
        [by_quadrature(same[::20], one) for one in population["TVCL"].to_numpy().ravel()], axis=-1
    )
    plausible = exact > exact.max(axis=-1, keepdims=True) - 3
    assert np.sqrt(np.mean((found - exact)[plausible] ** 2)) < 0.12


def test_errors_say_what_is_wrong(calibration, fit, decision, cohort):
    with pytest.raises(DecisionError, match="which has 8 subjects"):
        evsi(decision, calibration, fit, cohort, sizes=[17], progressbar=False)
    with pytest.raises(CalibrationError, match="another calibration"):
        evsi(
            decision, calibration_of(error={"Cc": qb.Proportional()}, fix={}), fit, cohort, progressbar=False
        )
    with pytest.raises(DecisionError, match="does not hold the chains and draws"):
        evsi(decision, calibration, fit_of(calibration, draws=10), cohort, progressbar=False)
    other = ProposedStudy(into_central(100.0), alike(2), TIMES, outputs=["Ce"])
    with pytest.raises(DecisionError, match="without an error model"):
        evsi(decision, calibration, fit, other, progressbar=False)
    with pytest.raises(DecisionError, match="one of automatic"):
        evsi(decision, calibration, fit, cohort, method="best", progressbar=False)
