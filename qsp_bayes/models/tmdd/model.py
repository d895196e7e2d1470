"""Target-mediated drug disposition: binding to a target that turns over shapes how the drug is disposed of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.errors import MechanismError
from qsp_bayes.models.compartments import compartments as compartments_of
from qsp_bayes.models.example import Example
from qsp_bayes.models.tmdd.instant import equilibrium_target, of_free_drug, saturable_target, wagner_target
from qsp_bayes.models.tmdd.kinetic import constant_target, irreversible_target, target
from qsp_bayes.systems import System
from qsp_bayes.units import Units


@dataclass(frozen=True)
class Approximation:
    """One form of the model: its title, how its target is built, and what is kept of the binding.

    Attributes
    ----------
    title : str
    target : callable
        Builds the target from units and binding.
    bindings : tuple of str
        What the parameter `binding` may be; empty where nothing is left to choose.
    follows_total : bool
        Whether the state ``central`` is the total drug.
    holds : str
        When it stands for the full model.
    identifiability : str
        What data can tell of its parameters.
    reference : str
    """

    title: str
    target: Callable[[Units, str], System]
    bindings: tuple[str, ...]
    follows_total: bool
    holds: str
    identifiability: str
    reference: str


MAGER_2001 = "Mager DE, Jusko WJ (2001). J Pharmacokinet Pharmacodyn 28:507-532."
MAGER_2005 = "Mager DE, Krzyzanski W (2005). Pharm Res 22:1589-1596."
GIBIANSKY_2008 = "Gibiansky L, Gibiansky E, Kakkar T, Ma P (2008). J Pharmacokinet Pharmacodyn 35:573-591."
GIBIANSKY_2009 = "Gibiansky L, Gibiansky E (2009). Expert Opin Drug Metab Toxicol 5:803-812."
PELETIER_2009 = "Peletier LA, Gabrielsson J (2009). Eur J Pharm Sci 38:445-464."

APPROXIMATIONS = {
    "full": Approximation(
        "full model",
        target,
        ("koff", "KD"),
        follows_total=False,
        holds="one drug binds one target, in the central compartment",
        identifiability="free drug seldom tells kon from KD; total target beside it tells kint from kdeg",
        reference=MAGER_2001,
    ),
    "QE": Approximation(
        "quasi-equilibrium (rapid binding)",
        lambda units, binding: equilibrium_target(units, "KD"),
        (),
        follows_total=True,
        holds="binding and dissociation are faster than all else, above all koff than kint",
        identifiability="KD needs samples near KD, while not all target is bound; kint and kdeg need total target",
        reference=MAGER_2005,
    ),
    "QSS": Approximation(
        "quasi-steady state",
        lambda units, binding: equilibrium_target(units, "Kss"),
        (),
        follows_total=True,
        holds="binding is fast, and drug is supplied, so that the complex is steady; koff may be below kint",
        identifiability="Kss does not tell KD, koff and kint apart; kint and kdeg need total target",
        reference=GIBIANSKY_2008,
    ),
    "Wagner": Approximation(
        "Wagner (quasi-steady state, constant total target)",
        lambda units, binding: wagner_target(units),
        (),
        follows_total=True,
        holds="as QSS, and kint near kdeg, so that the total target stays at R0",
        identifiability="kint and R0 are told apart by the bound drug, where R0 is not small beside the dose",
        reference=GIBIANSKY_2009,
    ),
    "Michaelis-Menten": Approximation(
        "Michaelis-Menten",
        lambda units, binding: saturable_target(units),
        (),
        follows_total=False,
        holds="as Wagner, and there is far less target than drug: R0 much below Kss + Cc",
        identifiability="only the product kint R0 acts on free drug: fix one of them, or take Vmax",
        reference=GIBIANSKY_2008,
    ),
    "irreversible": Approximation(
        "irreversible binding",
        lambda units, binding: irreversible_target(units),
        (),
        follows_total=False,
        holds="the complex is internalised long before it would dissociate: koff much below kint",
        identifiability="kon and R0 need samples while binding goes on; kint shows in the complex alone",
        reference=f"{MAGER_2001} Its limit koff = 0.",
    ),
    "constant target": Approximation(
        "constant total target",
        constant_target,
        ("koff", "KD"),
        follows_total=False,
        holds="kint near kdeg, so that the total target stays at R0; binding may be slow",
        identifiability="kint shows in the terminal phase; kon and koff need early samples",
        reference=PELETIER_2009,
    ),
}
"""The forms of the model, by the name that `tmdd` takes."""


def tmdd(
    *,
    units: Units | None = None,
    compartments: int = 2,
    absorption: str | None = None,
    n_transit: int = 3,
    lag: bool = False,
    bioavailability: bool = False,
    binding: str | None = None,
    approximation: str = "full",
) -> System:
    r"""Build a model of target-mediated drug disposition: the full one, or one of its approximations.

    Free drug binds in the central compartment to a target that is made and degraded; the complex dissociates or
    is internalised::

             CL                       ksyn      kdeg
              ^                         |         ^
              |                         v         |
        peripheral <-- Q --> drug  +  target -----+
                               \      /
                            kon \    / koff
                               complex --- kint --->

    With amounts :math:`A_c, A_p` of free drug, :math:`A_R` of free target and :math:`A_{RC}` of complex, and
    :math:`C_c = A_c / V_c`, the full model is

    .. math::

        \dot A_c &= u(t) - CL\,C_c - Q (C_c - A_p / V_p) - k_{on} C_c A_R + k_{off} A_{RC} \\
        \dot A_p &= Q (C_c - A_p / V_p) \\
        \dot A_R &= k_{syn} V_c - k_{deg} A_R - k_{on} C_c A_R + k_{off} A_{RC}, \qquad A_R(0) = R_0 V_c \\
        \dot A_{RC} &= k_{on} C_c A_R - (k_{off} + k_{int}) A_{RC}

    where :math:`k_{syn} = R_0 k_{deg}` keeps the target at its baseline :math:`R_0` while there is no drug. Its
    approximations follow fewer quantities:

    ================== ================ ========================== ====================================
    approximation      states           parameters of the target   what it leaves out
    ================== ================ ========================== ====================================
    full               drug, R, RC      kon koff|KD R0 kdeg kint
    constant target    drug, RC         kon koff|KD R0 kint        turnover: R + RC = R0
    irreversible       drug, R, RC      kon R0 kdeg kint           dissociation: koff = 0
    QE                 Ctot, Rtot       KD R0 kdeg kint            the time that binding takes
    QSS                Ctot, Rtot       Kss R0 kdeg kint           the time until RC is steady
    Wagner             Ctot             Kss R0 kint                that, and turnover: Rtot = R0
    Michaelis-Menten   drug             Kss R0 kint                that, and the bound drug
    ================== ================ ========================== ====================================

    In QE and QSS totals are followed, and the free drug is the root of the law of mass action
    (`qsp_bayes.models.tmdd.equilibrium.free_drug`), with K = KD or :math:`K_{ss} = (k_{off} + k_{int}) / k_{on}`:

    .. math::

        V_c \dot C_{tot} &= u(t) - CL\,C_c - Q (C_c - A_p / V_p) - k_{int} V_c RC \\
        \dot R_{tot} &= k_{syn} - k_{deg} R - k_{int} RC, \qquad RC = R_{tot} \frac{C_c}{K + C_c}

    Wagner's model is that of QSS with :math:`R_{tot} = R_0`; in the Michaelis-Menten model the drug is free and is
    lost through the target at the rate :math:`V_{max} C_c / (K_{ss} + C_c)`, :math:`V_{max} = k_{int} R_0 V_c`.
    `compare_tmdd` says which of them is good enough for given parameters and doses.

    =========== ======================================== ====================
    output      what it is                               unit
    =========== ======================================== ====================
    Cc          free drug                                amount/volume
    Ctot        free and bound drug                      amount/volume
    R           free target                              amount/volume
    RC          complex                                  amount/volume
    Rtot        free and bound target                    amount/volume
    RO          receptor occupancy, :math:`RC / R_{tot}` fraction
    suppression of free target, :math:`1 - R / R_0`      fraction
    =========== ======================================== ====================

    ========= ================ ================= ======================================================
    parameter unit             support           typical of monoclonal antibodies
    ========= ================ ================= ======================================================
    CL, Q     volume/time      above 0           0.1 to 0.5, 0.2 to 1 L/day
    Vc, Vp    volume           above 0           2.4 to 5.5, 1.3 to 6.8 L
    kon       1/(conc. time)   above 0           1 to 100 1/nM/day (1e4 to 1e6 1/M/s)
    koff      1/time           above 0           0.1 to 100 1/day
    KD, Kss   amount/volume    above 0           0.01 to 10 nM; Kss is KD or more
    R0        amount/volume    above 0           0.001 to 10 nM soluble, more on abundant cells
    kdeg      1/time           above 0           0.1 to 30 1/day
    kint      1/time           above 0           0.03 (soluble) to 30 1/day (internalised)
    ========= ================ ================= ======================================================

    Parameters
    ----------
    units : Units, optional
        day, nmol and L if left out, so that concentrations are in nmol/L (nM). Drug and target are counted in one
        unit: with a mass, target and complex are in equivalents of drug mass.
    compartments : {1, 2, 3}
        Number of compartments of the free drug, the central one included.
    absorption, n_transit, lag, bioavailability
        As for `one_compartment`: how doses into ``depot``, such as subcutaneous ones, reach the central
        compartment.
    binding : {"koff", "KD"}, optional
        Whether koff (1/time) is a parameter, as where it is left out, or the dissociation constant KD (a
        concentration), with koff = kon KD. For the full model and that of constant target.
    approximation : str
        One of the table.

    Returns
    -------
    System
        With the parameters of the compartments and the absorption, and those of the table. In QE, QSS and Wagner's
        model the states ``central`` and ``target`` are totals: a dose adds to the total drug and is bound at once.

    Raises
    ------
    MechanismError
        For an unknown absorption, binding, approximation or number of compartments, or a binding where none is left.

    Notes
    -----
    It holds where one drug molecule meets one target that stays in the central compartment, and internalised complex
    does not come back. `soluble_tmdd` has a target that distributes, `bispecific_tmdd` two targets.

    While drug is supplied the complex is nearly steady, and K is Kss. Once supply has ended and the complex decays with
    kint, binding and dissociation balance again: there free drug follows KD, and QSS overstates it by up to Kss / KD.
    QSS is therefore no refinement of QE everywhere, where kint is not far below koff.

    Free drug alone rarely tells kon from KD: binding is over within hours, before most samples. Then QE or QSS say
    as much with one parameter less. In the terminal phase it is kint that is seen, in the steep phase before
    it Kss and R0; total target tells kint from kdeg. In the Michaelis-Menten model only the product kint R0 acts on
    free drug (Vmax and Km of `two_compartment(elimination="parallel")` say the same).

    References
    ----------
    Mager DE, Jusko WJ (2001). General pharmacokinetic model for drugs exhibiting target-mediated drug
    disposition. J Pharmacokinet Pharmacodyn 28:507-532.

    Mager DE, Krzyzanski W (2005). Quasi-equilibrium pharmacokinetic model for drugs exhibiting target-mediated drug
    disposition. Pharm Res 22:1589-1596.

    Gibiansky L, Gibiansky E, Kakkar T, Ma P (2008). Approximations of the target-mediated drug disposition model and
    identifiability of model parameters. J Pharmacokinet Pharmacodyn 35:573-591.

    Examples
    --------
    >>> for equation in tmdd(compartments=1, binding="KD").equations():
    ...     print(equation)
    ksyn = R0*kdeg
    koff = kon*KD
    d(central)/dt = -CL/Vc*central - (kon*Cc*target - koff*complex)
    d(target)/dt = ksyn*Vc - kdeg*target - (kon*Cc*target - koff*complex)
    d(complex)/dt = kon*Cc*target - koff*complex - kint*complex
    target(0) = R0*Vc
    Cc = central/Vc
    Ctot = Cc + RC
    R = target/Vc
    RC = complex/Vc
    Rtot = R + RC
    RO = complex/(target + complex)
    suppression = 1 - R/R0
    >>> for equation in tmdd(compartments=1, approximation="QSS").equations()[3:5]:
    ...     print(equation)
    d(central)/dt = -CL*Cc - kint*RC*Vc
    d(target)/dt = ksyn*Vc - kdeg*R*Vc - kint*RC*Vc
    """
    units = units or Units(time="day", amount="nmol")
    if compartments not in (1, 2, 3):
        raise MechanismError(f"compartments is {compartments!r}; the free drug has 1, 2 or 3.")
    form = form_of(approximation, binding)
    drug = compartments_of(compartments, units, absorption, n_transit, lag, bioavailability)
    if form.follows_total:
        drug = of_free_drug(drug)
    title = "target-mediated drug disposition"
    return dataclasses.replace(
        drug + form.target(units, binding or "koff"),
        name=title if approximation == "full" else f"{title}, {form.title}",
        share=(),
    )


def form_of(approximation: str, binding: str | None) -> Approximation:
    """Look up a form of the model, refusing a binding that it does not have."""
    if approximation not in APPROXIMATIONS:
        raise MechanismError(
            f"approximation {approximation!r} is not known. Choose one of {', '.join(APPROXIMATIONS)}."
        )
    form = APPROXIMATIONS[approximation]
    if binding is not None and not form.bindings:
        raise MechanismError(
            f"binding is {binding!r}, but {approximation} has no rate of binding to choose a parameter for. "
            "Leave `binding` out."
        )
    return form


def examples() -> dict[str, Example]:
    """Return every form of the model with numbers to try it with.

    Examples
    --------
    >>> list(examples())[0]
    'Target-mediated drug disposition: full model'
    """
    return {
        f"Target-mediated drug disposition: {form.title}": Example(
            system := tmdd(approximation=name),
            {parameter: TYPICAL[parameter] for parameter in system.parameters},
            until=70,
            shows=["Cc", "Rtot", "RO", "suppression"],
            regimen=Regimen(300, unit="nmol", into="central"),
            holds=form.holds,
            identifiability=form.identifiability,
            reference=form.reference,
            log=True,
        )
        for name, form in APPROXIMATIONS.items()
    }


TYPICAL = {
    "CL": 0.2, "Vc": 3.0, "Q": 0.5, "Vp": 3.0,
    "kon": 10.0, "koff": 1.0, "KD": 0.1, "Kss": 0.125, "R0": 5.0, "kdeg": 0.5, "kint": 0.25,
}  # fmt: skip
"""An antibody against a membrane target, in nmol, L and day."""
