"""Stacking against the exact optimum, and the choice under a mixture against the mixture of draws itself."""

import numpy as np
import pytest
import xarray as xr
from normal_hierarchy import exact_log_density, hierarchy, observed
from scipy.optimize import minimize_scalar

from qsp_bayes.decision import decision_sensitivity, stacking_weights, utility
from qsp_bayes.errors import DecisionError

ALIKE, WIDE = {"between": 0.5}, {"between": 2.0}
EXACT_ASSAY, POOR_ASSAY = {"between": 1.0, "error": 0.3}, {"between": 1.0, "error": 0.5}
LAST = utility(lambda x: x["Cc"].isel(time=-1), "value")


def future_of(a, b, seed, noise=0.3):
    """Two regimens with these expected utilities; individuals are those of every simulation."""
    rng = np.random.default_rng(seed)
    own = np.random.default_rng(0).normal(size=(1, 1, 1, 20)) * np.array([1.0, -1.0]).reshape(1, 1, 2, 1)
    values = np.array([a, b]).reshape(1, 1, 2, 1) + noise * rng.normal(size=(4, 100, 2, 1)) + 0.1 * own
    data = xr.DataArray(
        np.repeat(values[..., None], 2, axis=-1),
        dims=("chain", "draw", "regimen", "subject", "time"),
        coords={
            "chain": range(4),
            "draw": 10 * np.arange(100),
            "regimen": ["a", "b"],
            "subject": [f"new {i}" for i in range(20)],
            "time": [0.0, 1.0],
        },
    )
    return xr.DataTree.from_dict({"predictions": data.to_dataset(name="Cc")})


@pytest.mark.parametrize(
    ("seed", "models"), [(5, (ALIKE, WIDE)), (7, (EXACT_ASSAY, POOR_ASSAY)), (3, (ALIKE, WIDE))]
)
def test_weights_are_those_of_the_exact_densities(seed, models):
    """Both models count, and how much each is the maximum of a function known in closed form."""
    values = observed(n_subjects=12, seed=seed)
    table = stacking_weights({str(model): hierarchy(values, **model) for model in models})
    first, second = (exact_log_density(values, **model) for model in models)
    exact = minimize_scalar(
        lambda w: -np.logaddexp(np.log(w) + first, np.log1p(-w) + second).sum(),
        bounds=(1e-9, 1 - 1e-9), method="bounded",
    ).x  # fmt: skip
    assert 0.3 < exact < 0.9
    np.testing.assert_allclose(table["weight"], [exact, 1 - exact], atol=0.05)
    np.testing.assert_allclose(table["elpd"], [first.sum(), second.sum()], atol=0.5)
    worse = table["difference"].idxmin()
    difference = (second - first) * (1 if worse == str(models[1]) else -1)
    assert table.loc[worse, "difference"] == pytest.approx(difference.sum(), abs=0.5)
    assert table.loc[worse, "se"] == pytest.approx(np.sqrt(12) * difference.std(), rel=0.1)


def test_many_observations_do_not_underflow():
    """Densities of e^-3000 and less: only their ratios count."""
    values = observed(n_subjects=4)
    fits = {"a": hierarchy(values), "b": hierarchy(values)}
    for fit in fits.values():
        shifted = fit["log_likelihood"].to_dataset() - 500.0
        fit["log_likelihood"] = xr.DataTree(shifted)
    assert stacking_weights(fits)["weight"].sum() == pytest.approx(1)


def test_decision_under_the_mixture():
    values = observed(n_subjects=12, seed=5)
    fits = [hierarchy(values, **model) for model in (ALIKE, WIDE)]
    future, other = future_of(1.0, 0.8, seed=1), future_of(0.0, 1.0, seed=2)
    found = decision_sensitivity(
        future, LAST, fits[0], powers=(0.9,), calibrations={"wide": other}, fits={"wide": fits[1]}
    )
    weight = found.metadata["weights"]
    assert sum(weight.values()) == pytest.approx(1)
    assert 0.3 < weight["wide"] < 0.7
    row = found.table.loc["average of the fits"]
    lead = [LAST(tree).mean(("chain", "draw", "subject")).values @ [1, -1] for tree in (future, other)]
    mixed = weight["this fit"] * lead[0] + weight["wide"] * lead[1]
    assert row["difference"] == pytest.approx(mixed)
    # Independent draws of both, and one set of individuals whose effects on the difference are common to both.
    draws = 2 * 0.3**2 / 400 * (weight["this fit"] ** 2 + weight["wide"] ** 2)
    own = 0.2 * np.random.default_rng(0).normal(size=20)
    assert row["mcse"] == pytest.approx(np.sqrt(draws + own.var(ddof=1) / 20), rel=0.15)
    wins = [float((LAST(tree).mean("subject").idxmax("regimen") == "a").mean()) for tree in (future, other)]
    assert row["p_best"] == pytest.approx(weight["this fit"] * wins[0] + weight["wide"] * wins[1])
    assert "Stacking weights of the fits: this fit" in found.summary()


def test_what_cannot_be_averaged_is_refused():
    values = observed()
    fit = hierarchy(values)
    other = hierarchy(values)
    other.attrs["qsp_bayes"] = '{"study": {"checksum": "xyz"}}'
    with pytest.raises(DecisionError, match="different records"):
        stacking_weights({"a": fit, "b": other})
    with pytest.raises(DecisionError, match="at least two fits"):
        stacking_weights({"a": fit})
    future = future_of(1.0, 0.0, 1)
    strangers = future.copy(deep=True)
    strangers["predictions"] = xr.DataTree(
        future["predictions"].to_dataset().assign_coords(subject=[f"old {i}" for i in range(20)])
    )
    fewer = xr.DataTree.from_dict({"predictions": future["predictions"].to_dataset().isel(draw=slice(50))})
    for wrong, message in ((strangers, "other individuals"), (fewer, "same number of chains and draws")):
        with pytest.raises(DecisionError, match=message):
            decision_sensitivity(future, LAST, fit, calibrations={"b": wrong}, fits={"b": fit})
