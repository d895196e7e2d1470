"""The circulation: blood carries drug through the organs of a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from qsp_bayes.models.pbpk.organ import ORGANS, Organ, check_organs
from qsp_bayes.systems import DoseInto, Output, Process, System
from qsp_bayes.systems.declarations import Quantity
from qsp_bayes.units import Units


def circulation(*, units: Units | None = None, organs: Sequence[Organ] = ORGANS) -> System:
    r"""Build the flow of drug with blood through the organs; nothing eliminates it yet.

    With blood concentrations :math:`C_B`, the flow :math:`Q_i` of organ i out of the artery and the cardiac output
    :math:`CO = \sum_i Q_i`, an organ at equilibrium with the blood that leaves it (perfusion-limited) has

    .. math::

        \dot A_i = Q_i C_{B,art} + \sum_{j \to i} Q_j C_{B,j} - \Bigl(Q_i + \sum_{j \to i} Q_j\Bigr) C_{B,i},
        \qquad C_{B,i} = BP\,\frac{A_i}{Kp_i V_i}

    where j are the organs that drain into it. Behind a membrane (permeability-limited) blood and tissue of the organ
    exchange what is unbound in plasma, and :math:`C_{B,i}` is the concentration in the organ's own blood,

    .. math::

        \dot A_i = PS_i\, f_{up} \Bigl(\frac{C_{B,i}}{BP} - \frac{A_i}{Kp_i V_i}\Bigr).

    .. code-block:: text

          +--> [lung] --CO--> [arterial] --Q_i--> [organ i] --Q_i--> [venous] --+
          |                        |--Q_gut, ..--> [gut] .. ---+                |
          |                        +--Q_hepatic_artery--> [liver] --Q_liver-->--+
          +-------------------------------- CO ---------------------------------+

    ================== =========== ======================= =======================================================
    parameter          unit        typical                 what it is
    ================== =========== ======================= =======================================================
    V_<organ>          volume      see `load_physiology`   tissue without its blood
    V_arterial,        volume      2 and 4 L               blood of the body, save that of organs behind membranes
    V_venous
    Q_<organ>          volume/time 2 to 70 L/h             flow out of the artery (of the liver Q_hepatic_artery)
    Kp_<organ>         number      0.1 to 50               tissue over plasma, total concentrations at equilibrium
    BP                 number      0.55 to 2               blood over plasma
    PS_<organ>         volume/time 0.1 to 100 Q / fup      permeability times surface area, of unbound drug
    V_<organ>_vascular volume      1 to 10 % of the organ  blood of an organ behind a membrane
    fup                number      0 to 1                  fraction unbound in plasma (where there are membranes)
    ================== =========== ======================= =======================================================

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out.
    organs : sequence of Organ
        The table; `ORGANS` if left out. Without a lung, venous blood becomes arterial at the cardiac output.

    Returns
    -------
    System
        States are the amounts in ``arterial`` and ``venous`` blood and in every organ (and its blood,
        ``<organ>_vascular``). Outputs are the plasma concentrations ``Cc`` (venous) and ``C_arterial`` and the tissue
        concentrations ``C_<organ>``.

    Raises
    ------
    MechanismError
        For a table in which blood does not find its way.

    Notes
    -----
    At equilibrium the drug in the body over its plasma concentration is
    :math:`V_{ss} = V_{blood} BP + \sum_i Kp_i V_i`; the blood within organs is part of :math:`V_{blood}`, once.

    Examples
    --------
    >>> small = circulation(organs=[Organ("lung", "arterial"), Organ("muscle"), Organ("rest")])
    >>> for equation in small.equations()[:14]:
    ...     print(equation)
    CO = Q_muscle + Q_rest
    CB_arterial = arterial/V_arterial
    CB_venous = venous/V_venous
    Cp_lung = lung/(V_lung*Kp_lung)
    CB_lung = BP*Cp_lung
    Cp_muscle = muscle/(V_muscle*Kp_muscle)
    CB_muscle = BP*Cp_muscle
    Cp_rest = rest/(V_rest*Kp_rest)
    CB_rest = BP*Cp_rest
    d(arterial)/dt = CO*CB_lung - Q_muscle*CB_arterial - Q_rest*CB_arterial
    d(venous)/dt = -CO*CB_venous + Q_muscle*CB_muscle + Q_rest*CB_rest
    d(lung)/dt = CO*CB_venous - CO*CB_lung
    d(muscle)/dt = Q_muscle*CB_arterial - Q_muscle*CB_muscle
    d(rest)/dt = Q_rest*CB_arterial - Q_rest*CB_rest
    """
    check_organs(organs)
    units = units or Units()
    membranes = [organ for organ in organs if organ.behind_membrane]
    states = ["arterial", "venous", *(organ.name for organ in organs), *(organ.entry for organ in membranes)]
    return System(
        name="circulation",
        states=dict.fromkeys(states, units.amount),
        parameters={
            **dict.fromkeys(["V_arterial", "V_venous"], units.volume),
            **{f"V_{organ.name}": units.volume for organ in organs},
            **{f"V_{organ.entry}": units.volume for organ in membranes},
            **dict.fromkeys(flows(organs), units.clearance),
            **{f"Kp_{organ.name}": "" for organ in organs},
            **{f"PS_{organ.name}": units.clearance for organ in membranes},
            "BP": "",
            **({"fup": ""} if membranes else {}),
        },
        scales={"fup": "logit"} if membranes else {},
        share=["BP", "fup"] if membranes else ["BP"],
        expressions={**flow_expressions(organs), **concentrations(organs)},
        processes=[
            *straight_through(organs),
            *(process for organ in organs for process in passage(organ, organs)),
        ],
        outputs={
            "Cc": Output(units.concentration, lambda s: s.CB_venous / s.BP),
            "C_arterial": Output(units.concentration, lambda s: s.CB_arterial / s.BP),
            **{f"C_{organ.name}": Output(units.concentration, tissue(organ.name)) for organ in organs},
        },
        doses={"venous": DoseInto(), "arterial": DoseInto()},
        time_unit=units.time,
    )


def flows(organs: Iterable[Organ]) -> list[str]:
    """Return the parameters that are arterial flows; their sum is the cardiac output."""
    return [organ.flow for organ in organs if organ.flow]


def outflow(organ: Organ, organs: Sequence[Organ]) -> str:
    """Return the quantity that is the flow of blood leaving an organ.

    Examples
    --------
    >>> [outflow(organ, ORGANS) for organ in ORGANS if organ.name in ("lung", "gut", "liver")]
    ['CO', 'Q_gut', 'Q_liver']
    """
    if organ.takes_all:
        return "CO"
    return f"Q_{organ.name}" if drained(organ, organs) else str(organ.flow)


def drained(organ: Organ, organs: Iterable[Organ]) -> list[Organ]:
    """Return the organs whose blood passes this one."""
    return [other for other in organs if other.drains_into == organ.name]


def flow_expressions(organs: Sequence[Organ]) -> dict[str, Quantity]:
    """Return the cardiac output, and the flow through organs that take the blood of others."""

    def total(names: Sequence[str]) -> Quantity:
        return lambda s: sum((s[name] for name in names[1:]), s[names[0]])

    collected = {
        outflow(organ, organs): total(
            [str(organ.flow), *(str(other.flow) for other in drained(organ, organs))]
        )
        for organ in organs
        if drained(organ, organs)
    }
    return {"CO": total(flows(organs)), **collected}


def concentrations(organs: Iterable[Organ]) -> dict[str, Quantity]:
    """Return the concentrations in blood, and the plasma concentrations that tissues are at equilibrium with."""
    found: dict[str, Quantity] = {
        "CB_arterial": lambda s: s.arterial / s.V_arterial,
        "CB_venous": lambda s: s.venous / s.V_venous,
    }
    for organ in organs:
        found[organ.plasma] = at_equilibrium(organ.name)
        found[organ.blood] = own_blood(organ.entry) if organ.behind_membrane else leaving(organ.plasma)
    return found


def at_equilibrium(name: str) -> Quantity:
    """Return the plasma concentration that a tissue is at equilibrium with."""
    return lambda s: s[name] / (s[f"V_{name}"] * s[f"Kp_{name}"])


def leaving(plasma: str) -> Quantity:
    """Return the blood concentration of a plasma concentration."""
    return lambda s: s.BP * s[plasma]


def own_blood(state: str) -> Quantity:
    """Return the concentration in the blood within an organ."""
    return lambda s: s[state] / s[f"V_{state}"]


def tissue(name: str) -> Quantity:
    """Return the concentration in a tissue."""
    return lambda s: s[name] / s[f"V_{name}"]


def passage(organ: Organ, organs: Sequence[Organ]) -> list[Process]:
    """Let blood bring drug into an organ and take it on, and drug pass its membrane."""
    source = "venous" if organ.takes_all else "arterial"
    target = next((other.entry for other in organs if other.name == organ.drains_into), organ.drains_into)
    processes = [
        carried(f"blood into {organ.name}", source, organ.entry, organ.flow or "CO", f"CB_{source}"),
        carried(f"blood out of {organ.name}", organ.entry, target, outflow(organ, organs), organ.blood),
    ]
    if organ.behind_membrane:
        processes.append(
            Process(f"membrane of {organ.name}", {organ.entry: -1, organ.name: +1}, permeation(organ))
        )
    return processes


def straight_through(organs: Sequence[Organ]) -> list[Process]:
    """Let venous blood become arterial where there is no lung in between."""
    if any(organ.takes_all for organ in organs):
        return []
    return [carried("blood through the heart", "venous", "arterial", "CO", "CB_venous")]


def carried(name: str, source: str, target: str, flow: str, concentration: str) -> Process:
    """Carry drug with blood."""

    def rate(s: Any) -> Any:
        return s[flow] * s[concentration]

    return Process(name, {source: -1, target: +1}, rate)


def permeation(organ: Organ) -> Quantity:
    """Exchange what is unbound in the plasma of an organ's blood with what is unbound in its tissue."""

    def rate(s: Any) -> Any:
        return s[f"PS_{organ.name}"] * s.fup * (s[organ.blood] / s.BP - s[organ.plasma])

    return rate
