"""The effect compartment: a site of action that lags behind plasma."""

from __future__ import annotations

from collections.abc import Mapping

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.models.pharmacodynamics.direct_effect import direct_effect
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.units import Units


def effect_compartment(
    *, units: Units | None = None, driver: str = "Cc", driver_unit: str | None = None
) -> System:
    r"""Build the concentration at a site of action that equilibrates with plasma by first order.

    .. math:: \dot C_e = k_{e0} (C - C_e), \qquad C_e(0) = 0

    ::

        C  --(ke0)-->  effect (Ce)  --(ke0)-->

    ========= ========================= ====== =========================================================
    parameter what it is                unit   typical
    ========= ========================= ====== =========================================================
    ke0       equilibration rate        1/time positive; half-life ln 2/ke0 of a minute (anaesthetics)
              constant                         to days
    ========= ========================= ====== =========================================================

    The compartment takes up a negligible amount of drug, and Ce equals C in steady state. Join an effect of Ce to it:
    ``one_compartment() + effect_compartment() + direct_effect(driver="Ce")``.

    Holds where the delay is one of distribution: the time of the largest effect then does not depend on the dose.
    With `indirect_response` it moves to later times with larger doses.

    ke0 needs effects measured while concentrations rise and fall (hysteresis). It is confounded with EC50
    in a short infusion with effects measured only afterwards.

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out.
    driver : str
        Name of the input that is the concentration in plasma.
    driver_unit : str, optional
        Its unit; the concentration of `units` if left out.

    Returns
    -------
    System
        With the output Ce.

    References
    ----------
    Sheiner LB, Stanski DR, Vozeh S, Miller RD, Ham J (1979). Simultaneous modeling of pharmacokinetics and
    pharmacodynamics: application to d-tubocurarine. Clin Pharmacol Ther 25:358-371.

    Examples
    --------
    >>> effect_compartment().equations()
    ['d(effect)/dt = ke0*(Cc - effect)', 'Ce = effect']
    """
    units = units or Units()
    unit = units.concentration if driver_unit is None else driver_unit
    return System(
        name="effect compartment",
        states={"effect": unit},
        parameters={"ke0": units.rate},
        inputs={driver: unit},
        processes=[Process("equilibration", {"effect": +1}, lambda s: s.ke0 * (s[driver] - s.effect))],
        outputs={"Ce": Output(unit, lambda s: s.effect)},
        time_unit=units.time,
    )


def examples() -> Mapping[str, Example]:
    """Return the entries of this module with numbers to try them with.

    Examples
    --------
    >>> list(examples())
    ['Effect compartment with sigmoid Emax']
    """
    units = Units(time="min")
    effect = direct_effect(units=units, driver="Ce", relation="sigmoid", direction="inhibition")
    return {
        "Effect compartment with sigmoid Emax": Example(
            one_compartment(units=units) + effect_compartment(units=units) + effect,
            {"CL": 1.5, "Vc": 20.0, "ke0": 0.1, "E0": 100.0, "Imax": 0.9, "IC50": 2.0, "gamma": 2.5},
            until=120,
            shows=["Cc", "Ce", "E"],
            regimen=Regimen(100, unit="mg", into="central"),
            holds="The delay is one of distribution: the time of the largest effect does not depend on the dose.",
            identifiability="ke0 needs effects while concentrations rise and fall; else it is confounded with IC50.",
            reference="Sheiner LB et al. (1979), Clin Pharmacol Ther 25:358-371.",
        )
    }
