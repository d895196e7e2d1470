"""Turnover with feedback: a moderator follows the response and works against its change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.models.pharmacodynamics.indirect_response import drug_action
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.units import Units

FEEDBACKS = ("production", "loss")


def feedback_response(
    *,
    units: Units | None = None,
    driver: str = "Cc",
    driver_unit: str | None = None,
    response_unit: str = "",
    kind: str = "III",
    relation: str = "emax",
    feedback: str = "production",
) -> System:
    r"""Build an indirect response that a moderator counteracts: tolerance while there is drug, rebound afterwards.

    .. math::

        \dot R &= k_{in}\,P(C)\,\frac{E_0}{M} - k_{out}\,L(C)\,R
            && \text{(feedback on production)} \\
        \dot R &= k_{in}\,P(C) - k_{out}\,L(C)\,R\,\frac{M}{E_0} && \text{(feedback on loss)} \\
        \dot M &= k_{tol} (R - M), \qquad R(0) = M(0) = E_0, \quad k_{in} = E_0 k_{out}

    P and L are those of `indirect_response`. Under a constant concentration the response settles at
    :math:`E_0 \sqrt{P/L}`, the square root of what it would be without feedback.

    ::

        kin ----------> response ----------> kout
             ^              |          ^
             |              | ktol     |
             +--(1/M)-- moderator --(M)+          one of the two feedbacks

    ========== ================================== ============= =================================================
    parameter  what it is                         unit          typical
    ========== ================================== ============= =================================================
    E0         response without drug              response      positive
    kout       rate constant of loss              1/time        positive; minutes to weeks (half-life)
    ktol       rate constant of the moderator     1/time        positive; below kout: adaptation is slower
    Imax, IC50 of drug (I, II), or Emax, EC50     1,            as for `indirect_response`
               (III, IV), and gamma               amount/volume
    ========== ================================== ============= =================================================

    Holds where tolerance comes from the response itself. Where it comes from exhaustion of a precursor, see
    `precursor_response`.

    ktol needs a response followed through adaptation under lasting exposure, or the rebound after it. Without
    either it is confounded with Emax: tolerance that is complete before the first sample looks like a lower Emax.

    Parameters
    ----------
    units, driver, driver_unit, response_unit, kind, relation
        As for `indirect_response`.
    feedback : {"production", "loss"}
        What the moderator acts on.

    Returns
    -------
    System
        With the states and outputs ``response`` and ``moderator``.

    Raises
    ------
    MechanismError
        For an unknown kind, relation or feedback.

    References
    ----------
    Wakelkamp M, Alvan G, Gabrielsson J, Paintaud G (1996). Pharmacodynamic modeling of furosemide tolerance after
    multiple intravenous administration. Clin Pharmacol Ther 60:75-88.

    Gabrielsson J, Peletier LA (2008). A flexible nonlinear feedback system that captures diverse patterns of
    adaptation and rebound. AAPS J 10:70-83.

    Examples
    --------
    >>> for equation in feedback_response().equations():
    ...     print(equation)
    kin = E0*kout
    d(response)/dt = kin*(1 + Emax*Cc/(EC50 + Cc))*E0/moderator - kout*response
    d(moderator)/dt = ktol*(response - moderator)
    response(0) = E0
    moderator(0) = E0
    """
    units = units or Units()
    unit = units.concentration if driver_unit is None else driver_unit
    if feedback not in FEEDBACKS:
        raise MechanismError(f"feedback {feedback!r} is not known. Choose one of {', '.join(FEEDBACKS)}.")
    effect, actions = drug_action(kind, relation, driver, unit)

    def production(s: Any) -> Any:
        rate = actions["production"](s, s.kin)
        return rate * s.E0 / s.moderator if feedback == "production" else rate

    def loss(s: Any) -> Any:
        rate = actions["loss"](s, s.kout * s.response)
        return rate * s.moderator / s.E0 if feedback == "loss" else rate

    return System(
        name="response with feedback",
        states=dict.fromkeys(["response", "moderator"], response_unit),
        parameters={"E0": response_unit, "kout": units.rate, "ktol": units.rate, **effect.parameters},
        scales=effect.scales,
        expressions={"kin": lambda s: s.E0 * s.kout},
        inputs={driver: unit},
        initial={"response": lambda s: s.E0, "moderator": lambda s: s.E0},
        processes=[
            Process("production", {"response": +1}, production),
            Process("loss", {"response": -1}, loss),
            Process("adaptation", {"moderator": +1}, lambda s: s.ktol * (s.response - s.moderator)),
        ],
        outputs={
            "response": Output(response_unit, lambda s: s.response),
            "moderator": Output(response_unit, lambda s: s.moderator),
        },
        time_unit=units.time,
    )


def examples() -> Mapping[str, Example]:
    """Return the entries of this module with numbers to try them with.

    Examples
    --------
    >>> list(examples())
    ['Tolerance and rebound by a moderator']
    """
    return {
        "Tolerance and rebound by a moderator": Example(
            one_compartment() + feedback_response(),
            {"CL": 10.0, "Vc": 20.0, "E0": 10.0, "kout": 1.0, "ktol": 0.1, "Emax": 4.0, "EC50": 1.0},
            until=96,
            shows=["response", "moderator"],
            regimen=Regimen(2400, unit="mg", into="central", duration=48),
            holds="Tolerance comes from the response itself.",
            identifiability="ktol needs the response through adaptation, or the rebound after exposure.",
            reference="Wakelkamp M et al. (1996), Clin Pharmacol Ther 60:75-88; Gabrielsson J, Peletier LA (2008), "
            "AAPS J 10:70-83.",
        )
    }
