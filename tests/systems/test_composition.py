"""Systems out of systems: names, inputs both ways, shared states, loops, and variants in a line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsp_bayes.errors import MechanismError, UnitsError
from qsp_bayes.models import one_compartment
from qsp_bayes.systems import DoseInto, Output, Process, System
from qsp_bayes.units import Units


def decay(state="A", rate="k", **options):
    return System(
        {state: "mg"},
        {rate: "1/h"},
        [Process(f"loss of {state}", {state: -1}, lambda s: s[rate] * s[state])],
        **options,
    )


def turnover(**options):
    return System(
        {"enzyme": ""},
        {"kout": "1/h", "EC50": "mg/L", "CL0": "L/h"},
        [
            Process("synthesis", {"enzyme": 1}, lambda s: s.kout * (1 + s.Cc / s.EC50)),
            Process("loss", {"enzyme": -1}, lambda s: s.kout * s.enzyme),
        ],
        inputs={"Cc": "mg/L"},
        initial={"enzyme": 1.0},
        **options,
    )


def test_an_input_is_bound_to_the_output_of_the_other():
    joined = one_compartment() + turnover()
    assert not joined.inputs
    assert joined.equations()[1] == "d(enzyme)/dt = kout*(1 + Cc/EC50) - kout*enzyme"
    assert list(joined.states) == ["central", "enzyme"]


def test_feedback_goes_both_ways():
    induced = (one_compartment() + turnover()).define(CL=lambda s: s.CL0 * s.enzyme)
    assert "CL" not in induced.parameters
    assert induced.equations()[:2] == ["CL = CL0*enzyme", "d(central)/dt = -CL/Vc*central"]


def test_the_order_of_joining_does_not_change_the_equations():
    one_way, other = one_compartment() + turnover(), turnover() + one_compartment()
    assert sorted(one_way.equations()) == sorted(other.equations())


def test_inputs_of_another_unit_are_refused():
    micrograms = one_compartment(units=Units(amount="ug"))
    with pytest.raises(UnitsError, match=r"input 'Cc'.*1 ug/L = 0\.001 mg/L"):
        turnover() + micrograms


def test_unbound_inputs_stay():
    assert dict(turnover().inputs) == {"Cc": "mg/L"}
    assert list((turnover() + decay()).inputs) == ["Cc"]


def test_an_algebraic_loop_is_refused_with_its_chain():
    a = System({"A": "mg"}, {}, [], outputs={"x": Output("", lambda s: s.y + 1)}, inputs={"y": ""})
    b = System({"B": "mg"}, {}, [], outputs={"y": Output("", lambda s: s.x + 1)}, inputs={"x": ""})
    with pytest.raises(MechanismError, match="output 'x' -> output 'y' -> output 'x'"):
        a + b


def test_names_that_both_have_are_refused_unless_shared():
    with pytest.raises(MechanismError, match="'A' among their states"):
        decay() + decay(rate="k2")
    with pytest.raises(MechanismError, match=r"'k' among their parameters.*share"):
        decay() + decay("B")
    joined = decay() + decay("B", share=["k"])
    assert list(joined.parameters) == ["k"]
    partial = System(
        {"A": "mg"}, {"k2": "1/h"}, [Process("leak", {"A": -1}, lambda s: s.k2 * s.A)], shared=["A"]
    )
    assert (decay() + partial).equations() == ["d(A)/dt = -k*A - k2*A"]
    assert (partial + decay()).shared == ()
    assert partial.shared == ("A",)


def test_a_missing_name_lists_what_exists():
    with pytest.raises(
        MechanismError, match=r"'loss': there is no 'kk'\. Did you mean 'k'.*states: A; parameters: k"
    ):
        System({"A": "mg"}, {"k": "1/h"}, [Process("loss", {"A": -1}, lambda s: s.kk * s.A)])
    with pytest.raises(MechanismError, match="process 'loss': there is no 'X'"):
        System({"A": "mg"}, {"k": "1/h"}, [Process("loss", {"X": -1}, lambda s: s.k * s.A)])
    with pytest.raises(MechanismError, match="doses into 'X'"):
        decay(doses={"X": DoseInto()})
    with pytest.raises(MechanismError, match="initial: there is no 'X'"):
        decay(initial={"X": 1.0})


@pytest.mark.parametrize("name", ["t", "lambda", "_x", "2x", "a b"])
def test_names_that_cannot_be_used_are_refused(name):
    with pytest.raises(MechanismError, match="among parameters"):
        System({"A": "mg"}, {name: "1/h"}, [])


def test_one_name_has_one_meaning():
    with pytest.raises(MechanismError, match="'A' stands among states and among parameters"):
        System({"A": "mg"}, {"A": "1/h"}, [])
    with pytest.raises(MechanismError, match="output 'A'"):
        decay(outputs={"A": Output("mg/h", lambda s: s.k * s.A)})
    assert decay(outputs={"A": Output("mg", lambda s: s.A)})
    process = Process("loss", {"A": -1}, lambda s: s.k * s.A)
    with pytest.raises(MechanismError, match="two processes are called"):
        System({"A": "mg"}, {"k": "1/h"}, [process, process])


def test_rename_keeps_the_mechanism():
    renamed = one_compartment(absorption="first-order", lag=True).rename(
        CL="clearance", central="plasma", Vc="V"
    )
    assert renamed.equations() == [
        "d(depot)/dt = -KA*depot",
        "d(plasma)/dt = KA*depot - clearance/V*plasma",
        "lag(depot) = tlag",
        "Cc = plasma/V",
    ]
    assert list(renamed.doses) == ["depot", "plasma"]
    swapped = one_compartment().rename(CL="Vc", Vc="CL")
    assert swapped.equations()[0] == "d(central)/dt = -Vc/CL*central"
    with pytest.raises(MechanismError, match="Did you mean 'CL'"):
        one_compartment().rename(Cl="x")
    with pytest.raises(MechanismError, match="one name"):
        one_compartment().rename(CL="Vc")


def test_renaming_lets_two_of_a_kind_stand_together():
    parent = one_compartment()
    metabolite = one_compartment().rename(
        central="metabolite", CL="CLm", Vc="Vm", Cc="Cm", elimination="elimination of metabolite"
    )
    assert (parent + metabolite).equations()[-1] == "Cm = metabolite/Vm"


def test_fix_makes_a_constant_with_the_unit():
    fixed = one_compartment().fix(CL=2.0)
    assert list(fixed.parameters) == ["Vc"]
    assert list(fixed.scales) == ["Vc"]
    assert fixed.constants["CL"].unit == "L/h"
    assert fixed.equations()[0] == "d(central)/dt = -CL/Vc*central"
    with pytest.raises(MechanismError, match="fix"):
        one_compartment().fix(Q=1.0)


def test_define_keeps_the_unit():
    with pytest.raises(UnitsError, match="definition of 'CL'"):
        one_compartment().define(CL=lambda s: s.Vc)
    with pytest.raises(MechanismError, match="depends on itself"):
        one_compartment().define(CL=lambda s: s.CL * 2)
    allometric = one_compartment().define({"CL0": "L/h"}, CL=lambda s: s.CL0)
    assert list(allometric.parameters) == ["Vc", "CL0"]


def test_replace_exchanges_a_process_and_drops_idle_parameters():
    saturable = Process("elimination", {"central": -1}, lambda s: s.Vmax * s.Cc / (s.Km + s.Cc))
    changed = one_compartment().replace(saturable, parameters={"Vmax": "mg/h", "Km": "mg/L"})
    assert list(changed.parameters) == ["Vc", "Vmax", "Km"]
    assert changed.equations()[0] == "d(central)/dt = -Vmax*Cc/(Km + Cc)"
    with pytest.raises(MechanismError, match="Did you mean 'elimination'"):
        one_compartment().replace(Process("eliminaton", {"central": -1}, lambda s: s.CL))


def test_accumulators_drive_nothing():
    total = one_compartment().accumulate(AUC="Cc")
    assert total.symbolic().accumulators == ("AUC",)
    assert total.units()["AUC"] == "mg/L*h"
    with pytest.raises(MechanismError, match="accumulator 'A' appears in the rate"):
        decay(accumulators=["A"])
    with pytest.raises(MechanismError, match="no 'Cp'"):
        one_compartment().accumulate(AUC="Cp")


def test_a_system_does_not_change():
    system = one_compartment()
    with pytest.raises(AttributeError):
        system.name = "other"
    with pytest.raises(TypeError):
        system.parameters["CL"] = "mL/h"


def test_doses_and_starts_are_free_of_states():
    with pytest.raises(MechanismError, match="lag of doses into 'A' depends on A"):
        decay(doses={"A": DoseInto(lag=lambda s: s.A / s.A / s.k)})
    with pytest.raises(MechanismError, match="rate and duration"):
        DoseInto(rate=1.0, duration=1.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=6), st.data())
def test_a_network_split_in_two_and_joined_is_the_network(pairs, data):
    """Parts that share their states add up to the same stoichiometry, derivatives and laws."""
    names = ["A", "B", "C", "D"]
    processes = [
        Process(
            f"p{i}",
            {names[a]: -1, names[b]: +1} if a != b else {names[a]: -1},
            lambda s, a=a: s.k * s[names[a]],
        )
        for i, (a, b) in enumerate(pairs)
    ]
    cut = data.draw(st.integers(1, len(processes) - 1))
    states = dict.fromkeys(names, "mg")
    whole = System(states, {"k": "1/h"}, processes)
    first = System(states, {"k": "1/h"}, processes[:cut])
    second = System(states, {"k": "1/h"}, processes[cut:], shared=names, share=["k"])
    joined = first + second
    assert joined.equations() == whole.equations()
    assert joined.stoichiometry().equals(whole.stoichiometry())
    assert joined.conservation_laws() == whole.conservation_laws()
