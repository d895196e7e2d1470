"""Enterohepatic recycling: drug goes into bile, is emptied into the intestine, and in part absorbed again."""

from __future__ import annotations

from typing import Any

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.systems import Output, Process, Switch, System
from qsp_bayes.units import Units

EMPTYING = ("continuous", "meals")


def enterohepatic(*, units: Units | None = None, emptying: str = "continuous") -> System:
    r"""Build the enterohepatic recycling of a drug, to be added to a disposition with a state ``central``.

    With the amounts B in bile and I in the intestine, and :math:`m(t)` 1 while the gall bladder empties (always, if
    continuous),

    .. math::

        \dot A_c &= \dots - CL_b C_c + F_b k_a I \\
        \dot B &= CL_b C_c - k_b\,m(t)\,B \\
        \dot I &= k_b\,m(t)\,B - k_a I

    and the rest :math:`(1 - F_b) k_a I` leaves with faeces. With the clearance CL of all other routes a fraction
    :math:`\phi = F_b\,CL_b / (CL + CL_b)` of what leaves comes back, and recycling raises the area under the curve by
    the factor :math:`1 / (1 - \phi)`.

    .. code-block:: text

        [central] --CLb--> [bile] --kb, at meals--> [intestine] --(1 - Fb) ka--> [faeces]
            ^                                            |
            +------------------ Fb ka -------------------+

    ========== =========== =============== ========================================================
    parameter  unit        typical         what it is
    ========== =========== =============== ========================================================
    CLb        volume/time 1 to 30 L/h     biliary clearance
    kb         1/time      0.1 to 2 1/h    rate constant of emptying (5 or more while emptying a meal)
    ka         1/time      0.3 to 3 1/h    rate constant at which drug leaves the intestine
    Fb         number      0 to 1          fraction of it that is absorbed
    t_meal     time        0 to interval   first meal after time 0
    t_empty    time        0.3 to 2 h      how long the gall bladder empties
    interval   time        4 to 24 h       between meals
    ========== =========== =============== ========================================================

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out.
    emptying : {"continuous", "meals"}
        Whether bile flows all the time, or for a time t_empty from each meal on.

    Returns
    -------
    System
        A partial system with the input Cc; its state `central` is shared. Outputs are ``bile`` and ``faeces``.

    Raises
    ------
    MechanismError
        For an unknown emptying.

    Notes
    -----
    Holds where the biliary clearance is linear, and a conjugate is cleaved in the intestine.
    Meals are equally spaced; a state ``clock`` counts the time since the last one, and a reset (EVID 3, 4) sets it back
    to what it was at the start.

    Identifiability: from plasma alone CLb and Fb are seen together, as the recycled fraction; faeces, or a study with
    bile drained, tells them apart. Fix t_meal and interval to the protocol.

    References
    ----------
    Colburn WA (1984). Pharmacokinetic analysis of concentration-time data obtained following administration of drugs
    that are recycled in the bile. J Pharm Sci 73:313-317.

    Roberts MS, Magnusson BM, Burczynski FJ, Weiss M (2002). Enterohepatic circulation: physiological, pharmacokinetic
    and clinical implications. Clin Pharmacokinet 41:751-790.

    Examples
    --------
    >>> for equation in (one_compartment() + enterohepatic()).equations()[:4]:
    ...     print(equation)
    d(central)/dt = -CL/Vc*central - CLb*Cc + Fb*ka*intestine
    d(bile)/dt = CLb*Cc - kb*bile
    d(intestine)/dt = kb*bile - Fb*ka*intestine - (1 - Fb)*ka*intestine
    d(faeces)/dt = (1 - Fb)*ka*intestine
    """
    if emptying not in EMPTYING:
        raise MechanismError(f"emptying {emptying!r} is not known. Choose one of {', '.join(EMPTYING)}.")
    units = units or Units()
    meals = emptying == "meals"
    parameters = {"CLb": units.clearance, "kb": units.rate, "ka": units.rate, "Fb": ""}
    if meals:
        parameters |= dict.fromkeys(["t_meal", "t_empty", "interval"], units.time)

    def emptied(s: Any) -> Any:
        return s.kb * s.bile * s.emptying if meals else s.kb * s.bile

    return System(
        name="enterohepatic recycling",
        states=dict.fromkeys(["central", "bile", "intestine", "faeces"], units.amount)
        | ({"clock": units.time} if meals else {}),
        shared=["central"],
        accumulators=["faeces"],
        parameters=parameters,
        scales={"Fb": "logit"},
        inputs={"Cc": units.concentration},
        initial={"clock": lambda s: s.interval - s.t_meal} if meals else {},
        processes=[
            Process("biliary excretion", {"central": -1, "bile": +1}, lambda s: s.CLb * s.Cc),
            Process("emptying of bile", {"bile": -1, "intestine": +1}, emptied),
            Process("reabsorption", {"intestine": -1, "central": +1}, lambda s: s.Fb * s.ka * s.intestine),
            Process(
                "excretion with faeces",
                {"intestine": -1, "faeces": +1},
                lambda s: (1 - s.Fb) * s.ka * s.intestine,
            ),
            *([Process("clock", {"clock": +1}, lambda s: 1.0)] if meals else []),
        ],
        switches=[
            Switch("meal", lambda s: s.clock - s.interval, change={"clock": 0.0}),
            Switch("emptying", lambda s: s.t_empty - s.clock),
        ]
        if meals
        else [],
        outputs={
            "bile": Output(units.amount, lambda s: s.bile),
            "faeces": Output(units.amount, lambda s: s.faeces),
        },
        time_unit=units.time,
    )


def examples() -> dict[str, Example]:
    """Return every entry of this module with numbers to try it with."""
    disposition = one_compartment(absorption="first-order")
    values = {"KA": 1.0, "CL": 5.0, "Vc": 40.0, "CLb": 8.0, "kb": 0.4, "ka": 1.0, "Fb": 0.8}
    doses = Regimen(200, unit="mg")
    identifiability = "From plasma alone CLb and Fb are seen together, as the recycled fraction."
    reference = "Roberts MS et al. (2002). Clin Pharmacokinet 41:751-790."
    return {
        "Enterohepatic recycling, continuous": Example(
            disposition + enterohepatic(),
            values,
            until=48,
            shows=["Cc", "bile"],
            regimen=doses,
            holds="Biliary clearance is linear and bile flows all the time.",
            identifiability=identifiability,
            reference=reference,
            log=True,
        ),
        "Enterohepatic recycling, at meals": Example(
            disposition + enterohepatic(emptying="meals"),
            values | {"kb": 5.0, "t_meal": 4.0, "t_empty": 1.0, "interval": 8.0},
            until=48,
            shows=["Cc", "bile"],
            regimen=doses,
            holds="Biliary clearance is linear; meals are equally spaced.",
            identifiability=identifiability,
            reference=reference,
        ),
    }
