"""A drug that occupies a receptor, which drives a signalling cascade: from dose to active kinase in one system."""

from __future__ import annotations

import dataclasses

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.models.compartments import one_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.models.receptor import receptor_binding
from qsp_bayes.models.signalling import KHOLODENKO_2000, mapk_cascade
from qsp_bayes.systems import System
from qsp_bayes.units import Units


def receptor_cascade(
    *, units: Units | None = None, absorption: str | None = None, elimination: str = "linear"
) -> System:
    r"""Build a drug whose receptor drives the MAPK cascade: one compartment, binding and cascade in one system.

    ::

        dose --> central --> CL
                   |
                   v  Cc
             receptor <=> complex
                             |  RO times V1
                             v
        MKKK <=> MKKK_P         <-----------.
                   |                        |  inhibits
                   v                        |
        MKK <=> MKK_P <=> MKK_PP            |
                            |               |
                            v               |
        MAPK <=> MAPK_P <=> MAPK_PP --------'

    The first phosphorylation has the rate

    .. math:: v_1 = \frac{RO\;V_1\,\mathrm{MKKK}}{(1 + (\mathrm{MAPK_{PP}} / K_I)^n) (K_1 + \mathrm{MKKK})}

    and all else is as in `one_compartment`, `receptor_binding` (with 1 nmol/L of receptors in all, which has no
    influence) and `mapk_cascade`, whose parameters it has.

    ============ ================================= ================== ==========================
    parameter    what it is                        unit               typical range
    ============ ================================= ================== ==========================
    CL, Vc       clearance, volume of the drug     L/time, L          0.001 to 1 L/min, 3 to 100 L
    kon, koff    binding                           as above           0.006 to 6, 0.001 to 10
    V1 to V10    greatest rates of the cascade     nmol/L/time        10 to 300 nmol/L/min
    k3 to k8     turnover numbers of its kinases   1/time             0.1 to 10 1/min
    K1 to K10    Michaelis constants               nmol/L             1 to 500
    KI, n        feedback                          nmol/L, number     1 to 100, 1 to 4
    ..._total    kinase in all its forms           nmol/L             10 to 1000
    ============ ================================= ================== ==========================

    Parameters
    ----------
    units : Units, optional
        min, nmol and L if left out.
    absorption, elimination
        As for `one_compartment`.

    Returns
    -------
    System
        With the outputs Cc, RO and MAPK_active.

    Raises
    ------
    MechanismError
        For an unknown absorption or elimination.

    Notes
    -----
    Holds where the receptor reports its occupancy at once, and the drug reaches it as it is in plasma. Active MAPK
    alone tells RO and V1 as a product only: fix V1 from cells under a saturating drug, or measure the occupancy. Most
    Michaelis constants of the cascade need priors.

    References
    ----------
    Kholodenko BN (2000). Negative feedback and ultrasensitivity can bring about oscillations in the
    mitogen-activated protein kinase cascades. Eur J Biochem 267:1583-1588. BioModels BIOMD0000000010.

    Examples
    --------
    >>> system = receptor_cascade()
    >>> system.rates().loc["activation of MKKK", "rate"]
    'V1*RO*MKKK/((1 + (MAPK_PP/KI)^n)*(K1 + MKKK))'
    >>> system.conservation_laws()[0]
    'receptor + complex'
    >>> len(system.states), len(system.reduce().states)
    (11, 7)
    """
    units = units or Units(time="min", amount="nmol")
    drug = one_compartment(units=units, absorption=absorption, elimination=elimination)
    cascade = mapk_cascade(units=units, stimulus=True).rename(stimulus="RO")
    return dataclasses.replace(
        drug + receptor_binding(units=units).fix(Rtot=1.0) + cascade, name="receptor and MAPK cascade"
    )


def examples() -> dict[str, Example]:
    """Return the entry of this module with numbers to try it with."""
    # The cascade of Kholodenko 2000 in minutes.
    cascade = {name: value * 60 if name[0] in "Vk" else value for name, value in KHOLODENKO_2000.items()}
    return {
        "MAPK cascade driven by receptor occupancy": Example(
            receptor_cascade(),
            cascade | {"CL": 0.08, "Vc": 12.0, "kon": 0.02, "koff": 0.2},
            until=720,
            shows=["Cc", "RO", "MAPK_active"],
            regimen=Regimen(4000, unit="nmol", into="central"),
            holds="Receptors far fewer than molecules of drug, occupancy reported to the cascade at once.",
            identifiability="Active MAPK tells RO and V1 as a product; most constants of the cascade need priors.",
            reference="Kholodenko BN (2000). Eur J Biochem 267:1583-1588.",
        )
    }
