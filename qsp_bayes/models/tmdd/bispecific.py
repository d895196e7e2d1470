"""A drug with two different arms: two targets that turn over, and the ternary complex that joins them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.compartments import compartments as compartments_of
from qsp_bayes.models.dissociation import dissociation
from qsp_bayes.models.example import Example
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.systems.declarations import Quantity
from qsp_bayes.units import Units

TARGETS = ("A", "B")


def bispecific_tmdd(
    *,
    units: Units | None = None,
    compartments: int = 2,
    absorption: str | None = None,
    n_transit: int = 3,
    lag: bool = False,
    bioavailability: bool = False,
    binding: str = "koff",
    ternary: bool = True,
) -> System:
    r"""Build a model of a drug that binds two targets, A and B, such as a bispecific antibody.

    Free drug C binds either target, and what has bound one can bind the other: the ternary complex that a T-cell
    engager works by. Each target is made and degraded, each complex internalised::

                        drug
            kon_A      /    \      kon_B
            koff_A    /      \     koff_B
                  drug:A    drug:B
            kon_B     \      /     kon_A
        koff_B / alpha \    /   koff_A / alpha
                       A:drug:B  --- kint_AB --->

    .. math::

        \dot C &= \dots - v_A - v_B \\
        \dot R_A &= k_{deg,A} (R_{0,A} - R_A) - v_A - w_A, \qquad \dot R_B \text{ alike} \\
        \dot{RC}_A &= v_A - w_B - k_{int,A} RC_A, \qquad \dot{RC}_B = v_B - w_A - k_{int,B} RC_B \\
        \dot{RC}_{AB} &= w_A + w_B - k_{int,AB} RC_{AB} \\
        v_A &= k_{on,A} C R_A - k_{off,A} RC_A, \qquad
        w_A = k_{on,A} RC_B R_A - \frac{k_{off,A}}{\alpha} RC_{AB}, \qquad v_B, w_B \text{ alike}

    The scheme is that of Schropp et al. (2019), whose four binding steps have constants of their own. Here each arm
    binds as fast whether or not the other is taken, and the cooperativity alpha says how much longer it then holds:
    1 where the arms do not know of each other, above 1 where they help (avidity on one membrane), below 1 where they
    hinder. Both ways to the ternary complex then have the same free energy, as they must. Without ternary complex
    it is the model of two targets that compete for the drug (Gibiansky and Gibiansky, 2010).

    ======================= ================================================= =============
    output                  what it is                                        unit
    ======================= ================================================= =============
    Cc, Ctot                free drug, free and bound drug                    amount/volume
    R_A, R_B                free target                                       amount/volume
    RC_A, RC_B, RC_AB       drug bound to A alone, to B alone, to both        amount/volume
    Rtot_A, Rtot_B          free and bound target                             amount/volume
    RO_A, RO_B              occupancy: bound share of the target              fraction
    suppression_A, _B       of free target, 1 - R / R0                        fraction
    ======================= ================================================= =============

    ====================== ============= ========= ==================================
    parameter              unit          support   typical
    ====================== ============= ========= ==================================
    CL, Vc, Q, Vp          as in `tmdd`  above 0
    kon_A, kon_B           1/(conc.time) above 0   1 to 100 1/nM/day
    koff_A, koff_B         1/time        above 0   0.1 to 1000 1/day
    KD_A, KD_B             amount/volume above 0   0.01 to 100 nM
    R0_A, R0_B             amount/volume above 0   0.01 to 10 nM
    kdeg_A, kdeg_B         1/time        above 0   0.1 to 30 1/day
    kint_A, kint_B         1/time        above 0   0.1 to 30 1/day
    kint_AB                1/time        above 0   as kint_A
    alpha                  1             above 0   0.1 to 1000, 1 where not known
    ====================== ============= ========= ==================================

    Parameters
    ----------
    units : Units, optional
        day, nmol and L if left out.
    compartments : {1, 2, 3}
        Number of compartments of the free drug.
    absorption, n_transit, lag, bioavailability
        As for `one_compartment`.
    binding : {"koff", "KD"}
        Whether koff_A and koff_B are parameters, or KD_A and KD_B with koff = kon KD.
    ternary : bool
        Whether one drug can hold both targets at once.

    Returns
    -------
    System

    Raises
    ------
    MechanismError
        For an unknown absorption, binding or number of compartments.

    Notes
    -----
    It holds where both targets are within reach of the drug and of each other, all at the concentrations of the
    central compartment; cells that must meet first need a model of cells. The ternary complex first rises with the
    drug and falls again where every target holds a drug of its own (hook effect). Drug and total targets do not
    identify alpha: that takes the ternary complex or a response to it.

    References
    ----------
    Schropp J, Khot A, Shah DK, Koch G (2019). Target-mediated drug disposition model for bispecific antibodies:
    properties, approximation, and optimal dosing strategy. CPT Pharmacometrics Syst Pharmacol 8:177-187.

    Gibiansky L, Gibiansky E (2010). Target-mediated drug disposition model for drugs that bind to more than one
    target. J Pharmacokinet Pharmacodyn 37:323-346.

    Examples
    --------
    >>> for equation in bispecific_tmdd(compartments=1, ternary=False).equations()[2:5]:
    ...     print(equation)
    d(central)/dt = -CL/Vc*central - (kon_A*Cc*target_A - koff_A*complex_A) - (kon_B*Cc*target_B - koff_B*complex_B)
    d(target_A)/dt = ksyn_A*Vc - kdeg_A*target_A - (kon_A*Cc*target_A - koff_A*complex_A)
    d(target_B)/dt = ksyn_B*Vc - kdeg_B*target_B - (kon_B*Cc*target_B - koff_B*complex_B)
    >>> print(bispecific_tmdd(compartments=1).equations()[7])
    d(ternary)/dt = kon_A*R_A*complex_B - koff_A/alpha*ternary + kon_B*R_B*complex_A - koff_B/alpha*ternary -
    kint_AB*ternary
    """
    units = units or Units(time="day", amount="nmol")
    if compartments not in (1, 2, 3):
        raise MechanismError(f"compartments is {compartments!r}; the free drug has 1, 2 or 3.")
    drug = compartments_of(compartments, units, absorption, n_transit, lag, bioavailability)
    return dataclasses.replace(
        drug + targets(units, binding, ternary), name="drug with two targets", share=()
    )


def targets(units: Units, binding: str, ternary: bool) -> System:
    """Build both targets and their complexes, to be added to a disposition."""
    states = ["central", "target_A", "target_B", "complex_A", "complex_B"] + ["ternary"] * ternary
    known: dict[str, str] = {"Vc": units.volume}
    of_binding, _ = dissociation(binding, units)
    for name in TARGETS:
        known |= {f"{parameter}_{name}": unit for parameter, unit in of_binding.items()} | {
            f"R0_{name}": units.concentration,
            f"kdeg_{name}": units.rate,
            f"kint_{name}": units.rate,
        }
    if ternary:
        known |= {"kint_AB": units.rate, "alpha": ""}
    return System(
        name="two targets",
        states=dict.fromkeys(states, units.amount),
        shared=["central"],
        parameters=known,
        share=["Vc"],
        inputs={"Cc": units.concentration},
        expressions=expressions(binding),
        initial={f"target_{name}": product(f"R0_{name}", "Vc") for name in TARGETS},
        processes=[
            *(process for name in TARGETS for process in of_one_target(name)),
            *(ternary_processes() if ternary else ()),
        ],
        outputs=outputs(units, ternary),
        time_unit=units.time,
    )


def of_one_target(name: str) -> list[Process]:
    """Make, degrade, bind and internalise one target."""
    target, bound = f"target_{name}", f"complex_{name}"
    return [
        Process(f"synthesis of {name}", {target: +1}, product(f"ksyn_{name}", "Vc")),
        Process(f"degradation of {name}", {target: -1}, product(f"kdeg_{name}", target)),
        Process(
            f"binding of {name}",
            {"central": -1, target: -1, bound: +1},
            lambda s: s[f"kon_{name}"] * s.Cc * s[target] - s[f"koff_{name}"] * s[bound],
        ),
        Process(f"internalisation with {name}", {bound: -1}, product(f"kint_{name}", bound)),
    ]


def ternary_processes() -> list[Process]:
    """Let what has bound one target bind the other, and internalise what holds both."""
    return [
        *(second_binding(name, other) for name, other in (("A", "B"), ("B", "A"))),
        Process("internalisation with both", {"ternary": -1}, lambda s: s.kint_AB * s.ternary),
    ]


def second_binding(name: str, other: str) -> Process:
    """Bind one target where the other is bound already."""
    return Process(
        f"binding of {name} where {other} is bound",
        {f"complex_{other}": -1, f"target_{name}": -1, "ternary": +1},
        lambda s: (
            s[f"kon_{name}"] * s[f"R_{name}"] * s[f"complex_{other}"]
            - s[f"koff_{name}"] / s.alpha * s.ternary
        ),
    )


def expressions(binding: str) -> dict[str, Quantity]:
    """Say what synthesis is, and dissociation where KD is the parameter."""
    found = {f"ksyn_{name}": product(f"R0_{name}", f"kdeg_{name}") for name in TARGETS}
    if binding == "KD":
        found |= {f"koff_{name}": product(f"kon_{name}", f"KD_{name}") for name in TARGETS}
    return found


def product(first: str, second: str) -> Callable[[Any], Any]:
    """Multiply two quantities."""
    return lambda s: s[first] * s[second]


def outputs(units: Units, ternary: bool) -> dict[str, Output]:
    """Give what can be measured of drug and targets."""

    def of(state: str) -> Output:
        return Output(units.concentration, lambda s: s[state] / s.Vc)

    def with_both(s: Any) -> Any:
        return s.RC_AB if ternary else 0.0

    found = {f"R_{name}": of(f"target_{name}") for name in TARGETS}
    found |= {f"RC_{name}": of(f"complex_{name}") for name in TARGETS}
    if ternary:
        found["RC_AB"] = of("ternary")
    found["Ctot"] = Output(units.concentration, lambda s: s.Cc + s.RC_A + s.RC_B + with_both(s))
    for name in TARGETS:
        found |= of_target(units, name, with_both)
    return found


def of_target(units: Units, name: str, with_both: Callable[[Any], Any]) -> dict[str, Output]:
    """Give total, occupancy and suppression of one target."""
    return {
        f"Rtot_{name}": Output(
            units.concentration, lambda s: s[f"R_{name}"] + s[f"RC_{name}"] + with_both(s)
        ),
        f"RO_{name}": Output("", lambda s: (s[f"RC_{name}"] + with_both(s)) / s[f"Rtot_{name}"]),
        f"suppression_{name}": Output("", lambda s: 1 - s[f"R_{name}"] / s[f"R0_{name}"]),
    }


def examples() -> dict[str, Example]:
    """Return the model with numbers to try it with, with and without ternary complex.

    Examples
    --------
    >>> list(examples())
    ['Two targets: bispecific with ternary complex', 'Two targets: competition for the drug']
    """
    known = {
        "CL": 0.3, "Vc": 3.0, "Q": 0.5, "Vp": 3.0,
        "kon_A": 10.0, "koff_A": 100.0, "R0_A": 1.0, "kdeg_A": 1.0, "kint_A": 1.0,
        "kon_B": 10.0, "koff_B": 5.0, "R0_B": 5.0, "kdeg_B": 0.5, "kint_B": 2.0,
        "kint_AB": 2.0, "alpha": 1.0,
    }  # fmt: skip
    both, competing = bispecific_tmdd(), bispecific_tmdd(ternary=False)
    common: dict[str, Any] = {
        "until": 42,
        "regimen": Regimen(300, unit="nmol", into="central"),
        "holds": "both targets are within reach of the drug in the central compartment",
        "log": True,
    }
    return {
        "Two targets: bispecific with ternary complex": Example(
            both,
            {name: known[name] for name in both.parameters},
            shows=["Cc", "RC_AB", "RO_A", "RO_B"],
            identifiability="alpha needs the ternary complex, or a response to it",
            reference="Schropp J et al. (2019). CPT Pharmacometrics Syst Pharmacol 8:177-187.",
            **common,
        ),
        "Two targets: competition for the drug": Example(
            competing,
            {name: known[name] for name in competing.parameters},
            shows=["Cc", "RO_A", "RO_B", "Rtot_A", "Rtot_B"],
            identifiability="each target needs measurements of its own; free drug shows their sum",
            reference="Gibiansky L, Gibiansky E (2010). J Pharmacokinet Pharmacodyn 37:323-346.",
            **common,
        ),
    }
