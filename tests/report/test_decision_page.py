"""The decision page: what it says, what it does not hide, and that it is safe to open."""

import json
import re

import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fabricated import make_decision, make_future
from parsed_page import HOSTILE, Page

from qsp_bayes.decision import Constraint, DecisionSensitivity, choose, decision_sensitivity, utility
from qsp_bayes.decision.sensitivity.variation import Variation
from qsp_bayes.errors import DecisionError
from qsp_bayes.report import decision_report, plot_decision_sensitivity
from qsp_bayes.report.decision_sensitivity_figure import least_favourable, rows_of
from qsp_bayes.report.expected_exposure import exposure_table

BENEFIT = utility(lambda x: -abs(np.log(x["Cc"].max("time"))), "closeness of the peak to 1 mg/L")
SECTIONS = ("What to expect", "How sure it is", "What would change it", "For whom", "How it was computed")


class Found:
    """A stand-in for what other results offer: a table and a summary."""

    table = pd.DataFrame({"worth": [0.5, 0.25], "ahead": [True, False]}, index=["clearance", HOSTILE])

    def summary(self):
        return "Clearance is worth knowing."


def variations(**changes):
    """A sensitivity with one variation of each verdict."""
    found = [
        Variation("priors", "all priors to the power 0.8", "low", "high", 0.5, 0.1, 0.9, 0.3, 0.7),
        Variation(
            "priors", "all priors to the power 1.25", "low", "high", 0.2, 0.05, 0.9, 0.9, 0.7, "fit again"
        ),
        Variation("group", "WT 50 to 60 kg", "high", "high", -0.4, 0.1, 0.1, note="20 individuals"),
        Variation("utility", "safer", "high", "high", -np.inf, 0.0, 0.0),
    ]
    facts = {
        "utility": "u", "unit": "h", "regret": 0.1, "matters": 0.3, "weights": {}, "not_examined": {"solver": "x"},
    }  # fmt: skip
    return DecisionSensitivity.of("low", found, **{**facts, **changes})


def read(path):
    page = Page(path.read_text(encoding="utf-8"))
    return page, " ".join("".join(page.text).replace("\N{NO-BREAK SPACE}", " ").split())


@pytest.fixture(scope="module")
def future():
    return make_future()


@pytest.fixture(scope="module")
def decision(future):
    return choose(future, BENEFIT)


@pytest.fixture(scope="module")
def page(tmp_path_factory, good_fit, future, decision):
    path = tmp_path_factory.mktemp("decision") / "decision.html"
    made = decision_report(
        decision, path, fit=good_fit, future=future, sensitivity=variations(), value={"What to learn": Found()},
        patient=Found(), figures={"patient": plot_decision_sensitivity(variations())},
    )  # fmt: skip
    assert made == path
    assert path.stat().st_size < 300_000
    return read(path)


def test_the_recommendation_is_the_title(page):
    tags, text = page
    assert len(tags.all("h1")) == 1
    assert tags.all("h1")[0]["class"] == "recommended"
    assert text.startswith("Dose recommendation: low")
    assert "Of 2 regimens, the one of highest expected utility. Learned from: Theophylline" in text


def test_every_question_is_answered(page, decision):
    _, text = page
    assert [title for title in ("The patient", *SECTIONS) if title not in text] == []
    assert f"Best with probability {100 * decision.table.loc['low', 'p_best']:.0f} %" in text
    assert "The runner-up, high, loses" in text
    assert "stays the best regimen under 1 of 4 variations" in text
    assert "It moves under: WT 50 to 60 kg and safer." in text
    assert "closeness of the peak to 1 mg/L" in text
    assert "Clearance is worth knowing." in text
    assert "it cannot be kept, as it breaks a constraint" in text
    assert "12 subjects, 120 observations" in text
    assert "TVCL: LogNormal(mu=1.1, sigma=0.5) L/h (Textbook values, assumed wide)" in text


def test_it_is_safe_and_whole(page):
    tags, _ = page
    assert not {"script", "link", "iframe", "object", "embed"} & {tag for tag, _ in tags.tags}
    for tag, attrs in tags.tags:
        assert not [name for name in attrs if name.startswith("on")], tag
        assert all(attrs.get(name, "#").startswith(("data:image/", "#")) for name in ("src", "href"))
    assert HOSTILE in "".join(tags.text)
    assert all(attrs.get("alt") for attrs in tags.all("img"))
    anchors = {attrs["id"] for attrs in tags.all("section")}
    assert {attrs["href"].removeprefix("#") for attrs in tags.all("a")} == anchors
    policy = next(attrs for attrs in tags.all("meta") if attrs.get("http-equiv"))["content"]
    assert policy.startswith("default-src 'none'")


def test_hostile_names_are_inert(tmp_path):
    future = make_future((HOSTILE, "high"))
    found = decision_sensitivity(future, BENEFIT, utilities={HOSTILE: BENEFIT})
    tags, _ = read(
        decision_report(make_decision(future), tmp_path / "d.html", future=future, sensitivity=found)
    )
    assert not tags.all("script")
    assert not [attrs for attrs in tags.all("img") if attrs.get("src") == "x"]


def test_what_was_not_given_is_named(decision, tmp_path):
    _, text = read(decision_report(decision, tmp_path / "d.html"))
    for sentence in (
        "Expected exposure is not shown",
        "Other assumptions were not tried",
        "What to measure next was not asked",
        "Study, model and priors are not shown",
        "Not examined",
    ):
        assert sentence in text


def test_an_unusable_posterior_recommends_nothing(fit, decision, tmp_path):
    fit["posterior"]["TVCL"][3] += 3.0
    _, text = read(decision_report(decision, tmp_path / "d.html", fit=fit))
    assert text.startswith("Dose recommendation: none")
    assert "No recommendation" in text
    assert "The posterior cannot be used. It would put low first of 2 regimens." in text


def test_exposure_is_that_of_the_individuals(future):
    """Quantiles over draws and individuals together, of the peak: dose over clearance at time 0."""
    table = exposure_table(future, ["low", "high"])
    peak = future["predictions"]["Cc"].sel(regimen="high", time=0.0).values.ravel()
    cells = {row[0]: row[2] for row in table.rows}
    shown = [float(number) for number in re.findall(r"[\d.]+", cells["Peak Cc (mg/L)"])]
    np.testing.assert_allclose(shown, np.quantile(peak, [0.5, 0.05, 0.95]), rtol=5e-3)


def test_measures_stand_in_for_paths(future, decision, tmp_path):
    peak = future["predictions"]["Cc"].max("time").assign_attrs(units="mg/L").rename("peak")
    reduced = xr.DataTree.from_dict({"measures": peak.to_dataset()})
    reduced.attrs = dict(future.attrs)
    assert exposure_table(reduced, ["low"]).rows[0][0] == "peak (mg/L)"
    _, text = read(decision_report(decision, tmp_path / "d.html", future=reduced))
    assert "Courses are not shown: the simulation kept measures" in text


def test_constraints_and_targets_are_shown(future, tmp_path):
    decision = choose(
        future,
        lambda x: x["Cc"].max("time"),
        constraints=[Constraint(lambda x: x["Cc"].max("time") > 3, below=0.1, name="peak above 3")],
        targets={"peak above 0.5": lambda x: x["Cc"].max("time") > 0.5},
    )
    assert decision.best == "low"
    _, text = read(decision_report(decision, tmp_path / "d.html", future=future))
    assert "Of 2 regimens, 1 keep to the constraints" in text
    assert "peak above 3 below 0.1" in text
    assert "rules out high" in text
    assert "The runner-up" not in text


def test_parts_must_belong_together(decision, future, tmp_path):
    other = make_future(("a", "b"))
    with pytest.raises(DecisionError, match="sensitivity is of a decision for low, this one is for a"):
        decision_report(make_decision(other), tmp_path / "d.html", sensitivity=variations())
    with pytest.raises(DecisionError, match="other regimens than the decision"):
        decision_report(decision, tmp_path / "d.html", future=other)
    with pytest.raises(DecisionError, match="expected an object with a data frame `table`"):
        decision_report(decision, tmp_path / "d.html", value={"x": "nothing"})
    with pytest.raises(DecisionError, match="'y' belongs to nothing"):
        decision_report(decision, tmp_path / "d.html", figures={"y": matplotlib.figure.Figure()})
    assert not list(tmp_path.iterdir())


def test_figure_has_a_row_for_each_thing_varied():
    axes = plot_decision_sensitivity(variations()).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["all priors", "WT 50 to 60 kg", "safer"]
    points = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert points == [-0.5, -0.2, 0.4]
    assert axes.get_xlabel() == "Gain of the best other regimen over low (h)"
    assert axes.get_xlim()[1] >= 0.4
    assert any("not admissible" in text.get_text() for text in axes.texts)


def test_the_less_favourable_power_is_kept():
    table = variations().table
    assert list(least_favourable(table).index) == ["all priors to the power 1.25", "WT 50 to 60 kg", "safer"]
    assert sum(len(part) for part in rows_of(table).values()) == len(table)


def test_metadata_may_be_sparse(fit, decision, tmp_path):
    fit.attrs["qsp_bayes"] = json.dumps({})
    _, text = read(decision_report(decision, tmp_path / "d.html", fit=fit))
    assert "For whom" in text
