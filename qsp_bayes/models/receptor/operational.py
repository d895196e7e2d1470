"""The operational model of agonism: how occupied receptors become an effect, with receptors to spare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.models.power import power
from qsp_bayes.models.receptor.turnover import receptor_turnover
from qsp_bayes.systems import Output, System
from qsp_bayes.units import Units


def transducer(*, units: Units | None = None, driver: str = "RO", effect_unit: str = "") -> System:
    r"""Build the operational transducer: an effect that saturates in the occupied receptors.

    .. math:: E = E_m \frac{(\tau\,RO)^n}{1 + (\tau\,RO)^n}

    ::

        occupied receptors RO  --(tau, n)-->  effect E, at most Em

    ========= ============================================= =========== ===================================
    parameter what it is                                    unit        typical
    ========= ============================================= =========== ===================================
    Em        largest effect of the tissue                  effect      positive
    tau       transducer constant: receptors over those     1           positive; below 1 partial agonist,
              that give Em/2, the efficacy                              10 to 1000 with spare receptors
    n         slope of the transducer                       1           positive; 0.5 to 3
    ========= ============================================= =========== ===================================

    Joined to any system with the output RO (`receptor_binding`, `receptor_turnover`, `qsp_bayes.models.tmdd`).
    Em and tau are known apart only where some ligand, or the loss of receptors, gives effects well below Em.

    Parameters
    ----------
    units : Units, optional
        Only its time enters; h if left out.
    driver : str
        Name of the input that is the occupied share of the receptors, or their number over the baseline.
    effect_unit : str
        Unit of the effect.

    Returns
    -------
    System
        A partial system without states, with the output E.

    References
    ----------
    Black JW, Leff P (1983). Operational models of pharmacological agonism. Proc R Soc Lond B 220:141-162.

    Examples
    --------
    >>> for equation in transducer().equations():
    ...     print(equation)
    stimulus = max(tau*RO, 1e-200)^n
    E = Em*stimulus/(1 + stimulus)
    """
    units = units or Units()
    return System(
        name="operational transducer",
        states={},
        parameters={"Em": effect_unit, "tau": "", "n": ""},
        processes=[],
        inputs={driver: ""},
        expressions={"stimulus": lambda s: power(s.tau * s[driver], s.n)},
        outputs={"E": Output(effect_unit, lambda s: s.Em * s.stimulus / (1 + s.stimulus))},
        time_unit=units.time,
    )


def operational_agonism(
    *,
    units: Units | None = None,
    driver: str = "Cc",
    driver_unit: str | None = None,
    effect_unit: str = "",
    antagonist: str | None = None,
    inactivation: bool = False,
) -> System:
    r"""Build the operational model of agonism, where the agonist binds in rapid equilibrium.

    .. math::

        E = E_m \frac{\tau^n C^n}{(K_D + C)^n + \tau^n C^n}, \qquad
        EC_{50} = \frac{K_D}{(2 + \tau^n)^{1/n} - 1}, \qquad E_{max} = E_m \frac{\tau^n}{1 + \tau^n}

    A competitive antagonist at concentration B multiplies KD by :math:`1 + B/K_B`; an irreversible one leaves the
    fraction q of the receptors, and with it :math:`q \tau` in the place of tau.

    ::

        C + receptor <==(KD)==> occupied receptor --(tau, n)--> effect E

    ========= ============================================= ============= =================================
    parameter what it is                                    unit          typical
    ========= ============================================= ============= =================================
    KD        dissociation constant of the agonist (KA of   amount/volume positive; 1 nM to 100 uM
              Black and Leff; KA is absorption here)
    Em        largest effect of the tissue                  effect        positive
    tau       efficacy: receptors over those that give Em/2 1             positive; 0.1 to 1000
    n         slope of the transducer                       1             positive; 0.5 to 3
    KB        dissociation constant of the antagonist       amount/volume positive
              (with an `antagonist`)
    q         fraction of receptors that is left            1             0 to 1
              (``inactivation=True``)
    ========= ============================================= ============= =================================

    With spare receptors (tau far above 1) EC50 lies far below KD: the effect is half its largest where few receptors
    are occupied. Loss of receptors first moves the curve to the right, then lowers its top.

    Holds where binding is in equilibrium, and the effect follows without delay; join `transducer` to
    `receptor_binding` or `receptor_turnover` otherwise.

    One curve gives EC50 and its top only: KD and tau are not identifiable apart from one agonist in one tissue. A
    second curve with known loss of receptors (Furchgott), a partial agonist, or a KD from binding tells them apart.

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out.
    driver : str
        Name of the input that is the concentration of the agonist.
    driver_unit : str, optional
        Its unit, and that of KD and KB; the concentration of `units` if left out.
    effect_unit : str
        Unit of the effect.
    antagonist : str, optional
        Name of the input that is the concentration of a competitive antagonist, such as ``"Ca"``.
    inactivation : bool
        Whether only the fraction q of receptors is left.

    Returns
    -------
    System
        A partial system without states, with the outputs E, RO (occupied share of the receptors that are left),
        EC50 and Emax.

    References
    ----------
    Black JW, Leff P (1983). Operational models of pharmacological agonism. Proc R Soc Lond B 220:141-162.

    Furchgott RF (1966). The use of beta-haloalkylamines in the differentiation of receptors and in the determination
    of dissociation constants of receptor-agonist complexes. Adv Drug Res 3:21-55.

    Examples
    --------
    >>> for equation in operational_agonism(antagonist="Ca", inactivation=True).equations():
    ...     print(equation)
    KDapp = KD*(1 + Ca/KB)
    efficacy = q*tau
    stimulus = max(efficacy*RO, 1e-200)^n
    RO = Cc/(KDapp + Cc)
    E = Em*stimulus/(1 + stimulus)
    EC50 = KDapp/((2 + efficacy^n)^(1/n) - 1)
    Emax = Em*efficacy^n/(1 + efficacy^n)
    """
    units = units or Units()
    unit = units.concentration if driver_unit is None else driver_unit
    parameters = {"KD": unit, "Em": effect_unit, "tau": "", "n": ""}
    inputs = {driver: unit}
    if antagonist is not None:
        parameters["KB"] = inputs[antagonist] = unit
    if inactivation:
        parameters["q"] = ""

    def apparent(s: Any) -> Any:
        return s.KD if antagonist is None else s.KD * (1 + s[antagonist] / s.KB)

    return System(
        name="operational model of agonism",
        states={},
        parameters=parameters,
        processes=[],
        scales={"q": "logit"} if inactivation else {},
        inputs=inputs,
        expressions={
            "KDapp": apparent,
            "efficacy": (lambda s: s.q * s.tau) if inactivation else (lambda s: s.tau),
            "stimulus": lambda s: power(s.efficacy * s.RO, s.n),
        },
        outputs={
            "RO": Output("", lambda s: s[driver] / (s.KDapp + s[driver])),
            "E": Output(effect_unit, lambda s: s.Em * s.stimulus / (1 + s.stimulus)),
            "EC50": Output(unit, lambda s: s.KDapp / ((2 + s.efficacy**s.n) ** (1 / s.n) - 1)),
            "Emax": Output(effect_unit, lambda s: s.Em * s.efficacy**s.n / (1 + s.efficacy**s.n)),
        },
        time_unit=units.time,
    )


def examples() -> Mapping[str, Example]:
    """Return the entries of this module with numbers to try them with.

    Examples
    --------
    >>> list(examples())
    ['Operational model of agonism (Black and Leff)', 'Spare receptors', 'Effect of receptors that turn over']
    """
    units = Units(amount="nmol")
    drug = one_compartment(units=units)
    dose = Regimen(50_000, unit="nmol", into="central")
    reference = "Black JW, Leff P (1983), Proc R Soc Lond B 220:141-162."
    return {
        "Operational model of agonism (Black and Leff)": Example(
            drug + operational_agonism(units=units),
            {"CL": 10.0, "Vc": 50.0, "KD": 100.0, "Em": 100.0, "tau": 3.0, "n": 1.0},
            until=48,
            shows=["RO", "E"],
            regimen=dose,
            holds="Binding is in equilibrium, and the effect follows occupancy without delay.",
            identifiability="One curve gives its EC50 and top; KD and tau need a second one or binding data.",
            reference=reference,
        ),
        "Spare receptors": Example(
            drug + operational_agonism(units=units, inactivation=True),
            {"CL": 10.0, "Vc": 50.0, "KD": 100.0, "Em": 100.0, "tau": 100.0, "n": 1.0, "q": 0.05},
            until=48,
            shows=["RO", "E"],
            regimen=dose,
            holds="As above; the receptors that are left are as good as before.",
            identifiability="q is known from binding, or from curves before and after inactivation.",
            reference=f"Furchgott RF (1966), Adv Drug Res 3:21-55; {reference}",
        ),
        "Effect of receptors that turn over": Example(
            drug + receptor_turnover(units=units) + transducer(units=units),
            {
                "CL": 1.0, "Vc": 50.0, "kon": 0.36, "koff": 0.5, "R0": 1.0, "kdeg": 0.05, "kint": 0.3,
                "Em": 100.0, "tau": 20.0, "n": 1.0,
            },
            until=336,
            shows=["RO", "E"],
            regimen=Regimen(1000, unit="nmol", into="central"),
            holds="The effect follows the occupied share of receptors without delay.",
            identifiability="Em and tau are known apart only where some occupancy gives effects well below Em.",
            reference=reference,
        ),
    }  # fmt: skip
