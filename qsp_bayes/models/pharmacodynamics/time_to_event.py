"""Time to an event: a hazard that exposure changes, its integral, and the probability of no event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytensor.tensor as pt

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.models.pharmacodynamics.concentration_effect import concentration_effect
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.units import Units

BASELINES = ("constant", "weibull", "gompertz")
EFFECTS = ("log-linear", "inhibition", "stimulation", None)

EARLIEST = 1e-12
"""Where a hazard that is infinite at time 0 is cut off, in units of the scale: it falls with time from there on."""


def time_to_event(
    *,
    units: Units | None = None,
    driver: str = "Cc",
    driver_unit: str | None = None,
    baseline: str = "constant",
    effect: str | None = "log-linear",
) -> System:
    r"""Build the hazard of an event that exposure changes.

    .. math::

        h(t) = h_b(t)\,g(C), \qquad H(t) = \int_0^t h, \qquad S(t) = e^{-H(t)}

    ========== ================================================ ==========================
    baseline   hazard without drug                              parameters
    ========== ================================================ ==========================
    constant   h0                                               h0
    weibull    (shape/scale) (t/scale)^(shape - 1)              scale, shape
    gompertz   h0 exp(growth t)                                 h0, growth
    ========== ================================================ ==========================

    =========== =============================== ==========================
    effect      g(C)                            parameters
    =========== =============================== ==========================
    log-linear  exp(coefficient C)              coefficient
    inhibition  1 - Imax C / (IC50 + C)         Imax, IC50
    stimulation 1 + Emax C / (EC50 + C)         Emax, EC50
    None        1, and there is no input
    =========== =============================== ==========================

    ::

        C, t ----> hazard h ----> cumulative_hazard H ----> survival S = exp(-H)

    =========== ================================= ============= =================================================
    parameter   what it is                        unit          typical
    =========== ================================= ============= =================================================
    h0          hazard without drug (at time 0)   1/time        positive
    scale       time by which 63 % have an event  time          positive
    shape       below 1 the hazard falls, above 1 1             positive; 0.5 to 3
                it rises
    growth      rate of change of the log hazard  1/time        any sign
    coefficient log hazard ratio of a unit of     volume/amount any sign; below 0 drug protects
                concentration
    Imax, IC50, of drug                           1,            as for `indirect_response`
    Emax, EC50                                    amount/volume
    =========== ================================= ============= =================================================

    The density of an event at t is h(t) S(t), that of none until t is S(t). Time counts from 0.

    Holds where the hazard follows the present concentration. Drive it with ``driver="Ce"`` of an `effect_compartment`,
    or with ``driver="tumour"``, where it lags behind or follows a marker.

    The baseline needs events without drug (or at several exposures); shape and growth need events over a wide
    span of time. With few events, one parameter of the effect is what data support.

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out.
    driver : str
        Name of the input that acts.
    driver_unit : str, optional
        Its unit; the concentration of `units` if left out.
    baseline : {"constant", "weibull", "gompertz"}
    effect : {"log-linear", "inhibition", "stimulation", None}

    Returns
    -------
    System
        With the accumulator ``cumulative_hazard`` and the outputs hazard, cumulative_hazard and survival.

    Raises
    ------
    MechanismError
        For an unknown baseline or effect.

    References
    ----------
    Collett D (2015). Modelling survival data in medical research, 3rd ed. Chapman and Hall/CRC.

    Holford N (2013). A time to event tutorial for pharmacometricians. CPT Pharmacometrics Syst Pharmacol 2:e43.

    Examples
    --------
    >>> for equation in time_to_event(baseline="gompertz").equations():
    ...     print(equation)
    d(cumulative_hazard)/dt = h0*exp(growth*t)*exp(coefficient*Cc)
    hazard = h0*exp(growth*t)*exp(coefficient*Cc)
    survival = exp(-cumulative_hazard)
    """
    units = units or Units()
    unit = units.concentration if driver_unit is None else driver_unit
    choices: tuple[tuple[str, str | None, tuple[str | None, ...]], ...] = (
        ("baseline", baseline, BASELINES),
        ("effect", effect, EFFECTS),
    )
    for what, given, known in choices:
        if given not in known:
            raise MechanismError(
                f"{what} {given!r} is not known. Choose one of {', '.join(map(str, known))}."
            )
    parameters, scales = baseline_parameters(baseline, units), {"growth": "identity"}
    if effect == "log-linear":
        parameters["coefficient"], scales["coefficient"] = f"1/({unit or '1'})", "identity"
    elif effect is not None:
        action = concentration_effect("emax", driver, unit, direction=effect)
        parameters |= action.parameters
        scales |= action.scales

    def hazard(s: Any) -> Any:
        without_drug = HAZARDS[baseline](s)
        if effect is None:
            return without_drug
        if effect == "log-linear":
            return without_drug * pt.exp(s.coefficient * s[driver])
        return without_drug * (1 - action.value(s) if effect == "inhibition" else 1 + action.value(s))

    return System(
        name="time to event",
        states={"cumulative_hazard": ""},
        parameters=parameters,
        scales={name: scale for name, scale in scales.items() if name in parameters},
        inputs={} if effect is None else {driver: unit},
        accumulators=["cumulative_hazard"],
        processes=[Process("accumulation of hazard", {"cumulative_hazard": +1}, hazard)],
        outputs={
            "hazard": Output(units.rate, hazard),
            "cumulative_hazard": Output("", lambda s: s.cumulative_hazard),
            "survival": Output("", lambda s: pt.exp(-s.cumulative_hazard)),
        },
        time_unit=units.time,
    )


def baseline_parameters(baseline: str, units: Units) -> dict[str, str]:
    """Return the parameters of a hazard without drug, and their units."""
    unit_of = {"h0": units.rate, "scale": units.time, "shape": "", "growth": units.rate}
    names = {"constant": ["h0"], "weibull": ["scale", "shape"], "gompertz": ["h0", "growth"]}
    return {name: unit_of[name] for name in names[baseline]}


def constant(s: Any) -> Any:
    """Return a hazard that does not change."""
    return s.h0


def weibull(s: Any) -> Any:
    """Return a hazard that is a power of time."""
    return s.shape / s.scale * pt.maximum(s.t / s.scale, EARLIEST) ** (s.shape - 1)


def gompertz(s: Any) -> Any:
    """Return a hazard that grows or falls exponentially."""
    return s.h0 * pt.exp(s.growth * s.t)


HAZARDS = {"constant": constant, "weibull": weibull, "gompertz": gompertz}


def examples() -> Mapping[str, Example]:
    """Return the entries of this module with numbers to try them with.

    Examples
    --------
    >>> list(examples())
    ['Time to event: constant hazard', 'Time to event: Weibull hazard', 'Time to event: Gompertz hazard']
    """
    units = Units(time="day")
    drug = {"CL": 100.0, "Vc": 50.0}
    values: dict[str, dict[str, float]] = {
        "constant": {"h0": 0.01, "coefficient": -0.5},
        "weibull": {"scale": 90.0, "shape": 1.6, "Imax": 0.8, "IC50": 0.5},
        "gompertz": {"h0": 0.004, "growth": 0.012, "Emax": 2.0, "EC50": 0.5},
    }
    effects = {"constant": "log-linear", "weibull": "inhibition", "gompertz": "stimulation"}
    return {
        f"Time to event: {name if name == 'constant' else name.capitalize()} hazard": Example(
            one_compartment(units=units) + time_to_event(units=units, baseline=name, effect=effects[name]),
            drug | numbers,
            until=180,
            shows=["hazard", "survival"],
            regimen=Regimen(100, unit="mg", into="central", every=1, until=90),
            holds="The hazard follows the present concentration.",
            identifiability="The baseline needs events at several exposures, its shape a wide span of time.",
            reference="Holford N (2013), CPT Pharmacometrics Syst Pharmacol 2:e43.",
        )
        for name, numbers in values.items()
    }
