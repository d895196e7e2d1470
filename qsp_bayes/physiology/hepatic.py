"""Hepatic extraction: well-stirred, parallel-tube and dispersion models of the liver, and their inverse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from qsp_bayes.errors import MechanismError

Array = NDArray[np.float64]

DISPERSION_NUMBER = 0.17
"""Spread of transit times through the liver (Roberts & Rowland 1986; Ito & Houston 2004)."""


def well_stirred(R: Array, dispersion: float) -> Array:
    """Return the extraction by a liver that is one well-mixed pool."""
    return R / (1.0 + R)


def parallel_tube(R: Array, dispersion: float) -> Array:
    """Return the extraction by a liver that is a bundle of equal tubes."""
    return -np.expm1(-R)


def dispersed(R: Array, dispersion: float) -> Array:
    """Return the extraction by a liver with axial dispersion, closed to mixing beyond its ends (Danckwerts).

    Written so that nothing cancels or overflows for any dispersion number.
    """
    a = np.sqrt(1.0 + 4.0 * R * dispersion)
    x = 2.0 * R / (a + 1.0)  # (a - 1) / (2 DN)
    remixed = -((1.0 - a) ** 2) * np.expm1(-a / dispersion)
    return (-4.0 * a * np.expm1(-x) + remixed) / (4.0 * a + remixed)


MODELS: Mapping[str, Callable[[Array, float], Array]] = MappingProxyType(
    {"well-stirred": well_stirred, "parallel-tube": parallel_tube, "dispersion": dispersed}
)
"""Extraction ratio as a function of the efficiency number fu CLint / Q and of the dispersion number."""


def hepatic_extraction(
    model: str,
    blood_flow: ArrayLike,
    CLint: ArrayLike,
    fu_blood: ArrayLike,
    *,
    dispersion: float = DISPERSION_NUMBER,
) -> Array:
    r"""Return the hepatic extraction ratio of blood.

    With the efficiency number R = fu_blood CLint / Q:

    .. math::

        \text{well-stirred: } & E = \frac{R}{1 + R} \\
        \text{parallel-tube: } & E = 1 - e^{-R} \\
        \text{dispersion: } & E = 1 - \frac{4 a}
            {(1 + a)^2 e^{(a - 1) / (2 D_N)} - (1 - a)^2 e^{-(a + 1) / (2 D_N)}},
            \quad a = \sqrt{1 + 4 R D_N}

    ::

        well-stirred            dispersion                    parallel-tube
        Q --> ( mixed ) -->     Q --> [ ~> some mixing ~> ]   Q --> [ -> -> -> -> ] -->

    ============ ======================================== ========== ====================
    input        what it is                               unit       typical (adult)
    ============ ======================================== ========== ====================
    blood_flow   through the liver: artery and portal     L/h        70 to 110
    CLint        unbound, of the whole liver              L/h        1 to 10000
    fu_blood     unbound over total in blood: fup / BP    1          0.001 to 1
    dispersion   dispersion number DN                     1          0.17
    ============ ======================================== ========== ====================

    Parameters
    ----------
    model : str
        ``well-stirred``, ``parallel-tube`` or ``dispersion``.
    blood_flow, CLint, fu_blood : array_like
        Of one unit (flow and CLint); they broadcast. All concentrations are those of blood: give fup / BP, not fup.
    dispersion : float
        Only for the dispersion model. It tends to the parallel tube for 0, with an error of order DN, and to the
        well-stirred liver for infinity, with an error of order 1 / DN.

    Returns
    -------
    numpy.ndarray
        Between 0 and 1.

    Raises
    ------
    MechanismError
        For an unknown model, a flow, fraction or dispersion number that is not positive, and a negative CLint.

    Notes
    -----
    The models agree where little is extracted and differ most where much is: at the same CLint E of the well-stirred
    liver is the lowest, that of the parallel tube the highest. They hold for linear metabolism and a drug that enters
    cells freely. Which one a liver follows cannot be told from plasma concentrations at one flow.

    References
    ----------
    Roberts MS, Rowland M (1986). A dispersion model of hepatic elimination: 1. Formulation of the model and
    bolus considerations. J Pharmacokinet Biopharm 14:227-260.

    Ito K, Houston JB (2004). Comparison of the use of liver models for predicting drug clearance using in vitro
    kinetic data from hepatic microsomes and isolated hepatocytes. Pharm Res 21:785-792.

    Examples
    --------
    >>> for model in ("well-stirred", "dispersion", "parallel-tube"):
    ...     print(model, hepatic_extraction(model, blood_flow=90, CLint=900, fu_blood=0.1).round(3))
    well-stirred 0.5
    dispersion 0.588
    parallel-tube 0.632
    """
    flow, fu = positive("blood flow", blood_flow), fraction_unbound(fu_blood)
    clearance = np.asarray(CLint, dtype=float)
    if not np.all(clearance >= 0):
        raise MechanismError(f"The intrinsic clearance must be 0 or more; got {clearance}.")
    return np.asarray(extraction_of(model)(fu * clearance / flow, checked(dispersion)))


def hepatic_clearance(
    model: str,
    blood_flow: ArrayLike,
    CLint: ArrayLike,
    fu_blood: ArrayLike,
    *,
    dispersion: float = DISPERSION_NUMBER,
) -> Array:
    r"""Return the hepatic clearance of blood, Q E.

    The clearance of plasma is that of blood times the blood:plasma ratio, since clearance times concentration is the
    rate of elimination whatever the concentration.

    Parameters
    ----------
    model, blood_flow, CLint, fu_blood, dispersion
        As in `hepatic_extraction`.

    Returns
    -------
    numpy.ndarray
        In the unit of the flow, relative to concentrations in blood.

    Raises
    ------
    MechanismError
        As `hepatic_extraction`.

    References
    ----------
    Those of `hepatic_extraction`.

    Examples
    --------
    >>> float(hepatic_clearance("well-stirred", blood_flow=90, CLint=900, fu_blood=0.1))
    45.0
    """
    extraction = hepatic_extraction(model, blood_flow, CLint, fu_blood, dispersion=dispersion)
    return np.asarray(np.asarray(blood_flow, dtype=float) * extraction)


def intrinsic_clearance_from_hepatic(
    model: str,
    blood_flow: ArrayLike,
    clearance: ArrayLike,
    fu_blood: ArrayLike,
    *,
    dispersion: float = DISPERSION_NUMBER,
) -> Array:
    r"""Return the unbound intrinsic clearance of the liver that gives a hepatic clearance of blood.

    The inverse of `hepatic_clearance`, with E = CL / Q:

    .. math::

        \text{well-stirred: } CL_{int} = \frac{Q}{f_u} \frac{E}{1 - E}, \qquad
        \text{parallel-tube: } CL_{int} = -\frac{Q}{f_u} \ln(1 - E)

    and between these two, by a root, for the dispersion model.

    Parameters
    ----------
    model, blood_flow, fu_blood, dispersion
        As in `hepatic_extraction`.
    clearance : array_like
        Hepatic clearance relative to blood: that of plasma over the blood:plasma ratio, without what kidneys excrete.

    Returns
    -------
    numpy.ndarray
        In the unit of the flow.

    Raises
    ------
    MechanismError
        For a clearance below 0, or as high as the flow: no liver clears more than flows through it.

    References
    ----------
    Those of `hepatic_extraction`.

    Examples
    --------
    >>> CLint = intrinsic_clearance_from_hepatic("well-stirred", blood_flow=90, clearance=45, fu_blood=0.1)
    >>> round(float(CLint), 6)
    900.0
    """
    extract = extraction_of(model)
    flow, fu = positive("blood flow", blood_flow), fraction_unbound(fu_blood)
    E = np.asarray(clearance, dtype=float) / flow
    if not np.all((E >= 0) & (E < 1)):
        raise MechanismError(
            f"A hepatic clearance of blood must be 0 or more and below the blood flow {flow}; got {flow * E}. "
            "Divide the clearance of plasma by the blood:plasma ratio, and take off renal clearance."
        )
    least, most = -np.log1p(-E), E / (1.0 - E)  # parallel tube, well-stirred
    if extract is dispersed:
        efficiency = np.vectorize(root_between, otypes=[float])(E, least, most, checked(dispersion))
    else:
        efficiency = most if extract is well_stirred else least
    return np.asarray(efficiency * flow / fu)


def root_between(E: float, least: float, most: float, dispersion: float) -> float:
    """Return the efficiency number of a dispersed liver, which lies between those of the two other models."""

    def excess(R: float) -> float:
        return float(dispersed(np.asarray(R), dispersion)) - E

    # Rounding may put the root at either end, where all three models agree.
    if excess(least) >= 0:
        return least
    if excess(most) <= 0:
        return most
    return float(brentq(excess, least, most, xtol=1e-300, rtol=4 * np.finfo(float).eps))


def extraction_of(model: str) -> Callable[[Array, float], Array]:
    """Return the extraction of a model, or refuse a name that is none."""
    if model not in MODELS:
        raise MechanismError(f"There is no model of the liver {model!r}. Choose one of {', '.join(MODELS)}.")
    return MODELS[model]


def positive(what: str, given: ArrayLike) -> Array:
    """Return numbers that must be positive."""
    values = np.asarray(given, dtype=float)
    if not np.all(np.isfinite(values) & (values > 0)):
        raise MechanismError(f"The {what} must be positive; got {values}.")
    return values


def checked(dispersion: float) -> float:
    """Return a dispersion number, which must be positive."""
    return float(positive("dispersion number", dispersion))


def fraction_unbound(given: ArrayLike) -> Array:
    """Return the fraction unbound in blood, which exceeds 1 where blood cells take up none of an unbound drug."""
    return positive("fraction unbound in blood", given)
