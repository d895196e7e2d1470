"""The whole-body physiologically-based model: circulation, liver, kidney, gut, and lung."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qsp_bayes.errors import MechanismError
from qsp_bayes.models.pbpk.chamber import closed_chamber
from qsp_bayes.models.pbpk.circulation import circulation
from qsp_bayes.models.pbpk.hepatic import hepatic_elimination
from qsp_bayes.models.pbpk.oral import N_TRANSIT, oral_absorption
from qsp_bayes.models.pbpk.organ import ORGANS, Organ, with_membranes
from qsp_bayes.models.pbpk.renal import renal_elimination
from qsp_bayes.physiology.hepatic import DISPERSION_NUMBER
from qsp_bayes.systems import System
from qsp_bayes.units import Units

INHALATIONS = ("closed chamber",)


def whole_body_pbpk(
    *,
    units: Units | None = None,
    organs: Sequence[Organ] = ORGANS,
    permeability_limited: Sequence[str] = (),
    hepatic: str | None = "well-stirred",
    renal: Sequence[str] = ("filtration",),
    absorption: str | None = None,
    inhalation: str | None = None,
    dispersion: float = DISPERSION_NUMBER,
    n_transit: int = N_TRANSIT,
    animals: int = 1,
) -> System:
    r"""Build a whole-body physiologically-based pharmacokinetic model over a table of organs.

    Blood carries drug through the organs (`circulation`, with the equations), the liver metabolises
    (`hepatic_elimination`), the kidney filters and secretes (`renal_elimination`), and doses into ``depot`` are
    absorbed by the gut (`oral_absorption`). Intravenous doses go into ``venous``. A vapour may be inhaled from a closed
    chamber (`closed_chamber`).

    .. code-block:: text

                      +--> [lung] --> [arterial] --+--> [heart], [brain], [muscle], ... --+
                      |                            +--> [kidney] --> [urine]            --+
          dose --> [venous]                        +--> [gut], [spleen], [pancreas]       |
                      ^                            |            |                         |
                      |            [depot] --KA--> |  [gut]     v                         |
                      |                            +---------> [liver] --> [metabolised]  |
                      |                                           |                       |
                      +-------------------------------------------+-----------------------+

    Parameters
    ----------
    units : Units, optional
        h, mg and L if left out.
    organs : sequence of Organ
        `ORGANS` if left out. A shorter table, or a lumped one (`Lumping`), makes a minimal model.
    permeability_limited : sequence of str
        Organs behind a membrane.
    hepatic : {"well-stirred", "parallel-tube", "dispersion", "saturable", None}
        How the organ ``liver`` eliminates.
    renal : sequence of {"filtration", "secretion"}
        How the organ ``kidney`` eliminates; empty for not at all.
    absorption : {None, "first-order", "transit"}
        How doses into ``depot`` get into the organ ``gut``.
    inhalation : {None, "closed chamber"}
        How the organ ``lung`` takes up a vapour.
    dispersion : float
        Dispersion number of the dispersion model.
    n_transit : int
        Number of compartments of the small intestine.
    animals : int
        How many, all alike, breathe the air of the closed chamber.

    Returns
    -------
    System
        Linear, and solved exactly, unless metabolism is saturable. Outputs are the plasma concentrations ``Cc``
        (venous) and ``C_arterial``, the tissue concentrations ``C_<organ>``, the amounts ``metabolised``, ``urine`` and
        ``faeces``, and ``Cchamber`` in ppm.

    Raises
    ------
    MechanismError
        Where the table lacks an organ that eliminates or absorbs, and for an unknown inhalation.

    Notes
    -----
    Volumes and flows come from `load_physiology`, partition coefficients from `partition_coefficients`.

    Identifiability: plasma informs what the body does as a whole: hepatic and renal clearance as a sum, the volume at
    steady state, and how fast the largest organs fill. Kp and V of an organ are seen as their product, CLint and fup
    too. Give the physiology priors, or fix it, and ask which of them a fit has moved.

    References
    ----------
    Jones HM, Rowland-Yeo K (2013). Basic concepts in physiologically based pharmacokinetic modeling in drug discovery
    and development. CPT Pharmacometrics Syst Pharmacol 2:e63.

    Nestorov I (2003). Whole body pharmacokinetic models. Clin Pharmacokinet 42:883-908.

    Examples
    --------
    >>> body = whole_body_pbpk(absorption="first-order")
    >>> print(body.conservation_laws()[0])
    arterial + venous + lung + heart + brain + muscle + adipose + skin + bone + kidney + gut + spleen + pancreas
    + liver + rest + metabolised + urine + depot
    >>> len(body.states), len(body.parameters)
    (18, 46)
    """
    units = units or Units()
    organs = with_membranes(organs, permeability_limited)
    body = circulation(units=units, organs=organs)
    if hepatic is not None:
        liver = required(organs, "liver", "hepatic")
        body = body + hepatic_elimination(liver=liver, units=units, model=hepatic, dispersion=dispersion)
    if renal:
        body = body + renal_elimination(kidney=required(organs, "kidney", "renal"), units=units, routes=renal)
    if absorption is not None:
        gut = required(organs, "gut", "absorption")
        body = body + oral_absorption(gut=gut, units=units, kind=absorption, n_transit=n_transit)
    if inhalation is not None:
        if inhalation not in INHALATIONS:
            raise MechanismError(
                f"inhalation {inhalation!r} is not known. Choose one of {', '.join(INHALATIONS)}, or None."
            )
        lung = required(organs, "lung", "inhalation")
        body = body + closed_chamber(lung=lung, units=units, animals=animals)
    return replace(body, name="whole-body PBPK")


def required(organs: Sequence[Organ], name: str, option: str) -> Organ:
    """Return an organ that an option needs."""
    for organ in organs:
        if organ.name == name:
            return organ
    raise MechanismError(
        f"{option} needs an organ {name!r}, and the table has {', '.join(organ.name for organ in organs)}. "
        f"Add Organ({name!r}), or leave {option} out."
    )
