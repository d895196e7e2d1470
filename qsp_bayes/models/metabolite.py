"""A drug and its metabolite."""

from __future__ import annotations

import dataclasses

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.units import Units


def with_metabolite(system: System, *, units: Units | None = None, distribution: bool = False) -> System:
    r"""Let a fraction of what a system eliminates become a metabolite with a disposition of its own.

    .. math::

        \dot A_c &= \dots - CL\,C_c \\
        \dot A_m &= f_m\,CL\,C_c - CL_m C_m - Q_m (C_m - C_{pm}), \qquad C_m = A_m / V_m \\
        \dot A_{pm} &= Q_m (C_m - C_{pm}), \qquad C_{pm} = A_{pm} / V_{pm}

    .. code-block:: text

        [central] --fm CL--> [metabolite] --CLm-->
            |                  ^    |
            | (1 - fm) CL      |Qm  v
            v              [peripheral_metabolite]

    ========= =========== ============== ================================================
    parameter unit        typical        what it is
    ========= =========== ============== ================================================
    fm        number      0 to 1         fraction of the clearance that forms the metabolite
    CLm       volume/time 1 to 100 L/h   clearance of the metabolite
    Vm        volume      5 to 300 L     its (central) volume
    Qm, Vpm   as Q and Vp                distribution to a peripheral compartment
    ========= =========== ============== ================================================

    Parameters
    ----------
    system : System
        With a process ``elimination`` at the rate CL Cc, such as `one_compartment` and `two_compartment`.
    units : Units, optional
        Those of the system; h, mg and L if left out. Drug and metabolite are counted in one unit: with a mass the
        metabolite is in equivalents of drug mass (multiply by the ratio of molecular weights to compare with data).
    distribution : bool
        Whether the metabolite has a peripheral compartment.

    Returns
    -------
    System
        With the output ``Cm`` beside Cc.

    Raises
    ------
    MechanismError
        For a system whose elimination is not linear.

    Notes
    -----
    Holds where the metabolite is formed in the central compartment and not converted back; a first pass forms more
    of it from oral doses than this says. Then the areas under the curves are as :math:`AUC_m / AUC = f_m\,CL / CL_m`.

    Identifiability: from plasma after the parent alone, fm, CLm and Vm are known up to a factor (CLm / fm, Vm / fm):
    fix fm, or dose the metabolite.

    References
    ----------
    Houston JB (1981). Drug metabolite kinetics. Pharmacol Ther 15:521-552.

    Examples
    --------
    >>> for equation in with_metabolite(one_compartment()).equations():
    ...     print(equation)
    d(central)/dt = -(1 - fm)*CL*Cc - fm*CL*Cc
    d(metabolite)/dt = -CLm*Cm + fm*CL*Cc
    Cc = central/Vc
    Cm = metabolite/Vm
    """
    processes = {process.name: process for process in system.processes}
    if "CL" not in system.parameters or "elimination" not in processes:
        raise MechanismError(
            f"system {system.name!r} has no process 'elimination' at the rate CL Cc to form a metabolite. Build it "
            'with elimination="linear".'
        )
    units = units or Units()
    other = Process("elimination", {"central": -1}, lambda s: (1 - s.fm) * s.CL * s.Cc)
    formation = Process("formation", {"central": -1, "metabolite": +1}, lambda s: s.fm * s.CL * s.Cc)
    parent = system.replace(other, parameters={"fm": ""})
    scales = dict(parent.scales) | {"fm": "logit"}
    joined = dataclasses.replace(parent, scales=scales) + metabolite(units, distribution)
    return dataclasses.replace(
        joined, processes=[*joined.processes, formation], name=f"{system.name} with metabolite"
    )


def metabolite(units: Units, distribution: bool) -> System:
    """Build the disposition of a metabolite.

    Examples
    --------
    >>> list(metabolite(Units(), True).parameters)
    ['CLm', 'Vm', 'Qm', 'Vpm']
    """
    states, parameters = ["metabolite"], {"CLm": units.clearance, "Vm": units.volume}
    processes = [Process("elimination of metabolite", {"metabolite": -1}, lambda s: s.CLm * s.Cm)]
    if distribution:
        states += ["peripheral_metabolite"]
        parameters |= {"Qm": units.clearance, "Vpm": units.volume}
        processes += [
            Process(
                "distribution of metabolite",
                {"metabolite": -1, "peripheral_metabolite": +1},
                lambda s: s.Qm * (s.Cm - s.peripheral_metabolite / s.Vpm),
            )
        ]
    return System(
        name="metabolite",
        states=dict.fromkeys(states, units.amount),
        parameters=parameters,
        processes=processes,
        outputs={"Cm": Output(units.concentration, lambda s: s.metabolite / s.Vm)},
        time_unit=units.time,
    )


def examples() -> dict[str, Example]:
    """Return every entry of this module with numbers to try it with."""
    values = {"KA": 1.0, "CL": 10.0, "Vc": 50.0, "fm": 0.6, "CLm": 5.0, "Vm": 30.0}
    return {
        "Drug and metabolite": Example(
            with_metabolite(one_compartment(absorption="first-order"), distribution=True),
            values | {"Qm": 4.0, "Vpm": 40.0},
            until=36,
            shows=["Cc", "Cm"],
            regimen=Regimen(100, unit="mg"),
            holds="The metabolite is formed in the central compartment and not converted back.",
            identifiability="After the parent alone only CLm / fm and Vm / fm are known.",
            reference="Houston JB (1981). Pharmacol Ther 15:521-552.",
            log=True,
        )
    }
