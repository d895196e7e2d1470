"""Sensitivity indices against closed forms: Ishigami, Sobol's g, linear and product models."""

import sys

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm, uniform

import qsp_bayes as qb
from qsp_bayes.errors import CalibrationError, MechanismError
from qsp_bayes.identifiability.courses import BATCH, Courses


def within(found, name, expected, slack=1.0):
    half = found[f"{name}_error"].values * slack + 1e-9
    return np.abs(found[name].values - np.asarray(expected)) <= half


def test_ishigami():
    """sin x1 + a sin^2 x2 + b x3^4 sin x1 on (-pi, pi): Ishigami and Homma (1990)."""
    a, b = 7.0, 0.1
    of_1 = 0.5 * (1 + b * np.pi**4 / 5) ** 2
    of_2, of_13 = a**2 / 8, b**2 * np.pi**8 * (1 / 18 - 1 / 50)
    variance = of_1 + of_2 + of_13
    inputs = {f"x{k}": uniform(-np.pi, 2 * np.pi) for k in (1, 2, 3)}

    def function(x):
        return np.sin(x[:, 0]) + a * np.sin(x[:, 1]) ** 2 + b * x[:, 2] ** 4 * np.sin(x[:, 0])

    found = qb.sensitivity_indices(function, inputs, samples=4096, random_seed=2)
    assert within(found, "first_order", np.array([of_1, of_2, 0.0]) / variance).all()
    assert within(found, "total_order", np.array([of_1 + of_13, of_2, of_13]) / variance).all()
    assert found.total_order_error.max() < 0.05
    assert found.attrs["evaluations"] == 4096 * 5
    # Morris sees that x3 matters although it has no effect of its own, and that it acts with others.
    screened = qb.sensitivity_indices(function, inputs, method="morris", samples=200, random_seed=2)
    assert screened.mean_absolute_effect.sel(input="x3") > 1.0
    assert abs(screened.mean_effect.sel(input="x3")) < 0.3 * screened.mean_absolute_effect.sel(input="x3")
    assert screened.sd_of_effects.sel(input="x3") > screened.mean_absolute_effect.sel(input="x3")


def test_sobol_g():
    """The product of (|4 x - 2| + a) / (1 + a): the variances of the factors, and products of them."""
    a = np.array([0.0, 1.0, 4.5, 9.0])
    parts = 1 / (3 * (1 + a) ** 2)
    variance = np.prod(1 + parts) - 1
    total = parts * np.array([np.prod(1 + np.delete(parts, k)) for k in range(4)]) / variance
    found = qb.sensitivity_indices(
        lambda x: np.prod((np.abs(4 * x - 2) + a) / (1 + a), axis=1),
        {f"x{k}": uniform() for k in range(4)},
        samples=4096,
        random_seed=1,
    )
    assert within(found, "first_order", parts / variance).all()
    assert within(found, "total_order", total).all()


def test_a_linear_model_of_normal_inputs():
    slopes, sds = np.array([1.0, 2.0, 3.0, 0.0]), np.array([1.0, 1.0, 0.5, 2.0])
    expected = (slopes * sds) ** 2 / ((slopes * sds) ** 2).sum()
    inputs = {name: norm(5.0, sd) for name, sd in zip("abcd", sds, strict=True)}
    found = qb.sensitivity_indices(lambda x: x @ slopes, inputs, samples=2048)
    np.testing.assert_allclose(found.first_order, expected, atol=0.02)
    np.testing.assert_allclose(found.total_order, expected, atol=0.02)
    # Morris: the change across the central 95 %, exactly, without curvature.
    screened = qb.sensitivity_indices(lambda x: x @ slopes, inputs, method="morris", samples=300)
    levels = norm.ppf([0.025, 0.975])
    effect = screened.mean_effect.values[:3] / (slopes * sds)[:3]
    assert np.ptp(effect) < 0.1
    assert 0.8 * np.ptp(levels) < effect.mean() < 1.3 * np.ptp(levels)
    assert screened.mean_absolute_effect.values[3] == 0.0


def test_partial_rank_correlation_is_that_of_normal_variables():
    """Of jointly normal variables Spearman's correlation is 6 / pi arcsin(r / 2); partial ones follow by inversion."""
    slopes = np.array([1.0, 2.0, -3.0])
    found = qb.sensitivity_indices(
        lambda x: np.exp(0.2 * x @ slopes), {name: norm() for name in "abc"}, method="rank", samples=20000
    )
    pearson = np.eye(4)
    pearson[3, :3] = pearson[:3, 3] = slopes / np.sqrt((slopes**2).sum())
    inverse = np.linalg.inv(6 / np.pi * np.arcsin(pearson / 2))
    expected = -inverse[3, :3] / np.sqrt(inverse[3, 3] * np.diag(inverse)[:3])
    np.testing.assert_allclose(found.partial_rank_correlation, expected, atol=0.01)


def test_an_intravenous_bolus_depends_on_volume_at_once_and_on_clearance_later():
    """At once Cc is dose / Vc: all variance is the volume's. The area to infinity is dose / CL."""
    system = qb.one_compartment()
    priors = {
        "TVCL": qb.Prior(median=1.0, sd_log=0.3, unit="L/h", source="test"),
        "TVVc": qb.Prior(median=5.0, sd_log=0.3, unit="L", source="test"),
    }
    regimen = qb.Regimen(100, unit="mg", into="central")
    found = qb.global_sensitivity(system, priors, [1e-6, 12.0], regimen, samples=1024)
    assert found.total_order.dims == ("input", "output", "time")
    np.testing.assert_allclose(found.total_order.sel(output="Cc").isel(time=0), [0.0, 1.0], atol=0.03)
    area = qb.global_sensitivity(
        system, priors, np.concatenate([[1e-6], np.geomspace(0.01, 400.0, 400)]), regimen,
        measure=qb.utility(lambda x: qb.auc(x["Cc"]), "area"), samples=256,
    )  # fmt: skip
    np.testing.assert_allclose(area.first_order.sel(input=["CL", "Vc"]), [1.0, 0.0], atol=0.06)
    fixed = qb.global_sensitivity(system, priors, [1.0], regimen, fix={"CL": 1.0}, samples=64)
    assert fixed["input"].values.tolist() == ["Vc"]
    np.testing.assert_allclose(fixed.total_order, 1.0, atol=0.03)


def test_courses_are_those_of_one_individual_at_a_time():
    system = qb.one_compartment(absorption="first-order")
    rng = np.random.default_rng(1)
    parameters = np.exp(rng.normal(size=(BATCH + 3, 2)) * 0.3)
    regimen = qb.Regimen(100, unit="mg", every=12, until=36)
    grid = [0.5, 12.0, 30.0]
    found = Courses.of(system, ["CL", "KA"], {"Vc": 10.0}, grid, regimen)(parameters)
    assert found.Cc.shape == (1, BATCH + 3, 1, 1, 3)
    for k in (0, 100, BATCH + 2):
        one = system.course({"CL": parameters[k, 0], "KA": parameters[k, 1], "Vc": 10.0}, grid, regimen)
        np.testing.assert_allclose(found.Cc.values[0, k, 0, 0], one.Cc, rtol=1e-10)


def test_a_system_without_doses():
    found = qb.global_sensitivity(
        qb.System(
            {"R": "mmol"},
            {"kin": "mmol/h", "kout": "1/h"},
            [
                qb.Process("synthesis", {"R": 1}, lambda s: s.kin),
                qb.Process("loss", {"R": -1}, lambda s: s.kout * s.R),
            ],
            outputs={"response": qb.Output("mmol", lambda s: s.R)},
        ),
        {
            "TVkin": qb.Prior(median=2.0, sd_log=0.2, unit="mmol/h", source="test"),
            "TVkout": qb.Prior(median=1.0, sd_log=0.2, unit="1/h", source="test"),
        },
        [1e-3, 50.0],
        samples=512,
    )
    # At first R is kin t; at last kin / kout, whose logarithm has equal shares.
    np.testing.assert_allclose(found.total_order.isel(output=0, time=0), [1.0, 0.0], atol=0.03)
    assert abs(float(np.diff(found.total_order.isel(output=0, time=1)).item())) < 0.1


def posterior(correlation):
    z = np.random.default_rng(1).multivariate_normal(
        [0, 0], [[1, correlation], [correlation, 1]], size=(2, 2000)
    )
    draws = {name: (("chain", "draw"), np.exp(0.2 * z[..., k])) for k, name in enumerate(("TVCL", "TVVc"))}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(draws)})


def test_a_correlated_posterior_is_warned_of_and_ranks_keep_it():
    arguments = (qb.one_compartment(),), {"samples": 1024}
    regimen = qb.Regimen(100, unit="mg", into="central")
    for correlation, warned in ((0.0, False), (0.9, True)):
        found = qb.global_sensitivity(*arguments[0], posterior(correlation), [1.0], regimen, **arguments[1])
        assert bool(found.attrs["warning"]) is warned
    assert "CL and Vc have a rank correlation of 0.8" in found.attrs["warning"]
    ranks = qb.global_sensitivity(
        *arguments[0], posterior(0.9), [0.3], regimen, method="rank", **arguments[1]
    )
    assert ranks.attrs["warning"] == ""
    assert (ranks.partial_rank_correlation < -0.3).all()


@pytest.mark.parametrize("method", ["sobol", "morris", "rank"])
def test_the_seed_decides(method):
    inputs = {name: norm() for name in "ab"}
    first, again, other = (
        qb.sensitivity_indices(
            lambda x: np.exp(x[:, 0]) * x[:, 1], inputs, method=method, samples=64, random_seed=seed
        )
        for seed in (0, 0, 1)
    )
    xr.testing.assert_identical(first, again)
    name = next(iter(first.data_vars))
    assert not np.allclose(first[name], other[name])


def test_what_does_not_vary_has_no_indices():
    found = qb.sensitivity_indices(
        lambda x: xr.DataArray(np.stack([x[:, 0], 0 * x[:, 0] + 3], axis=1), dims=("sample", "time")),
        {name: norm() for name in "ab"},
        samples=64,
    )
    assert np.isnan(found.first_order.isel(time=1)).all()
    assert np.isfinite(found.first_order.isel(time=0)).all()


def test_what_does_not_fit_is_refused(monkeypatch):
    inputs = {"a": norm(), "b": norm()}
    with pytest.raises(CalibrationError, match="powers of 2"):
        qb.sensitivity_indices(lambda x: x[:, 0], inputs, samples=100)
    with pytest.raises(CalibrationError, match="not finite for"):
        qb.sensitivity_indices(
            lambda x: np.where(x[:, 0] > 0, x[:, 0], np.nan), {"a": uniform(-1, 2)}, samples=64, method="rank"
        )
    with pytest.raises(CalibrationError, match=r"one value .* for each of 256"):
        qb.sensitivity_indices(lambda x: np.zeros(3), inputs, samples=64)
    with pytest.raises(CalibrationError, match="method 'fast' is not known"):
        qb.sensitivity_indices(lambda x: x[:, 0], inputs, method="fast")
    with pytest.raises(CalibrationError, match="no distribution for TVVc"):
        qb.global_sensitivity(qb.one_compartment(), {"TVCL": norm()}, [1.0])
    with pytest.raises(MechanismError, match="CLX"):
        qb.global_sensitivity(qb.one_compartment(), {"TVCL": norm()}, [1.0], fix={"CLX": 1.0})
    monkeypatch.setitem(sys.modules, "SALib.sample.sobol", None)
    with pytest.raises(CalibrationError, match=r"pip install qsp_bayes\[sensitivity\]"):
        qb.sensitivity_indices(lambda x: x[:, 0], inputs, samples=64)


def test_indices_are_drawn():
    inputs = {name: norm() for name in "ab"}
    over_time = qb.sensitivity_indices(
        lambda x: xr.DataArray(
            (x @ np.array([[1.0, 2.0], [3.0, 0.5]])), dims=("sample", "time"), coords={"time": [0.0, 1.0]}
        ),
        inputs,
        samples=64,
    )
    figure = qb.plot_sensitivity(over_time)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "Share of variance, alone",
        "Share of variance, in all",
    ]
    bars = qb.plot_sensitivity(qb.sensitivity_indices(lambda x: x[:, 0], inputs, method="morris", samples=10))
    assert len(bars.axes) == 2
    with pytest.raises(CalibrationError, match="Select with"):
        qb.plot_sensitivity(over_time.rename(time="place"))
