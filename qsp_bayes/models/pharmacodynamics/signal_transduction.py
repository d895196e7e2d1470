"""Transit signal transduction: an effect that passes a chain of steps."""

from __future__ import annotations

from collections.abc import Mapping

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.models.pharmacodynamics.concentration_effect import concentration_effect
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.units import Units


def signal_transduction(
    *,
    units: Units | None = None,
    driver: str = "Cc",
    driver_unit: str | None = None,
    effect_unit: str = "",
    relation: str = "emax",
    n_transit: int = 3,
) -> System:
    r"""Build an effect that reaches its end through a chain of transit compartments.

    .. math::

        \tau \dot M_1 = f(C) - M_1, \qquad \tau \dot M_i = M_{i-1} - M_i, \qquad E = M_n, \quad M_i(0) = 0

    ::

        f(C) --> signal1 --> signal2 --> ... --> signaln = E      (each with rate constant 1/tau)

    ========== =================================== ============= ==========================================
    parameter  what it is                          unit          typical
    ========== =================================== ============= ==========================================
    tau        mean time in one step               time          positive; minutes to days
    Emax, EC50 of f (or slope, or with gamma)      effect,       as for `direct_effect`
                                                   amount/volume
    ========== =================================== ============= ==========================================

    The mean delay is n tau. After a step of the concentration the effect rises as the distribution function of a
    gamma distribution with shape n: later and steeper with larger n.

    Holds where steps are linear and take the same time. The signal does not affect earlier steps.

    n and tau are known from the shape of the onset; from the delay alone only n tau is. Compare several n_transit, and
    take the one that fits.

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out.
    driver : str
        Name of the input that starts the signal, such as ``"RO"``.
    driver_unit : str, optional
        Its unit; the concentration of `units` if left out.
    effect_unit : str
        Unit of the effect.
    relation : {"emax", "sigmoid", "linear"}
    n_transit : int
        Number of steps.

    Returns
    -------
    System
        With the states ``signal1`` to ``signaln`` and the output E.

    Raises
    ------
    MechanismError
        For less than one step, or an unknown relation.

    References
    ----------
    Sun YN, Jusko WJ (1998). Transit compartments versus gamma distribution function to model signal transduction
    processes in pharmacodynamics. J Pharm Sci 87:732-737.

    Mager DE, Jusko WJ (2001). Pharmacodynamic modeling of time-dependent transduction systems. Clin Pharmacol Ther
    70:210-216.

    Examples
    --------
    >>> for equation in signal_transduction(n_transit=2).equations():
    ...     print(equation)
    d(signal1)/dt = Emax*Cc/(EC50 + Cc)/tau - signal1/tau
    d(signal2)/dt = signal1/tau - signal2/tau
    E = signal2
    """
    units = units or Units()
    unit = units.concentration if driver_unit is None else driver_unit
    if n_transit < 1:
        raise MechanismError(f"n_transit is {n_transit}; a chain has at least 1 step.")
    effect = concentration_effect(relation, driver, unit, effect_unit=effect_unit)
    return System(
        name="signal transduction",
        states={f"signal{i}": effect_unit for i in range(1, n_transit + 1)},
        parameters={"tau": units.time, **effect.parameters},
        scales=effect.scales,
        inputs={driver: unit},
        processes=[
            Process("signal", {"signal1": +1}, lambda s: effect.value(s) / s.tau),
            *(step(i) for i in range(1, n_transit)),
            Process(
                "end of the signal", {f"signal{n_transit}": -1}, lambda s: s[f"signal{n_transit}"] / s.tau
            ),
        ],
        outputs={"E": Output(effect_unit, lambda s: s[f"signal{n_transit}"])},
        time_unit=units.time,
    )


def step(i: int) -> Process:
    """Pass the signal from one step to the next."""
    source = f"signal{i}"
    return Process(f"step {i}", {source: -1, f"signal{i + 1}": +1}, lambda s: s[source] / s.tau)


def examples() -> Mapping[str, Example]:
    """Return the entries of this module with numbers to try them with.

    Examples
    --------
    >>> list(examples())
    ['Signal transduction through transit compartments']
    """
    return {
        "Signal transduction through transit compartments": Example(
            one_compartment() + signal_transduction(n_transit=4),
            {"CL": 5.0, "Vc": 20.0, "tau": 3.0, "Emax": 100.0, "EC50": 1.0},
            until=72,
            shows=["Cc", "E"],
            regimen=Regimen(200, unit="mg", into="central"),
            holds="Steps are linear, take the same time, and do not affect earlier ones.",
            identifiability="The number of steps and tau need the shape of the onset; else only n tau is known.",
            reference="Mager DE, Jusko WJ (2001), Clin Pharmacol Ther 70:210-216.",
        )
    }
