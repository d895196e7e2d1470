"""Constraints and attainment against the normal distribution function."""

import json

import numpy as np
import pytest
import xarray as xr
from constant_paths import future_of
from scipy.stats import norm

from qsp_bayes.decision import (
    ClinicalUtilityIndex,
    Constraint,
    Decision,
    attainment,
    choose,
    cmax,
    larger_is_better,
    smaller_is_better,
    trough,
    utility,
)
from qsp_bayes.errors import DecisionError
from qsp_bayes.report.decision_figure import plot_decision, section

DOSES = {"low": 1.0, "middle": 2.0, "high": 3.0}
UNCERTAIN, BETWEEN, TOXIC = 0.3, 0.5, 3.0


def normal_future(seed=1, draws=400, subjects=400, doses=DOSES):
    """Cc = dose + uncertain theta + between eta, eta fresh in every draw."""
    rng = np.random.default_rng(seed)
    theta, eta = rng.normal(size=(4, draws, 1, 1)), rng.normal(size=(4, draws, 1, subjects))
    dose = np.array(list(doses.values())).reshape(1, 1, -1, 1)
    return future_of(dose + UNCERTAIN * theta + BETWEEN * eta, doses)


@pytest.fixture(scope="module")
def future():
    return normal_future()


def benefit(x):
    """Concentration, mg/L."""
    return cmax(x["Cc"])


def toxic(x):
    """Concentration above the toxic one."""
    return cmax(x["Cc"]) > TOXIC


EVENT = norm.sf((TOXIC - np.array(list(DOSES.values()))) / np.hypot(UNCERTAIN, BETWEEN))


def certain(limit):
    """P over theta that the share of individuals above TOXIC is below the limit."""
    return norm.cdf((TOXIC - np.array(list(DOSES.values())) + BETWEEN * norm.ppf(limit)) / UNCERTAIN)


def test_probability_of_an_event(future):
    decision = choose(future, benefit, constraints=[Constraint(toxic, below=0.1, name="toxicity")])
    table = decision.table
    assert (abs(table["toxicity"] - EVENT) < 3.5 * table["toxicity_mcse"]).all()
    assert table["admissible"].tolist() == [True, True, False]  # 0.0003, 0.043, 0.5
    assert (decision.best, decision.unconstrained_best) == ("middle", "high")
    assert "toxicity below 0.1, rules out high (0.49" in decision.summary()
    assert "Without constraints, high would have been best, higher by 1 mg/L" in decision.summary()


def test_certainty_is_over_what_is_not_known(future):
    """At the limit 0.1, 0.0866 of the draws of middle have a greater share: P(kept) is 0.884 for it."""
    kept = certain(0.1)
    constraint = Constraint(toxic, below=0.1, name="toxicity", certainty=0.95)
    table = choose(future, benefit, constraints=[constraint]).table
    # 400 individuals know a share of 0.1 to 0.015: the indicator of each draw is blurred by that.
    assert (abs(table["toxicity_certainty"] - kept) < 0.03).all()
    assert table["admissible"].tolist() == [True, False, False]
    lenient = Constraint(toxic, below=0.1, name="toxicity", certainty=0.8)
    assert choose(future, benefit, constraints=[lenient]).best == "middle"


def test_best_probability_and_regret_are_among_the_admissible(future):
    free = choose(future, benefit).table
    bound = choose(future, benefit, constraints=[Constraint(toxic, below=0.1, name="toxicity")])
    alone = future.copy()
    alone["predictions"] = xr.DataTree(future["predictions"].to_dataset().sel(regimen=["low", "middle"]))
    expected = choose(alone, benefit).table
    for column in ("p_best", "expected_regret", "share_best_served", "expected_utility", "difference"):
        np.testing.assert_allclose(bound.table.loc[["low", "middle"], column], expected[column])
    assert bound.table.loc["high", ["p_best", "expected_regret", "share_best_served"]].isna().all()
    assert free.loc["high", "p_best"] == 1


def test_a_limit_from_above_and_a_mean(future):
    constraint = Constraint(lambda x: trough(x["Cc"]), above=1.5, name="trough", unit="mg/L")
    decision = choose(future, lambda x: -cmax(x["Cc"]), constraints=[constraint])
    assert decision.best == "middle"
    assert str(constraint) == "trough above 1.5 mg/L"
    assert decision.table["admissible"].tolist() == [False, True, True]


def test_no_admissible_regimen_is_an_error_with_every_figure(future):
    constraints = [
        Constraint(toxic, below=1e-4, name="toxicity"),
        Constraint(benefit, above=2.5, name="effect"),
    ]
    with pytest.raises(DecisionError) as refused:
        choose(future, benefit, constraints=constraints)
    text = str(refused.value)
    assert "asked is toxicity below 0.0001 and effect above 2.5" in text
    for part in ("low: toxicity 0.000", "effect 0.99", "middle: toxicity 0.04", "high: toxicity 0.49"):
        assert part in text


def test_a_limit_within_the_error_is_a_caution(future):
    decision = choose(
        normal_future(draws=10, subjects=30), benefit, constraints=[Constraint(toxic, below=0.04)]
    )
    assert any(
        "middle keeps to Concentration above the toxic one. below 0.04" in c for c in decision.cautions
    )
    clear = choose(future, benefit, constraints=[Constraint(toxic, below=0.2, name="toxicity")])
    assert not any("keeps to" in caution for caution in clear.cautions)


def test_constraints_survive_a_file_and_are_shown(future, tmp_path):
    decision = choose(
        future,
        utility(benefit, "a < b"),
        constraints=[Constraint(toxic, below=0.1, name="<toxicity>")],
        targets={"<effect>": lambda x: cmax(x["Cc"]) > 1},
    )
    decision.to_datatree().to_netcdf(tmp_path / "decision.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "decision.nc", engine="h5netcdf") as tree:
        again = Decision.from_datatree(tree)
    assert again.table.equals(decision.table)
    assert again.summary() == decision.summary()
    assert again.admissible == ["low", "middle"]
    page = again._repr_html_()
    assert "&lt;toxicity&gt;" in page
    assert "&lt;effect&gt;" in page
    assert "<toxicity>" not in page
    blocks = section(decision, None).blocks
    assert any("Constraints and targets" in str(block) for block in blocks)
    legend = [text.get_text() for text in plot_decision(decision).legends[0].get_texts()]
    assert "not admissible" in legend


def test_attainment_is_a_normal_probability(future):
    found = attainment(
        future, {"above 2": lambda x: cmax(x["Cc"]) > 2, "above 1": lambda x: cmax(x["Cc"]) > 1}
    )
    doses = np.array(list(DOSES.values()))
    for target, level in (("above 2", 2), ("above 1", 1)):
        table = found.table.xs(target, level="target")
        exact = norm.sf((level - doses) / np.hypot(UNCERTAIN, BETWEEN))
        assert (abs(table["probability"] - exact) < 3.5 * table["mcse"] + 1e-12).all()
        # The share at a draw is Phi((d - level + UNCERTAIN theta) / BETWEEN): monotone in theta.
        for q, column in ((0.05, "q05"), (0.95, "q95")):
            share = norm.cdf((doses - level + UNCERTAIN * norm.ppf(q)) / BETWEEN)
            assert (abs(table[column] - share) < 0.03).all()
    assert "above 2 is reached most often under high" in found.summary()
    assert "above 2 is reached" in found._repr_html_()
    decision = choose(future, benefit, targets={"above 2": lambda x: cmax(x["Cc"]) > 2})
    np.testing.assert_allclose(
        decision.table["above 2"], found.table.xs("above 2", level="target")["probability"]
    )


def test_errors_say_what_is_wrong(future):
    with pytest.raises(DecisionError, match="one finite limit"):
        Constraint(toxic, below=0.1, above=0.2)
    with pytest.raises(DecisionError, match="one finite limit"):
        Constraint(toxic)
    with pytest.raises(DecisionError, match="certainty is 2"):
        Constraint(toxic, below=0.1, certainty=2)
    with pytest.raises(DecisionError, match="made of a function"):
        Constraint("Cc", below=0.1)
    with pytest.raises(DecisionError, match="true or false"):
        attainment(future, {"trough": lambda x: trough(x["Cc"])})
    with pytest.raises(DecisionError, match="at least one target"):
        attainment(future, {})
    for constraints, targets in (
        ([Constraint(toxic, below=1, name="mcse")], None),
        ([Constraint(toxic, below=1, name="a"), Constraint(toxic, below=1, name="a")], None),
        ([Constraint(toxic, below=1, name="a")], {"a": toxic}),
    ):
        with pytest.raises(DecisionError, match="given twice, or is a column"):
            choose(future, benefit, constraints=constraints, targets=targets)


INDEX = ClinicalUtilityIndex(
    {
        "effect": lambda x: larger_is_better(cmax(x["Cc"]), 0, 4, unit="mg/L"),
        "safety": lambda x: smaller_is_better(cmax(x["Cc"]), 2, 4),
    },
    weights={"effect": 2, "safety": 6},
)


def test_contributions_add_up_to_the_index(future):
    decision = choose(future, INDEX)
    assert decision.unit == "1"
    assert decision.description == "clinical utility index: 0.25 effect + 0.75 safety"
    attributes = decision.attributes
    total = attributes["contribution"].groupby("regimen").sum()
    np.testing.assert_allclose(total[decision.table.index], decision.table["expected_utility"], rtol=1e-12)
    again = Decision.from_datatree(decision.to_datatree())
    assert again.attributes.equals(attributes)
    assert "safety (weight 0.75)" in str(section(again, None).blocks)
    assert json.loads(again.data.attrs["qsp_bayes"])["utility"].startswith("clinical utility index")
    with pytest.raises(DecisionError, match="has no attributes"):
        choose(future, benefit).attributes  # noqa: B018


def test_geometric_mean_lets_nothing_make_up_for_an_attribute_of_no_use():
    values = np.broadcast_to(np.array([2.0, 4.5]).reshape(1, 1, 2, 1), (4, 5, 2, 3))
    future = future_of(values, ["safe", "toxic"])
    geometric = ClinicalUtilityIndex(INDEX.attributes, INDEX.weights, mean="geometric")
    assert str(geometric) == "effect^0.25 x safety^0.75"
    np.testing.assert_allclose(choose(future, geometric).table["expected_utility"], [0.5**0.25, 0.0])
    np.testing.assert_allclose(choose(future, INDEX).table["expected_utility"], [0.25 * 0.5 + 0.75, 0.25])
    assert "contribution" not in choose(future, geometric).attributes


def test_an_index_refuses_what_is_none(future):
    with pytest.raises(DecisionError, match="weights are given to benefit"):
        ClinicalUtilityIndex({"effect": benefit}, {"benefit": 1})
    with pytest.raises(DecisionError, match="weight is -1"):
        ClinicalUtilityIndex({"effect": benefit}, {"effect": -1})
    with pytest.raises(DecisionError, match="use 'arithmetic' or 'geometric'"):
        ClinicalUtilityIndex({"effect": benefit}, {"effect": 1}, mean="median")
    with pytest.raises(DecisionError, match="needs a number without unit"):
        choose(future, ClinicalUtilityIndex({"effect": benefit}, {"effect": 1}))
    with pytest.raises(DecisionError, match="Attribute effect must lie between 0 and 1"):
        choose(future, ClinicalUtilityIndex({"effect": lambda x: x["Cc"].max("time")}, {"effect": 1}))
