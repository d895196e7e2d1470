"""Elimination by the kidney: filtration and secretion."""

from __future__ import annotations

from collections.abc import Sequence

from qsp_bayes.errors import MechanismError
from qsp_bayes.models.pbpk.organ import Organ
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.units import Units

RENAL = ("filtration", "secretion")


def renal_elimination(
    *, kidney: Organ, units: Units | None = None, routes: Sequence[str] = ("filtration",)
) -> System:
    r"""Build the elimination by the kidney, to be added to a circulation that has one.

    Filtration takes :math:`f_{up} GFR\, C_{art}` out of the arterial plasma that reaches the kidney, secretion
    :math:`f_{up} CL_{sec} Cp_{kidney}` out of its tissue. With blood flow :math:`Q` of the kidney the renal clearance
    from arterial blood is, at steady state,

    .. math:: CL_r = f_{ub} GFR + (Q - f_{ub} GFR) \frac{f_{ub} CL_{sec}}{Q + f_{ub} CL_{sec}},
              \qquad f_{ub} = f_{up} / BP.

    .. code-block:: text

        blood --Q_kidney--> [kidney] --> blood
                               |  GFR, CLsec
                               v
                            [urine]

    ========= =========== ================= ======================================================
    parameter unit        typical           what it is
    ========= =========== ================= ======================================================
    fup       number      0.001 to 1        fraction unbound in plasma
    GFR       volume/time 5 to 8 L/h (70 kg) glomerular filtration rate
    CLsec     volume/time 1 to 1000 L/h     intrinsic clearance by secretion, of unbound drug
    ========= =========== ================= ======================================================

    Parameters
    ----------
    kidney : Organ
        The kidney of the circulation's table.
    units : Units, optional
        h, mg and L if left out.
    routes : sequence of {"filtration", "secretion"}

    Returns
    -------
    System
        A partial system; its state ``urine`` accumulates what is excreted.

    Raises
    ------
    MechanismError
        For an unknown route, or none.

    Notes
    -----
    Holds without reabsorption. :math:`f_{ub} GFR` must be less than the kidney's blood flow, as it is in mammals (a
    fifth of the plasma that flows is filtered).

    Identifiability: plasma tells the sum of all clearances; urine tells the kidney from the liver.

    References
    ----------
    Rowland M, Tozer TN (2011). Clinical Pharmacokinetics and Pharmacodynamics, 4th ed., chapter 5.

    Examples
    --------
    >>> print(renal_elimination(kidney=Organ("kidney")).equations()[0])
    d(kidney)/dt = -GFR*fup*C_arterial
    """
    unknown = [route for route in routes if route not in RENAL]
    if unknown or not routes:
        raise MechanismError(
            f"renal {', '.join(unknown) or 'without a route'} is not known. Choose among {', '.join(RENAL)}."
        )
    units = units or Units()
    rates = {
        # What is filtered never got into the tissue: it is taken from where blood brings it.
        "filtration": Process(
            "filtration", {kidney.entry: -1, "urine": +1}, lambda s: s.GFR * s.fup * s.C_arterial
        ),
        "secretion": Process(
            "secretion", {kidney.name: -1, "urine": +1}, lambda s: s.CLsec * s.fup * s[kidney.plasma]
        ),
    }
    clearances = {"filtration": "GFR", "secretion": "CLsec"}
    concentrations = {"filtration": "C_arterial", "secretion": kidney.plasma}
    changed = [kidney.entry if route == "filtration" else kidney.name for route in routes]
    return System(
        name="kidney",
        states=dict.fromkeys([*changed, "urine"], units.amount),
        shared=[*dict.fromkeys(changed)],
        parameters={"fup": "", **{clearances[route]: units.clearance for route in routes}},
        scales={"fup": "logit"},
        share=["fup"],
        inputs={concentrations[route]: units.concentration for route in routes},
        accumulators=["urine"],
        processes=[rates[route] for route in routes],
        outputs={"urine": Output(units.amount, lambda s: s.urine)},
        time_unit=units.time,
    )
