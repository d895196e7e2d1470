"""Systems that have the parameters of a whole body, in units of the caller's choice."""

from qsp_bayes.physiology import ARTERIAL, ORGANS
from qsp_bayes.systems import Output, Process, System


def parameters(volume="L", flow="L/h", vascular=()):
    volumes = [f"V_{organ}" for organ in ORGANS] + ["V_arterial", "V_venous"]
    volumes += [f"V_{organ}_vascular" for organ in vascular]
    return dict.fromkeys(volumes, volume) | dict.fromkeys([*(f"Q_{name}" for name in ARTERIAL), "GFR"], flow)


def whole_body(volume="L", flow="L/h", vascular=(), **more):
    """A system with all parameters of a body; only some of them are in its one rate."""
    unit = flow.rsplit("/", 1)[1]
    return System(
        {"venous": "mg"},
        parameters(volume, flow, vascular) | more,
        [Process("filtration", {"venous": -1}, lambda s: s.GFR / s.V_venous * s.venous)],
        {"Cv": Output(f"mg/{volume}", lambda s: s.venous / s.V_venous)},
        time_unit=unit,
        name="whole body",
    )
