"""The parameters of one person, for many draws at once, against the formulas in numpy and the model itself."""

import dataclasses

import numpy as np
import pytest

from qsp_bayes.calibration import (
    IIV,
    IOV,
    Additive,
    Allometry,
    Calibration,
    Censored,
    Combined,
    Covariate,
    LogNormal,
    Prior,
    Proportional,
    StudentT,
    load_priors,
)
from qsp_bayes.calibration.individual.copies import copied
from qsp_bayes.calibration.individual.individual import Individual
from qsp_bayes.data import load_dataset
from qsp_bayes.models import one_compartment

N = 5
SYSTEM = one_compartment(absorption="first-order")


@pytest.fixture(scope="module")
def person():
    """Weight and AAG change in time; two occasions."""
    one = load_dataset("quinidine").subset(["1"])
    return dataclasses.replace(one, table=one.table.assign(OCC=np.where(one.table["TIME"] < 100, 1, 2)))


def calibrated(*individual, error=None, fix=None):
    own = {"e_aag_cl": Prior(median=0.0, sd=0.5, unit="", source="a test")}
    priors = load_priors("weakly_informative").replace(own)
    return Calibration(SYSTEM, priors, list(individual), {"Cc": error or Combined()}, fix=fix or {})


@pytest.mark.parametrize("in_time", [False, True], ids=["by occasion", "by record"])
def test_parameters_follow_the_formulas(person, in_time):
    table, occasion = person.table, person.occasion_index
    parts = [Allometry("WT", CL=0.75, Vc=1.0, reference=70)]
    if in_time:
        parts.append(Covariate("AAG", on="CL", reference=0.8, unit="g/L"))
    calibration = calibrated(
        *parts,
        IIV("CL", "Vc", correlated=True),
        IOV("CL"),
        fix={"KA": 1.2, **({"e_aag_cl": -0.4} if in_time else {})},
    )
    individual = Individual.of(calibration, person)
    rng = np.random.default_rng(1)
    population = {
        name: rng.uniform(0.1, 0.9, (N, 1) if name == "corr_eta_canonical" else N)
        for name in individual.population
    }
    effects = individual.split(rng.standard_normal((N, individual.n_effects)))
    found, deviations = individual.parameters(population, effects, N)
    correlation = 2 * population["corr_eta_canonical"][:, 0] - 1
    first, second = effects["eta_independent"][:, 0, 0], effects["eta_independent"][:, 1, 0]
    eta = {"CL": first, "Vc": correlation * first + np.sqrt(1 - correlation**2) * second}
    for name, values in eta.items():
        np.testing.assert_allclose(deviations[f"eta_{name}"][:, 0], values, rtol=1e-12)
    weight = table["WT"].to_numpy()
    log_CL = (
        np.log(population["TVCL"])[:, None]
        + 0.75 * np.log(weight / 70)
        + (population["omega_CL"] * eta["CL"])[:, None]
        + population["pi_CL"][:, None] * effects["kappa_CL"][:, occasion]
    )
    if in_time:
        log_CL = log_CL - 0.4 * np.log(table["AAG"].to_numpy() / 0.8)
    assert individual.levels["CL"] == ("record" if in_time else "occasion")
    shown = found["CL"] if in_time else found["CL"][:, occasion]
    np.testing.assert_allclose(np.log(shown), log_CL, rtol=1e-10)
    np.testing.assert_array_equal(found["KA"], np.full(N, 1.2))


ERRORS = [Additive(), Proportional(), Combined(), LogNormal(), StudentT(Combined()), Censored(Combined())]


@pytest.mark.parametrize("error", ERRORS, ids=str)
def test_the_likelihood_of_each_copy_is_that_of_the_model(person, error):
    calibration = calibrated(IIV("CL"), IOV("CL"), error=error, fix={"KA": 1.2, "Vc": 200.0})
    if isinstance(error, Censored):
        table = person.table.copy()
        table.loc[person.rows["Cc"][1:], "CENS"] = 1
        person = dataclasses.replace(person, table=table)
    individual = Individual.of(calibration, person)
    rng = np.random.default_rng(2)
    model = calibration.build(person)
    errors = [name for name in calibration.variables if name.startswith(("sigma_", "nu_"))]
    population = {name: rng.uniform(0.2, 0.5, N) for name in ("TVCL", "omega_CL", "pi_CL", *errors)}
    population["TVCL"] *= 30
    effects = individual.split(rng.standard_normal((N, individual.n_effects)))
    parameters, _ = individual.parameters(population, effects, N)
    copies = individual.copies(N)
    found = copies.log_likelihood(copies.predict(parameters), population)
    density = model.compile_logp(vars=[model["DV_Cc"]], sum=True, mode="FAST_COMPILE")
    for draw in range(N):
        point = {}
        for variable in model.free_RVs:
            value = (
                population.get(variable.name) if variable.name in population else effects[variable.name]
            )[draw]
            transform = model.rvs_to_transforms[variable]
            if transform is not None:
                value = transform.forward(value, *variable.owner.inputs).eval()
            point[model.rvs_to_values[variable].name] = np.asarray(value)
        assert found[draw] == pytest.approx(float(density(point)), rel=1e-8)


def test_a_copy_that_cannot_be_solved_does_not_void_the_others(person):
    calibration = calibrated(IIV("CL"), error=Proportional(), fix={"KA": 1.2, "Vc": 200.0})
    individual = Individual.of(calibration, person)
    copies = individual.copies(3)
    predictions = {"Cc": np.array([[1.0, 2.0], [np.nan, 2.0], [0.0, 2.0]])}
    found = copies.log_likelihood(predictions, {"sigma_prop_Cc": np.full(3, 0.2)})
    assert np.isfinite(found[0])
    assert (found[1:] == -np.inf).all()


def test_copies_keep_every_record(person):
    events = copied(person.events(), 3)
    n = len(person.table)
    np.testing.assert_array_equal(events.time.reshape(3, n), np.tile(person.table["TIME"], (3, 1)))
    np.testing.assert_array_equal(events.occasion.reshape(3, n)[2], person.occasion_index + 4)
    assert events.occasion_subject.tolist() == [0, 0, 1, 1, 2, 2]
    np.testing.assert_array_equal(
        events.rows["Cc"], np.concatenate([person.rows["Cc"] + k * n for k in range(3)])
    )
