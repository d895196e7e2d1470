"""Claret's model of tumour size: exponential growth, and shrinkage by drug that wears off."""

from __future__ import annotations

from collections.abc import Mapping

import pytensor.tensor as pt

from qsp_bayes.models.example import Example
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.units import Units


def claret_tumour(
    *,
    units: Units | None = None,
    driver: str = "Cc",
    driver_unit: str | None = None,
    tumour_unit: str = "mm",
) -> System:
    r"""Build the size of a tumour in patients: growth, and shrinkage in proportion to exposure that wears off.

    .. math:: \dot y = K_L y - K_D e^{-\lambda t} C y, \qquad y(0) = y_0

    ::

        KL ----> tumour ----> KD exp(-lambda t) C

    ========== =============================== ================== ==========================================
    parameter  what it is                      unit               typical (sum of longest diameters)
    ========== =============================== ================== ==========================================
    y0         size at time 0                  tumour             positive; 30 to 200 mm
    KL         rate of growth                  1/time             positive; 0.005 to 0.05 1/week
    KD         rate of shrinkage by exposure   volume/amount/time positive
               (here no dissociation constant)
    resistance rate constant lambda at which   1/time             positive; 0.01 to 0.2 1/week
               the effect wears off
    ========== =============================== ================== ==========================================

    Under a constant exposure :math:`y = y_0 \exp\left(K_L t - K_D C (1 - e^{-\lambda t}) / \lambda\right)`, smallest
    at the time :math:`\ln(K_D C / K_L) / \lambda`.

    Time counts from 0: let treatment start there. Exposure may be a concentration, or a covariate such as the daily
    dose or the AUC (``driver="dose", driver_unit="mg"``).

    Holds where tumours neither die out nor reach the limits of growth. Resistance depends on time and not on exposure.

    KL and lambda are known apart only where some tumours regrow, or some patients are not treated.

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out.
    driver : str
        Name of the input that is the exposure.
    driver_unit : str, optional
        Its unit; the concentration of `units` if left out.
    tumour_unit : str
        Unit of the size.

    Returns
    -------
    System
        With the state and output ``tumour``.

    References
    ----------
    Claret L, Girard P, Hoff PM, Van Cutsem E, Zuideveld KP, Jorga K, Fagerberg J, Bruno R (2009). Model-based
    prediction of phase III overall survival in colorectal cancer on the basis of phase II tumor dynamics. J Clin Oncol
    27:4103-4108.

    Examples
    --------
    >>> for equation in claret_tumour().equations():
    ...     print(equation)
    d(tumour)/dt = KL*tumour - KD*exp(-resistance*t)*Cc*tumour
    tumour(0) = y0
    """
    units = units or Units()
    unit = units.concentration if driver_unit is None else driver_unit
    return System(
        name="Claret tumour growth inhibition",
        states={"tumour": tumour_unit},
        parameters={
            "y0": tumour_unit,
            "KL": units.rate,
            "KD": f"1/({unit or '1'})/{units.time}",
            "resistance": units.rate,
        },
        inputs={driver: unit},
        initial={"tumour": lambda s: s.y0},
        processes=[
            Process("tumour growth", {"tumour": +1}, lambda s: s.KL * s.tumour),
            Process(
                "tumour shrinkage",
                {"tumour": -1},
                lambda s: s.KD * pt.exp(-(s.resistance * s.t)) * s[driver] * s.tumour,
            ),
        ],
        outputs={"tumour": Output(tumour_unit, lambda s: s.tumour)},
        time_unit=units.time,
    )


def examples() -> Mapping[str, Example]:
    """Return the entries of this module with numbers to try them with.

    Examples
    --------
    >>> list(examples())
    ['Tumour size in patients (Claret)']
    """
    return {
        "Tumour size in patients (Claret)": Example(
            claret_tumour(units=Units(time="week"), driver="dose", driver_unit="g"),
            {"y0": 80.0, "KL": 0.02, "KD": 0.025, "resistance": 0.05},
            until=60,
            shows=["tumour"],
            inputs={"dose": 3.5},
            holds="Resistance depends on time since the start of treatment, not on exposure.",
            identifiability="KL and the resistance are known apart only where some tumours regrow.",
            reference="Claret L et al. (2009), J Clin Oncol 27:4103-4108; values are illustrations.",
        )
    }
