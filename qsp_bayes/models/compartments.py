"""Mammillary compartment models: a central compartment and up to two peripheral ones, absorption and elimination."""

from __future__ import annotations

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.absorption import absorption as absorption_of
from qsp_bayes.models.elimination import elimination as elimination_of
from qsp_bayes.models.example import Example
from qsp_bayes.systems import DoseInto, Output, Process, System
from qsp_bayes.units import Units

PERIPHERALS = (("distribution", "peripheral1", "Q", "Vp"), ("distribution2", "peripheral2", "Q2", "Vp2"))
"""Peripheral compartments: process, state, intercompartmental clearance, volume."""

NAMES = ("one compartment", "two compartments", "three compartments")


def one_compartment(
    *,
    units: Units | None = None,
    absorption: str | None = None,
    n_transit: int = 3,
    lag: bool = False,
    bioavailability: bool = False,
    elimination: str = "linear",
) -> System:
    r"""Build a model of one compartment.

    .. math:: \dot A_c = u(t) - \frac{CL}{V_c} A_c, \qquad C_c = A_c / V_c

    ::

        dose --> central --(CL)-->

    ========= ============================== ============= ==================================
    parameter what it is                     unit          typical, adults
    ========= ============================== ============= ==================================
    CL        clearance                      volume/time   0.01 L/h (antibodies) to 90 L/h
    Vc        volume of distribution         volume        3 L (plasma) to 1000 L
    Vmax      largest rate of elimination    amount/time   positive
    Km        concentration of half of it    amount/volume positive
    ========= ============================== ============= ==================================

    Holds where drug spreads through its volume faster than it leaves it. CL and Vc are known from a few concentrations
    of one intravenous dose; by mouth alone CL/F and Vc/F are, and KA and CL/Vc can change places (flip-flop). Vmax
    and Km are known apart where concentrations on both sides of Km are observed.

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out.
    absorption : str, optional
        How doses into ``depot`` reach the central compartment: "first-order", "zero-order", "mixed", "sequential",
        "zero-into-depot", "parallel", "saturable", "transit", "gamma", "savic" or "weibull" (see
        `qsp_bayes.models.absorption`). Doses into ``central`` are intravenous in every model.
    n_transit : int
        Number of transit compartments.
    lag : bool
        Whether absorption starts a time tlag after the dose.
    bioavailability : bool
        Whether a fraction F of the dose is absorbed. Without it CL and Vc mean CL/F and Vc/F.
    elimination : {"linear", "saturable", "parallel"}
        Whether drug leaves at the rate CL Cc (as above), by Michaelis-Menten kinetics at the rate
        Vmax Cc / (Km + Cc), or at the sum of both (see `qsp_bayes.models.elimination`).

    Returns
    -------
    System
        With parameters CL and Vc and those of the absorption; the output Cc is the central concentration.
        A saturable elimination has Vmax (amount/time) and Km (concentration) instead of CL, a parallel one
        beside it.

    Raises
    ------
    MechanismError
        For an unknown absorption or elimination, or a lag or bioavailability of intravenous doses.

    References
    ----------
    Gabrielsson J, Weiner D (2016). Pharmacokinetic and Pharmacodynamic Data Analysis, 5th ed.

    Examples
    --------
    >>> for equation in one_compartment(absorption="first-order", lag=True).equations():
    ...     print(equation)
    d(depot)/dt = -KA*depot
    d(central)/dt = KA*depot - CL/Vc*central
    lag(depot) = tlag
    Cc = central/Vc
    >>> one_compartment(elimination="saturable").equations()[0]
    'd(central)/dt = -Vmax*Cc/(Km + Cc)'
    """
    return compartments(1, units or Units(), absorption, n_transit, lag, bioavailability, elimination)


def two_compartment(
    *,
    units: Units | None = None,
    absorption: str | None = None,
    n_transit: int = 3,
    lag: bool = False,
    bioavailability: bool = False,
    elimination: str = "linear",
) -> System:
    r"""Build a model of a central and a peripheral compartment.

    .. math::

        \dot A_c &= u(t) - \frac{CL}{V_c} A_c - Q \left(\frac{A_c}{V_c} - \frac{A_p}{V_p}\right) \\
        \dot A_p &= Q \left(\frac{A_c}{V_c} - \frac{A_p}{V_p}\right)

    ::

        dose --> central --(CL)-->
                  ^  |
                  |  v  Q
               peripheral1

    ========= ================================== =========== =========================
    parameter what it is                         unit        typical, adults
    ========= ================================== =========== =========================
    CL, Vc    as for `one_compartment`
    Q         intercompartmental clearance       volume/time 0.02 to 100 L/h
    Vp        volume of the peripheral           volume      1 to 1000 L
              compartment
    ========= ================================== =========== =========================

    Holds where some tissues are slow to take drug up, and all rates are linear in the amounts (but for a saturable
    elimination). Q and Vp are known from samples in the distribution phase; without them only Vc + Vp is.

    Parameters
    ----------
    units, absorption, n_transit, lag, bioavailability, elimination
        As for `one_compartment`.

    Returns
    -------
    System
        With parameters CL (or Vmax and Km, or all three), Vc, Q and Vp and those of the absorption, and the output Cc.

    Raises
    ------
    MechanismError
        As for `one_compartment`.

    References
    ----------
    Gabrielsson J, Weiner D (2016). Pharmacokinetic and Pharmacodynamic Data Analysis, 5th ed.

    Examples
    --------
    >>> for equation in two_compartment().equations():
    ...     print(equation)
    d(central)/dt = -CL/Vc*central - Q*(central/Vc - peripheral1/Vp)
    d(peripheral1)/dt = Q*(central/Vc - peripheral1/Vp)
    Cc = central/Vc
    """
    return compartments(2, units or Units(), absorption, n_transit, lag, bioavailability, elimination)


def three_compartment(
    *,
    units: Units | None = None,
    absorption: str | None = None,
    n_transit: int = 3,
    lag: bool = False,
    bioavailability: bool = False,
    elimination: str = "linear",
) -> System:
    r"""Build a model of a central and two peripheral compartments.

    .. math::

        \dot A_c &= u(t) - \frac{CL}{V_c} A_c - Q \left(\frac{A_c}{V_c} - \frac{A_{p1}}{V_p}\right)
                    - Q_2 \left(\frac{A_c}{V_c} - \frac{A_{p2}}{V_{p2}}\right) \\
        \dot A_{p1} &= Q \left(\frac{A_c}{V_c} - \frac{A_{p1}}{V_p}\right) \\
        \dot A_{p2} &= Q_2 \left(\frac{A_c}{V_c} - \frac{A_{p2}}{V_{p2}}\right)

    ::

                    dose
                      |
                  Q   v   Q2
        peripheral1 <--> central <--> peripheral2
                      |
                      v  CL

    ========= ================================== =========== =========================
    parameter what it is                         unit        typical, adults
    ========= ================================== =========== =========================
    CL, Vc    as for `one_compartment`
    Q, Vp     as for `two_compartment`
    Q2, Vp2   flow and volume of the second      as above    slower and larger than
              peripheral compartment                         the first, often tenfold
    ========= ================================== =========== =========================

    Holds as `two_compartment` does. The two peripheral compartments can change places without changing a prediction:
    a fit needs priors, or other parameters, that tell them apart.

    Parameters
    ----------
    units, absorption, n_transit, lag, bioavailability, elimination
        As for `one_compartment`.

    Returns
    -------
    System
        With parameters CL (or Vmax and Km, or all three), Vc, Q, Vp, Q2 and Vp2 and those of the absorption, and the
        output Cc.

    Raises
    ------
    MechanismError
        As for `one_compartment`.

    References
    ----------
    Minto CF et al. (1997). Influence of age and gender on the pharmacokinetics and pharmacodynamics of
    remifentanil. Anesthesiology 86:10-23.

    Examples
    --------
    >>> three_compartment(units=Units(time="min", amount="ug")).parameters["Q2"]
    'L/min'
    """
    return compartments(3, units or Units(), absorption, n_transit, lag, bioavailability, elimination)


def compartments(
    number: int,
    units: Units,
    absorption: str | None,
    n_transit: int,
    lag: bool,
    bioavailability: bool,
    elimination: str = "linear",
) -> System:
    """Join an absorption and a disposition."""
    if absorption in (None, "iv"):
        if lag or bioavailability:
            raise MechanismError(
                "lag and bioavailability belong to an absorption; intravenous doses have neither."
            )
        return disposition(number, units, elimination)
    route = absorption_of(absorption, units, n_transit=n_transit, lag=lag, bioavailability=bioavailability)
    return route + disposition(number, units, elimination)


def disposition(number: int, units: Units, elimination: str = "linear") -> System:
    """Build a central compartment with its elimination and ``number - 1`` peripheral compartments.

    Examples
    --------
    >>> list(disposition(2, Units()).parameters)
    ['CL', 'Vc', 'Q', 'Vp']
    """
    peripherals = PERIPHERALS[: number - 1]
    processes, parameters = elimination_of(elimination, units)
    parameters["Vc"] = units.volume
    for _, _, clearance, volume in peripherals:
        parameters |= {clearance: units.clearance, volume: units.volume}
    return System(
        name=NAMES[number - 1],
        states=dict.fromkeys(["central", *(state for _, state, _, _ in peripherals)], units.amount),
        parameters=parameters,
        processes=[
            *processes,
            *(distribution(*peripheral) for peripheral in peripherals),
        ],
        outputs={"Cc": Output(units.concentration, lambda s: s.central / s.Vc)},
        doses={"central": DoseInto()},
        time_unit=units.time,
    )


def distribution(name: str, state: str, clearance: str, volume: str) -> Process:
    """Exchange drug between the central and a peripheral compartment, net flow counted outwards."""
    return Process(
        name,
        {"central": -1, state: +1},
        lambda s: s[clearance] * (s.central / s.Vc - s[state] / s[volume]),
    )


def examples() -> dict[str, Example]:
    """Return the entries of this module with numbers to try them with."""
    bolus = Regimen(100, unit="mg", every=12, until=36, into="central")
    one, two = {"CL": 4.0, "Vc": 30.0}, {"CL": 4.0, "Vc": 15.0, "Q": 6.0, "Vp": 40.0}
    three = {**two, "Q2": 1.0, "Vp2": 60.0}
    book = "Gabrielsson J, Weiner D (2016). Pharmacokinetic and Pharmacodynamic Data Analysis, 5th ed."
    well_stirred = "Drug spreads through each compartment faster than it leaves it, and all rates are linear."
    saturable_note = (
        "Vmax and Km are known apart only if concentrations both above and below Km are observed."
    )
    return {
        "One compartment": Example(
            one_compartment(), one, 48, ["Cc"], bolus,
            holds=well_stirred, identifiability="CL and Vc are known from a few levels of one dose.",
            reference=book, log=True,
        ),
        "Two compartments": Example(
            two_compartment(), two, 48, ["Cc"], bolus,
            holds=well_stirred, identifiability="Q and Vp need samples in the distribution phase.",
            reference=book, log=True,
        ),
        "Three compartments": Example(
            three_compartment(), three, 48, ["Cc"], bolus,
            holds=well_stirred,
            identifiability="The two peripheral compartments can change places; order them by their priors.",
            reference=book, log=True,
        ),
        "Saturable elimination": Example(
            one_compartment(elimination="saturable"), {"Vmax": 12.0, "Km": 0.8, "Vc": 30.0}, 72, ["Cc"], bolus,
            holds="One enzyme or transporter eliminates the drug, and concentrations reach its Km.",
            identifiability=saturable_note, reference=book, log=True,
        ),
        "Parallel elimination": Example(
            one_compartment(elimination="parallel"), {"CL": 1.0, "Vmax": 8.0, "Km": 0.8, "Vc": 30.0}, 72, ["Cc"], bolus,
            holds="A linear route stands beside a saturable one.",
            identifiability=saturable_note + " CL is known from concentrations far above Km.",
            reference=book, log=True,
        ),
    }  # fmt: skip
