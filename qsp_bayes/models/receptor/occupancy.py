"""Receptor occupancy in equilibrium with a concentration: the Hill-Langmuir equation."""

from __future__ import annotations

from collections.abc import Mapping

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.models.power import power
from qsp_bayes.systems import Output, System
from qsp_bayes.units import Units


def receptor_occupancy(
    *, units: Units | None = None, driver: str = "Cc", driver_unit: str | None = None, hill: bool = False
) -> System:
    r"""Build the occupancy of receptors by a ligand in rapid equilibrium with them.

    .. math:: RO = \frac{C}{K_D + C}, \qquad \text{with a Hill coefficient}\quad RO = \frac{(C/K_D)^n}{1 + (C/K_D)^n}

    ::

        ligand C  +  free receptor  <==(KD)==>  occupied receptor

    ========= ================================== ============= ==================================================
    parameter what it is                         unit          typical
    ========= ================================== ============= ==================================================
    KD        equilibrium dissociation constant, amount/volume positive; 0.01 to 10 nM for antibodies,
              the concentration of 50 %                        1 nM to 10 uM for small molecules
              occupancy
    n         Hill coefficient (``hill=True``)   1             positive; 1 for one site, 0.5 to 4 elsewhere
    ========= ================================== ============= ==================================================

    Holds where binding is fast beside changes of the concentration, and so little ligand is bound that its free
    concentration does not change. Use `receptor_binding` where binding is slow, `qsp_bayes.models.tmdd` where the
    receptor takes up the drug.

    Identifiable only around KD: occupancies measured far below it give the ratio C/KD alone, and all far above
    give a lower limit. n and KD are correlated unless concentrations span a hundredfold range around KD.

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out.
    driver : str
        Name of the input that is the free concentration of the ligand.
    driver_unit : str, optional
        Its unit, and that of KD; the concentration of `units` if left out.
    hill : bool
        Whether there is a Hill coefficient.

    Returns
    -------
    System
        A partial system without states; its output RO is the fraction of receptors that are occupied.

    References
    ----------
    Hill AV (1910). The possible effects of the aggregation of the molecules of haemoglobin on its dissociation
    curves. J Physiol 40:iv-vii.

    Gesztelyi R et al. (2012). The Hill equation and the origin of quantitative pharmacology. Arch Hist Exact Sci
    66:427-438.

    Examples
    --------
    >>> receptor_occupancy().equations()
    ['RO = Cc/(KD + Cc)']
    >>> receptor_occupancy(hill=True).equations()
    ['bound_ratio = max(Cc/KD, 1e-200)^n', 'RO = bound_ratio/(1 + bound_ratio)']
    """
    units = units or Units()
    unit = units.concentration if driver_unit is None else driver_unit
    return System(
        name="receptor occupancy",
        states={},
        parameters={"KD": unit} | ({"n": ""} if hill else {}),
        processes=[],
        inputs={driver: unit},
        expressions={"bound_ratio": lambda s: power(s[driver] / s.KD, s.n)} if hill else {},
        outputs={
            "RO": Output(
                "",
                (lambda s: s.bound_ratio / (1 + s.bound_ratio))
                if hill
                else (lambda s: s[driver] / (s.KD + s[driver])),
            )
        },
        time_unit=units.time,
    )


def examples() -> Mapping[str, Example]:
    """Return the entries of this module with numbers to try them with.

    Examples
    --------
    >>> list(examples())
    ['Receptor occupancy in equilibrium (Hill-Langmuir)']
    """
    units = Units(amount="nmol")
    return {
        "Receptor occupancy in equilibrium (Hill-Langmuir)": Example(
            one_compartment(units=units, absorption="first-order") + receptor_occupancy(units=units),
            {"KA": 1.0, "CL": 5.0, "Vc": 50.0, "KD": 10.0},
            until=48,
            shows=["Cc", "RO"],
            regimen=Regimen(5000, unit="nmol", into="depot", every=12, until=36),
            holds="Binding is fast, and binds too little ligand to change its free concentration.",
            identifiability="Concentrations on both sides of KD are needed; below it only C/KD is known.",
            reference="Hill AV (1910), J Physiol 40:iv-vii; Gesztelyi R et al. (2012), Arch Hist Exact Sci 66:427-438.",
        )
    }
