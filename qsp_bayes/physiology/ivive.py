"""In vitro-in vivo extrapolation: intrinsic clearance of the whole liver from microsomes and hepatocytes."""

from __future__ import annotations

import numpy as np

from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology.figure import Figure

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
    99.0,
    "10**6/g",
    BARTER,
    sd_log=float(np.log(131 / 74) / (2 * 1.96)),
    remark="spread of the mean, from its 95 % interval 74 to 131; livers differ more (65 to 185, Wilson et al. 2003)",
)
"""Hepatocytes per gram of human liver, in millions."""

LIVER_WEIGHT = Figure(
    1800.0, "g", "ICRP Publication 89 (2002)", remark="reference adult male; female: 1400 g"
)
"""Weight of the human liver."""

LITRES_PER_HOUR = 60e-6
"""Of 1 uL/min."""


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
        Or leave it out and give `Vmax` and `Km`. A figure carries its spread along.
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
    return whole_liver("microsomes", measured(clearance, Vmax, Km), fu_mic, "fu_mic", MPPGL, liver_weight)


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
        By the incubation on its total concentration, uL/min/10**6 cells, typically 1 to 200. Or leave it out and give
        `Vmax` (pmol/min/10**6 cells) and `Km` (umol/L).
    Vmax, Km : float or Figure, optional
    fu_hep : float
        Fraction unbound in the incubation, typically 0.2 to 1.
    HPGL : float or Figure
        Millions of hepatocytes per gram of liver: 99 (Barter et al. 2007) if left out.
    liver_weight : float or Figure
        1800 g (ICRP 2002) if left out.

    Returns
    -------
    Figure
        In L/h, per unbound concentration, with the spread of all factors, taken as independent.

    Raises
    ------
    MechanismError
        As `intrinsic_clearance_from_microsomes`.

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
    return whole_liver("hepatocytes", measured(clearance, Vmax, Km), fu_hep, "fu_hep", HPGL, liver_weight)


def measured(
    clearance: float | Figure | None, Vmax: float | Figure | None, Km: float | Figure | None
) -> tuple[float, float]:
    """Return the clearance in vitro in uL/min per mg or million cells, and its spread."""
    kinetics = (Vmax, Km)
    if (clearance is None) == (Vmax is None or Km is None) or (clearance is not None and any(kinetics)):
        raise MechanismError("Give either the clearance in vitro, or both Vmax and Km.")
    if clearance is not None:
        return value_and_spread("clearance", clearance)
    (rate, rate_spread), (half, half_spread) = (
        value_and_spread(name, given) for name, given in zip(("Vmax", "Km"), kinetics, strict=True)
    )
    return rate / half, float(np.hypot(rate_spread, half_spread))  # pmol/min over umol/L is uL/min


def whole_liver(
    origin: str,
    in_vitro: tuple[float, float],
    unbound: float,
    unbound_name: str,
    per_gram: float | Figure,
    weight: float | Figure,
) -> Figure:
    """Scale a clearance in vitro to the liver, in L/h."""
    if not 0 < unbound <= 1:
        raise MechanismError(f"{unbound_name} is a fraction, above 0 and at most 1; got {unbound}.")
    factors = {"MPPGL" if origin == "microsomes" else "HPGL": per_gram, "liver weight": weight}
    scaled = [value_and_spread(name, factor) for name, factor in factors.items()]
    value = in_vitro[0] / unbound * scaled[0][0] * scaled[1][0] * LITRES_PER_HOUR
    spread = float(np.sqrt(in_vitro[1] ** 2 + sum(sd**2 for _, sd in scaled)))
    sources = [f"{name}: {described(factor)}" for name, factor in factors.items()]
    return Figure(value, "L/h", f"clearance by {origin}, scaled up; {'; '.join(sources)}", spread)


def value_and_spread(name: str, given: float | Figure | None) -> tuple[float, float]:
    """Return a number, or that of a figure, with its spread."""
    value, spread = (given.value, given.sd_log) if isinstance(given, Figure) else (given, 0.0)
    if value is None or not (np.isfinite(value) and value > 0):
        raise MechanismError(f"The {name} must be a positive number; got {value}.")
    return float(value), spread


def described(factor: float | Figure) -> str:
    """Say where a factor comes from."""
    return (
        f"{factor.value:g} {factor.unit}, {factor.source}"
        if isinstance(factor, Figure)
        else f"{factor:g}, given"
    )
