"""Assembly: a body made of its organs, the rest of it being what they leave."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qsp_bayes.errors import MechanismError
from qsp_bayes.physiology.figure import Figure
from qsp_bayes.physiology.organs import ARTERIAL, ORGANS, PORTAL
from qsp_bayes.physiology.physiology import Physiology


def assemble(
    *,
    species: str,
    title: str,
    known: Mapping[str, Figure],
    densities: Mapping[str, float],
    where: str,
    doubtful: Mapping[str, str] | None = None,
    remark: str = "",
) -> Physiology:
    """Make a Physiology of everything but the rest of the body, which is what is left.

    Raises
    ------
    MechanismError
        If organs outweigh the body, or flows exceed cardiac output.
    """
    organs = {organ: known[f"V_{organ}"].value * densities[organ] for organ in ORGANS if organ != "rest"}
    taken = sum(organs.values()) + known["blood_volume"].value * densities["blood"]
    weight = known["body_weight"].value
    if taken >= weight:
        raise MechanismError(
            f"{where}: organs and blood weigh {taken:.4g} kg, the body {weight:.4g} kg. Nothing is left for the rest "
            "of the body: correct a mass, or give a greater body weight."
        )
    flows = sum(known[f"Q_{name}"].value for name in ARTERIAL if name != "rest")
    output = known["cardiac_output"].value
    if flows >= output:
        raise MechanismError(
            f"{where}: organ flows add up to {flows:.4g} L/h, cardiac output is {output:.4g} L/h. Nothing is left for "
            "the rest of the body: correct a flow or the cardiac output."
        )
    left = "derived: what the other organs leave"
    inflow = [known[f"Q_{name}"] for name in (*PORTAL, "hepatic_artery")]
    total = sum(figure.value for figure in inflow)
    spread = float(np.hypot.reduce([figure.value * figure.sd_log for figure in inflow])) / total
    derived = {
        "V_rest": Figure((weight - taken) / densities["rest"], "L", left),
        "Q_rest": Figure(output - flows, "L/h", left),
        "Q_liver": Figure(total, "L/h", "derived: hepatic artery, gut, spleen and pancreas", spread),
    }
    order = [f"V_{organ}" for organ in ORGANS] + [f"Q_{name}" for name in (*ARTERIAL, "liver")]
    everything = {**known, **derived}
    rest = [name for name in everything if name not in order]
    return Physiology(
        species,
        title,
        {name: everything[name] for name in (*order, *rest)},
        densities,
        doubtful or {},
        remark,
    )
