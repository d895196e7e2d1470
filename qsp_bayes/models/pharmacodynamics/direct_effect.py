"""Direct effects: the effect follows the concentration without delay."""

from __future__ import annotations

from collections.abc import Mapping

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.models.pharmacodynamics.concentration_effect import concentration_effect
from qsp_bayes.systems import Output, System
from qsp_bayes.units import Units


def direct_effect(
    *,
    units: Units | None = None,
    driver: str = "Cc",
    driver_unit: str | None = None,
    effect_unit: str = "",
    relation: str = "emax",
    direction: str = "stimulation",
) -> System:
    r"""Build an effect that follows a concentration without delay.

    .. math::

        E = E_0 + \frac{E_{max} C}{EC_{50} + C} \quad\text{(stimulation)}, \qquad
        E = E_0 \left(1 - \frac{I_{max} C}{IC_{50} + C}\right) \quad\text{(inhibition)}

    and with ``relation="sigmoid"`` :math:`(C/EC_{50})^\gamma / (1 + (C/EC_{50})^\gamma)` in the place of
    :math:`C/(EC_{50} + C)`; with ``relation="linear"`` the effect is slope C.

    ::

        C  --(Emax, EC50, gamma)-->  E

    ========== ================================== ==================== =========================================
    parameter  what it is                         unit                 typical
    ========== ================================== ==================== =========================================
    E0         effect without drug                effect               positive (fix it at 0 where there is none)
    Emax       largest rise of the effect         effect               positive
    Imax       largest inhibition                 1                    0 to 1
    EC50, IC50 concentration of half of it        amount/volume        positive
    gamma      steepness                          1                    positive; 0.5 to 10
    slope      effect of a unit of concentration  effect volume/amount positive
    ========== ================================== ==================== =========================================

    Holds where the site of action is in rapid equilibrium with the concentration, and the response to it is
    immediate: no hysteresis between concentration and effect. `effect_compartment` adds a delay of distribution,
    `indirect_response` one of turnover.

    Emax is known where concentrations reach well above EC50; below it only Emax/EC50 is, the slope. gamma is
    correlated with both.

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out.
    driver : str
        Name of the input that is the concentration, such as ``"Ce"``.
    driver_unit : str, optional
        Its unit, and that of EC50; the concentration of `units` if left out.
    effect_unit : str
        Unit of the effect.
    relation : {"emax", "sigmoid", "linear"}
    direction : {"stimulation", "inhibition"}

    Returns
    -------
    System
        A partial system without states, with the output E.

    Raises
    ------
    MechanismError
        For an unknown relation or direction.

    References
    ----------
    Holford NHG, Sheiner LB (1981). Understanding the dose-effect relationship: clinical application of
    pharmacokinetic-pharmacodynamic models. Clin Pharmacokinet 6:429-453.

    Examples
    --------
    >>> direct_effect().equations()
    ['E = E0 + Emax*Cc/(EC50 + Cc)']
    >>> direct_effect(relation="sigmoid", direction="inhibition").equations()
    ['E = E0*(1 - Imax*max(Cc/IC50, 1e-200)^gamma/(1 + max(Cc/IC50, 1e-200)^gamma))']
    """
    units = units or Units()
    effect = concentration_effect(
        relation,
        driver,
        units.concentration if driver_unit is None else driver_unit,
        effect_unit="" if direction == "inhibition" else effect_unit,
        direction=direction,
    )
    return System(
        name="direct effect",
        states={},
        parameters={"E0": effect_unit, **effect.parameters},
        scales=effect.scales,
        processes=[],
        inputs={driver: units.concentration if driver_unit is None else driver_unit},
        outputs={
            "E": Output(
                effect_unit,
                (lambda s: s.E0 * (1 - effect.value(s)))
                if direction == "inhibition"
                else (lambda s: s.E0 + effect.value(s)),
            )
        },
        time_unit=units.time,
    )


def examples() -> Mapping[str, Example]:
    """Return the entries of this module with numbers to try them with.

    Examples
    --------
    >>> list(examples())
    ['Emax', 'Sigmoid Emax', 'Inhibitory sigmoid Emax']
    """
    drug = {"KA": 1.0, "CL": 5.0, "Vc": 50.0}
    doses = Regimen(500, unit="mg", into="depot", every=12, until=36)
    reference = "Holford NHG, Sheiner LB (1981), Clin Pharmacokinet 6:429-453."

    def entry(relation: str, direction: str, values: Mapping[str, float]) -> Example:
        effect = direct_effect(relation=relation, direction=direction)
        return Example(
            one_compartment(absorption="first-order") + effect,
            drug | dict(values),
            until=48,
            shows=["Cc", "E"],
            regimen=doses,
            holds="The effect follows the concentration without delay.",
            identifiability="Concentrations on both sides of the half-maximal one; below it only the slope is known.",
            reference=reference,
        )

    return {
        "Emax": entry("emax", "stimulation", {"E0": 10.0, "Emax": 50.0, "EC50": 5.0}),
        "Sigmoid Emax": entry(
            "sigmoid", "stimulation", {"E0": 10.0, "Emax": 50.0, "EC50": 5.0, "gamma": 3.0}
        ),
        "Inhibitory sigmoid Emax": entry(
            "sigmoid", "inhibition", {"E0": 100.0, "Imax": 0.9, "IC50": 5.0, "gamma": 3.0}
        ),
    }
