"""The ladder: verdicts against truths in closed form, and what users meet: warning, report, file, figure."""

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from small_models import bolus, half_normal, level, level_study, log_normal
from test_contraction import draws, fabricated

import qsp_bayes as qb
from qsp_bayes import identifiability
from qsp_bayes.calibration.unknowable import warn_of_unknowable
from qsp_bayes.errors import IdentifiabilityWarning
from qsp_bayes.report import ladder_figure, plot_identifiability

BIOAVAILABILITY = qb.Prior(median=0.7, sd_logit=0.8, unit="", source="test")


def oral(individual=(), fix=None, **priors):
    """First-order absorption of an unknown share F: CL/F and Vc/F are all that oral data determine."""
    return qb.Calibration(
        qb.one_compartment(absorption="first-order", bioavailability=True),
        qb.load_priors("theophylline").replace(
            **{
                "TVF": BIOAVAILABILITY,
                "omega_F": half_normal(0.5),
                "sigma_log_Cc": half_normal(0.3),
                **priors,
            }
        ),
        individual=individual,
        error={"Cc": qb.LogNormal()},
        fix=fix or {},
    )


def study_of(*routes):
    """One subject for each route, 100 mg each, with observations that no verdict depends on."""
    rows = []
    for number, route in enumerate(routes):
        into = {"depot": 1, "central": 2}[route]
        rows.append({"ID": number, "CMT": into, "TIME": 0.0, "EVID": 1, "AMT": 100.0, "DV": np.nan})
        rows += [
            {"ID": number, "CMT": 2, "TIME": t, "EVID": 0, "AMT": 0.0, "DV": 3 * np.exp(-t / 10)}
            for t in (0.5, 1, 2, 5, 9, 24)
        ]
    return qb.read_nonmem(
        pd.DataFrame(rows),
        units={"TIME": "h", "DV": "mg/L", "AMT": "mg"},
        compartments={1: "depot", 2: "central"},
        outputs="Cc",
    )


BY_MOUTH, BOTH_ROUTES = study_of("depot", "depot"), study_of("depot", "central")


def quick(calibration, study, fit=None, draws=2):
    return identifiability(calibration, study, fit, draws=draws, seconds=2.0)


# Verdicts that follow from the closed form Cc = (F D KA / Vc) (e^(-KA t) - e^(-k t)) / (k - KA), k = CL / Vc.


def test_bioavailability_by_mouth_cannot_be_known():
    found = quick(oral(), BY_MOUTH)
    assert found.named("cannot be known") == ["TVF", "TVCL", "TVVc"]
    assert found.table.at["TVKA", "structural"] == "locally identifiable (2 solutions)"
    assert "2 values of KA give the same data" in found.table.at["TVKA", "reason"]
    assert "CL/F alone" in found.table.at["TVCL", "reason"]
    assert "Fix F or Vc." in found.table.at["TVCL", "advice"]
    # The design says it too, by numbers that share nothing with exact arithmetic.
    assert list(found.table.index[np.isinf(found.table["expected_error"])]) == ["TVF", "TVCL", "TVVc"]
    assert found.summary().startswith("Cannot be known: TVF, TVCL, TVVc. ")


def test_what_is_meant_to_come_from_the_prior_is_known_by_it():
    found = quick(oral(TVF=BIOAVAILABILITY.marked()), BY_MOUTH)
    assert found.named("known by its prior") == ["TVF", "TVCL", "TVVc"]
    assert found.table.at["TVCL", "reason"].endswith("With the informative prior of F they do.")
    assert found.named("cannot be known") == []


def test_an_intravenous_arm_or_a_given_bioavailability_makes_all_knowable():
    for found in (quick(oral(), BOTH_ROUTES), quick(oral(fix={"F": 0.7}), BY_MOUTH)):
        assert found.named("cannot be known") == []
        assert np.isfinite(found.table["expected_error"]).all()
        assert found.structural.identifiable
    # Data of the blood tell CL and Vc, and with them which of the two rates is absorption.
    assert quick(oral(), BOTH_ROUTES).table.at["TVKA", "structural"] == "globally identifiable"


def test_how_clearance_varies_is_known_although_clearance_is_not():
    """log(CL/F) varies as log CL does, where F is common to all."""
    found = quick(oral([qb.IIV("CL")]), BY_MOUTH).table
    assert found.at["TVCL", "verdict"] == "cannot be known"
    assert found.at["omega_CL", "structural"].startswith(("globally", "locally"))
    assert found.at["omega_CL", "verdict"] != "cannot be known"
    assert np.isfinite(found.at["omega_CL", "expected_error"])


TEN_BY_MOUTH = study_of(*["depot"] * 10)


def test_what_individuals_hide_one_by_one_they_may_show_together():
    """log(CL/F) and log(Vc/F) have two variances and a covariance: enough for three independent effects, not for
    three correlated ones, which have six."""
    omegas = ["omega_CL", "omega_Vc", "omega_F"]
    independent = quick(oral([qb.IIV("CL", "Vc", "F")]), TEN_BY_MOUTH).table
    assert np.isfinite(independent.loc[omegas, "expected_error"]).all()
    assert set(independent.loc[omegas, "structural"]) == {""}
    assert "cannot be known" not in set(independent.loc[omegas, "verdict"])
    assert set(independent.loc[["TVCL", "TVVc", "TVF"], "verdict"]) == {"cannot be known"}
    correlated = quick(oral([qb.IIV("CL", "Vc", "F", correlated=True)]), TEN_BY_MOUTH).table
    assert set(correlated.loc[omegas, "verdict"]) == {"cannot be known"}


# Shares of a prior's variance that n observations of a level take away: n s^2 / (n s^2 + sigma^2), s = 2.


@pytest.mark.parametrize(
    ("n", "sigma", "verdict"), [(1, 6.0, "not known"), (1, 2.0, "known in part"), (20, 2.0, "known")]
)
def test_share_of_the_design_is_that_of_a_normal_mean(n, sigma, verdict):
    calibration = dataclasses.replace(level(), fix={"sigma_add_R": sigma})
    row = quick(calibration, level_study([[5.0] * n]), draws=20).table.loc["TVB"]
    # The prior's variance is that of 500 draws, whose relative standard error is 6 %.
    assert row["expected_contraction"] == pytest.approx(4 * n / (4 * n + sigma**2), abs=0.04)
    assert row["verdict"] == verdict
    assert (row["advice"] == "") == (verdict == "known")


@pytest.mark.parametrize(("spread", "verdict"), [(0.97, "not known"), (0.7, "known in part"), (0.1, "known")])
def test_the_fit_has_the_last_word_over_the_design(spread, verdict):
    """A normal posterior whose standard deviation is a given share of the prior's, whatever the design promised."""
    calibration = dataclasses.replace(level(), fix={"sigma_add_R": 2.0})
    even = (np.arange(2000) + 0.5) / 2000
    prior = calibration.priors["TVB"]
    fit = fabricated({"TVB": draws(5.0 + spread * (prior.quantile(even) - 5.0))}, {"TVB": prior})
    row = quick(calibration, level_study([[5.0] * 20]), fit).table.loc["TVB"]
    assert row["contraction"] == pytest.approx(1 - spread**2, abs=4e-3)
    assert row["verdict"] == verdict
    assert f"The fit took away {row['contraction']:.0%}." in row["reason"]


def test_a_fit_cannot_make_known_what_the_mechanism_hides():
    fit = fabricated({"TVF": draws(np.linspace(0.69, 0.71, 2000))}, {"TVF": BIOAVAILABILITY})
    row = quick(oral(), BY_MOUTH, fit).table.loc["TVF"]
    assert row["verdict"] == "cannot be known"
    assert "because other priors are narrow" in row["reason"]


def test_what_goes_together_is_named():
    """Far below Km the loss is Vmax / Km times the concentration: both are known in principle, their ratio in practice.

    A prior of log-sd 1 on each and an exact ratio leave half of either variance.
    """
    calibration = qb.Calibration(
        qb.one_compartment(elimination="saturable"),
        {
            "TVVmax": log_normal(5.0, "mg/h"),
            "TVKm": log_normal(1000.0, "mg/L"),
            "TVVc": log_normal(1.0, "L", 0.1),
        },
        error={"Cc": qb.LogNormal()},
        fix={"sigma_log_Cc": 1e-3},
    )
    study = bolus(1.0, [1, 5, 10, 20], [[1.0, 0.8, 0.6, 0.4]])
    found = identifiability(calibration, study, seconds=0.0, draws=20).table
    for name, other in (("TVVmax", "TVKm"), ("TVKm", "TVVmax")):
        row = found.loc[name]
        assert row["structural"] == "locally identifiable"
        assert row["expected_contraction"] == pytest.approx(0.5, abs=0.05)
        assert row["verdict"] == "known in part"
        assert f"goes together with {other} (correlation 1.00)" in row["reason"]
        assert row["advice"] == f"Other samples or doses: improve_design(..., criterion=['{name}'])."


def switched():
    """Loss that is faster above a limit."""
    system = qb.System(
        {"central": "mg"},
        {"fast": "1/h", "slow": "1/h", "limit": "mg"},
        [
            qb.Process(
                "loss", {"central": -1}, lambda s: (s.fast * s.high + s.slow * (1 - s.high)) * s.central
            )
        ],
        outputs={"Cc": qb.Output("mg", lambda s: s.central)},
        doses={"central": qb.DoseInto()},
        switches=[qb.Switch("high", lambda s: s.central - s.limit)],
    )
    priors = {
        "TVfast": log_normal(0.5, "1/h", 0.3),
        "TVslow": log_normal(0.1, "1/h", 0.3),
        "TVlimit": log_normal(30.0, "mg", 0.3),
    }
    return qb.Calibration(system, priors, error={"Cc": qb.LogNormal()}, fix={"sigma_log_Cc": 0.1})


SWITCHED_STUDY = bolus(100.0, [0.5, 1, 4, 8, 16], [[80.0, 60.0, 25.0, 17.0, 8.0]], unit="mg")


def test_a_system_with_a_switch_has_no_first_rung_and_keeps_the_others():
    found = quick(switched(), SWITCHED_STUDY)
    assert found.structural is None
    assert "high" in found.refused
    assert found.summary().startswith(f"The mechanism was not analysed: {found.refused}. ")
    assert set(found.table["structural"]) == {""}
    assert found.table.at["TVfast", "expected_contraction"] > 0.5
    assert set(found.table["verdict"]) <= {"known", "known in part", "not known"}


# The warning before sampling.


@pytest.fixture(scope="module")
def warned():
    """A tiny fit by mouth, the warnings that it gave, and its ladder."""
    calibration = oral()
    with pytest.warns(IdentifiabilityWarning) as caught:
        fit = calibration.fit(BY_MOUTH, draws=100, tune=100, chains=1, random_seed=1, progressbar=False)
    return fit, caught, quick(calibration, BY_MOUTH, fit)


def test_fit_warns_before_sampling(warned):
    _, caught, _ = warned
    (warning,) = [one for one in caught if one.category is IdentifiabilityWarning]
    text = str(warning.message)
    assert "would not determine F, CL, Vc. They determine CL/F, Vc/F." in text
    assert "Fixing F or CL or Vc makes all others identifiable." in text
    assert warning.filename == __file__  # it points at the line that called fit


ALL_MARKED = {
    "TVF": BIOAVAILABILITY.marked(),
    **{name: qb.load_priors("theophylline")[name].marked() for name in ("TVCL", "TVVc")},
}


@pytest.mark.parametrize(
    ("calibration", "study"),
    [
        pytest.param(oral(**ALL_MARKED), BY_MOUTH, id="informative"),
        pytest.param(oral(fix={"F": 0.7}), BY_MOUTH, id="fixed"),
        pytest.param(oral(), BOTH_ROUTES, id="identifiable"),
        pytest.param(switched(), SWITCHED_STUDY, id="not analysed"),
    ],
)
def test_no_warning_where_there_is_nothing_to_warn_of(calibration, study):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_unknowable(calibration, study)


def test_a_prior_that_is_marked_settles_what_it_settles():
    """With F given, CL/F tells CL; knowing KA settles nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_unknowable(oral(TVF=ALL_MARKED["TVF"]), BY_MOUTH)
    rate = qb.load_priors("theophylline")["TVKA"].marked()
    with pytest.warns(IdentifiabilityWarning, match="would not determine F, CL, Vc"):
        warn_of_unknowable(oral(TVKA=rate), BY_MOUTH)


def test_a_fixed_value_that_individuals_move_is_not_known():
    """F is 0.7 in the middle, and each individual has its own."""
    with pytest.warns(IdentifiabilityWarning, match="would not determine F, CL, Vc"):
        warn_of_unknowable(oral([qb.IIV("F")], fix={"F": 0.7}), BY_MOUTH)


# What is kept and shown.


def test_the_report_shows_the_ladder_or_says_how_to_add_it(warned, tmp_path):
    fit, _, ladder = warned
    without = ladder_figure.section(fit)
    assert without.blocks[0].text.endswith(
        'fit["identifiability"] = qb.identifiability(calibration, study, fit).group().'
    )
    kept = fit.copy()
    kept["identifiability"] = ladder.group()
    page = qb.report(kept, to=tmp_path / "report.html").read_text()
    assert "What can be known" in page
    assert "Perfect data of an individual would not determine CL. The data determine CL/F alone." in page
    assert "The ladder of identifiability is not shown" not in page


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_the_ladder_is_kept_with_the_fit(warned, tmp_path, suffix):
    fit, _, ladder = warned
    kept = fit.copy()
    kept["identifiability"] = ladder.group()
    back = qb.load_fit(qb.save_fit(kept, tmp_path / f"fit{suffix}"))["identifiability"]
    table = back.to_dataset().to_dataframe()
    assert list(table.index) == list(ladder.table.index)
    for name in ladder.table:
        assert list(table[name]) == list(ladder.table[name]), name
    assert back.attrs["summary"] == ladder.summary()
    assert (
        ladder_figure.section(xr.DataTree.from_dict({"identifiability": back})).blocks[0].text
        == ladder.summary()
    )


def test_the_ladder_of_a_design_without_a_fit_is_kept_too():
    ladder = quick(oral(), BY_MOUTH)
    assert np.isnan(ladder.group()["contraction"]).all()
    assert ladder.practical is None
    (axes,) = plot_identifiability(ladder).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["in principle", "by this design"]
    assert len(axes.patches) == 2 * 4 + 1


def test_the_figure_has_a_row_for_each_variable_and_a_cell_for_each_rung(warned):
    _, _, ladder = warned
    (axes,) = plot_identifiability(ladder).axes
    texts = [text.get_text() for text in axes.texts]
    for name, row in ladder.table.iterrows():
        assert texts.count(name) == 1
        assert row["verdict"] in texts
    assert texts.index("TVKA") < texts.index("TVF") < texts.index("TVCL")
    # Three cells for each of four parameters, two for the error, of which the mechanism says nothing.
    assert len(axes.patches) == 3 * 4 + 2


def test_as_text_and_as_html(warned):
    _, _, ladder = warned
    assert "cannot be known" in repr(ladder)
    assert "Fix F or Vc." in repr(ladder)
    assert "<table" in ladder._repr_html_()
