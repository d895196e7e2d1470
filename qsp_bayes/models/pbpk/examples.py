"""Whole-body models with numbers to try them with: midazolam in a man of 73 kg."""

from __future__ import annotations

from qsp_bayes.data.regimen import Regimen
from qsp_bayes.models.example import Example
from qsp_bayes.models.pbpk.lumping import Lumping
from qsp_bayes.models.pbpk.whole_body import whole_body_pbpk
from qsp_bayes.physiology import Drug, load_physiology, partition_coefficients
from qsp_bayes.systems import System

MIDAZOLAM = Drug("midazolam", logP=3.13, charge="base", pKa=6.0, fup=0.032, BP=0.664)

ILLUSTRATIVE = {
    "CLint": 1100.0,
    "CLsec": 0.0,
    "Vmax": 3000.0,
    "Km": 2.5,
    "KA": 2.0,
    "Fa": 0.95,
    "MRTS": 0.25,
    "MRTI": 3.32,
    "PS_brain": 50.0,
    "PS_muscle": 300.0,
}
"""Values that stand for no measurement."""


def values_of(system: System) -> dict[str, float]:
    """Return what a whole-body model needs: physiology of a man, Rodgers and Rowland's partition, the rest assumed."""
    known = load_physiology("human").values(system) | partition_coefficients(MIDAZOLAM).parameters()
    known |= ILLUSTRATIVE | {"fup": MIDAZOLAM.fup, "BP": float(MIDAZOLAM.BP or 1.0)}
    return {name: known[name] for name in system.parameters}


def examples() -> dict[str, Example]:
    """Return every whole-body entry with numbers to try it with."""
    oral, vein = Regimen(7.5, unit="mg", into="depot"), Regimen(5, unit="mg", into="venous")
    perfusion = (
        "Organs are at equilibrium with the blood that leaves them, and metabolism is far from saturation."
    )
    flow = "Plasma tells clearance and volume as a whole; Kp and V of an organ are seen as a product."
    jones = "Jones HM, Rowland-Yeo K (2013). CPT Pharmacometrics Syst Pharmacol 2:e63."
    amidon = "Yu LX, Amidon GL (1999). Int J Pharm 186:119-125."
    nestorov = "Nestorov IA et al. (1998). J Pharmacokinet Biopharm 26:21-46."
    roberts = "Roberts MS, Rowland M (1986). J Pharmacokinet Biopharm 14:227-260."
    whole = whole_body_pbpk(absorption="first-order")
    transit = whole_body_pbpk(absorption="transit")
    membranes = whole_body_pbpk(permeability_limited=["brain", "muscle"])
    dispersion = whole_body_pbpk(hepatic="dispersion")
    saturable = whole_body_pbpk(hepatic="saturable")
    lumping = Lumping(
        {"rapid": ["heart", "brain", "kidney", "rest"], "slow": ["muscle", "adipose", "skin", "bone"]},
        lung_as_blood=True,
    )
    minimal = whole_body_pbpk(organs=lumping.table, renal=[])
    lumped = lumping.values(values_of(whole_body_pbpk(renal=[])))
    organs = ["Cc", "C_liver", "C_muscle", "C_adipose"]
    return {
        "Whole body, oral": Example(
            whole,
            values_of(whole),
            until=24,
            shows=organs,
            regimen=oral,
            holds=perfusion,
            identifiability=flow,
            reference=jones,
            log=True,
        ),
        "Whole body, transit through the small intestine": Example(
            transit,
            values_of(transit),
            until=24,
            shows=["Cc", "C_gut", "C_liver"],
            regimen=oral,
            holds="The drug is in solution, and is absorbed along the small intestine alone.",
            identifiability="KA and the time in the intestine need early samples, or faeces.",
            reference=amidon,
            log=True,
        ),
        "Whole body, organs behind membranes": Example(
            membranes,
            values_of(membranes),
            until=24,
            shows=["Cc", "C_brain", "C_muscle"],
            regimen=vein,
            holds="Brain and muscle take up unbound drug through a membrane; other organs are perfusion-limited.",
            identifiability="The permeability of an organ needs samples of that organ, or is a wide prior in the fit.",
            reference=jones,
            log=True,
        ),
        "Whole body, dispersion in the liver": Example(
            dispersion,
            values_of(dispersion),
            until=24,
            shows=["Cc", "C_liver"],
            regimen=vein,
            holds="Blood disperses on its way through the liver; the dispersion number is that of man.",
            identifiability="Models of the liver are told apart by changes of flow or binding at high extraction.",
            reference=roberts,
            log=True,
        ),
        "Whole body, saturable metabolism": Example(
            saturable,
            values_of(saturable),
            until=24,
            shows=["Cc", "C_liver"],
            regimen=Regimen(200, unit="mg", into="venous"),
            holds="One enzyme metabolises, and its unbound substrate is well stirred in the liver.",
            identifiability="Vmax and Km need doses on both sides of saturation; below it their ratio alone is seen.",
            reference=jones,
            log=True,
        ),
        "Minimal PBPK by lumping": Example(
            minimal,
            {name: lumped[name] for name in minimal.parameters},
            until=24,
            shows=["Cc", "C_rapid", "C_slow", "C_liver"],
            regimen=vein,
            holds="Organs that are lumped fill alike: their transit times are close.",
            identifiability="Flow and volume of the lumped organs are informed by early and late samples of plasma.",
            reference=nestorov,
            log=True,
        ),
    }
