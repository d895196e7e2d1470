"""Perfect and partial information, and the bias of maxima, against closed forms."""

import numpy as np
import pytest
import xarray as xr
from decisions import decision_on, draws_of, normal_gain, utilities_of
from scipy.integrate import dblquad
from scipy.interpolate import make_smoothing_spline
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal, norm

from qsp_bayes.decision import Constraint, ValueOfInformation, bias_of_maximum, evpi, evppi
from qsp_bayes.decision.information import conditional_mean
from qsp_bayes.decision.information.conditional_mean import ConditionalMean, ConditionalMeans, normal_scores
from qsp_bayes.decision.information.partial_information import valued
from qsp_bayes.errors import DecisionError
from qsp_bayes.report import plot_value_of_information

MEAN, SD = -0.3, np.array([1.0, 0.5])  # of the difference of two regimens: MEAN + SD[0] a + SD[1] b


def two_actions(n, seed):
    a, b, idle = np.random.default_rng(seed).normal(size=(3, n))
    return decision_on(np.stack([0 * a, MEAN + SD[0] * a + SD[1] * b], axis=1)), draws_of(a=a, b=b, idle=idle)


@pytest.mark.parametrize("seed", range(3))
def test_perfect_information_is_the_normal_loss(seed):
    row = evpi(two_actions(2000, seed)[0]).table.iloc[0]
    assert abs(row["value"] - normal_gain(MEAN, np.hypot(*SD))) < 3 * row["mcse"]


@pytest.mark.slow
def test_errors_of_perfect_information_are_honest():
    z = [
        (row["value"] - normal_gain(MEAN, np.hypot(*SD))) / row["mcse"]
        for seed in range(120)
        for row in [evpi(two_actions(400, seed)[0]).table.iloc[0]]
    ]
    assert abs(np.mean(z)) < 0.35
    assert 0.88 < np.mean(np.abs(z) < 1.96) <= 0.99


def test_partial_information_of_independent_parameters():
    decision, draws = two_actions(1600, 1)
    found = evppi(decision, draws, groups={"both": ["a", "b"]}, random_seed=1)
    table = found.table
    exact = {
        "a": normal_gain(MEAN, SD[0]),
        "b": normal_gain(MEAN, SD[1]),
        "both": normal_gain(MEAN, np.hypot(*SD)),
    }
    for name, value in exact.items():
        assert abs(table.loc[name, "value"] - value) < 3 * table.loc[name, "mcse"], name
    assert list(table.index) == ["both", "a", "b", "idle"]
    # All that is uncertain is in the group: no regression can know more than the draws themselves.
    assert table.loc["both", "value"] == pytest.approx(found.metadata["evpi"], rel=0.01)
    assert table.loc["idle", "value"] < 0.01 * table.loc["both", "value"]


def test_a_regimen_that_a_constraint_rules_out_is_worth_nothing_to_learn_of():
    """Whatever is learned of utility, it stays ruled out: all values are those of the choice without it."""
    a, b, far = np.random.default_rng(1).normal(size=(3, 400))
    allowed, draws = np.stack([0 * a, MEAN + SD[0] * a + SD[1] * b], axis=1), draws_of(a=a, b=b)
    with_forbidden = np.column_stack([allowed, -50 + 100 * far])
    spread = Constraint(lambda x: abs(x["worth"].isel(time=0)) > 10, below=0.5, name="out of range")
    bound, free = decision_on(with_forbidden, constraints=[spread]), decision_on(allowed)
    assert bound.admissible == ["regimen 0", "regimen 1"]
    pairs = [
        (evpi(bound, utilities_of(with_forbidden)).table, evpi(free, utilities_of(allowed)).table),
        (evppi(bound, draws, progressbar=False).table, evppi(free, draws, progressbar=False).table),
    ]
    for one, other in pairs:
        np.testing.assert_allclose(one.to_numpy(float), other.to_numpy(float), rtol=1e-6)


def test_partial_information_over_a_continuum_of_doses():
    """Quadratic loss around the sum of two parameters: the value of one is its variance."""
    rng = np.random.default_rng(3)
    dose = np.linspace(-3, 3, 61)
    a, b = rng.normal(0, 0.7, 1000), rng.normal(0, 0.5, 1000)
    table = evppi(decision_on(-((dose - (a + b)[:, None]) ** 2)), draws_of(a=a, b=b)).table
    for name, value in (("a", 0.49), ("b", 0.25)):
        assert abs(table.loc[name, "value"] - value) < 3 * table.loc[name, "mcse"]
    # One regression for each principal component suffices, whatever the number of doses.
    responses = -((dose - (a + b)[:, None]) ** 2)
    assert len(ConditionalMeans.of(a[:, None], responses - responses[:, [30]], rng).means) == 1


def test_parameters_that_matter_only_together():
    """A product of two independent parameters: each alone is worth nothing, both are."""
    a, b = np.random.default_rng(4).normal(size=(2, 800))
    table = evppi(
        decision_on(np.stack([0 * a, a * b], 1)), draws_of(a=a, b=b), groups={"both": ["a", "b"]}
    ).table
    exact = dblquad(lambda x, y: max(x * y, 0) * norm.pdf(x) * norm.pdf(y), -6, 6, -6, 6, epsabs=1e-6)[0]
    assert abs(table.loc["both", "value"] - exact) < 3 * table.loc["both", "mcse"]
    assert table.loc[["a", "b"], "value"].max() < 0.25 * exact


def test_information_does_not_depend_on_the_scale_of_a_parameter():
    decision, draws = two_actions(400, 5)
    bent = draws.assign(a=np.exp(3 * draws["a"]))
    tables = [evppi(decision, one[["a"]], random_seed=1).table for one in (draws, bent)]
    np.testing.assert_allclose(*[t.loc["a", ["value", "mcse", "bias"]].astype(float) for t in tables])


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "exact"), [([0], normal_gain(MEAN, 1.0)), ([1], normal_gain(MEAN, 0.5))])
def test_errors_of_partial_information_are_honest(columns, exact):
    z, bias, excess = [], [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        phi = rng.normal(size=(200, 3))
        difference = MEAN + phi[:, 0] + 0.5 * phi[:, 1] + rng.normal(size=200)
        behind = np.stack([0 * difference, difference], 1)
        behind -= behind[:, [behind.mean(0).argmax()]]
        value, error, estimate, _, _ = valued(phi[:, columns], behind, rng)
        z.append((value - exact) / error)
        bias.append(estimate)
        excess.append(value - exact)
    assert 0.88 < np.mean(np.abs(z) < 1.96) <= 0.99
    assert abs(np.mean(bias) - np.mean(excess)) < 3 * np.std(excess) / np.sqrt(150)


@pytest.mark.slow
def test_noise_floor_holds_one_in_twenty():
    above = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        difference = -0.1 + rng.normal(size=200)
        behind = np.stack([0 * difference, difference], 1)
        behind -= behind[:, [behind.mean(0).argmax()]]
        value, _, _, floor, _ = valued(rng.normal(size=(200, 1)), behind, rng)
        above.append(value > floor)
    assert np.mean(above) < 0.15


def test_regression_agrees_with_a_smoothing_spline():
    rng = np.random.default_rng(6)
    x = np.sort(rng.normal(size=600))
    truth = np.sin(2 * x)
    y = truth + rng.normal(size=600)
    fitted = ConditionalMean.tuned(normal_scores(x[:, None]), y, rng).of(y)
    spline = make_smoothing_spline(x, y)(x)
    assert np.sqrt(np.mean((fitted - spline) ** 2)) < 0.12
    assert np.mean((fitted - truth) ** 2) < 1.5 * np.mean((spline - truth) ** 2)


def test_marginal_likelihood_is_that_of_a_normal_distribution(monkeypatch):
    """Value and gradient at a point, as the search sees them, against scipy's density and finite differences."""
    seen = []
    monkeypatch.setattr(
        conditional_mean,
        "minimize",
        lambda objective, start, **_: seen.append((objective, start)) or Found(start),
    )
    rng = np.random.default_rng(7)
    scores, response = rng.normal(size=(30, 2)), rng.normal(size=30)
    conditional_mean.tune(scores, response)
    objective, start = seen[0]
    point = start + 0.3 * rng.normal(size=start.size)
    amplitude, residual, *lengths = np.exp(point)
    apart = ((scores[:, None] - scores[None]) / lengths) ** 2
    covariance = 1 + scores @ scores.T + amplitude**2 * np.exp(-apart.sum(-1) / 2) + residual**2 * np.eye(30)
    exact = -multivariate_normal(cov=covariance).logpdf(response) - 15 * np.log(2 * np.pi)
    assert objective(point)[0] == pytest.approx(exact)
    assert check_grad(lambda p: objective(p)[0], lambda p: objective(p)[1], point) < 1e-4


class Found:
    def __init__(self, x):
        self.x, self.fun = x, 0.0


def noisy(n_draws, n_subjects, seed, mean=0.2, uncertain=0.5, between=3.0):
    rng = np.random.default_rng(seed)
    difference = rng.normal(mean, uncertain, (n_draws, 1)) + rng.normal(0, between, (n_draws, n_subjects))
    return utilities_of(np.stack([0 * difference, difference], axis=1))


def test_bias_from_few_individuals():
    """Means over n individuals: the difference is Normal(0.2, sqrt(0.5^2 + 3^2 / n)) instead of Normal(0.2, 0.5)."""
    of_size = {n: normal_gain(0.2, np.hypot(0.5, 3 / np.sqrt(n))) for n in (20, 40)}
    truth = normal_gain(0.2, 0.5)
    rows = [bias_of_maximum(noisy(400, 40, seed)).table.loc[("EVPI", "individuals")] for seed in range(16)]
    mean = {
        name: np.mean([row[name] for row in rows]) for name in ("halves", "whole", "bias", "extrapolated")
    }
    error = np.std([row["whole"] for row in rows]) / 4
    assert abs(mean["whole"] - of_size[40]) < 3 * error
    assert abs(mean["halves"] - of_size[20]) < 3 * error
    # The extrapolation takes away most of what few individuals add, even where their noise is as large as the signal.
    assert 0.75 < mean["bias"] / (of_size[40] - truth) < 1.1
    spread = np.std([row["bias"] for row in rows])
    assert 0.5 < np.mean([row["bias_se"] for row in rows]) / spread < 2


def test_bias_from_few_draws():
    """Best of eight regimens of equal expectation: the mean of the maximum of eight normal means is known."""
    order = 1.4236003  # expected maximum of eight standard normal variables
    bias = []
    for seed in range(100):
        values = np.random.default_rng(seed).normal(size=(64, 8))
        bias.append(
            bias_of_maximum(utilities_of(values)).table.loc[("expected utility of the best", "draws"), "bias"]
        )
    exact = order / np.sqrt(64)
    # All alike, the excess falls with the root: the extrapolation sees sqrt(2) - 1 of it, as the docstring says.
    assert abs(np.mean(bias) - (np.sqrt(2) - 1) * exact) < 0.01


def test_bias_appears_with_evpi_and_in_words():
    utilities = noisy(400, 8, 1)
    decision = decision_on(utilities.to_numpy().reshape(400, 2, 8))
    found = evpi(decision, utilities)
    assert found.table["bias"].item() == pytest.approx(bias_of_maximum(utilities).total("EVPI"))
    assert "Bias beyond the Monte Carlo error" in found.summary()
    told = bias_of_maximum(utilities, decision)
    assert "simulate more individuals" in told.summary()
    assert "<table" in told._repr_html_()
    with pytest.raises(DecisionError, match="not those of the decision"):
        evpi(decision, utilities + 1)
    with pytest.raises(DecisionError, match="expected a DataArray"):
        bias_of_maximum(utilities.mean("subject"))
    # The very person decided for is no sample of individuals.
    assert "individuals" not in bias_of_maximum(utilities.isel(subject=[0])).table.index.get_level_values(
        "source"
    )


def test_result_reads_well_and_is_escaped():
    decision, draws = two_actions(400, 8)
    found = evppi(decision, draws.rename(a="<a>"), random_seed=3)
    assert isinstance(found, ValueOfInformation)
    assert found.best == "<a>"
    assert "<a>" not in found._repr_html_()
    assert "for each individual treated" in found.summary()
    assert "Not told from nothing: idle" in found.summary()
    again = evppi(decision, draws.rename(a="<a>"), random_seed=3)
    xr.testing.assert_identical(found.data, again.data)


def test_parameters_of_a_fit():
    """Of a fit the free variables of the population are taken; a correlation matrix says everything once."""
    decision, draws = two_actions(400, 9)
    one = xr.ones_like(draws["a"])
    rows = [xr.concat(row, "other") for row in ([one, draws["a"]], [draws["a"], one])]
    both = xr.concat(rows, "parameter").assign_coords(parameter=["CL", "Vc"])
    fit = xr.DataTree.from_dict(
        {
            "posterior": draws.assign(corr=both, eta=draws["b"].expand_dims(subject=3), CL=draws["b"]),
            "log_prior": draws[["idle"]].assign(corr=both, eta=draws["b"].expand_dims(subject=3)),
        }
    )
    assert set(evppi(decision, fit).table.index) == {"idle", "corr[CL, Vc]"}
    with pytest.raises(DecisionError, match="eta"):
        evppi(decision, fit["posterior"].to_dataset())
    with pytest.raises(DecisionError, match="do not hold those of the decision"):
        evppi(decision, draws.isel(draw=slice(0, 5)))
    with pytest.raises(DecisionError, match="'c', which is none of a, b, idle"):
        evppi(decision, draws, groups={"more": ["c"]})
    with pytest.raises(DecisionError, match="name of its own"):
        evppi(decision, draws, groups={"a": ["b"]})
    # What does not vary tells nothing.
    constant = draws[["a"]].assign(fixed=0 * draws["a"] + 2)
    assert evppi(decision, constant).table.loc["fixed", "value"] == 0


def test_figures_show_values_bound_and_floor():
    decision, draws = two_actions(400, 11)
    found = evppi(decision, draws)
    axes = plot_value_of_information(found).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == list(found.table.index)
    assert [bar.get_width() for bar in axes.patches[: len(found.table)]] == pytest.approx(
        list(found.table["value"])
    )
    bound = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert bound[0].get_xdata()[0] == found.metadata["evpi"]
    columns = {"value": [0.1, 0.2, 0.1], "mcse": [0.01] * 3, "subjects": [5, 10, 5]}
    sizes = ValueOfInformation.made(
        "sample", decision, ["rich, n = 5", "rich, n = 10", "sparse, n = 5"], columns
    )
    axes = plot_value_of_information(sizes).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[5, 0.1], [10, 0.2]])
    assert axes.get_xlabel() == "Subjects"
