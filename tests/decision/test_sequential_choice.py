"""The stopping rule on populations whose truth is known: it stops as it should and seldom claims wrongly."""

import numpy as np
import pytest
from constant_paths import future_of

from qsp_bayes.decision import Constraint, StoppingRule, average, choose_until, error_components
from qsp_bayes.decision.choice.stopping_rule import degrees_of_freedom
from qsp_bayes.errors import DecisionError


def effect(x):
    """Effect."""
    return average(x["Cc"])


def population(means, *, of_draws=0.0, of_individuals=0.0, rest=0.0, shared=True):
    """Give ``simulate`` for u = mean_d + of_draws a_s d + of_individuals b_i d + rest e_sid."""

    def simulate(*, draws, subjects, random_seed):
        rng = np.random.default_rng(random_seed)
        shape = (4, max(4, draws // 4))
        direction = np.linspace(-1, 1, len(means)).reshape(1, 1, -1, 1)
        values = np.reshape(means, (1, 1, -1, 1)) + direction * (
            of_draws * rng.normal(size=(*shape, 1, 1)) + of_individuals * rng.normal(size=(1, 1, 1, subjects))
        )
        return future_of(
            values + rest * rng.normal(size=(*shape, len(means), subjects)), map(str, range(len(means)))
        )

    return simulate


def run(simulate, rule=None, seed=1, **options):
    return choose_until(
        simulate, effect, rule=rule or StoppingRule(), random_seed=seed, progressbar=False, **options
    )


def test_a_clear_difference_stops_at_once():
    found = run(population([0, 1], of_draws=0.5, rest=0.5))
    assert found.separated
    assert found.sufficient
    assert len(found.table) == 1
    assert "separated from every rival" in found.summary()


def test_what_contributes_more_is_doubled():
    rule = StoppingRule(error=1e-9, most_draws=400, most_subjects=400)
    draws = run(population([0, 0.001], of_draws=1.0), rule, draws=50, subjects=50).table
    assert draws["subjects"].iloc[:4].tolist() == [50] * 4
    assert draws["draws"].iloc[:4].tolist() == [48, 100, 200, 400]
    people = run(population([0, 0.001], of_individuals=1.0), rule, draws=50, subjects=50).table
    assert people["subjects"].iloc[:4].tolist() == [50, 100, 200, 400]
    assert people["draws"].iloc[:4].tolist() == [48] * 4


def test_equal_regimens_end_at_the_tolerance_or_the_largest_simulation():
    simulate = population([0, 0], of_draws=0.5, rest=0.5)
    within = run(simulate, StoppingRule(difference=0.06), draws=64, subjects=20)
    assert not within.separated
    assert within.sufficient
    assert within.table["mcse"].iloc[-1] <= 0.06 < within.table["mcse"].iloc[-2]
    largest = run(simulate, StoppingRule(error=1e-6, most_draws=128, most_subjects=40), draws=64, subjects=20)
    assert not largest.sufficient
    assert "largest simulation was reached" in largest.summary()
    assert "does not separate" in largest.summary()
    assert (largest.table["draws"].iloc[-1], largest.table["subjects"].iloc[-1]) == (128, 40)
    odd = run(simulate, StoppingRule(error=1e-6, most_draws=67, most_subjects=20), draws=66, subjects=20)
    assert len(odd.table) == 2  # 64 draws are what four chains make of 67: asking again would not help
    regret = run(simulate, StoppingRule(error=1e-6, regret=0.03), draws=64, subjects=20)
    assert regret.table["regret_mcse"].iloc[-1] <= 0.03
    assert "expected regret" in regret.reason


def test_same_seed_same_result():
    simulate = population([0, 0.05], of_draws=0.5, rest=0.5)
    first, again, other = (run(simulate, seed=seed, subjects=20) for seed in (3, 3, 4))
    assert first.table.equals(again.table)
    assert first.decision.data.identical(again.decision.data)
    assert not first.table.equals(other.table)


def test_components_are_those_of_the_population():
    """Var = 1 / S + 0.25 / n + 4 / (n S), S = 400 independent draws, n = 50; averaged over 40 simulations."""
    parts = {"draws": [], "individuals": [], "both": []}
    for seed in range(40):
        future = population([0, 0], of_draws=1.0, of_individuals=0.5, rest=2.0)(
            draws=400, subjects=50, random_seed=seed
        )
        values = future["predictions"]["Cc"].isel(time=0, regimen=0)
        for name, variance in error_components(values).items():
            parts[name].append(float(variance))
    exact = {"draws": 1 / 400, "individuals": 0.25 / 50, "both": 4 / (50 * 400)}
    for name, variances in parts.items():
        assert abs(np.mean(variances) / exact[name] - 1) < 0.15, name


def claims(means, rule, n, **simulation):
    """Share of searches that claim separation, and of those that claim it for a regimen that is not the best."""
    simulate = population(means, **simulation)
    found = [run(simulate, rule, seed, draws=32, subjects=8) for seed in range(n)]
    best = str(int(np.argmax(means)))
    return (
        np.mean([f.separated for f in found]),
        np.mean([f.separated and f.decision.best != best for f in found]),
        np.mean([len(f.table) for f in found]),
    )


def test_degrees_of_freedom_are_those_of_what_varies():
    """Five individuals shared by all draws leave four; 64 independent draws alone leave 63."""
    rule = StoppingRule(error=1e-9, most_draws=64, most_subjects=5)
    people = run(population([0, 0], of_individuals=1.0), rule, draws=64, subjects=5).decision
    draws = run(population([0, 0], of_draws=1.0), rule, draws=64, subjects=5).decision
    for decision, exact in ((people, 4), (draws, 63)):
        (rival,) = set(decision.admissible) - {decision.best}
        np.testing.assert_allclose(degrees_of_freedom(decision, rival), exact)


@pytest.mark.slow
@pytest.mark.parametrize("means", [[0, 1e-9], [0, 0, 0, 1e-9]], ids=["two", "four"])
def test_rate_of_false_claims(means):
    rule = StoppingRule(error=0.1, most_draws=256, most_subjects=64)
    claimed, wrong, looks = claims(means, rule, 120, of_draws=0.5, of_individuals=0.3, rest=0.5)
    print(f"claims {claimed:.3f}, false {wrong:.3f}, looks {looks:.1f}")
    assert wrong <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / 120)


@pytest.mark.parametrize("n", [5, 1000])
def test_looking_again_and_again_at_two_errors_claims_too_often(n):
    """Nine looks at means of n values whose truth is 0: the plain rule of two errors is the wrong variant."""
    values = np.random.default_rng(1).normal(size=(2000, 9, n))
    looks = values.mean(axis=-1) / (values.std(axis=-1, ddof=1) / np.sqrt(n))
    assert (looks > 2).any(axis=1).mean() > 0.15
    rule, allowed = StoppingRule(error=0.05), 0.05 + 2 * np.sqrt(0.05 * 0.95 / 2000)
    assert (looks > rule.separation(9, 2, n - 1)).any(axis=1).mean() < allowed
    if n == 5:  # and so is the normal distribution, for few
        assert (looks > rule.separation(9, 2)).any(axis=1).mean() > allowed


def test_interruption_keeps_the_last_look():
    looks = []

    def simulate(**size):
        if len(looks) == 2:
            raise KeyboardInterrupt
        looks.append(size)
        return population([0, 0], of_draws=1.0)(**size)

    found = run(simulate, StoppingRule(error=1e-9))
    assert "it was interrupted" in found.summary()
    assert not found.sufficient
    assert len(found.table) == 2
    looks.extend([None] * 3)

    def at_once(**_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(at_once)


def test_options_reach_the_choice():
    constraint = Constraint(lambda x: average(x["Cc"]) > 0.5, below=0.1, name="toxicity")
    found = run(population([0, 1.0], rest=0.1), constraints=[constraint])
    assert found.decision.best == "0"
    assert found.reason == "there is one admissible regimen"


def test_errors_say_what_is_wrong():
    with pytest.raises(DecisionError, match="larger than the largest"):
        run(population([0, 1]), StoppingRule(most_draws=50))
    with pytest.raises(DecisionError, match=r"error is 0\.7"):
        StoppingRule(error=0.7)
    with pytest.raises(DecisionError, match="difference is -1"):
        StoppingRule(difference=-1)
    with pytest.raises(DecisionError, match="at least 4"):
        StoppingRule(most_draws=2)
