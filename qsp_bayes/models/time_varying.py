"""Clearance that changes in time: by a sigmoid or exponentially, as that of antibodies against tumours does."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytensor.tensor as pt

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.compartments import two_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.systems import Output, System
from qsp_bayes.units import Units

FORMS = ("sigmoidal", "exponential")
EARLIEST = 1e-9
"""Share of T50 before which the sigmoid is constant: its derivative by the exponent has log(t)."""


def time_varying_clearance(system: System, *, form: str = "sigmoidal") -> System:
    r"""Let the clearance CL of a system change with the time since the start.

    .. math::

        CL(t) &= CL_0 \exp\left(E_{max} \frac{t^{\gamma}}{T_{50}^{\gamma} + t^{\gamma}}\right)
            && \text{(sigmoidal)} \\
        CL(t) &= CL_\infty + CL_T\, e^{-k_{des}\,t} && \text{(exponential)}

    .. code-block:: text

        [central] --CL(t)-->

    ========== =========== ================= =======================================================
    parameter  unit        typical           what it is
    ========== =========== ================= =======================================================
    CL0        volume/time 0.1 to 1 L/day    clearance at the start
    Emax       number      -1 to 0.5         log of the final change; negative where clearance falls
    T50        time        30 to 200 days    time of half that change
    gamma      number      1 to 5            steepness
    CLinf      volume/time 0.1 to 0.5 L/day  clearance in the end
    CLT        volume/time 0.05 to 0.5 L/day part of the clearance that vanishes
    kdes       1/time      0.01 to 0.1 1/day rate constant at which it does
    ========== =========== ================= =======================================================

    Parameters
    ----------
    system : System
        With a parameter CL.
    form : {"sigmoidal", "exponential"}

    Returns
    -------
    System
        With CL as an expression, which is an output too.

    Raises
    ------
    MechanismError
        For an unknown form, or a system without a parameter CL.

    Notes
    -----
    Holds where the cause of the change, such as a shrinking tumour or less cachexia, is not modelled and follows
    treatment time in all subjects: time is that of the records, so that treatment must begin at 0. Before 0 the sigmoid
    is that of 0.

    Identifiability: needs samples over several T50 (or 1 / kdes); before that Emax, T50 and gamma cannot be told apart.

    References
    ----------
    Bajaj G, Wang X, Agrawal S, Gupta M, Roy A, Feng Y (2017). Model-based population pharmacokinetic analysis of
    nivolumab in patients with solid tumors. CPT Pharmacometrics Syst Pharmacol 6:58-66.

    Gibiansky E et al. (2014). Population pharmacokinetics of obinutuzumab (GA101) in chronic lymphocytic leukemia (CLL)
    and non-Hodgkin's lymphoma and exposure-response in CLL. CPT Pharmacometrics Syst Pharmacol 3:e144.

    Examples
    --------
    >>> from qsp_bayes.models import one_compartment
    >>> for equation in time_varying_clearance(one_compartment(), form="exponential").equations():
    ...     print(equation)
    CL = CLinf + CLT*exp(-kdes*t)
    d(central)/dt = -CL/Vc*central
    Cc = central/Vc
    """
    if form not in FORMS:
        raise MechanismError(f"form {form!r} is not known. Choose one of {', '.join(FORMS)}.")
    if "CL" not in system.parameters:
        raise MechanismError(
            f"system {system.name!r} has no parameter CL whose change in time could be followed."
        )
    unit, time = system.parameters["CL"], system.time_unit
    if form == "exponential":
        parameters = {"CLinf": unit, "CLT": unit, "kdes": f"1/{time}"}
        changed = system.define(parameters, CL=lambda s: s.CLinf + s.CLT * pt.exp(-(s.kdes * s.t)))
    else:
        parameters = {"CL0": unit, "Emax": "", "T50": time, "gamma": ""}
        changed = system.define(parameters, CL=lambda s: s.CL0 * pt.exp(s.Emax * sigmoid(s)))
    return with_output(changed, unit)


def sigmoid(s: Any) -> Any:
    """Return the share of the change that has happened."""
    power = pt.maximum(s.t / s.T50, EARLIEST) ** s.gamma
    return power / (1.0 + power)


def with_output(system: System, unit: str) -> System:
    """Show the clearance, and let Emax have either sign."""
    scales = dict(system.scales) | ({"Emax": "identity"} if "Emax" in system.parameters else {})
    outputs = {**system.outputs, "CL": Output(unit, lambda s: s.CL)}
    return dataclasses.replace(
        system, outputs=outputs, scales=scales, name=f"{system.name}, clearance changing in time"
    )


def examples() -> dict[str, Example]:
    """Return every entry of this module with numbers to try it with."""
    units = Units(time="day", amount="mg")
    doses = Regimen(240, unit="mg", every=14, doses=18, into="central")
    disposition = {"Vc": 4.0, "Q": 0.8, "Vp": 2.7}
    holds = "Treatment begins at time 0 and the cause of the change is not modelled."
    return {
        "Clearance changing by a sigmoid": Example(
            time_varying_clearance(two_compartment(units=units)),
            disposition | {"CL0": 0.24, "Emax": -0.3, "T50": 60.0, "gamma": 2.5},
            until=252,
            shows=["Cc", "CL"],
            regimen=doses,
            holds=holds,
            identifiability="Emax, T50 and gamma need samples over several T50.",
            reference="Bajaj G et al. (2017). CPT Pharmacometrics Syst Pharmacol 6:58-66.",
        ),
        "Clearance changing exponentially": Example(
            time_varying_clearance(two_compartment(units=units), form="exponential"),
            disposition | {"CLinf": 0.1, "CLT": 0.2, "kdes": 0.03},
            until=252,
            shows=["Cc", "CL"],
            regimen=doses,
            holds=holds,
            identifiability="CLinf and CLT need samples before 1 / kdes and long after.",
            reference="Gibiansky E et al. (2014). CPT Pharmacometrics Syst Pharmacol 3:e144.",
        ),
    }
