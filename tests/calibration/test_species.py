"""Species: the model against one written by hand, unlearned species, and species that do not follow from the others."""

import dataclasses

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest
from cross_species import CODES, HUMAN, SIZE, SPECIES, TYPICAL, WEIGHTS, calibration, simulated, study_of
from scipy import stats

from qsp_bayes.calibration import IIV, Allometry, Species, leave_one_species_out, load_priors, typical_values
from qsp_bayes.calibration.design import Design
from qsp_bayes.calibration.left_out_predictions import log_density
from qsp_bayes.calibration.left_out_species import LeftOutSpecies
from qsp_bayes.calibration.variables import Variables
from qsp_bayes.data import Regimen, Subjects
from qsp_bayes.errors import CalibrationError, PriorError
from qsp_bayes.models import two_compartment
from qsp_bayes.report import diagnose, plot_leave_one_species_out, plot_prior_posterior

SAMPLING = {"draws": 300, "tune": 400, "chains": 2}


@pytest.fixture(scope="module")
def study():
    return simulated(TYPICAL, 5)


@pytest.fixture(scope="module")
def fit(study):
    return calibration().fit(study, random_seed=1, progressbar=False, **SAMPLING)


def test_the_model_is_the_one_written_by_hand(study):
    """The same density, up to nothing, as PyMC and the closed form of one compartment."""
    model = calibration([SIZE, SPECIES, IIV("CL", "Vc")]).build(study)
    priors = load_priors("cross_species")
    table = study.records
    samples = table[table["EVID"] == 0]
    subject = study.subject_index[study.rows["Cc"]]
    weight, species = study.covariate("WT"), study.covariate("SPECIES").astype(int) - 1
    with pm.Model() as by_hand:
        mu = {}
        for name, size in (("CL", "e_wt_cl"), ("Vc", "e_wt_vc")):
            prior = priors[f"TV{name}"].parameters
            typical = pm.LogNormal(f"TV{name}", prior["mu"], prior["sigma"])
            exponent = pm.Normal(size, *priors[size].parameters.values())
            between = pm.HalfNormal(
                f"omega_species_{name}", priors[f"omega_species_{name}"].parameters["sigma"]
            )
            of_species = pm.Normal(f"eta_species_{name}", shape=4)
            omega = pm.HalfNormal(f"omega_{name}", priors[f"omega_{name}"].parameters["sigma"])
            eta = pm.Normal(f"eta_{name}", shape=len(weight))
            mu[name] = (
                pt.log(typical) + exponent * np.log(weight / 70) + between * of_species[species] + omega * eta
            )
        sigma = pm.HalfNormal("sigma_log_Cc", priors["sigma_log_Cc"].parameters["sigma"])
        CL, Vc = (pt.exp(mu[name])[subject] for name in ("CL", "Vc"))
        course = weight[subject] / Vc * pt.exp(-CL / Vc * samples["TIME"].to_numpy())
        pm.LogNormal("DV_Cc", pt.log(course), sigma, observed=samples["DV"].to_numpy())
    ours, theirs = model.compile_logp(), by_hand.compile_logp()
    for seed in range(3):
        point = model.initial_point(random_seed=seed)
        rng = np.random.default_rng(seed)
        moved = {name: value + 0.3 * rng.normal(size=np.shape(value)) for name, value in point.items()}
        assert set(moved) == set(by_hand.initial_point())
        np.testing.assert_allclose(ours(moved), theirs(moved), rtol=1e-10)


def parameters(individual, study, fix):
    """Values of CL by subject with everything fixed."""
    made = calibration(individual, fix=fix)
    with pm.Model(coords=study.coords):
        design = Design(study, study.as_pymc_data(), Variables(made.priors, made.fix))
        return made.individual_parameters(design)["CL"].value.eval()


def with_columns(study, columns, units):
    table = study.table.assign(**columns)
    units = dataclasses.replace(study.units, covariates={**study.units.covariates, **units})
    return dataclasses.replace(study, table=table, units=units, covariates=(*study.covariates, *columns))


@pytest.mark.parametrize(
    ("part", "values", "unit", "factor"),
    [
        # The unbound clearance follows size: CL = fu CLu.
        (Allometry("FU", CL=1, reference=1, unit=""), [0.3, 0.2, 0.1], "", lambda x: x),
        # CL BrW = a W^b, so that CL = a W^b / BrW; relative to the human brain, TVCL is the human clearance.
        (Allometry("BRW", CL=-1, reference=1.53), [0.00036, 0.0018, 0.08], "kg", lambda x: 1.53 / x),
        (Allometry("MLP", CL=-1, reference=93.4, unit="year"), [2.7, 4.7, 20.0], "year", lambda x: 93.4 / x),
    ],
)
def test_corrections_are_covariates_beside_size(study, part, values, unit, factor):
    by_record = np.array(values)[study.covariate_by_record("SPECIES").astype(int) - 1]
    given = with_columns(study, {part.covariate: by_record}, {part.covariate: unit})
    # Without spread between species and individuals the values are a formula.
    quiet = {"CL": 12.0, "e_wt_cl": 0.9, "omega_species_CL": 0.0, "omega_CL": 0.0}
    CL = parameters([part, SIZE, SPECIES, IIV("CL")], given, quiet)
    expected = 12.0 * (given.covariate("WT") / 70) ** 0.9 * factor(given.covariate(part.covariate))
    np.testing.assert_allclose(CL, expected, rtol=1e-12)
    names = calibration([part, SIZE, SPECIES, IIV("CL")]).variables
    assert {"e_wt_cl", "e_wt_vc", "omega_species_CL", "omega_species_Vc"} <= set(names)
    assert "eta_species_CL" in calibration([part, SIZE, SPECIES, IIV("CL")]).build(given).named_vars


def test_animals_of_a_species_share_its_effect(study):
    model = calibration([SIZE, SPECIES]).build(study)
    CL, TVCL, e, omega, eta = pm.draw(
        [model[n] for n in ("CL", "TVCL", "e_wt_cl", "omega_species_CL", "eta_species_CL")], random_seed=2
    )
    code = study.covariate("SPECIES").astype(int) - 1
    np.testing.assert_allclose(
        CL, TVCL * (study.covariate("WT") / 70) ** e * np.exp(omega * eta[code]), rtol=1e-12
    )
    assert len(set(CL.round(12))) == 3


def test_the_human_effect_is_not_learned_and_those_of_animals_are(fit):
    """Nothing is seen of humans: the posterior of their effect is its prior, standard normal."""
    effect = fit["posterior"]["eta_species_CL"]
    assert effect["species"].values.tolist() == list(CODES)
    assert fit["prior"]["eta_species_CL"]["species"].values.tolist() == list(CODES)
    # Effective draws are about as many as draws; thinned, they are nearly independent.
    human = effect.sel(species="human").values.ravel()[::3]
    assert stats.kstest(human, "norm").pvalue > 0.001
    assert effect.sel(species="rat").std() < 0.95
    # The two ends of the line carry it with them; the rat, between them, tells how far it lies from it.
    spread = (fit["posterior"]["omega_species_CL"] * effect).std(("chain", "draw"))
    assert spread.sel(species="human") > 1.2 * spread.sel(species="rat")


def test_typical_humans_are_the_line_and_the_human_effect(fit):
    posterior = fit["posterior"]
    effect = posterior["omega_species_CL"] * posterior["eta_species_CL"].sel(species="human")
    found = typical_values(calibration(), fit, HUMAN)["CL"]
    np.testing.assert_allclose(found.sel(subject="human"), posterior["TVCL"] * np.exp(effect), rtol=1e-12)
    low, high = np.quantile(found, [0.05, 0.95])
    true = TYPICAL["TVCL"] * np.exp(TYPICAL["omega_species_CL"])
    assert low < true < high
    rat = Subjects(pd.DataFrame({"WT": [0.25], "SPECIES": [2]}, index=["rat"]), {"WT": "kg"}, "a rat")
    clearance = typical_values(calibration(), fit, rat)["CL"]
    seen = 12.0 * (0.25 / 70) ** 0.75 * np.exp(-0.2)
    assert abs(np.log(clearance.median() / seen)) < 0.25
    assert np.log(clearance).std() < 0.3 * np.log(found).std()
    prior = typical_values(calibration(), fit, HUMAN, group="prior")["CL"]
    assert np.log(found).std() < 0.5 * np.log(prior).std()


def test_simulated_humans_carry_the_uncertainty_of_the_step(fit):
    """The effect of the species is one for all humans of a draw; individuals differ around it."""
    many = Subjects(
        pd.DataFrame({"WT": 70.0, "SPECIES": 4.0}, index=range(60)), {"WT": "kg"}, "humans of 70 kg"
    )
    regimen = Regimen(100, unit="mg", into="central", duration=1.0)
    future = calibration().simulate(fit, regimen, many, [1.0, 2.0, 4.0, 8.0], draws=200, random_seed=1)
    log = np.log(future["predictions"]["Cc"].isel(regimen=0).stack(sample=("chain", "draw")))
    # k = CL/Vc of each individual is exact from two concentrations after the infusion; so is Vc, from the first.
    k = (log.sel(time=2.0) - log.sel(time=4.0)) / 2
    Vc = 100 * (1 - np.exp(-k)) / k / np.exp(log.sel(time=1.0))
    CL = np.log(k * Vc)
    centre = np.exp(CL.mean("subject"))
    population = fit["posterior"].to_dataset().isel(draw=np.linspace(0, 299, 100).round().astype(int))
    typical = population["TVCL"] * np.exp(
        population["omega_species_CL"] * population["eta_species_CL"].sel(species="human")
    )
    noise = population["omega_CL"] / np.sqrt(60)
    z = (np.log(centre.values) - np.log(typical.values.ravel())) / noise.values.ravel()
    assert stats.kstest(z, "norm").pvalue > 0.001
    np.testing.assert_allclose(
        np.median(CL.std("subject").values / population["omega_CL"].values.ravel()), 1.0, atol=0.1
    )
    # Drawn afresh for each individual the centres would differ much less than they do.
    assert np.log(typical).std() > 3 * float(noise.median())


def test_reports_of_species_are_drawn(fit):
    assert plot_prior_posterior(fit).axes
    assert "eta_species_CL[human]" in diagnose(fit).table.index


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: Species("SPECIES", on="CL", codes={"rat": 1}), "at least two species"),
        (lambda: Species("SPECIES", on="CL", codes={"rat": 1, "dog": 1}), "code of its own"),
        (lambda: Species("SPECIES", on=(), codes=CODES), "different parameters"),
        (lambda: calibration([Species("SPECIES", on="Ka", codes=CODES)]), "no parameter Ka"),
        (lambda: calibration([SPECIES, Species("OTHER", on="CL", codes=CODES)]), "Species is given twice"),
        (
            lambda: calibration([Species("STRAIN", on="CL", codes=CODES)]).build(study_of()),
            "no covariate STRAIN",
        ),
        (
            lambda: calibration([Species("SPECIES", on="CL", codes={"rat": 2, "dog": 3})]).build(study_of()),
            "has the code 1",
        ),
        (lambda: calibration(fix={"omega_species_CL": -1}), "0 or more"),
        (lambda: leave_one_species_out(calibration([SIZE]), study_of()), "add Species"),
        (lambda: leave_one_species_out(calibration(), study_of(species=["rat"])), "data of rat only"),
    ],
)
def test_what_does_not_fit_is_refused(made, message):
    with pytest.raises(CalibrationError, match=message):
        made()


def test_a_species_is_for_life(study):
    table = study.table.assign(SPECIES=np.where(study.table["TIME"] > 1, 2.0, study.table["SPECIES"]))
    with pytest.raises(CalibrationError, match="changes in time"):
        calibration().build(dataclasses.replace(study, table=table))


def test_a_missing_prior_is_asked_for(study):
    priors = {n: p for n, p in load_priors("cross_species").items() if n != "omega_species_CL"}
    made = dataclasses.replace(calibration(), priors=priors)
    with pytest.raises(PriorError, match=r"\[omega_species_CL\]\nunit = \"\"\ndistribution = \"HalfNormal\""):
        made.build(study)


def test_log_density_of_normal_data_is_the_closed_form():
    """One observation of each of two subjects: y ~ N(theta + eta, s^2), theta ~ N(0, 1), eta ~ N(0, 0.5^2)."""
    rng = np.random.default_rng(1)
    y = np.array([0.3, -1.2])
    theta = rng.normal(size=(4000, 1, 1))
    eta = rng.normal(0, 0.5, (4000, 20, 2))
    found, error = log_density(stats.norm(theta + eta, 0.4).logpdf(y))
    exact = stats.norm(0, np.sqrt(1 + 0.5**2 + 0.4**2)).logpdf(y).sum()
    assert error < 0.05
    assert abs(found - exact) < 4 * error


def test_shipped_priors_serve_two_compartments_too():
    size = Allometry("WT", reference=70, **dict.fromkeys(("CL", "Vc", "Q", "Vp"), "estimated"))
    made = calibration([size, SPECIES, IIV("CL", "Vc")], system=two_compartment())
    units = {name: prior.unit for name, prior in load_priors("cross_species").items()}
    assert made.variables == {name: units[name] for name in made.variables}
    assert set(units) == set(made.variables), "no prior is left over"


def test_the_figure_marks_the_species_that_does_not_follow():
    names, n = ["rat", "dog"], 3
    table = pd.DataFrame(
        {
            "ratio": [1.1, 6.0],
            "ratio_low": [0.6, 3.0],
            "ratio_high": [1.9, 9.0],
            "tail_probability": [0.6, 0.0],
        },
        index=pd.MultiIndex.from_product([names, ["Cc"]], names=["species", "output"]),
    )
    course = np.array([2.0, 1.0, 0.5])
    observations = pd.DataFrame(
        {
            "species": np.repeat(names, n), "subject": "1", "output": "Cc", "time": [1.0, 2.0, 3.0] * 2,
            "observed": np.tile(course, 2), "low": np.tile(course / 2, 2), "median": np.tile(course, 2),
            "high": np.tile(course * 2, 2),
        }
    )  # fmt: skip
    found = LeftOutSpecies(table, observations, {"time": "h", "Cc": "mg/L"})
    assert found.surprising == ["dog"]
    assert "is 6 times the observed one" in found.verdict
    assert "tail probability below 0.001" in found.verdict
    figure = plot_leave_one_species_out(found)
    rat, dog, ratios = figure.axes
    assert rat.lines[0].get_color() != dog.lines[0].get_color() == ratios.lines[-1].get_color()
    np.testing.assert_allclose(rat.lines[-1].get_ydata(), course)
    assert len(figure.legends[0].get_texts()) == 4


def fast_dog(study, factor):
    """The same animals, but the dogs eliminate `factor` times as fast: their courses by the closed form."""
    table = study.table.copy()
    dog = ((table["SPECIES"] == CODES["dog"]) & (table["EVID"] == 0)).to_numpy()
    k = TYPICAL["TVCL"] / TYPICAL["TVVc"] * (WEIGHTS["dog"] / 70) ** -0.25
    table.loc[dog, "DV"] *= np.exp(-(factor - 1) * k * table.loc[dog, "TIME"])
    return dataclasses.replace(study, table=table)


@pytest.mark.slow
def test_a_species_made_wrong_is_found_and_the_right_ones_are_not(study):
    right = leave_one_species_out(calibration(), study, random_seed=1, **SAMPLING)
    assert right.surprising == []
    assert "Every species follows" in right.verdict
    assert right.table["ratio"].between(0.4, 2.5).all()
    assert (right.table["coverage"] > 0.7).all()
    assert len(right.observations) == 120
    wrong = leave_one_species_out(calibration(), fast_dog(study, 6), random_seed=1, **SAMPLING)
    print(right, wrong, sep="\n")
    # The dog tilts the line by which mouse and rat are predicted from it; they are far from as surprising.
    tail = wrong.table["tail_probability"].droplevel("output")
    assert "dog" in wrong.surprising
    assert tail["dog"] < 0.002
    assert tail[["mouse", "rat"]].min() > 0.02
    assert wrong.table.loc[("dog", "Cc"), "ratio"] > 2.5
    assert "The dog does not follow from the others" in wrong.verdict
    assert wrong.table.loc[("dog", "Cc"), "elpd"] < right.table.loc[("dog", "Cc"), "elpd"]
    figure = plot_leave_one_species_out(wrong)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "mouse", "rat", "dog", "predicted / observed exposure",
    ]  # fmt: skip
    points = figure.axes[2].lines[-1].get_ydata()
    np.testing.assert_allclose(
        sorted(points), sorted(wrong.observations.query("species == 'dog'")["observed"])
    )
