"""Simeoni's model of tumour growth: exponential, then linear, and cells that drug damages die in steps."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.systems import Constant, Output, Process, System
from qsp_bayes.units import Units

CHAIN = ("cycling", "damaged1", "damaged2", "damaged3")


def simeoni_tumour(
    *,
    units: Units | None = None,
    driver: str = "Cc",
    driver_unit: str | None = None,
    tumour_unit: str = "g",
    psi: float | None = 20.0,
) -> System:
    r"""Build the growth of a tumour (a xenograft) and its inhibition by drug.

    .. math::

        \dot x_1 &= \frac{\lambda_0 x_1}{\left(1 + (\lambda_0 w / \lambda_1)^\psi\right)^{1/\psi}} - k_2 C x_1,
            \qquad x_1(0) = w_0 \\
        \dot x_2 &= k_2 C x_1 - k_1 x_2, \quad \dot x_3 = k_1 (x_2 - x_3), \quad \dot x_4 = k_1 (x_3 - x_4) \\
        w &= x_1 + x_2 + x_3 + x_4

    ::

        growth              k2 C             k1             k1             k1
        ------> cycling  -------> damaged1 -----> damaged2 -----> damaged3 -----> (dead)

    ========= ====================================== ================== =========================================
    parameter what it is                             unit               typical (mice)
    ========= ====================================== ================== =========================================
    w0        weight at the start                    tumour             positive; 0.01 to 0.2 g
    lambda0   rate of exponential growth             1/time             positive; 0.1 to 0.5 1/day
    lambda1   rate of linear growth                  tumour/time        positive; 0.1 to 1 g/day
    k1        rate constant of the death of damaged  1/time             positive; 0.1 to 5 1/day
              cells
    k2        potency                                volume/amount/time positive
    psi       sharpness of the change from           1                  20, a constant, unless ``psi=None``
              exponential to linear growth
    ========= ====================================== ================== =========================================

    Below the weight lambda1/lambda0 the tumour grows exponentially, above it by lambda1 per time. Damaged cells take
    the mean time 3/k1 to die. A constant concentration above lambda0/k2 eradicates the tumour.

    Holds where growth is not limited by the host, drug kills cycling cells in proportion to its concentration,
    and there is no resistance.

    lambda0 and w0 come from control animals; lambda1 needs some of their tumours above lambda1/lambda0. k2 needs
    concentrations; k1 needs the delay of the response. psi cannot be estimated: leave it at 20.

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out; xenografts are usually written in ``Units(time="day", amount="ug")``, where
        concentrations are in ug/L (ng/mL).
    driver : str
        Name of the input that acts.
    driver_unit : str, optional
        Its unit; the concentration of `units` if left out.
    tumour_unit : str
        Unit of the weight or volume of the tumour.
    psi : float or None
        Value of psi; None makes it a parameter.

    Returns
    -------
    System
        With the output ``tumour``, the weight w.

    References
    ----------
    Simeoni M, Magni P, Cammia C, De Nicolao G, Croci V, Pesenti E, Germani M, Poggesi I, Rocchetti M (2004).
    Predictive pharmacokinetic-pharmacodynamic modeling of tumor growth kinetics in xenograft models after
    administration of anticancer agents. Cancer Res 64:1094-1101. doi:10.1158/0008-5472.CAN-03-2524

    Examples
    --------
    >>> for equation in simeoni_tumour().equations():
    ...     print(equation)
    weight = cycling + damaged1 + damaged2 + damaged3
    d(cycling)/dt = lambda0*cycling/(1 + (lambda0*weight/lambda1)^psi)^(1/psi) - k2*Cc*cycling
    d(damaged1)/dt = k2*Cc*cycling - k1*damaged1
    d(damaged2)/dt = k1*damaged1 - k1*damaged2
    d(damaged3)/dt = k1*damaged2 - k1*damaged3
    cycling(0) = w0
    tumour = cycling + damaged1 + damaged2 + damaged3
    """
    units = units or Units()
    unit = units.concentration if driver_unit is None else driver_unit
    return System(
        name="Simeoni tumour growth inhibition",
        states=dict.fromkeys(CHAIN, tumour_unit),
        parameters={
            "w0": tumour_unit,
            "lambda0": units.rate,
            "lambda1": f"{tumour_unit}/{units.time}",
            "k1": units.rate,
            "k2": f"1/({unit or '1'})/{units.time}",
        }
        | ({"psi": ""} if psi is None else {}),
        constants={} if psi is None else {"psi": Constant(psi)},
        inputs={driver: unit},
        expressions={"weight": lambda s: s.cycling + s.damaged1 + s.damaged2 + s.damaged3},
        initial={"cycling": lambda s: s.w0},
        processes=[
            Process(
                "growth",
                {"cycling": +1},
                lambda s: (
                    s.lambda0 * s.cycling / (1 + (s.lambda0 * s.weight / s.lambda1) ** s.psi) ** (1 / s.psi)
                ),
            ),
            Process("damage", {"cycling": -1, "damaged1": +1}, lambda s: s.k2 * s[driver] * s.cycling),
            *(dying(source, target) for source, target in pairwise(CHAIN[1:])),
            Process("death", {"damaged3": -1}, lambda s: s.k1 * s.damaged3),
        ],
        outputs={"tumour": Output(tumour_unit, lambda s: s.weight)},
        time_unit=units.time,
    )


def dying(source: str, target: str) -> Process:
    """Move damaged cells one step towards death."""
    return Process(f"{source} to {target}", {source: -1, target: +1}, lambda s: s.k1 * s[source])


def examples() -> Mapping[str, Example]:
    """Return the entries of this module with numbers to try them with.

    Examples
    --------
    >>> list(examples())
    ['Tumour growth inhibition in xenografts (Simeoni)', 'Tumour growth without drug (Simeoni)']
    """
    units = Units(time="day", amount="ug")
    system = one_compartment(units=units) + simeoni_tumour(units=units)
    values = {
        "CL": 0.3, "Vc": 0.02, "w0": 0.05, "lambda0": 0.273, "lambda1": 0.814, "k1": 0.968, "k2": 0.000629,
    }  # fmt: skip
    reference = (
        "Simeoni M et al. (2004), Cancer Res 64:1094-1101, doi:10.1158/0008-5472.CAN-03-2524; lambda0, lambda1, k1 "
        "and k2 of paclitaxel, experiment 1, as encoded in nlmixr2lib; w0, CL and Vc are illustrations."
    )
    holds = "Drug kills cycling cells in proportion to its concentration; the host does not limit growth."
    return {
        "Tumour growth inhibition in xenografts (Simeoni)": Example(
            system,
            values,
            until=35,
            shows=["tumour"],
            regimen=Regimen(600, unit="ug", into="central", every=4, until=20),
            holds=holds,
            identifiability="lambda0 and w0 come from controls, lambda1 from large tumours, k1 from the delay.",
            reference=reference,
        ),
        "Tumour growth without drug (Simeoni)": Example(
            system,
            values,
            until=35,
            shows=["tumour"],
            holds=holds,
            identifiability="lambda1 needs tumours above lambda1/lambda0; psi is fixed at 20.",
            reference=reference,
            log=True,
        ),
    }
