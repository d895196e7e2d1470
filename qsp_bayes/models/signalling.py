"""Signalling cascades: concentrations of proteins within one constant volume."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from qsp_bayes.models.example import Example
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.systems.declarations import Quantity
from qsp_bayes.units import Units

TIERS = (("MKKK", "MKKK_P"), ("MKK", "MKK_P", "MKK_PP"), ("MAPK", "MAPK_P", "MAPK_PP"))
"""The forms of each kinase; the last is the active one."""

# Substrate, product, number of the reaction, and the kinase where there is one: a phosphatase has a constant Vmax.
REACTIONS = (
    ("MKKK_P", "MKKK", 2, None),
    ("MKK", "MKK_P", 3, "MKKK_P"),
    ("MKK_P", "MKK_PP", 4, "MKKK_P"),
    ("MKK_PP", "MKK_P", 5, None),
    ("MKK_P", "MKK", 6, None),
    ("MAPK", "MAPK_P", 7, "MKK_PP"),
    ("MAPK_P", "MAPK_PP", 8, "MKK_PP"),
    ("MAPK_PP", "MAPK_P", 9, None),
    ("MAPK_P", "MAPK", 10, None),
)

KHOLODENKO_2000: Mapping[str, float] = MappingProxyType(
    {
        "V1": 2.5, "n": 1.0, "KI": 9.0, "K1": 10.0,
        "V2": 0.25, "K2": 8.0,
        "k3": 0.025, "K3": 15.0,
        "k4": 0.025, "K4": 15.0,
        "V5": 0.75, "K5": 15.0,
        "V6": 0.75, "K6": 15.0,
        "k7": 0.025, "K7": 15.0,
        "k8": 0.025, "K8": 15.0,
        "V9": 0.5, "K9": 15.0,
        "V10": 0.5, "K10": 15.0,
        "MKKK_total": 100.0, "MKK_total": 300.0, "MAPK_total": 300.0,
    }
)  # fmt: skip
"""Parameters of `mapk_cascade` in nM and s with which it oscillates.

Kholodenko BN (2000), Eur J Biochem 267:1583-1588, as encoded in BioModels BIOMD0000000010.
"""


def mapk_cascade(*, units: Units | None = None, stimulus: bool = False) -> System:
    r"""Build the cascade of mitogen-activated protein kinases with negative feedback.

    Three tiers of kinases are activated one by the other, by one (MKKK) or two (MKK, MAPK) phosphorylations; all
    reactions follow Michaelis-Menten kinetics. Active MAPK inhibits the activation of the first tier, so that the
    cascade can oscillate:

    .. math::

        v_1 &= \frac{V_1\,\mathrm{MKKK}}{\left(1 + (\mathrm{MAPK_{PP}} / K_I)^n\right) (K_1 + \mathrm{MKKK})} \\
        v_i &= \frac{k_i\,E\,S}{K_i + S} \quad \text{(phosphorylation of S by the active kinase E: 3, 4, 7, 8)} \\
        v_i &= \frac{V_i\,S}{K_i + S} \quad \text{(dephosphorylation of S: 2, 5, 6, 9, 10)}

    The total of each kinase is constant. At the start all of it is inactive.

    ::

        MKKK <=> MKKK_P         <-----------.
                   |                        |  inhibits
                   v                        |
        MKK <=> MKK_P <=> MKK_PP            |
                            |               |
                            v               |
        MAPK <=> MAPK_P <=> MAPK_PP --------'

    ================== ================================== ================ =======================
    parameter          what it is                         unit             typical
    ================== ================================== ================ =======================
    V1, V2, V5, V6,    greatest rates                     amount/volume/   0.1 to 10 nmol/L/s
    V9, V10                                               time
    k3, k4, k7, k8     turnover numbers of the kinases    1/time           0.01 to 1 1/s
    K1 to K10          Michaelis constants                amount/volume    1 to 500 nmol/L
    KI, n              feedback: half of it, steepness    amount/volume, 1 1 to 100 nmol/L, 1 to 4
    MKKK_total and so  kinase in all its forms            amount/volume    10 to 1000 nmol/L
    on
    ================== ================================== ================ =======================

    Holds where the complexes of kinases with what they phosphorylate hold little of either (the assumption of
    Michaelis and Menten), in a well-mixed cytosol. From active MAPK alone few of the constants are known: most
    need priors.

    Parameters
    ----------
    units : Units, optional
        s, nmol and L if left out, so that concentrations are in nmol/L (nM), the units of `KHOLODENKO_2000`.
    stimulus : bool
        Whether V1 is multiplied by an input ``stimulus``, a number that a covariate or, through ``+``, another
        system gives: the ligand that activates the cascade. Without it the stimulation is constant.

    Returns
    -------
    System
        With the parameters V1, KI, K1 to V10, K10 of the reactions, the exponent n of the feedback, and the totals
        MKKK_total, MKK_total and MAPK_total. All forms of the kinases are states; `MAPK_active` is the active
        fraction of MAPK.

    References
    ----------
    Kholodenko BN (2000). Negative feedback and ultrasensitivity can bring about oscillations in the
    mitogen-activated protein kinase cascades. Eur J Biochem 267:1583-1588. BioModels BIOMD0000000010.

    Examples
    --------
    >>> cascade = mapk_cascade()
    >>> cascade.conservation_laws()
    ['MKKK + MKKK_P', 'MKK + MKK_P + MKK_PP', 'MAPK + MAPK_P + MAPK_PP']
    >>> cascade.equations()[0]
    'd(MKKK)/dt = -V1*MKKK/((1 + (MAPK_PP/KI)^n)*(K1 + MKKK)) + V2*MKKK_P/(K2 + MKKK_P)'
    >>> oscillating = cascade.fix(**KHOLODENKO_2000)
    >>> list(oscillating.parameters)
    []
    """
    units = units or Units(time="s", amount="nmol")
    concentration, rate = units.concentration, f"{units.concentration}/{units.time}"
    parameters = {"V1": rate, "n": "", "KI": concentration, "K1": concentration}
    for _, _, number, kinase in REACTIONS:
        parameters |= {
            f"k{number}" if kinase else f"V{number}": units.rate if kinase else rate,
            f"K{number}": concentration,
        }
    totals = {inactive: f"{inactive}_total" for inactive, *_ in TIERS}
    return System(
        name="MAPK cascade",
        states={form: concentration for tier in TIERS for form in tier},
        parameters=parameters | dict.fromkeys(totals.values(), concentration),
        inputs={"stimulus": ""} if stimulus else {},
        initial={inactive: total_of(inactive) for inactive in totals},
        processes=[
            Process("activation of MKKK", {"MKKK": -1, "MKKK_P": +1}, activation(stimulus)),
            *(reaction(*row) for row in REACTIONS),
        ],
        outputs={"MAPK_active": Output("", lambda s: s.MAPK_PP / (s.MAPK + s.MAPK_P + s.MAPK_PP))},
        time_unit=units.time,
    )


def total_of(inactive: str) -> Quantity:
    """Return the function that gives the total of a kinase."""
    return lambda s: s[f"{inactive}_total"]


def activation(stimulus: bool) -> Quantity:
    """Return the rate of the first phosphorylation, which active MAPK inhibits."""

    def rate(s: Any) -> Any:
        capacity = s.V1 * s.stimulus if stimulus else s.V1
        return capacity * s.MKKK / ((1 + (s.MAPK_PP / s.KI) ** s.n) * (s.K1 + s.MKKK))

    return rate


def reaction(substrate: str, product: str, number: int, kinase: str | None) -> Process:
    """Convert one form of a kinase into another, by a kinase or else by a phosphatase."""
    kind = "phosphorylation" if kinase else "dephosphorylation"

    def rate(s: Any) -> Any:
        capacity = s[f"k{number}"] * s[kinase] if kinase else s[f"V{number}"]
        return capacity * s[substrate] / (s[f"K{number}"] + s[substrate])

    return Process(f"{kind} of {substrate}", {substrate: -1, product: +1}, rate)


def examples() -> dict[str, Example]:
    """Return the entry of this module with numbers to try it with."""
    return {
        "MAPK cascade with negative feedback": Example(
            mapk_cascade(),
            KHOLODENKO_2000,
            until=9000,
            shows=["MAPK_active"],
            holds="One well-mixed volume; totals of the kinases are constant, and phosphatases are not limiting.",
            identifiability="Active MAPK alone leaves most Michaelis constants to the priors; its period tells K_I.",
            reference="Kholodenko BN (2000). Eur J Biochem 267:1583-1588.",
        )
    }
