"""In vitro-in vivo extrapolation: intrinsic clearance of the whole liver from microsomes and hepatocytes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology.figure import Figure
from qsp_bayes.units import require_same_unit

BARTER = """\
Barter ZE et al. (2007). Scaling factors for the extrapolation of in vivo metabolic drug clearance from in vitro data: \
reaching a consensus on values of human microsomal protein and hepatocellularity per gram of liver. Curr Drug Metab \
8:33-45"""

MPPGL = Figure(
    32.0,
    "mg/g",
    BARTER,
    sd_log=float(np.log(34 / 29) / (2 * 1.96)),
    remark="spread of the mean, from its 95 % interval 29 to 34; livers differ more (26 to 54, Wilson et al. 2003)",
)
"""Microsomal protein per gram of human liver."""

HPGL = Figure(
    99e6,
    "1/g",
    BARTER,
    sd_log=float(np.log(131 / 74) / (2 * 1.96)),
    remark="spread of the mean, from its 95 % interval 74e6 to 131e6; livers: 65e6 to 185e6 (Wilson et al. 2003)",
)
"""Hepatocytes per gram of human liver."""

LIVER_WEIGHT = Figure(
    1800.0, "g", "ICRP Publication 89 (2002)", remark="reference adult male; female: 1400 g"
)
"""Weight of the human liver."""

LITRES_PER_HOUR = 60e-6
"""Of 1 uL/min."""

MILLION_CELLS = 1e6

MICROSOMES = {"clearance": "uL/min/mg", "Vmax": "pmol/min/mg", "Km": "umol/L"}
HEPATOCYTES = {"clearance": "uL/min", "Vmax": "pmol/min", "Km": "umol/L"}
"""Units that figures measured in vitro must have; those of hepatocytes are per million cells."""


def intrinsic_clearance_from_microsomes(
    clearance: float | Figure | None = None,
    *,
    Vmax: float | Figure | None = None,
    Km: float | Figure | None = None,
    fu_mic: float = 1.0,
    MPPGL: float | Figure = MPPGL,
    liver_weight: float | Figure = LIVER_WEIGHT,
) -> Figure:
    r"""Scale a clearance by liver microsomes up to the unbound intrinsic clearance of the whole liver.

    .. math::

        CL_{int} = \frac{CL_{mic}}{f_{u,mic}} \cdot MPPGL \cdot W_{liver}, \qquad
        CL_{mic} = \frac{V_{max}}{K_m}

    ============= ===================================== ==================== ===================
    input         what it is                            unit                 typical
    ============= ===================================== ==================== ===================
    clearance     by the incubation, on its total       uL/min/mg protein    1 to 1000
                  concentration
    Vmax          greatest rate                         pmol/min/mg protein  10 to 10000
    Km            concentration of half of it, total    umol/L               0.1 to 500
    fu_mic        fraction unbound in the incubation    1                    0.1 to 1
    MPPGL         microsomal protein of liver           mg/g                 26 to 54
    liver_weight                                        g                    1000 to 2200
    ============= ===================================== ==================== ===================

    Parameters
    ----------
    clearance : float or Figure
        Or leave it out and give `Vmax` and `Km`. A figure carries its spread and its source along, and must have the
        unit of the table.
    Vmax, Km : float or Figure, optional
    fu_mic : float
        1 where clearance or Km are those of the unbound concentration.
    MPPGL : float or Figure
        32 mg/g (Barter et al. 2007) if left out.
    liver_weight : float or Figure
        1800 g (ICRP 2002) if left out.

    Returns
    -------
    Figure
        In L/h, per unbound concentration: the parameter ``CLint`` of a whole-body model. The spread is that of all
        factors, taken as independent.

    Raises
    ------
    MechanismError
        With both or neither of `clearance` and `Vmax` with `Km`, for values that are not positive, and a fraction
        that is not between 0 and 1.
    UnitsError
        For a figure of another unit.

    Notes
    -----
    Holds well below Km, where metabolism by microsomal enzymes (CYP, UGT) is what eliminates. Predictions from
    microsomes tend to be low, several-fold for some drugs: the spread of the scaling factors is no measure of that.
    In a fit to plasma concentrations CLint and fup are not identifiable apart: fix fup.

    References
    ----------
    Barter ZE et al. (2007). Curr Drug Metab 8:33-45.

    Wilson ZE et al. (2003). Inter-individual variability in levels of human microsomal protein and hepatocellularity
    per gram of liver. Br J Clin Pharmacol 56:433-440.

    Examples
    --------
    >>> found = intrinsic_clearance_from_microsomes(10, fu_mic=0.8, MPPGL=32)
    >>> round(found.value, 2), found.unit
    (43.2, 'L/h')
    >>> round(intrinsic_clearance_from_microsomes(Vmax=500, Km=50).value, 2)
    34.56
    """
    measured = in_vitro(clearance, Vmax, Km)
    value = clearance_of(measured, MICROSOMES) / unbound("fu_mic", fu_mic)
    value *= number("MPPGL", MPPGL, "mg/g") * number("liver weight", liver_weight, "g")
    return scaled(value, {**measured, "MPPGL": MPPGL, "liver weight": liver_weight})


def intrinsic_clearance_from_hepatocytes(
    clearance: float | Figure | None = None,
    *,
    Vmax: float | Figure | None = None,
    Km: float | Figure | None = None,
    fu_hep: float = 1.0,
    HPGL: float | Figure = HPGL,
    liver_weight: float | Figure = LIVER_WEIGHT,
) -> Figure:
    r"""Scale a clearance by hepatocytes up to the unbound intrinsic clearance of the whole liver.

    .. math::

        CL_{int} = \frac{CL_{hep}}{f_{u,hep}} \cdot HPGL \cdot W_{liver}, \qquad
        CL_{hep} = \frac{V_{max}}{K_m}

    Parameters
    ----------
    clearance : float or Figure
        By a million cells on the total concentration, uL/min, typically 1 to 200. Or leave it out and give `Vmax`
        (pmol/min by a million cells) and `Km` (umol/L).
    Vmax, Km : float or Figure, optional
    fu_hep : float
        Fraction unbound in the incubation, typically 0.2 to 1.
    HPGL : float or Figure
        Hepatocytes per gram of liver: 99e6 (Barter et al. 2007) if left out.
    liver_weight : float or Figure
        1800 g (ICRP 2002) if left out.

    Returns
    -------
    Figure
        In L/h, per unbound concentration, with the spread of all factors, taken as independent.

    Raises
    ------
    MechanismError
        As `intrinsic_clearance_from_microsomes`, and for hepatocytes given in millions.

    Notes
    -----
    Conjugation and uptake are included where the cells have both. Holds well below Km.

    References
    ----------
    Barter ZE et al. (2007). Curr Drug Metab 8:33-45.

    Examples
    --------
    >>> found = intrinsic_clearance_from_hepatocytes(5)
    >>> round(found.value, 2), found.unit, round(found.sd_log, 3)
    (53.46, 'L/h', 0.146)
    """
    measured = in_vitro(clearance, Vmax, Km)
    value = clearance_of(measured, HEPATOCYTES) / unbound("fu_hep", fu_hep)
    value *= millions(number("HPGL", HPGL, "1/g")) * number("liver weight", liver_weight, "g")
    return scaled(value, {**measured, "HPGL": HPGL, "liver weight": liver_weight})


def in_vitro(
    clearance: float | Figure | None, Vmax: float | Figure | None, Km: float | Figure | None
) -> dict[str, float | Figure]:
    """Return what was measured in vitro by name: a clearance, or the constants that give one."""
    given = {"clearance": clearance, "Vmax": Vmax, "Km": Km}
    measured = {name: value for name, value in given.items() if value is not None}
    if set(measured) not in ({"clearance"}, {"Vmax", "Km"}):
        raise MechanismError("Give either the clearance in vitro, or both Vmax and Km.")
    return measured


def unbound(name: str, fraction: float) -> float:
    """Return the fraction unbound in an incubation, which must be one."""
    if not 0 < fraction <= 1:
        raise MechanismError(f"{name} is a fraction, above 0 and at most 1; got {fraction}.")
    return fraction


def clearance_of(measured: Mapping[str, float | Figure], units: Mapping[str, str]) -> float:
    """Return the clearance in vitro, in uL/min per mg of protein or million cells."""
    values = {name: number(name, given, units[name]) for name, given in measured.items()}
    # pmol/min over umol/L is uL/min.
    return values["clearance"] if "clearance" in values else values["Vmax"] / values["Km"]


def number(name: str, given: float | Figure, unit: str) -> float:
    """Return a positive number, or that of a figure, which must have the unit."""
    if isinstance(given, Figure):
        require_same_unit(given.unit, unit, f"figure of {name}")
        return given.value
    if not (np.isfinite(given) and given > 0):
        raise MechanismError(f"The {name} must be a positive number; got {given}.")
    return float(given)


def millions(HPGL: float) -> float:
    """Return hepatocytes per gram in millions."""
    if HPGL < MILLION_CELLS:
        raise MechanismError(
            f"HPGL is the number of hepatocytes per gram of liver, such as 99e6; got {HPGL:g}."
        )
    return HPGL / MILLION_CELLS


def scaled(value: float, inputs: Mapping[str, float | Figure]) -> Figure:
    """Return the clearance of the liver with the sources of its inputs, and their spreads as independent ones add."""
    sources = [f"{name}: {described(given)}" for name, given in inputs.items()]
    spreads = [given.sd_log for given in inputs.values() if isinstance(given, Figure)]
    return Figure(
        value * LITRES_PER_HOUR,
        "L/h",
        f"scaled up from in vitro; {'; '.join(sources)}",
        float(np.sqrt(np.sum(np.square(spreads)))),
    )


def described(given: float | Figure) -> str:
    """Say where a number comes from."""
    return (
        f"{given.value:g} {given.unit}, {given.source}" if isinstance(given, Figure) else f"{given:g}, given"
    )
