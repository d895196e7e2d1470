"""Decision sensitivity against closed forms: normal priors raised to a power, groups and mixtures made on purpose."""

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from qsp_bayes.decision import DecisionSensitivity, choose, decision_sensitivity, utility
from qsp_bayes.decision.sensitivity.power_weights import power_weights, smoothed
from qsp_bayes.decision.sensitivity.variation import from_decision, from_draws
from qsp_bayes.errors import DecisionError

CHAINS, DRAWS, SUBJECTS = 4, 500, 30
PRIOR_MEAN, PRIOR_VARIANCE, DATUM, ERROR_VARIANCE = 0.0, 1.0, 2.0, 0.5
DOSES = {"1.0": 1.0, "1.5": 1.5}
BETWEEN = 0.6
SAMPLE = ("chain", "draw")


def posterior_of(prior_power=1.0, data_power=1.0):
    """Mean and variance of the normal posterior with the prior and the likelihood raised to powers."""
    precision = prior_power / PRIOR_VARIANCE + data_power / ERROR_VARIANCE
    mean = (prior_power * PRIOR_MEAN / PRIOR_VARIANCE + data_power * DATUM / ERROR_VARIANCE) / precision
    return mean, 1 / precision


def exact_difference(mean, kept="1.5", other="1.0"):
    """E[-(kept - x)^2 + (other - x)^2] for x = theta + eta with mean `mean`: the variances cancel."""
    return (DOSES[other] - mean) ** 2 - (DOSES[kept] - mean) ** 2


def normal_case(seed, draws=DRAWS, subjects=SUBJECTS):
    """A fit with exact draws of the normal posterior, and a simulation of utility -(dose - theta - eta)^2."""
    rng = np.random.default_rng(seed)
    mean, variance = posterior_of()
    theta = rng.normal(mean, variance**0.5, (CHAINS, draws))
    fit = xr.DataTree.from_dict(
        {
            "posterior": of(TVB=theta),
            "prior": of(TVB=rng.normal(size=(1, 100))),
            "log_prior": of(TVB=-((theta - PRIOR_MEAN) ** 2) / PRIOR_VARIANCE / 2),
            "log_likelihood": of(DV_R=(-((theta - DATUM) ** 2) / ERROR_VARIANCE / 2)[..., None]),
            "constant_data": xr.Dataset({"subject_R": ("obs_R", [0])}, {"subject": ["S1"]}),
        }
    )
    eta = rng.normal(0, BETWEEN, subjects)
    value = theta[:, :, None, None] + eta + np.zeros((1, 1, len(DOSES), 1))
    return fit, future_of(value, DOSES)


def of(**arrays):
    dims = ("chain", "draw", "obs_R")
    coords = {"chain": range(CHAINS), "draw": range(next(iter(arrays.values())).shape[1])}
    shape = next(iter(arrays.values())).shape
    coords = {"chain": range(shape[0]), "draw": range(shape[1])}
    return xr.Dataset({name: (dims[: values.ndim], values) for name, values in arrays.items()}, coords)


def future_of(values, regimens, seed=1, **covariates):
    chains, draws, _, subjects = values.shape
    labels = [f"new {i}" for i in range(subjects)]
    data = xr.DataArray(
        np.repeat(values[..., None], 2, axis=-1),
        dims=("chain", "draw", "regimen", "subject", "time"),
        coords={
            "chain": range(chains),
            "draw": range(draws),
            "regimen": list(regimens),
            "subject": labels,
            "time": [0.0, 1.0],
        },
    )
    columns = {name: ("subject", column) for name, column in covariates.items()}
    future = xr.DataTree.from_dict(
        {"predictions": data.to_dataset(name="Cc"), "constant_data": xr.Dataset(columns, {"subject": labels})}
    )
    future.attrs["qsp_bayes"] = json.dumps({"random_seed": seed, "study": "abc"})
    return future


@utility
def quadratic(x):
    """Minus the square of what the dose misses."""
    dose = xr.DataArray(list(DOSES.values()), dims="regimen", coords={"regimen": list(DOSES)})
    return -((dose.sel(regimen=x["regimen"]) - x["Cc"].isel(time=-1)) ** 2)


POWERS = {"all priors": "prior_power", "prior of TVB": "prior_power", "data": "data_power"}


@pytest.mark.parametrize("seed", range(3))
def test_normal_prior_and_likelihood_to_a_power(seed):
    """Expected utility under the reweighted draws is that of the posterior with the power, known in closed form."""
    fit, future = normal_case(seed)
    powers = (0.5, 0.8, 1.25, 1.6)
    table = decision_sensitivity(future, quadratic, fit, powers=powers).table
    assert len(table) == len(POWERS) * len(powers)
    for part, argument in POWERS.items():
        for power in powers:
            row = table.loc[f"{part} to the power {power:g}"]
            exact = exact_difference(posterior_of(**{argument: power})[0])
            kept_first = row["rival"] == "1.0"
            assert abs(row["difference"] - (exact if kept_first else -exact)) < 3.5 * row["mcse"]
            assert row["pareto_k"] < 0.7


def test_a_prior_of_four_times_the_precision_moves_the_dose():
    """The posterior mean goes from 4/3 to 2/3, and the best of the doses 1.0 and 1.5 with it."""
    fit, future = normal_case(1, draws=1000, subjects=100)
    found = decision_sensitivity(future, quadratic, fit, powers=(4.0,))
    assert found.recommended == "1.5"
    assert exact_difference(posterior_of()[0]) > 0 > exact_difference(posterior_of(prior_power=4)[0])
    row = found.table.loc["all priors to the power 4"]
    assert (row["best"], row["verdict"]) == ("1.0", "moved")
    assert row["regret"] == pytest.approx(-row["difference"])
    assert "keeping 1.5 loses" in found.summary()


def test_standard_errors_are_honest():
    """Over repeated simulations the errors have the spread that is stated, with new draws and new individuals."""
    exact = {power: exact_difference(posterior_of(prior_power=power)[0]) for power in (0.5, 2.0)}
    ratios = {power: [] for power in exact}
    for seed in range(1000, 1080):
        fit, future = normal_case(seed, draws=50, subjects=15)
        u = quadratic(future)
        for power, part in zip(exact, power_weights(fit, u, tuple(exact)), strict=False):
            found = from_draws(part.kind, "", "1.5", [(u, part.weights)])
            ratios[power].append((found.difference - exact[power]) / found.mcse)
    for power, errors in ratios.items():
        assert 0.8 < np.std(errors) < 1.2, power
        assert abs(np.mean(errors)) < 0.35, power
        # Treating the draws' individuals as known would understate the error several times.


def test_equal_weights_give_what_choose_gives():
    _, future = normal_case(3)
    decision, u = choose(future, quadratic), quadratic(future)
    rival = next(label for label in DOSES if label != decision.best)
    found = from_draws("data", "", decision.best, [(u, xr.ones_like(u[:, :, 0, 0]))])
    assert found.difference == pytest.approx(-decision.table.loc[rival, "difference"])
    assert found.mcse == pytest.approx(decision.table.loc[rival, "difference_mcse"])
    assert found.p_best == pytest.approx(decision.table.loc[decision.best, "p_best"])
    read = from_decision("data", "", decision.best, decision)
    assert (read.difference, read.mcse) == pytest.approx((found.difference, found.mcse))


def test_weights_that_rest_on_a_few_draws_are_not_trusted():
    fit, future = normal_case(1, draws=100)
    # A log-likelihood twice as curved as the posterior was: almost none of it leaves the draws far behind.
    fit["log_likelihood"] = xr.DataTree(2 * fit["log_likelihood"].to_dataset())
    found = decision_sensitivity(future, quadratic, fit, powers=(0.05,))
    row = found.table.loc["data to the power 0.05"]
    assert row["pareto_k"] > 0.7
    assert row["verdict"] == "not told apart"
    assert "fit again" in row["note"]
    assert "data to the power 0.05" in found.cautions[0]


def test_weights_of_thinned_draws_are_those_of_the_fit():
    fit, future = normal_case(2)
    thin = future["predictions"].to_dataset().isel(draw=slice(3, None, 5))
    few = next(power_weights(fit, thin, (0.5,))).weights
    all_of_them = next(power_weights(fit, future["predictions"].to_dataset(), (0.5,))).weights
    ratio = few / all_of_them.sel(draw=few["draw"])
    np.testing.assert_allclose(ratio, ratio[0, 0])
    np.testing.assert_allclose(few.mean(), 1)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.floats(0.01, 30), st.floats(-50, 50))
def test_weights_are_positive_ordered_and_blind_to_a_constant(seed, spread, constant):
    values = xr.DataArray(spread * np.random.default_rng(seed).standard_t(4, size=(2, 30)), dims=SAMPLE)
    weights, pareto_k = smoothed(values)
    moved, same_k = smoothed(values + constant)
    assert (weights >= 0).all()
    assert pareto_k == pytest.approx(same_k, abs=1e-4)
    np.testing.assert_allclose(weights / weights.max(), moved / moved.max(), rtol=1e-4, atol=1e-9)
    order = np.argsort(values.to_numpy().ravel())
    assert (np.diff(weights.to_numpy().ravel()[order]) >= -1e-12).all()


def heavy_and_light(seed=4, shift=(0.0, 0.0)):
    """Light individuals are best served by the low dose, heavy ones by the high dose, and most are light."""
    rng = np.random.default_rng(seed)
    weight = np.concatenate([rng.uniform(50, 70, 40), rng.uniform(90, 110, 20)])
    need = 1.0 + 0.5 * (weight > 80) + rng.normal(0, 0.02, (CHAINS, 100, 1, 1))
    return future_of(need + np.zeros((1, 1, 2, 1)), DOSES, WT=weight, SEX=np.tile([0.0, 1.0], 30))


def test_the_best_regimen_moves_for_one_group():
    found = decision_sensitivity(heavy_and_light(), quadratic, groups=["WT", "SEX"])
    table = found.table
    assert found.recommended == "1.0"
    assert table["verdict"].tolist()[:3] == ["stays best", "stays best", "moved"]
    heavy = table.iloc[2]
    assert heavy["best"] == "1.5"
    assert heavy["note"] == "20 individuals"
    # -(1.0 - 1.5)^2 against 0, the uncertainty common to both.
    assert abs(heavy["regret"] - 0.25) < 4 * heavy["mcse"] + 0.01
    assert [label for label in table.index if label.startswith("SEX")] == ["SEX 0", "SEX 1"]
    assert set(found.not_examined) == {
        "priors and data", "other calibrations", "model average", "solver tolerance", "other utilities",
    }  # fmt: skip
    assert "Not examined: priors and data" in found.summary()


def test_a_change_within_its_error_is_not_told_apart():
    """Two regimens of equal expected utility: whichever is first by chance, neither has moved the other."""
    verdicts = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        draws = rng.normal(size=(4, 25, 2, 10))
        other = rng.normal(size=(4, 25, 2, 10))
        last = utility(lambda x: x["Cc"].isel(time=-1), "value")
        found = decision_sensitivity(
            future_of(draws, "ab"), last, calibrations={"again": future_of(other, "ab")}
        )
        verdicts.append(found.table["verdict"].iloc[0])
    assert verdicts.count("not told apart") > 0.85 * len(verdicts)
    assert verdicts.count("moved") < 0.1 * len(verdicts)


def test_other_calibrations_solvers_and_utilities():
    light = heavy_and_light()
    heavier = light.copy(deep=True)
    heavier["predictions"]["Cc"] = light["predictions"]["Cc"] + 0.5
    solved = light.copy(deep=True)
    solved["predictions"]["Cc"] = light["predictions"]["Cc"] * (1 + 1e-7)
    found = decision_sensitivity(
        light,
        quadratic,
        calibrations={"future": heavier, "decision": choose(heavier, quadratic)},
        tighter=solved,
        utilities={"more": lambda x: quadratic.function(x) + 10 * (x["regimen"] == "1.5")},
        matters=0.5,
    )
    table = found.table
    assert table["verdict"].tolist() == ["moved", "moved", "stays best", "moved"]
    assert table.loc["future"].drop("kind").equals(table.loc["decision"].drop("kind"))
    assert "change by at most" in table.loc["tighter solver", "note"]
    assert float(table.loc["tighter solver", "note"].split()[-1]) < 1e-6
    assert "less than the 0.5 that matters" in found.summary()


def test_what_is_given_must_fit():
    fit, future = normal_case(1, draws=20)
    other = future.copy(deep=True)
    other.attrs["qsp_bayes"] = json.dumps({"random_seed": 2})
    renamed = future.copy(deep=True)
    renamed["predictions"] = xr.DataTree(
        future["predictions"].to_dataset().assign_coords(regimen=["1.0", "2"])
    )
    more = future.copy(deep=True)
    more["predictions"] = xr.DataTree(
        future["predictions"].to_dataset().assign_coords(draw=np.arange(20) + 9)
    )
    with pytest.raises(DecisionError, match="another random seed"):
        decision_sensitivity(future, quadratic, tighter=other)
    with pytest.raises(DecisionError, match=r"other regimens: 1\.5, 2 "):
        decision_sensitivity(future, lambda x: x["Cc"].isel(time=-1), calibrations={"renamed": renamed})
    with pytest.raises(DecisionError, match="made from another fit"):
        decision_sensitivity(more, quadratic, fit)
    with pytest.raises(DecisionError, match="no covariate 'WT'; choose from none"):
        decision_sensitivity(future, quadratic, groups=["WT"])
    with pytest.raises(DecisionError, match="positive and other than 1"):
        decision_sensitivity(future, quadratic, fit, powers=(1.0,))
    with pytest.raises(DecisionError, match="the only regimen"):
        decision_sensitivity(future_of(np.ones((4, 5, 1, 3)), ["1.0"]), quadratic)
    with pytest.raises(DecisionError, match="SEX is 1 in every"):
        decision_sensitivity(
            future_of(np.ones((4, 5, 2, 3)), DOSES, SEX=np.ones(3)), quadratic, groups=["SEX"]
        )
    with pytest.raises(DecisionError, match="there is no log_prior, log_likelihood"):
        decision_sensitivity(future, quadratic, xr.DataTree())
    with pytest.raises(DecisionError, match=r"give calibrations=\{'b': future\}"):
        decision_sensitivity(future, quadratic, fit, fits={"b": fit})


def test_it_survives_a_file_and_is_escaped(tmp_path):
    future = heavy_and_light()
    found = decision_sensitivity(future, quadratic, calibrations={"<b>": future})
    found.to_datatree().to_netcdf(tmp_path / "sensitivity.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "sensitivity.nc", engine="h5netcdf") as tree:
        again = DecisionSensitivity.from_datatree(tree)
    assert again.table.equals(found.table)
    assert again.summary() == found.summary()
    assert "&lt;b&gt;" in again._repr_html_()
    assert "<b>" not in again._repr_html_()
    with pytest.raises(DecisionError, match="no group 'decision_sensitivity'"):
        DecisionSensitivity.from_datatree(future)
