"""Friberg's model of myelosuppression: a chain of maturing cells with feedback from those that circulate."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.compartments import two_compartment
from qsp_bayes.models.example import Example
from qsp_bayes.models.pharmacodynamics.concentration_effect import concentration_effect
from qsp_bayes.systems import Output, Process, System
from qsp_bayes.units import Units


def myelosuppression(
    *,
    units: Units | None = None,
    driver: str = "Cc",
    driver_unit: str | None = None,
    cells: str = "1/nL",
    relation: str = "linear",
    n_transit: int = 3,
) -> System:
    r"""Build the course of leukocytes, neutrophils or platelets under drug that kills proliferating cells.

    .. math::

        \dot P &= k_{tr} P \left(1 - f(C)\right) \left(\frac{Circ_0}{Circ}\right)^\gamma - k_{tr} P \\
        \dot T_1 &= k_{tr} (P - T_1), \quad \dots, \quad \dot T_n = k_{tr} (T_{n-1} - T_n) \\
        \dot{Circ} &= k_{tr} (T_n - Circ), \qquad k_{tr} = (n + 1) / MTT

    All start at Circ0, and stay there without drug.

    ::

          +------------------- (Circ0/Circ)^gamma -------------------+
          v                                                          |
        proliferating --> maturation1 --> ... --> maturationn --> circulating -->
          ^ (1 - f(C))           (all with rate constant ktr)

    ========= ======================================= ============= ===============================================
    parameter what it is                              unit          typical
    ========= ======================================= ============= ===============================================
    Circ0     circulating cells without drug          `cells`       positive; neutrophils 2 to 8, leukocytes 4 to
                                                                    10, platelets 150 to 400, times 10^9/L
    MTT       mean transit time of the chain          time          positive; 80 to 140 h
    gamma     exponent of the feedback                1             positive; 0.1 to 0.3
    slope     f(C) = slope C (``relation="linear"``)  volume/amount positive
    Emax,     f(C) = Emax C/(EC50 + C)                1,            positive
    EC50      (``relation="emax"``)                   amount/volume
    ========= ======================================= ============= ===============================================

    f above 1 means that proliferating cells are killed faster than they divide.

    Holds where cells mature in the same time whatever their number, and the marrow keeps its capacity: there is no
    cumulative damage over cycles, and no growth factor is given.

    Counts twice a week over a cycle, through nadir and recovery, identify Circ0, MTT and slope. gamma needs the
    recovery, with its overshoot. The linear relation is enough unless concentrations cover more than a decade.

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out.
    driver : str
        Name of the input that acts.
    driver_unit : str, optional
        Its unit; the concentration of `units` if left out.
    cells : str
        Unit of the counts; 1/nL is 10^9/L.
    relation : {"linear", "emax"}
        A sigmoid one is refused: gamma is the exponent of the feedback.
    n_transit : int
        Number of maturing compartments.

    Returns
    -------
    System
        With the output Circ, the circulating cells.

    Raises
    ------
    MechanismError
        For an unknown relation, or less than one maturing compartment.

    References
    ----------
    Friberg LE, Henningsson A, Maas H, Nguyen L, Karlsson MO (2002). Model of chemotherapy-induced myelosuppression
    with parameter consistency across drugs. J Clin Oncol 20:4713-4721. doi:10.1200/JCO.2002.02.140

    Examples
    --------
    >>> for equation in myelosuppression(n_transit=1).equations():
    ...     print(equation)
    ktr = 2/MTT
    feedback = (Circ0/circulating)^gamma
    d(proliferating)/dt = ktr*proliferating*(1 - slope*Cc)*feedback - ktr*proliferating
    d(maturation1)/dt = ktr*proliferating - ktr*maturation1
    d(circulating)/dt = ktr*maturation1 - ktr*circulating
    proliferating(0) = Circ0
    maturation1(0) = Circ0
    circulating(0) = Circ0
    Circ = circulating
    """
    units = units or Units()
    unit = units.concentration if driver_unit is None else driver_unit
    if n_transit < 1:
        raise MechanismError(f"n_transit is {n_transit}; cells pass at least 1 maturing compartment.")
    if relation == "sigmoid":
        raise MechanismError("relation 'sigmoid': gamma is the feedback here. Choose one of linear, emax.")
    effect = concentration_effect(relation, driver, unit)
    chain = ["proliferating", *(f"maturation{i}" for i in range(1, n_transit + 1)), "circulating"]
    return System(
        name="myelosuppression",
        states=dict.fromkeys(chain, cells),
        parameters={"Circ0": cells, "MTT": units.time, "gamma": "", **effect.parameters},
        scales=effect.scales,
        expressions={
            "ktr": lambda s: (n_transit + 1) / s.MTT,
            "feedback": lambda s: (s.Circ0 / s.circulating) ** s.gamma,
        },
        inputs={driver: unit},
        initial={name: lambda s: s.Circ0 for name in chain},
        processes=[
            Process(
                "proliferation",
                {"proliferating": +1},
                lambda s: s.ktr * s.proliferating * (1 - effect.value(s)) * s.feedback,
            ),
            *(maturation(source, target) for source, target in pairwise(chain)),
            Process("loss of circulating cells", {"circulating": -1}, lambda s: s.ktr * s.circulating),
        ],
        outputs={"Circ": Output(cells, lambda s: s.circulating)},
        time_unit=units.time,
    )


def maturation(source: str, target: str) -> Process:
    """Move cells from one compartment of the chain to the next."""
    return Process(f"{source} to {target}", {source: -1, target: +1}, lambda s: s.ktr * s[source])


def examples() -> Mapping[str, Example]:
    """Return the entries of this module with numbers to try them with.

    Examples
    --------
    >>> list(examples())
    ['Myelosuppression: paclitaxel and leukocytes (Friberg)']
    """
    units = Units(amount="umol")
    return {
        "Myelosuppression: paclitaxel and leukocytes (Friberg)": Example(
            two_compartment(units=units) + myelosuppression(units=units),
            {
                "CL": 285.0, "Vc": 290.0, "Q": 204.0, "Vp": 995.0,
                "Circ0": 7.21, "MTT": 124.0, "gamma": 0.239, "slope": 28.9,
            },
            until=1000,
            shows=["Circ"],
            regimen=Regimen(350, unit="umol", into="central", duration=3, every=504, until=505),
            holds="The marrow keeps its capacity over cycles, and no growth factor is given.",
            identifiability="Circ0, MTT and slope need counts through nadir and recovery; gamma needs the overshoot.",
            reference="Friberg LE et al. (2002), J Clin Oncol 20:4713-4721, doi:10.1200/JCO.2002.02.140; values as "
            "encoded in DDMODEL00000186.",
        )
    }  # fmt: skip
