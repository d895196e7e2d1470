import arviz_stats
import numpy as np
import pytest
import xarray as xr

from qsp_bayes.report import diagnose, estimates, priors
from qsp_bayes.report.parameters import parameters, sensitivity, shrinkage


def by_name(fit):
    return {parameter.name: parameter for parameter in parameters(fit)}


def rows(section, caption):
    table = next(
        block for block in section.blocks if block.kind == "table" and block.caption.startswith(caption)
    )
    return {row[0]: row for row in table.rows}


def test_roles_and_units(good_fit):
    found = by_name(good_fit)
    kinds = {
        name: found[name].kind
        for name in ("TVCL", "omega_CL", "corr_eta[CL, Vc]", "sigma_add_Cc", "half_life")
    }
    assert list(kinds.values()) == ["typical", "variability", "correlation", "residual", "derived"]
    assert found["TVCL"].unit == "L/h"
    assert found["sigma_add_Cc"].unit == "mg/L"


def test_posterior_quantiles_are_numpy_quantiles(good_fit):
    draws = good_fit["posterior"]["TVCL"].values
    assert np.allclose(by_name(good_fit)["TVCL"].posterior, np.quantile(draws, (0.05, 0.5, 0.95)))


def test_table_prints_median_and_interval(fit):
    fit["posterior"]["TVCL"][:] = np.linspace(2.0, 4.0, 1000).reshape(4, 250)
    row = rows(estimates.section(fit), "Typical")["TVCL"]
    assert row[:5] == ("TVCL", "L/h", "3.00", "2.10", "3.90")


def test_contraction_on_the_log_scale(fit):
    rng = np.random.default_rng(1)
    fit["prior"]["TVCL"][:] = np.exp(1.0 * rng.normal(size=(1, 1000)))
    fit["posterior"]["TVCL"][:] = np.exp(0.5 * rng.normal(size=(4, 250)))
    assert by_name(fit)["TVCL"].contraction == pytest.approx(0.75, abs=0.05)


def test_cv_of_a_lognormal(fit):
    fit["posterior"]["omega_CL"][:] = np.linspace(0.4999, 0.5001, 1000).reshape(4, 250)
    row = rows(estimates.section(fit), "Variability")["omega_CL"]
    assert row[2:6] == ("0.500", "0.500", "0.500", f"{100 * np.sqrt(np.exp(0.25) - 1):.0f} %")


def test_shrinkage(fit):
    shape = fit["posterior"]["eta_CL"].shape
    fit["posterior"]["eta_CL"][:] = np.random.default_rng(1).normal(size=shape)
    assert shrinkage(fit, "omega_CL") > 0.85
    fit["posterior"]["eta_CL"][:] = np.broadcast_to(np.linspace(-1.5, 1.5, 12), shape)
    assert shrinkage(fit, "omega_CL") == pytest.approx(0.0, abs=1e-9)
    assert np.isnan(shrinkage(fit, "omega_XX"))


def test_sensitivity_is_arviz_psense(good_fit):
    found = sensitivity(good_fit, ["TVCL", "omega_CL"])
    names = ["TVCL", "TVVc", "TVKA"]
    prior = arviz_stats.psense(good_fit, var_names="TVCL", group="prior", group_var_names=names)[
        "TVCL"
    ].item()
    likelihood = arviz_stats.psense(good_fit, var_names="TVCL", group="likelihood")["TVCL"].item()
    assert found["TVCL"] == (prior, likelihood)


def test_typical_value_is_not_repeated(fit):
    fit["posterior"]["F"] = fit["posterior"]["TVCL"] * 0 + np.linspace(0, 1, 250)
    fit["posterior"]["TVF"] = fit["posterior"]["F"]
    fit["posterior"]["corr_eta_cholesky"] = fit["posterior"]["corr_eta"]
    names = list(by_name(fit))
    assert "TVF" in names
    assert "F" not in names
    assert not [name for name in names if "cholesky" in name]


def test_derived_quantities_keep_their_unit(fit):
    half_life = fit["posterior"]["TVCL"].copy().assign_attrs(units="h")
    fit["derived"] = xr.DataTree(xr.Dataset({"terminal_half_life": half_life}))
    assert by_name(fit)["terminal_half_life"].unit == "h"


def test_priors_table_states_source_and_quantiles(good_fit):
    row = rows(priors.section(good_fit), "Priors and where")["sigma_add_Cc"]
    assert row[1:3] == ("mg/L", "HalfNormal(sigma=1)")
    assert row[-1] == "assay of the time (informative)"


def test_missing_priors_are_named(fit):
    del fit["prior"], fit["log_prior"]
    fit.attrs["qsp_bayes"] = "{}"
    section = priors.section(fit)
    assert [block.tone for block in section.blocks] == ["absent"]


def test_the_coordinates_of_a_correlation_are_internal(fit):
    rng = np.random.default_rng(5)
    pairs = {"parameter_pair": ["Vc, CL"]}
    for group in ("posterior", "prior"):
        size = [fit[group].sizes[dim] for dim in ("chain", "draw")]
        fit[group]["corr_eta_canonical"] = xr.DataArray(
            rng.beta(2.0, 2.0, (*size, 1)), dims=("chain", "draw", "parameter_pair"), coords=pairs
        )
        fit[group]["eta_independent"] = xr.DataArray(
            rng.normal(size=(*size, 3, 12)), dims=("chain", "draw", "parameter", "subject")
        )
    internal = ("canonical", "independent")
    assert "corr_eta[CL, Vc]" in by_name(fit)
    assert not [name for name in by_name(fit) if any(word in name for word in internal)]
    assert not [label for label in diagnose(fit).table.index if any(word in label for word in internal)]


def test_the_prior_of_a_correlation_counts_for_the_sensitivity(fit):
    before = sensitivity(fit, ["TVCL"])
    # As if the prior of the correlation pulled TVCL hard.
    fit["log_prior"]["corr_eta_canonical"] = 5 * fit["posterior"]["TVCL"]
    assert sensitivity(fit, ["TVCL"])["TVCL"][0] > before["TVCL"][0] + 0.1
