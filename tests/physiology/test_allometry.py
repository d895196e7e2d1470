"""Allometry against closed forms, published factors, and the frequency with which intervals hold."""

import numpy as np
import pytest
from scipy import stats

from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology import (
    corrected_allometry,
    fu_corrected_intercept,
    human_equivalent_dose,
    maximum_life_span,
    method_probabilities,
    rule_of_exponents,
    scale,
    simple_allometry,
)
from qsp_bayes.physiology.allometry import TIME_EXPONENT, VOLUME_EXPONENT

WEIGHTS = np.array([0.02, 0.25, 2.5, 10.0])


def test_half_lives_follow_from_volumes_and_clearances():
    """V/CL scales as the times do, and scaling there and back changes nothing."""
    volume, clearance = scale(0.2, 0.25, 70, VOLUME_EXPONENT), scale(0.5, 0.25, 70)
    np.testing.assert_allclose(volume / clearance, scale(0.4, 0.25, 70, TIME_EXPONENT), rtol=1e-12)
    np.testing.assert_allclose(scale(scale(0.5, 0.25, 70), 70, 0.25), 0.5, rtol=1e-12)
    assert scale(1.0, 1.0, 16.0) == 8.0
    np.testing.assert_allclose(scale(1.0, 1.0, 16.0, np.array([0.5, 0.75, 1.0])), [4, 8, 16])


def test_a_power_law_is_found_exactly():
    line = simple_allometry(WEIGHTS, 0.9 * WEIGHTS**0.62)
    np.testing.assert_allclose([line.coefficient, line.exponent], [0.9, 0.62], rtol=1e-12)
    assert max(line.exponent_error, line.residual_sd) < 1e-7
    np.testing.assert_allclose(line.interval(70), [line.predict(70)] * 2, rtol=1e-6)


def test_the_line_and_its_errors_are_those_of_the_normal_equations():
    values = 0.9 * WEIGHTS**0.62 * np.exp([0.2, -0.1, 0.15, -0.3])
    line = simple_allometry(WEIGHTS, values)
    X = np.stack([np.ones(4), np.log(WEIGHTS)], axis=1)
    estimate, (squares,), *_ = np.linalg.lstsq(X, np.log(values))
    covariance = np.linalg.inv(X.T @ X) * squares / 2
    np.testing.assert_allclose([np.log(line.coefficient), line.exponent], estimate, rtol=1e-10)
    np.testing.assert_allclose(
        [line.log_coefficient_error, line.exponent_error], np.sqrt(np.diag(covariance))
    )
    x = np.array([1, np.log(70)])
    half = stats.t.ppf(0.95, 2) * np.sqrt(squares / 2 + x @ covariance @ x)
    np.testing.assert_allclose(np.log(line.interval(70)), x @ estimate + half * np.array([-1, 1]), rtol=1e-10)


def test_prediction_intervals_hold_as_often_as_they_say():
    rng, held, repeats = np.random.default_rng(1), 0, 1000
    for _ in range(repeats):
        noise = rng.normal(0, 0.3, 5)
        line = simple_allometry(WEIGHTS, WEIGHTS**0.75 * np.exp(noise[:4]))
        low, high = line.interval(70.0)
        held += low < 70**0.75 * np.exp(noise[4]) < high
    assert stats.binomtest(held, repeats, 0.9).pvalue > 0.01


@pytest.mark.parametrize(
    ("exponent", "method"),
    [
        (0.4, "simple allometry, likely too low"),
        (0.55, "simple allometry"),
        (0.70, "simple allometry"),
        (0.71, "maximum life span"),
        (0.99, "maximum life span"),
        (1.0, "brain weight"),
        (1.3, "brain weight"),
        (1.31, "brain weight, likely too high"),
    ],
)
def test_the_rule_of_exponents_has_the_published_steps(exponent, method):
    assert rule_of_exponents(exponent) == method
    assert rule_of_exponents([exponent, 0.6]).tolist() == [method, "simple allometry"]


def test_probabilities_of_the_methods_are_areas_of_the_posterior():
    exact = stats.norm(0.75, 0.1)
    draws = exact.ppf((np.arange(20_000) + 0.5) / 20_000).reshape(4, -1)
    found = list(method_probabilities(draws).values())
    np.testing.assert_allclose(found, np.diff(exact.cdf([-np.inf, 0.55, 0.71, 1.0, 1.3, np.inf])), atol=1e-4)


def test_the_life_span_of_humans_is_the_published_one():
    """93.4 years is used throughout the literature on interspecies scaling."""
    assert maximum_life_span(1.53, 70) == pytest.approx(93.4, abs=0.05)
    np.testing.assert_allclose(maximum_life_span(8.0, 1.0) / maximum_life_span(1.0, 1.0), 8**0.636)


@pytest.mark.parametrize("kind", ["life span", "brain weight", "unbound fraction"])
def test_a_correction_is_exact_where_its_product_is_a_power_law(kind):
    brain = np.array([0.00036, 0.0018, 0.014, 0.08])
    factors, human = {
        "life span": (maximum_life_span(brain, WEIGHTS), 93.4),
        "brain weight": (brain, 1.53),
        "unbound fraction": (1 / np.array([0.5, 0.3, 0.2, 0.4]), 1 / 0.1),
    }[kind]
    clearances = 2.0 * WEIGHTS**1.1 / factors
    predicted = corrected_allometry(WEIGHTS, clearances, factors, human)
    np.testing.assert_allclose(predicted, 2.0 * 70**1.1 / human, rtol=1e-10)
    simple = simple_allometry(WEIGHTS, clearances).predict(70)
    assert abs(np.log(predicted / simple)) > 0.2, "the correction would be of no consequence"


def test_the_intercept_method_has_its_published_coefficients():
    assert fu_corrected_intercept(2.0, 0.2, 0.1) == pytest.approx(33.35)
    assert fu_corrected_intercept(20.0, 0.2, 0.1) == pytest.approx(33.35 * 10**0.770)


@pytest.mark.parametrize(
    ("species", "divide_by"),
    [
        ("mouse", 12.3),
        ("hamster", 7.4),
        ("rat", 6.2),
        ("guinea pig", 4.6),
        ("rabbit", 3.1),
        ("monkey", 3.1),
        ("dog", 1.8),
    ],
)
def test_equivalent_doses_are_those_of_the_other_column_of_the_table(species, divide_by):
    """The guidance also gives what to divide an animal's dose by, rounded."""
    assert round(1 / human_equivalent_dose(1.0, species), 1) == pytest.approx(divide_by, abs=0.051)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: scale(1, 0, 70), "from_weight must be positive"),
        (lambda: simple_allometry([1, 2], [1, 2]), "at least three species"),
        (lambda: simple_allometry([1, 2, 3], [1, 2, 0]), "values must be positive"),
        (lambda: simple_allometry([1, 2, 3], [1, 2, 3]).interval(70, 1.0), "between 0 and 1"),
        (lambda: rule_of_exponents(np.nan), "NaN"),
        (lambda: corrected_allometry(WEIGHTS, WEIGHTS, [1, 1, 1, -1], 1), "factors must be positive"),
        (lambda: human_equivalent_dose(1, "cat"), "There is mouse, hamster"),
        (lambda: human_equivalent_dose(0, "rat"), "dose must be positive"),
    ],
)
def test_what_makes_no_sense_is_refused(made, message):
    with pytest.raises(MechanismError, match=message):
        made()
