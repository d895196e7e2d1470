"""How binding is written: by kon and koff, or by kon and KD = koff / kon."""

from __future__ import annotations

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.declarations import Quantity
from qsp_bayes.units import Units

BINDINGS = ("koff", "KD")


def dissociation(binding: str, units: Units) -> tuple[dict[str, str], dict[str, Quantity]]:
    """Return the parameters and expressions of binding with koff, or with KD and koff = kon KD.

    Raises
    ------
    MechanismError
        For an unknown binding.

    Examples
    --------
    >>> dissociation("KD", Units())[0]
    {'kon': 'L/mg/h', 'KD': 'mg/L'}
    """
    if binding not in BINDINGS:
        raise MechanismError(f"binding {binding!r} is not known. Choose one of {', '.join(BINDINGS)}.")
    parameters = {
        "kon": f"{units.volume}/{units.amount}/{units.time}",
        binding: units.rate if binding == "koff" else units.concentration,
    }
    return parameters, ({"koff": lambda s: s.kon * s.KD} if binding == "KD" else {})
