"""Elimination by the liver: well-stirred, parallel-tube and dispersion models, and saturable metabolism."""

from __future__ import annotations

from typing import Any

import pytensor.tensor as pt

from qsp_bayes.errors import MechanismError
from qsp_bayes.models.pbpk.organ import Organ
from qsp_bayes.physiology.hepatic import DISPERSION_NUMBER
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.systems.declarations import Quantity
from qsp_bayes.units import Units

LIVERS = ("well-stirred", "parallel-tube", "dispersion", "saturable")


def hepatic_elimination(
    *,
    liver: Organ,
    units: Units | None = None,
    model: str = "well-stirred",
    dispersion: float = DISPERSION_NUMBER,
) -> System:
    r"""Build the elimination by the liver, to be added to a circulation that has one.

    With the efficiency number :math:`R_N = f_{ub} CL_{int} / Q_{liver}` and :math:`f_{ub} = f_{up} / BP`, the
    extraction ratio at steady state is

    .. math::

        E = \frac{R_N}{1 + R_N} \;\text{(well-stirred)}, \qquad E = 1 - e^{-R_N} \;\text{(parallel-tube)}, \qquad
        E = 1 - \frac{4 a}{(1 + a)^2 e^{(a - 1) / 2 D_N} - (1 - a)^2 e^{-(a + 1) / 2 D_N}},
        \quad a = \sqrt{1 + 4 R_N D_N} \;\text{(dispersion)}.

    The liver of the circulation is one compartment; drug leaves it at the rate :math:`Q_{liver} \frac{E}{1 - E}
    C_{B,liver}`, which has this extraction ratio at steady state. Well-stirred, this is :math:`f_{up} CL_{int}
    Cp_{liver}`. Saturable metabolism (well-stirred) is :math:`V_{max} C_u / (K_m + C_u)` with
    :math:`C_u = f_{up} Cp_{liver}`.

    .. code-block:: text

        blood --Q_liver--> [liver] --> blood
                              |
                              v  E
                         [metabolised]

    ========= =========== ================== ============================================================
    parameter unit        typical            what it is
    ========= =========== ================== ============================================================
    fup       number      0.001 to 1         fraction unbound in plasma
    CLint     volume/time 1 to 100 000 L/h   intrinsic clearance of the whole liver, of unbound drug
    Vmax      amount/time                    or largest rate of metabolism of the whole liver
    Km        conc.                          and unbound concentration at half that rate
    ========= =========== ================== ============================================================

    Parameters
    ----------
    liver : Organ
        The liver of the circulation's table.
    units : Units, optional
        h, mg and L if left out.
    model : {"well-stirred", "parallel-tube", "dispersion", "saturable"}
    dispersion : float
        Dispersion number :math:`D_N` of the dispersion model.

    Returns
    -------
    System
        A partial system; its state ``metabolised`` accumulates what is eliminated.

    Raises
    ------
    MechanismError
        For an unknown model, a dispersion number that is not positive, and for parallel-tube or dispersion with a liver
        behind a membrane: they describe concentrations along the sinusoid.

    Notes
    -----
    Identifiability: plasma tells the hepatic clearance; fup and CLint only as their product, and the models of the
    liver apart only where extraction is high, or flow or binding change.

    References
    ----------
    Rowland M, Benet LZ, Graham GG (1973). Clearance concepts in pharmacokinetics. J Pharmacokinet Biopharm 1:123-136.

    Pang KS, Rowland M (1977). Hepatic clearance of drugs. J Pharmacokinet Biopharm 5:625-653.

    Roberts MS, Rowland M (1986). A dispersion model of hepatic elimination. J Pharmacokinet Biopharm 14:227-260.

    Examples
    --------
    >>> print(hepatic_elimination(liver=Organ("liver")).equations()[0])
    d(liver)/dt = -CLint*fup*Cp_liver
    """
    if model not in LIVERS:
        raise MechanismError(f"hepatic {model!r} is not known. Choose one of {', '.join(LIVERS)}, or None.")
    if not dispersion > 0:
        raise MechanismError(f"the dispersion number is {dispersion}; it must be positive.")
    if liver.behind_membrane and model in ("parallel-tube", "dispersion"):
        raise MechanismError(
            f"hepatic {model!r} describes concentrations along the sinusoid of a liver that is perfusion-limited. Use "
            "'well-stirred' with a liver behind a membrane."
        )
    units = units or Units()
    flow, plasma = f"Q_{liver.name}", liver.plasma
    along = model in ("parallel-tube", "dispersion")
    kinetics = {"Vmax": f"{units.amount}/{units.time}", "Km": units.concentration}
    return System(
        name=f"{model} liver",
        states=dict.fromkeys([liver.name, "metabolised"], units.amount),
        shared=[liver.name],
        parameters={
            "fup": "",
            **({"BP": ""} if along else {}),
            **(kinetics if model == "saturable" else {"CLint": units.clearance}),
        },
        scales={"fup": "logit"},
        share=["fup", "BP"] if along else ["fup"],
        inputs={plasma: units.concentration, **({flow: units.clearance} if along else {})},
        accumulators=["metabolised"],
        processes=[
            Process(
                "metabolism",
                {liver.name: -1, "metabolised": +1},
                metabolism(model, flow, plasma, dispersion),
            )
        ],
        outputs={"metabolised": Output(units.amount, lambda s: s.metabolised)},
        time_unit=units.time,
    )


def metabolism(model: str, flow: str, plasma: str, dispersion: float) -> Quantity:
    """Return the rate at which the liver eliminates."""

    def odds(s: Any) -> Any:
        """Return E / (1 - E)."""
        efficiency = s.fup * s.CLint / (s.BP * s[flow])
        if model == "parallel-tube":
            return pt.expm1(efficiency)
        a = pt.sqrt(1 + 4 * efficiency * dispersion)
        passed = (
            4
            * a
            / (
                (1 + a) ** 2 * pt.exp((a - 1) / (2 * dispersion))
                - (1 - a) ** 2 * pt.exp(-(a + 1) / (2 * dispersion))
            )
        )
        return (1 - passed) / passed

    match model:
        case "well-stirred":
            return lambda s: s.CLint * s.fup * s[plasma]
        case "saturable":
            return lambda s: s.Vmax * s.fup * s[plasma] / (s.Km + s.fup * s[plasma])
    return lambda s: s[flow] * odds(s) * s.BP * s[plasma]
