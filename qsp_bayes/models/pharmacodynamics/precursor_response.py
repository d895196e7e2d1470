"""A response fed by a pool of precursor, whose exhaustion is tolerance and whose excess is rebound."""

from __future__ import annotations

from collections.abc import Mapping

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.models.pharmacodynamics.concentration_effect import concentration_effect
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.units import Units


def precursor_response(
    *,
    units: Units | None = None,
    driver: str = "Cc",
    driver_unit: str | None = None,
    response_unit: str = "",
    direction: str = "stimulation",
    relation: str = "emax",
) -> System:
    r"""Build a response that drug changes by acting on its release from a precursor.

    .. math::

        \dot P &= k_0 - k_p H(C) P, \qquad P(0) = k_0 / k_p \\
        \dot R &= k_p H(C) P - k_{out} R, \qquad R(0) = E_0, \quad k_0 = E_0 k_{out}

    with H = 1 + f(C) (stimulation) or H = 1 - f(C) (inhibition).

    ::

        k0 ----> precursor --(kp H)--> response ----> kout

    ========== ================================== ============= ============================================
    parameter  what it is                         unit          typical
    ========== ================================== ============= ============================================
    E0         response without drug              response      positive
    kout       rate constant of loss              1/time        positive
    kp         rate constant of release           1/time        positive; below kout for lasting tolerance
    Emax, EC50 of drug (or Imax, IC50), and gamma 1,            as for `indirect_response`
                                                  amount/volume
    ========== ================================== ============= ============================================

    Under a constant concentration the response returns to E0 whatever the concentration is, while the precursor
    settles at P0/H: tolerance is complete. The area above the baseline equals that of the rebound below it.

    Holds where production of the precursor is not affected by drug or response, and what leaves it becomes response.

    kp needs the decline of the response under lasting exposure. Where the pool is large (kp far below kout)
    no tolerance is seen, and the response is `indirect_response` III.

    Parameters
    ----------
    units, driver, driver_unit, response_unit, relation
        As for `indirect_response`.
    direction : {"stimulation", "inhibition"}
        What drug does to the release.

    Returns
    -------
    System
        With the states and outputs ``precursor`` and ``response``.

    Raises
    ------
    MechanismError
        For an unknown direction or relation.

    References
    ----------
    Sharma A, Ebling WF, Jusko WJ (1998). Precursor-dependent indirect pharmacodynamic response model for tolerance
    and rebound phenomena. J Pharm Sci 87:1577-1584.

    Examples
    --------
    >>> for equation in precursor_response().equations():
    ...     print(equation)
    k0 = E0*kout
    d(precursor)/dt = k0 - kp*(1 + Emax*Cc/(EC50 + Cc))*precursor
    d(response)/dt = kp*(1 + Emax*Cc/(EC50 + Cc))*precursor - kout*response
    precursor(0) = k0/kp
    response(0) = E0
    """
    units = units or Units()
    unit = units.concentration if driver_unit is None else driver_unit
    effect = concentration_effect(relation, driver, unit, direction=direction)
    sign = -1 if direction == "inhibition" else 1
    return System(
        name="precursor-dependent response",
        states=dict.fromkeys(["precursor", "response"], response_unit),
        parameters={"E0": response_unit, "kout": units.rate, "kp": units.rate, **effect.parameters},
        scales=effect.scales,
        expressions={"k0": lambda s: s.E0 * s.kout},
        inputs={driver: unit},
        initial={"precursor": lambda s: s.k0 / s.kp, "response": lambda s: s.E0},
        processes=[
            Process("production of the precursor", {"precursor": +1}, lambda s: s.k0),
            Process(
                "release",
                {"precursor": -1, "response": +1},
                lambda s: s.kp * (1 + effect.value(s) if sign > 0 else 1 - effect.value(s)) * s.precursor,
            ),
            Process("loss", {"response": -1}, lambda s: s.kout * s.response),
        ],
        outputs={
            "precursor": Output(response_unit, lambda s: s.precursor),
            "response": Output(response_unit, lambda s: s.response),
        },
        time_unit=units.time,
    )


def examples() -> Mapping[str, Example]:
    """Return the entries of this module with numbers to try them with.

    Examples
    --------
    >>> list(examples())
    ['Tolerance and rebound by a precursor pool']
    """
    return {
        "Tolerance and rebound by a precursor pool": Example(
            one_compartment() + precursor_response(),
            {"CL": 10.0, "Vc": 20.0, "E0": 10.0, "kout": 1.0, "kp": 0.1, "Emax": 4.0, "EC50": 1.0},
            until=96,
            shows=["precursor", "response"],
            regimen=Regimen(2400, unit="mg", into="central", duration=48),
            holds="Drug acts on the release of a precursor whose production is constant.",
            identifiability="kp needs the decline of the response under lasting exposure, or the rebound.",
            reference="Sharma A, Ebling WF, Jusko WJ (1998), J Pharm Sci 87:1577-1584.",
        )
    }
