"""Drug and soluble target: both, and their complex, distribute and are cleared, and bind wherever they meet."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.compartments import compartments as compartments_of
from qsp_bayes.models.example import Example
from qsp_bayes.models.tmdd.equilibrium import free_drug
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.systems.declarations import Quantity
from qsp_bayes.units import Units

APPROXIMATIONS = ("full", "QE")


def soluble_tmdd(
    *,
    units: Units | None = None,
    compartments: int = 2,
    absorption: str | None = None,
    n_transit: int = 3,
    lag: bool = False,
    bioavailability: bool = False,
    approximation: str = "QE",
) -> System:
    r"""Build a model of a drug against a soluble target, such as a cytokine or IgE.

    What differs from a target on cells (`tmdd`): the complex is not taken up by the cells that carry the target, but
    stays as large as the drug, so that it leaves with a clearance of its own, near that of the drug and far below
    that of the free target, and goes where the drug goes. Bound target therefore accumulates, often a
    hundredfold, and the target is bound in tissue fluid as well as in plasma::

              synthesis   CL_target          CL_complex              CL
                  |           ^                  ^                    ^
                  v           |                  |                    |
        central:     target --+--- + drug <==> complex ---------- drug/complex
                       ^                          ^                   ^
                    Q_target                      Q                   Q
                       v                          v                   v
        peripheral:  target ------ + drug <==> complex

    With :math:`C, R, RC` free drug, free target and complex in each of the two compartments, c and p, at equilibrium
    (:math:`K_D\,RC = C\,R`), and totals :math:`C_{tot} = C + RC`, :math:`R_{tot} = R + RC`,

    .. math::

        V_c \dot C_{tot,c} &= u(t) - CL\,C_c - CL_{complex} RC_c - Q (C_{tot,c} - C_{tot,p}) \\
        V_c \dot R_{tot,c} &= CL_{target} (R_0 - R_c) - CL_{complex} RC_c - Q_{target} (R_c - R_p) - Q (RC_c - RC_p) \\
        V_p \dot C_{tot,p} &= Q (C_{tot,c} - C_{tot,p}) \\
        V_p \dot R_{tot,p} &= Q_{target} (R_c - R_p) + Q (RC_c - RC_p)

    The full model follows drug, target and complex by themselves, with binding at the rate kon C R - koff RC in both
    compartments.

    ============ =================================================== ============
    output       what it is                                          unit
    ============ =================================================== ============
    Cc, Ctot     free drug, total drug, in the central compartment   amount/volume
    R, RC, Rtot  free target, complex, total target, there           amount/volume
    RO           bound share of the target there, RC / Rtot          fraction
    suppression  of free target there, 1 - R / R0                    fraction
    ============ =================================================== ============

    ========== ============= ========= ================================================
    parameter  unit          support   typical of antibodies against cytokines and IgE
    ========== ============= ========= ================================================
    CL, Q      volume/time   above 0   0.1 to 0.5, 0.2 to 1 L/day
    Vc, Vp     volume        above 0   2.4 to 5.5, 1.3 to 6.8 L
    KD         amount/volume above 0   0.01 to 10 nM
    kon        1/(conc.time) above 0   1 to 100 1/nM/day (full model)
    R0         amount/volume above 0   1e-5 to 10 nM
    CL_target  volume/time   above 0   1 to 50 L/day
    CL_complex volume/time   above 0   CL to a few times CL
    Q_target   volume/time   above 0   Q to some times Q
    ========== ============= ========= ================================================

    Parameters
    ----------
    units : Units, optional
        day, nmol and L if left out.
    compartments : {1, 2}
        One, or a central and a peripheral compartment. Drug, target and complex share the volumes.
    absorption, n_transit, lag, bioavailability
        As for `one_compartment`.
    approximation : {"QE", "full"}
        Whether binding is at equilibrium in each compartment, or takes its time (kon as well as KD, koff = kon KD).

    Returns
    -------
    System
        In QE the states hold totals: ``central`` and ``peripheral1`` of drug, ``target`` and ``target_peripheral1`` of
        target.

    Raises
    ------
    MechanismError
        For an unknown absorption or approximation, or another number of compartments.

    Notes
    -----
    It holds where the target is made in plasma or reaches it fast, and where drug, target and complex mix in the same
    two spaces. Total target identifies CL_complex and the production CL_target R0; KD needs free target, or
    doses that leave some of it free; Q_target is hardly seen in plasma.

    References
    ----------
    Hayashi N, Tsukamoto Y, Sallas WM, Lowe PJ (2007). A mechanism-based binding model for the population
    pharmacokinetics and pharmacodynamics of omalizumab. Br J Clin Pharmacol 63:548-561. (One compartment.)

    Chakraborty A et al. (2012). Pharmacokinetic and pharmacodynamic properties of canakinumab, a human
    anti-interleukin-1beta monoclonal antibody. Clin Pharmacokinet 51:e1-e18. (Two compartments, CL_complex = CL.)

    Examples
    --------
    >>> list(soluble_tmdd(compartments=1).parameters)
    ['CL', 'Vc', 'KD', 'R0', 'CL_target', 'CL_complex']
    >>> for equation in soluble_tmdd(compartments=1).equations()[:2]:
    ...     print(equation)
    d(central)/dt = -CL*Cc - CL_complex*RC
    d(target)/dt = CL_target*R0 - CL_target*R - CL_complex*RC
    """
    if approximation not in APPROXIMATIONS:
        raise MechanismError(
            f"approximation {approximation!r} is not known for a soluble target. "
            f"Choose one of {', '.join(APPROXIMATIONS)}."
        )
    if compartments not in (1, 2):
        raise MechanismError(f"compartments is {compartments!r}; a soluble target has 1 or 2.")
    units = units or Units(time="day", amount="nmol")
    drug = compartments_of(compartments, units, absorption, n_transit, lag, bioavailability)
    build = full_target if approximation == "full" else equilibrium_target
    return build(drug, units, SPACES[:compartments])


SPACES = (("", "central", "Vc"), ("_peripheral1", "peripheral1", "Vp"))
"""Compartments: what is added to names, the state of the drug, the volume."""


def full_target(drug: System, units: Units, spaces: tuple[tuple[str, str, str], ...]) -> System:
    """Add a target and a complex that the drug binds at a finite rate in every compartment."""
    processes = [*turnover(), Process("clearance of complex", {"complex": -1}, lambda s: s.CL_complex * s.RC)]
    for added, state, volume in spaces:
        processes.append(
            Process(
                "binding" + added,
                {state: -1, "target" + added: -1, "complex" + added: +1},
                mass_action(state, "target" + added, "complex" + added, volume),
            )
        )
    if len(spaces) > 1:
        processes += [spread("target", "Q_target"), spread("complex", "Q")]
    added_states = [name + added for added, _, _ in spaces for name in ("target", "complex")]
    kon = {"kon": f"{units.volume}/{units.amount}/{units.time}"}
    return joined(
        drug,
        units,
        len(spaces),
        states=dict.fromkeys(added_states, units.amount),
        processes=[*drug.processes, *processes],
        parameters=kon,
        expressions={"koff": lambda s: s.kon * s.KD},
        outputs={
            "Cc": lambda s: s.central / s.Vc,
            "Ctot": lambda s: s.Cc + s.RC,
            "R": lambda s: s.target / s.Vc,
            "RC": lambda s: s.complex / s.Vc,
            "Rtot": lambda s: s.R + s.RC,
        },
    )


def equilibrium_target(drug: System, units: Units, spaces: tuple[tuple[str, str, str], ...]) -> System:
    """Let the states of the drug be totals, and add those of the target, at equilibrium in every compartment."""
    absorbed = [p for p in drug.processes if p.name not in ("elimination", "distribution")]
    processes = [
        *absorbed,
        Process("elimination", {"central": -1}, lambda s: s.CL * s.Cc),
        *turnover(),
        Process("clearance of complex", {"central": -1, "target": -1}, lambda s: s.CL_complex * s.RC),
    ]
    expressions: dict[str, Quantity] = {}
    if len(spaces) > 1:
        expressions = {
            "C_peripheral1": lambda s: free_drug(s.peripheral1 / s.Vp, s.target_peripheral1 / s.Vp, s.KD),
            "RC_peripheral1": lambda s: (
                s.target_peripheral1 / s.Vp * s.C_peripheral1 / (s.KD + s.C_peripheral1)
            ),
            "R_peripheral1": lambda s: s.target_peripheral1 / s.Vp / (1 + s.C_peripheral1 / s.KD),
        }
        processes += [
            Process(
                "distribution",
                {"central": -1, "peripheral1": +1},
                lambda s: s.Q * (s.Cc - s.C_peripheral1),
            ),
            Process(
                "distribution of target",
                {"target": -1, "target_peripheral1": +1},
                lambda s: s.Q_target * (s.R - s.R_peripheral1),
            ),
            Process(
                "distribution of complex",
                {"central": -1, "peripheral1": +1, "target": -1, "target_peripheral1": +1},
                lambda s: s.Q * (s.RC - s.RC_peripheral1),
            ),
        ]
    return joined(
        drug,
        units,
        len(spaces),
        states=dict.fromkeys(["target" + added for added, _, _ in spaces], units.amount),
        processes=processes,
        parameters={},
        expressions=expressions,
        outputs={
            "Cc": lambda s: free_drug(s.Ctot, s.Rtot, s.KD),
            "Ctot": lambda s: s.central / s.Vc,
            "R": lambda s: s.Rtot / (1 + s.Cc / s.KD),
            "RC": lambda s: s.Rtot * s.Cc / (s.KD + s.Cc),
            "Rtot": lambda s: s.target / s.Vc,
        },
    )


def joined(
    drug: System,
    units: Units,
    number: int,
    *,
    states: dict[str, str],
    processes: list[Process],
    parameters: dict[str, str],
    expressions: dict[str, Quantity],
    outputs: dict[str, Quantity],
) -> System:
    """Make one system of a drug and what is added to it."""
    of_target = parameters | {
        "KD": units.concentration,
        "R0": units.concentration,
        "CL_target": units.clearance,
        "CL_complex": units.clearance,
    }
    if number > 1:
        of_target["Q_target"] = units.clearance
    started: dict[str, Quantity] = {"target": lambda s: s.R0 * s.Vc}
    if number > 1:
        started["target_peripheral1"] = lambda s: s.R0 * s.Vp
    measured = {name: Output(units.concentration, value) for name, value in outputs.items()}
    measured["RO"] = Output("", lambda s: s.RC / s.Rtot)
    measured["suppression"] = Output("", lambda s: 1 - s.R / s.R0)
    return dataclasses.replace(
        drug,
        name="drug and soluble target",
        states=dict(drug.states) | states,
        processes=processes,
        parameters=dict(drug.parameters) | of_target,
        expressions=dict(drug.expressions) | expressions,
        initial=started,
        outputs=measured,
    )


def turnover() -> list[Process]:
    """Make and clear free target, so that it stays at R0 without drug."""
    return [
        Process("synthesis", {"target": +1}, lambda s: s.CL_target * s.R0),
        Process("clearance of target", {"target": -1}, lambda s: s.CL_target * s.R),
    ]


def spread(name: str, flow: str) -> Process:
    """Exchange target or complex between the compartments, net flow counted outwards."""
    outer = f"{name}_peripheral1"
    return Process(
        f"distribution of {name}",
        {name: -1, outer: +1},
        lambda s: s[flow] * (s[name] / s.Vc - s[outer] / s.Vp),
    )


def mass_action(drug: str, target: str, bound: str, volume: str) -> Callable[[Any], Any]:
    """Bind and free, net rate."""
    return lambda s: s.kon * s[drug] / s[volume] * s[target] - s.koff * s[bound]


def examples() -> dict[str, Example]:
    """Return the model with numbers to try it with.

    Examples
    --------
    >>> list(examples())
    ['Soluble target: one compartment', 'Soluble target: two compartments']
    """
    known = {
        "CL": 0.176, "Vc": 5.9, "Q": 0.5, "Vp": 3.0, "KA": 0.48, "KD": 1.07, "R0": 2.2,
        "CL_target": 1.7, "CL_complex": 0.316, "Q_target": 1.5,
    }  # fmt: skip
    systems = {
        "Soluble target: one compartment": soluble_tmdd(compartments=1, absorption="first-order"),
        "Soluble target: two compartments": soluble_tmdd(absorption="first-order"),
    }
    return {
        title: Example(
            system,
            {name: known[name] for name in system.parameters},
            until=112,
            shows=["Cc", "Rtot", "R", "suppression"],
            regimen=Regimen(2000, unit="nmol", every=28, until=84, into="depot"),
            holds="the target is soluble, and drug, target and complex mix in the same spaces",
            identifiability="total target gives CL_complex and CL_target R0; KD needs target that is still free",
            reference="Hayashi N et al. (2007). Br J Clin Pharmacol 63:548-561.",
            log=True,
        )
        for title, system in systems.items()
    }
