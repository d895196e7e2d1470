"""The library against equations written out by hand."""

import numpy as np
import pytest

from qsp_bayes.errors import MechanismError
from qsp_bayes.models import one_compartment, three_compartment, two_compartment
from qsp_bayes.systems import System
from qsp_bayes.units import Units

VALUES = {
    "CL": 2.0,
    "Vc": 10.0,
    "Q": 3.0,
    "Vp": 20.0,
    "Q2": 0.7,
    "Vp2": 35.0,
    "KA": 1.3,
    "MTT": 2.4,
    "Fr": 0.6,
    "F": 0.8,
    "tlag": 0.4,
    "duration": 1.7,
}
BUILDERS = [one_compartment, two_compartment, three_compartment]
KINDS = [None, "iv", "first-order", "zero-order", "mixed", "transit"]


def evaluate(graph, system: System, amounts):
    """The value of a graph at VALUES."""
    graphs = system.symbolic()
    values = {variable: amounts[name] for name, variable in graphs.states.items()}
    values |= {variable: VALUES[name] for name, variable in graphs.parameters.items()}
    return float(graph.eval(values, mode="FAST_COMPILE", on_unused_input="ignore"))


def by_hand(amounts):
    """Derivatives of all states that any model of the library has, with n = 3 transit compartments."""
    v, a = VALUES, {**dict.fromkeys(["central", "peripheral1", "peripheral2", "depot"], 0.0), **amounts}
    first = (
        v["Q"] * (a["central"] / v["Vc"] - a["peripheral1"] / v["Vp"]) if "peripheral1" in amounts else 0.0
    )
    second = (
        v["Q2"] * (a["central"] / v["Vc"] - a["peripheral2"] / v["Vp2"]) if "peripheral2" in amounts else 0.0
    )
    ktr = 4 / v["MTT"]
    if "transit1" in amounts:
        chain = {"depot": -ktr * a["depot"], "transit1": ktr * (a["depot"] - a["transit1"])}
        chain |= {f"transit{i}": ktr * (a[f"transit{i - 1}"] - a[f"transit{i}"]) for i in (2, 3)}
        absorbed = ktr * a["transit3"]
    else:
        chain = {"depot": -v["KA"] * a["depot"]}
        absorbed = v["KA"] * a["depot"]
    central = absorbed - v["CL"] / v["Vc"] * a["central"] - first - second
    return chain | {"central": central, "peripheral1": first, "peripheral2": second}


@pytest.mark.parametrize("absorption", KINDS)
@pytest.mark.parametrize("build", BUILDERS)
def test_derivatives_are_those_written_by_hand(build, absorption):
    system = build(absorption=absorption)
    amounts = {name: 1.0 + 0.37 * i for i, name in enumerate(system.states)}
    expected = by_hand(amounts)
    for name, graph in system.symbolic().derivatives.items():
        assert evaluate(graph, system, amounts) == pytest.approx(expected[name], rel=1e-14, abs=1e-14)
    concentration = evaluate(system.symbolic().outputs["Cc"], system, amounts)
    assert concentration == pytest.approx(amounts["central"] / VALUES["Vc"], rel=1e-15)


@pytest.mark.parametrize("absorption", KINDS[2:])
def test_routes_deliver_the_whole_bioavailable_dose(absorption):
    system = two_compartment(absorption=absorption, lag=True, bioavailability=True)
    routes = system.symbolic().deliveries["depot"]
    amounts = dict.fromkeys(system.states, 0.0)
    assert sum(evaluate(route.F, system, amounts) for route in routes) == pytest.approx(VALUES["F"])
    assert {evaluate(route.lag, system, amounts) for route in routes} == {VALUES["tlag"]}
    into_central = [route for route in routes if route.state == "central"]
    assert all(evaluate(route.duration, system, amounts) == VALUES["duration"] for route in into_central)
    assert bool(into_central) == (absorption in ("zero-order", "mixed"))
    intravenous = system.symbolic().deliveries["central"][0]
    assert intravenous.graphs() == {}


@pytest.mark.parametrize("n_transit", [1, 4])
def test_the_mean_transit_time_is_mtt(n_transit):
    """The mean of the waiting time until absorption, from the generator of the chain."""
    system = one_compartment(absorption="transit", n_transit=n_transit)
    chain = [name for name in system.states if name != "central"]
    generator = np.zeros((len(chain), len(chain)))
    for j, source in enumerate(chain):
        unit = {name: float(name == source) for name in system.states}
        for i, target in enumerate(chain):
            generator[i, j] = evaluate(system.symbolic().derivatives[target], system, unit)
    residence = -np.linalg.inv(generator)[:, 0].sum()
    assert residence == pytest.approx(VALUES["MTT"], rel=1e-12)


def test_names_units_and_scales_are_those_of_the_field():
    system = three_compartment(
        absorption="mixed", lag=True, bioavailability=True, units=Units("min", "ug", "L")
    )
    assert dict(system.parameters) == {
        "KA": "1/min", "Fr": "", "duration": "min", "F": "", "tlag": "min",
        "CL": "L/min", "Vc": "L", "Q": "L/min", "Vp": "L", "Q2": "L/min", "Vp2": "L",
    }  # fmt: skip
    assert {name for name, scale in system.scales.items() if scale == "logit"} == {"F", "Fr"}
    assert list(system.states) == ["depot", "central", "peripheral1", "peripheral2"]
    assert list(system.doses) == ["depot", "central"]
    assert system.time_unit == "min"


def test_what_does_not_exist_is_refused():
    with pytest.raises(MechanismError, match="Choose one of first-order"):
        one_compartment(absorption="first order")
    with pytest.raises(MechanismError, match="intravenous"):
        one_compartment(lag=True)
    with pytest.raises(MechanismError, match="n_transit is 0"):
        one_compartment(absorption="transit", n_transit=0)


def test_a_description_is_plain_json():
    import json

    described = json.loads(json.dumps(two_compartment(absorption="transit").accumulate(AUC="Cc").describe()))
    assert described["stoichiometry"]["matrix"][0][0] == -1
    assert described["parameters"]["MTT"] == "h"
    assert described["accumulators"] == ["AUC"]
    assert described["diagram_svg"].startswith("<svg")
