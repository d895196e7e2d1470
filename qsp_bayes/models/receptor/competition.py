"""Two ligands that compete for one receptor: in equilibrium (Gaddum), or kinetically (Motulsky and Mahan)."""

from __future__ import annotations

from collections.abc import Mapping

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.units import Units

KINDS = ("equilibrium", "kinetic")


def competitive_binding(
    *, units: Units | None = None, driver: str = "Cc", competitor: str = "Ci", kind: str = "kinetic"
) -> System:
    r"""Build the binding of a ligand and of a competitor to the same site.

    In equilibrium,

    .. math:: RO = \frac{C/K_D}{1 + C/K_D + C_i/K_i}, \qquad RO_i = \frac{C_i/K_i}{1 + C/K_D + C_i/K_i}

    and kinetically

    .. math::

        \dot{RC} = k_{on}\,C\,R - k_{off}\,RC, \qquad \dot{RC_i} = k_{on,i}\,C_i\,R - k_{off,i}\,RC_i, \qquad
        R = R_{tot} - RC - RC_i

    ::

                   koff                    kon_i Ci
        complex  <======>  receptor  <================>  complex_i
                   kon C                    koff_i

    ============= ===================================== ================== =====================================
    parameter     what it is                            unit               typical
    ============= ===================================== ================== =====================================
    KD, Ki        dissociation constants of ligand and  amount/volume      positive; pM to uM
                  competitor (``kind="equilibrium"``)
    kon, koff     rate constants of the ligand          volume/amount/time positive; see `receptor_binding`
                                                        and 1/time
    kon_i, koff_i rate constants of the competitor      the same           positive
    Rtot          concentration of all receptors        amount/volume      positive
    ============= ===================================== ================== =====================================

    Holds where both bind one site, one at a time, and neither is depleted by binding. Where the competitor leaves
    much more slowly than the ligand, occupancy by the ligand overshoots before it falls to its equilibrium.

    Ki is known from equilibrium where several concentrations of the competitor are combined with a ligand of known
    KD; koff_i also needs the time course. Rtot has no influence on occupancies: fix it at 1.

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out.
    driver, competitor : str
        Names of the inputs that are the free concentrations of the ligand and its competitor.
    kind : {"kinetic", "equilibrium"}

    Returns
    -------
    System
        With the outputs RO and RO_i, the fractions of receptors that each of the two occupies; kinetically,
        ``receptor + complex + complex_i`` is conserved.

    Raises
    ------
    MechanismError
        For an unknown kind, or one name for both inputs.

    References
    ----------
    Gaddum JH (1937). The quantitative effects of antagonistic drugs. J Physiol 89:7P-9P.

    Motulsky HJ, Mahan LC (1984). The kinetics of competitive radioligand binding predicted by the law of mass
    action. Mol Pharmacol 25:1-9.

    Examples
    --------
    >>> for equation in competitive_binding(kind="equilibrium").equations():
    ...     print(equation)
    RO = Cc/KD/(1 + Cc/KD + Ci/Ki)
    RO_i = Ci/Ki/(1 + Cc/KD + Ci/Ki)
    >>> competitive_binding().conservation_laws()
    ['receptor + complex + complex_i']
    """
    units = units or Units()
    if kind not in KINDS:
        raise MechanismError(f"kind {kind!r} of competition is not known. Choose one of {', '.join(KINDS)}.")
    if driver == competitor:
        raise MechanismError(f"ligand and competitor are both called {driver!r}. Give them two names.")
    build = kinetic if kind == "kinetic" else equilibrium
    return build(units, driver, competitor)


def equilibrium(units: Units, driver: str, competitor: str) -> System:
    """Build competition in equilibrium."""
    return System(
        name="competitive binding in equilibrium",
        states={},
        parameters={"KD": units.concentration, "Ki": units.concentration},
        processes=[],
        inputs=dict.fromkeys([driver, competitor], units.concentration),
        outputs={
            "RO": Output("", lambda s: s[driver] / s.KD / (1 + s[driver] / s.KD + s[competitor] / s.Ki)),
            "RO_i": Output(
                "", lambda s: s[competitor] / s.Ki / (1 + s[driver] / s.KD + s[competitor] / s.Ki)
            ),
        },
        time_unit=units.time,
    )


def kinetic(units: Units, driver: str, competitor: str) -> System:
    """Build competition with rates of binding and dissociation."""
    second_order = f"{units.volume}/{units.amount}/{units.time}"
    return System(
        name="competitive binding",
        states=dict.fromkeys(["receptor", "complex", "complex_i"], units.concentration),
        parameters={
            "kon": second_order,
            "koff": units.rate,
            "kon_i": second_order,
            "koff_i": units.rate,
            "Rtot": units.concentration,
        },
        inputs=dict.fromkeys([driver, competitor], units.concentration),
        initial={"receptor": lambda s: s.Rtot},
        processes=[
            Process(
                "ligand binding",
                {"receptor": -1, "complex": +1},
                lambda s: s.kon * s[driver] * s.receptor - s.koff * s.complex,
            ),
            Process(
                "competitor binding",
                {"receptor": -1, "complex_i": +1},
                lambda s: s.kon_i * s[competitor] * s.receptor - s.koff_i * s.complex_i,
            ),
        ],
        outputs={
            "RO": Output("", lambda s: s.complex / s.Rtot),
            "RO_i": Output("", lambda s: s.complex_i / s.Rtot),
        },
        time_unit=units.time,
    )


def examples() -> Mapping[str, Example]:
    """Return the entries of this module with numbers to try them with.

    Examples
    --------
    >>> list(examples())
    ['Competitive binding in equilibrium (Gaddum)', 'Competitive binding kinetics (Motulsky and Mahan)']
    """
    units = Units(amount="nmol")
    return {
        "Competitive binding in equilibrium (Gaddum)": Example(
            one_compartment(units=units) + competitive_binding(units=units, kind="equilibrium"),
            {"CL": 5.0, "Vc": 50.0, "KD": 10.0, "Ki": 1.0},
            until=48,
            shows=["RO", "RO_i"],
            regimen=Regimen(10_000, unit="nmol", into="central"),
            inputs={"Ci": 3.0},
            holds="Both bind one site in rapid equilibrium, and neither is depleted.",
            identifiability="Needs several concentrations of the competitor; only C/KD and Ci/Ki enter.",
            reference="Gaddum JH (1937), J Physiol 89:7P-9P.",
        ),
        "Competitive binding kinetics (Motulsky and Mahan)": Example(
            competitive_binding(units=Units(time="min", amount="nmol")),
            {"kon": 0.1, "koff": 0.3, "kon_i": 0.05, "koff_i": 0.01, "Rtot": 1.0},
            until=120,
            shows=["RO", "RO_i"],
            inputs={"Cc": 5.0, "Ci": 2.0},
            holds="Both bind one site, and neither is depleted.",
            identifiability="The overshoot of RO tells koff_i from kon_i; in equilibrium only their ratio is known.",
            reference="Motulsky HJ, Mahan LC (1984), Mol Pharmacol 25:1-9.",
        ),
    }
