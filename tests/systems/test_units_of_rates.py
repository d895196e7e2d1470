"""Units through the graphs: every rule on quantities that fit and on quantities that do not."""

import math

import pytensor.tensor as pt
import pytest

from qsp_bayes.errors import MechanismError, UnitsError
from qsp_bayes.models import one_compartment
from qsp_bayes.systems import Constant, DoseInto, Output, Process, System
from qsp_bayes.systems.dimensions import units_of
from qsp_bayes.systems.linear import linear_form
from qsp_bayes.units import Units, parse_unit

UNITS = {"k": "1/h", "V": "L", "CL": "L/h", "C50": "mg/L", "n": "", "f": "", "tau": "h", "v": "mg/h"}


def system(rate, states=("A", "B"), unit="mg", other=None, **options):
    units = {states[0]: unit, states[1]: other or unit}
    return System(units, UNITS, [Process("flow", {states[0]: -1, states[1]: +1}, rate)], **options)


def expression_unit(quantity):
    return system(lambda s: s.k * s.A, expressions={"x": quantity}).units()["x"]


@pytest.mark.parametrize(
    ("quantity", "unit"),
    [
        (lambda s: s.A / s.V, "mg/L"),
        (lambda s: s.CL / s.V, "1/h"),
        (lambda s: s.A / s.V * s.CL, "mg/h"),
        (lambda s: s.A + 2 * s.B, "mg"),
        (lambda s: -s.A, "mg"),
        (lambda s: abs(s.A - s.B), "mg"),
        (lambda s: s.V**2, "L**2"),
        (lambda s: s.V**-0.5, "L**-0.5"),
        (lambda s: pt.sqrt(s.V * s.V), "L"),
        (lambda s: pt.square(s.tau), "h**2"),
        (lambda s: 1 / s.k, "h"),
        (lambda s: pt.reciprocal(s.k), "h"),
        (lambda s: s.t, "h"),
        (lambda s: pt.exp(-s.k * s.t), ""),
        (lambda s: pt.log(s.A / s.B), ""),
        (lambda s: pt.tanh(s.n) + pt.sigmoid(s.n) + pt.erf(s.n), ""),
        (lambda s: (s.A / s.V / s.C50) ** s.n, ""),
        (lambda s: 2**s.n, ""),
        (lambda s: pt.maximum(s.A, 0), "mg"),
        (lambda s: pt.clip(s.A, s.B, 2 * s.B), "mg"),
        (lambda s: pt.switch(s.A > 0, s.A, 2 * s.B), "mg"),
        (lambda s: pt.switch(pt.and_(s.A > s.B, s.t < s.tau), 1.0, s.n), ""),
        (lambda s: s.A % s.B, "mg"),
        (lambda s: pt.sign(s.A), ""),
        (lambda s: s.v * s.tau, "mg"),
        (lambda s: 3, ""),
    ],
)
def test_a_rule_gives_the_unit_of_its_result(quantity, unit):
    assert parse_unit(expression_unit(quantity)) == parse_unit(unit)


@pytest.mark.parametrize(
    "quantity",
    [
        lambda s: s.A + s.V,
        lambda s: s.A + 1,
        lambda s: pt.exp(s.A),
        lambda s: pt.exp(-s.t),
        lambda s: pt.log(s.V),
        lambda s: pt.sin(s.tau),
        lambda s: pt.log1p(s.A),
        lambda s: s.A**s.n,
        lambda s: s.n**s.A,
        lambda s: pt.switch(s.A > 0, s.A, s.V),
        lambda s: pt.switch(s.A, s.V, s.V),
        lambda s: pt.maximum(s.A, 1),
        lambda s: s.A > s.V,
        lambda s: s.A % s.V,
    ],
)
def test_quantities_that_do_not_fit_are_refused_by_name(quantity):
    with pytest.raises(UnitsError, match="expression 'x': in `"):
        expression_unit(quantity)


def test_a_number_of_unit_mg_per_ug_is_no_number():
    with pytest.raises(UnitsError, match=r"1 mg/ug = 1000"):
        System(
            {"A": "mg"},
            {"E": "ug", "k": "1/h"},
            [Process("p", {"A": -1}, lambda s: s.k * s.A * pt.exp(s.A / s.E))],
        )


def test_an_error_names_the_process_both_units_and_the_factor():
    with pytest.raises(UnitsError, match=r"rate of process 'flow': unit is 'mg', expected 'mg/h'"):
        system(lambda s: s.A)
    with pytest.raises(
        UnitsError, match=r"process 'flow', 'B' against 'A': unit is 'ug', expected 'mg'.*0\.001"
    ):
        system(lambda s: s.k * s.A, other="ug")
    with pytest.raises(UnitsError, match="molecular weight"):
        system(lambda s: s.k * s.A, other="nmol")
    with pytest.raises(
        UnitsError, match=r"output 'C': unit is 'mg/L', expected 'ug/L' \(1 mg/L = 1000 ug/L\)"
    ):
        system(lambda s: s.k * s.A, outputs={"C": Output("ug/L", lambda s: s.A / s.V)})


def test_units_that_are_equal_with_factor_one_match():
    drug = system(lambda s: s.k * s.A, outputs={"C": Output("ug/mL", lambda s: s.A / s.V)})
    assert drug.units()["C"] == "ug/mL"


@pytest.mark.parametrize(
    ("dose", "what"),
    [
        (DoseInto(F=lambda s: s.V), "F of doses into 'A'"),
        (DoseInto(lag=lambda s: s.k), "lag of doses into 'A'"),
        (DoseInto(duration=lambda s: s.V), "duration of doses into 'A'"),
        (DoseInto(rate=lambda s: s.k), "rate of doses into 'A'"),
    ],
)
def test_what_shapes_a_dose_has_its_unit(dose, what):
    with pytest.raises(UnitsError, match=what):
        system(lambda s: s.k * s.A, doses={"A": dose})


def test_doses_may_be_shaped_by_numbers_in_the_units_of_the_system():
    right = DoseInto(F=0.8, lag=lambda s: s.tau, rate=lambda s: s.v)
    delivery = system(lambda s: s.k * s.A, doses={"A": right}).symbolic().deliveries["A"][0]
    assert float(delivery.F.data) == 0.8
    assert delivery.duration is None


def test_initial_values_have_the_unit_of_their_state():
    assert system(lambda s: s.k * s.A, initial={"A": lambda s: s.C50 * s.V, "B": 3.0})
    with pytest.raises(UnitsError, match="initial value of 'A'"):
        system(lambda s: s.k * s.A, initial={"A": lambda s: s.C50})


def test_a_period_is_a_constant_with_a_unit():
    rhythm = system(
        lambda s: s.k * s.A * (1 + s.f * pt.cos(6.283185307179586 * s.t / s.day)),
        constants={"day": Constant(24.0, "h")},
    )
    assert rhythm.units()["day"] == "h"
    with pytest.raises(UnitsError, match="cos"):
        system(lambda s: s.k * s.A * pt.cos(s.t / 24))


def test_asking_whether_a_system_is_linear_leaves_its_graphs_alone():
    """A constant of 1 mg/L and the number 1 stay two things: simplifying must not merge them in the system itself."""
    saturable = system(
        lambda s: s.k * s.A * (1 + s.n * (1 + s.f) ** 2) * s.A / s.V / (s.one * (1 + s.n) + s.A / s.V),
        constants={"one": Constant(1.0, "mg/L")},
    )
    before = [str(graph.owner) for graph in saturable.symbolic().rates.values()], saturable.equations()
    assert linear_form(saturable.symbolic()) is None
    units_of.cache_clear()
    assert saturable.units()["one"] == "mg/L"
    assert (
        [str(graph.owner) for graph in saturable.symbolic().rates.values()],
        saturable.equations(),
    ) == before


def test_a_tensor_is_refused():
    with pytest.raises(Exception, match=r"(scalar|dimensions)"):
        system(lambda s: s.k * pt.stack([s.A, s.B]))
    with pytest.raises(Exception, match="no operation on scalars"):
        system(lambda s: s.k * pt.sum(pt.stack([s.A, s.B])))


def test_every_model_of_the_library_holds_in_other_units():
    for units in (Units("min", "ug", "mL"), Units("day", "nmol", "L")):
        assert one_compartment(absorption="mixed", units=units).units()["Cc"] == units.concentration


def test_literals_have_double_precision():
    half_life = system(lambda s: pt.log(2.0) / s.tau * s.A + (pt.sqrt(2) - pt.sqrt(2)) * s.v)
    rate = half_life.symbolic().rates["flow"]
    at = {half_life.symbolic().states["A"]: 1.0, half_life.symbolic().parameters["tau"]: 1.0}
    at[half_life.symbolic().parameters["v"]] = 0.0
    assert float(rate.eval(at, mode="FAST_COMPILE")) == math.log(2)
    single = pt.constant(0.5, dtype="float32")
    with pytest.raises(MechanismError, match="single precision"):
        system(lambda s: s.k * s.A * pt.exp(single))
