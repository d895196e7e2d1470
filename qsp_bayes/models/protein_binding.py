"""Plasma protein binding: the free concentration from the total one."""

from __future__ import annotations

from typing import Any

import pytensor.tensor as pt

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.systems import Output, System
from qsp_bayes.units import Units

KINDS = ("linear", "saturable")


def protein_binding(
    system: System, *, units: Units | None = None, binding: str = "linear", free: bool = False
) -> System:
    r"""Give a system the free concentration of its drug in plasma.

    Binding is at equilibrium. With the total concentration :math:`C_c`, the free one is

    .. math::

        C_u &= f_u C_c && \text{(linear)} \\
        C_c &= C_u + \frac{B_{max} C_u}{K_{Db} + C_u} && \text{(saturable, solved for } C_u)

    .. code-block:: text

        bound <--KDb, Bmax--> free    Cc = bound + free
                               |
                               +--> CLu Cu, where free drug is cleared

    ========= ============= ================== ==============================================
    parameter unit          typical            what it is
    ========= ============= ================== ==============================================
    fu        number        0.01 to 1          fraction unbound
    Bmax      amount/volume 500 to 700 umol/L  concentration of binding sites (albumin)
    KDb       amount/volume 1 to 500 umol/L    dissociation constant
    CLu       volume/time   CL / fu            clearance of free drug
    ========= ============= ================== ==============================================

    Parameters
    ----------
    system : System
        With an output Cc, the total concentration in plasma.
    units : Units, optional
        Those of the system; h, mg and L if left out.
    binding : {"linear", "saturable"}
    free : bool
        Whether free drug only is cleared: CL becomes :math:`CL_u f_u`, a function of the concentration if binding is
        saturable.

    Returns
    -------
    System
        With the output ``Cu``; with saturable binding fu is an expression.

    Raises
    ------
    MechanismError
        For an unknown binding, and for `free` in a system without CL.

    Notes
    -----
    Holds where binding is fast beside everything else, and to one kind of site.

    Identifiability: total concentrations alone do not know fu, nor Bmax and KDb unless they pass through the range in
    which binding saturates; measure free concentrations, or fix these from in vitro data.

    References
    ----------
    Rowland M, Tozer TN (2011). Clinical Pharmacokinetics and Pharmacodynamics: Concepts and Applications, 4th ed.

    Examples
    --------
    >>> for equation in protein_binding(one_compartment(), free=True).equations():
    ...     print(equation)
    CL = CLu*fu
    d(central)/dt = -CL/Vc*central
    Cc = central/Vc
    Cu = fu*Cc
    """
    if binding not in KINDS:
        raise MechanismError(f"binding {binding!r} is not known. Choose one of {', '.join(KINDS)}.")
    if free and "CL" not in system.parameters:
        raise MechanismError(f"system {system.name!r} has no parameter CL that clears free drug only.")
    units = units or Units()
    saturable = binding == "saturable"
    bound = System(
        name=f"{binding} protein binding",
        states={},
        parameters={"Bmax": units.concentration, "KDb": units.concentration} if saturable else {"fu": ""},
        scales={} if saturable else {"fu": "logit"},
        processes=[],
        expressions={"fu": fraction_unbound} if saturable else {},
        inputs={"Cc": units.concentration},
        outputs={"Cu": Output(units.concentration, lambda s: s.fu * s.Cc)},
        time_unit=units.time,
    )
    joined = system + bound
    return joined.define({"CLu": units.clearance}, CL=lambda s: s.CLu * s.fu) if free else joined


def fraction_unbound(s: Any) -> Any:
    """Return the root of the quadratic equation over Cc, in the form that does not cancel."""
    excess = s.Bmax + s.KDb - s.Cc
    root = pt.sqrt(excess**2 + 4.0 * s.KDb * s.Cc)
    # Either form is divided by zero where the other one is taken.
    sites_left = pt.ge(excess, 0.0)
    few = 2.0 * s.KDb / (pt.abs(excess) + root)
    many = (pt.abs(excess) + root) / (2.0 * pt.switch(sites_left, s.Bmax + s.KDb, s.Cc))
    return pt.switch(sites_left, few, many)


def examples() -> dict[str, Example]:
    """Return every entry of this module with numbers to try it with."""
    units = Units(amount="umol")
    disposition = one_compartment(absorption="first-order", units=units)
    reference = "Rowland M, Tozer TN (2011). Clinical Pharmacokinetics and Pharmacodynamics, 4th ed."
    return {
        "Linear protein binding": Example(
            protein_binding(disposition, units=units),
            {"KA": 1.0, "CL": 5.0, "Vc": 40.0, "fu": 0.1},
            until=36,
            shows=["Cc", "Cu"],
            regimen=Regimen(400, unit="umol"),
            holds="Binding is fast, and far from saturation.",
            identifiability="Total concentrations do not know fu.",
            reference=reference,
            log=True,
        ),
        "Saturable protein binding": Example(
            protein_binding(disposition, units=units, binding="saturable", free=True),
            {"KA": 1.0, "CLu": 6.0, "Vc": 10.0, "Bmax": 600.0, "KDb": 60.0},
            until=72,
            shows=["Cc", "Cu"],
            regimen=Regimen(15000, unit="umol"),
            holds="Binding is fast, and to one kind of site.",
            identifiability="Bmax and KDb need concentrations in the range in which binding saturates.",
            reference=reference,
            log=True,
        ),
    }
