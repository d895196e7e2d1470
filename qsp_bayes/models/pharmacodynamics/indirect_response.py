"""Indirect responses: drug changes the production or the loss of what is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.models.pharmacodynamics.concentration_effect import ConcentrationEffect, concentration_effect
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.units import Units

KINDS = {
    "I": ("production", "inhibition"),
    "II": ("loss", "inhibition"),
    "III": ("production", "stimulation"),
    "IV": ("loss", "stimulation"),
}
"""What drug acts on, and how."""


Action = Callable[[Any, Any], Any]
"""What becomes of a rate under drug: a function of `s` and of the rate without drug."""


def drug_action(
    kind: str, relation: str, driver: str, driver_unit: str
) -> tuple[ConcentrationEffect, dict[str, Action]]:
    """Return the effect of a kind of indirect response, and what becomes of production and loss under it.

    Raises
    ------
    MechanismError
        For an unknown kind or relation.

    Examples
    --------
    >>> effect, actions = drug_action("I", "emax", "Cc", "mg/L")
    >>> list(effect.parameters), list(actions)
    (['Imax', 'IC50'], ['production', 'loss'])
    """
    if kind not in KINDS:
        raise MechanismError(
            f"kind {kind!r} of indirect response is not known. Choose one of {', '.join(KINDS)}."
        )
    place, direction = KINDS[kind]
    effect = concentration_effect(relation, driver, driver_unit, direction=direction)

    def untouched(s: Any, rate: Any) -> Any:
        return rate

    def changed(s: Any, rate: Any) -> Any:
        return rate * (1 - effect.value(s) if direction == "inhibition" else 1 + effect.value(s))

    return effect, {"production": untouched, "loss": untouched} | {place: changed}


def indirect_response(
    *,
    units: Units | None = None,
    driver: str = "Cc",
    driver_unit: str | None = None,
    response_unit: str = "",
    kind: str = "I",
    relation: str = "emax",
) -> System:
    r"""Build a response that drug changes by acting on its production or its loss.

    .. math:: \dot R = k_{in}\,P(C) - k_{out}\,L(C)\,R, \qquad k_{in} = E_0 k_{out}, \quad R(0) = E_0

    ==== ========================================== ====================
    kind drug                                       steady state R / E0
    ==== ========================================== ====================
    I    inhibits production: P = 1 - f(C)          1 - f
    II   inhibits loss: L = 1 - f(C)                1 / (1 - f)
    III  stimulates production: P = 1 + f(C)        1 + f
    IV   stimulates loss: L = 1 + f(C)              1 / (1 + f)
    ==== ========================================== ====================

    with :math:`f = I_{max} C / (IC_{50} + C)` or :math:`f = E_{max} C / (EC_{50} + C)`.

    ::

             I, III                 II, IV
        kin --------->  response  ---------> kout

    ========== ================================== ============= ===================================================
    parameter  what it is                         unit          typical
    ========== ================================== ============= ===================================================
    E0         response without drug              response      positive
    kout       rate constant of loss              1/time        positive; half-life ln 2/kout minutes to weeks
    Imax       largest inhibition (I, II)         1             0 to 1
    Emax       largest stimulation (III, IV)      1             positive; 0.5 to 100
    IC50, EC50 concentration of half of it        amount/volume positive
    gamma      steepness (``relation="sigmoid"``) 1             positive; 0.5 to 10
    ========== ================================== ============= ===================================================

    Holds where the response has one pool, and drug acts on its turnover at once. The largest response
    comes later with larger doses, which tells it from an `effect_compartment`.

    After single doses kout and the half-maximal concentration are correlated: two doses, one of them saturating, or
    a steady state tell them apart. Imax near 1 is best fixed at 1: ``system.fix(Imax=1.0)``.

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out.
    driver : str
        Name of the input that acts.
    driver_unit : str, optional
        Its unit, and that of IC50; the concentration of `units` if left out.
    response_unit : str
        Unit of the response.
    kind : {"I", "II", "III", "IV"}
    relation : {"emax", "sigmoid", "linear"}
        With ``"linear"`` f is slope C; an inhibition must then stay below 1.

    Returns
    -------
    System
        With the state and output ``response``; ``rename(response="PCA")`` gives it the name of what is measured.

    Raises
    ------
    MechanismError
        For an unknown kind or relation.

    References
    ----------
    Dayneka NL, Garg V, Jusko WJ (1993). Comparison of four basic models of indirect pharmacodynamic responses.
    J Pharmacokinet Biopharm 21:457-478.

    Sharma A, Jusko WJ (1998). Characteristics of indirect pharmacodynamic models and applications to clinical drug
    responses. Br J Clin Pharmacol 45:229-239.

    Examples
    --------
    >>> for equation in indirect_response(kind="I").equations():
    ...     print(equation)
    kin = E0*kout
    d(response)/dt = kin*(1 - Imax*Cc/(IC50 + Cc)) - kout*response
    response(0) = E0
    >>> indirect_response(kind="IV", relation="sigmoid").equations()[1]
    'd(response)/dt = kin - kout*response*(1 + Emax*max(Cc/EC50, 1e-200)^gamma/(1 + max(Cc/EC50, 1e-200)^gamma))'
    """
    units = units or Units()
    unit = units.concentration if driver_unit is None else driver_unit
    effect, actions = drug_action(kind, relation, driver, unit)
    return System(
        name=f"indirect response {kind}",
        states={"response": response_unit},
        parameters={"E0": response_unit, "kout": units.rate, **effect.parameters},
        scales=effect.scales,
        expressions={"kin": lambda s: s.E0 * s.kout},
        inputs={driver: unit},
        initial={"response": lambda s: s.E0},
        processes=[
            Process("production", {"response": +1}, lambda s: actions["production"](s, s.kin)),
            Process("loss", {"response": -1}, lambda s: actions["loss"](s, s.kout * s.response)),
        ],
        outputs={"response": Output(response_unit, lambda s: s.response)},
        time_unit=units.time,
    )


def examples() -> Mapping[str, Example]:
    """Return the entries of this module with numbers to try them with.

    Examples
    --------
    >>> list(examples())
    ['Indirect response I: warfarin and prothrombin complex activity', 'Indirect response II', 'Indirect response III',
     'Indirect response IV']
    """
    reference = "Dayneka NL, Garg V, Jusko WJ (1993), J Pharmacokinet Biopharm 21:457-478."
    holds = "The response has one pool, and drug acts on its turnover at once."
    identifiability = "kout and the half-maximal concentration need two doses, one of them saturating."
    drug = {"CL": 5.0, "Vc": 50.0}
    action = {
        "II": {"Imax": 0.9, "IC50": 1.0},
        "III": {"Emax": 3.0, "EC50": 1.0},
        "IV": {"Emax": 3.0, "EC50": 1.0},
    }
    warfarin = one_compartment(absorption="first-order", lag=True) + indirect_response(kind="I").rename(
        response="PCA"
    )
    first = Example(
        warfarin,
        {
            "KA": 0.734, "tlag": 1.03, "CL": 0.131, "Vc": 8.06,
            "E0": 95.9, "kout": 0.0521, "Imax": 1.0, "IC50": 1.17,
        },
        until=144,
        shows=["Cc", "PCA"],
        regimen=Regimen(105, unit="mg", into="depot"),
        holds=holds,
        identifiability=f"{identifiability} Imax is fixed at 1.",
        reference=f"{reference} Values: control stream ka1_to_emax1_est.ctl of github.com/isoplinks/"
        "model_evaluation_continuous; see priors/warfarin_pca.toml.",
    )  # fmt: skip
    others = {
        f"Indirect response {kind}": Example(
            one_compartment() + indirect_response(kind=kind),
            {**drug, "E0": 30.0, "kout": 0.3, **values},
            until=72,
            shows=["response"],
            regimen=Regimen(1000, unit="mg", into="central"),
            holds=holds,
            identifiability=identifiability,
            reference=reference,
        )
        for kind, values in action.items()
    }
    return {"Indirect response I: warfarin and prothrombin complex activity": first} | others
