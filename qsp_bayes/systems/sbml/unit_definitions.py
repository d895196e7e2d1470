"""Units of SBML, products of powers of base units, as the text that the rest of the library reads, and back."""

from __future__ import annotations

import math
import re
from typing import Any

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.dimensions import spelling
from qsp_bayes.units import parse_unit, registry

PREFIXES = {
    -18: "a", -15: "f", -12: "p", -9: "n", -6: "u", -3: "m", -2: "c", -1: "d", 0: "", 1: "da", 2: "h", 3: "k",
    6: "M", 9: "G", 12: "T",
}  # fmt: skip
TIMES = {60.0: "min", 3600.0: "h", 86400.0: "day", 604800.0: "week"}
SYMBOLS = {
    "ampere": "A", "becquerel": "Bq", "candela": "cd", "coulomb": "C", "farad": "F", "gram": "g", "gray": "Gy",
    "henry": "H", "hertz": "Hz", "joule": "J", "katal": "kat", "kelvin": "K", "litre": "L", "liter": "L",
    "lumen": "lm", "lux": "lx", "metre": "m", "meter": "m", "mole": "mol", "newton": "N", "ohm": "ohm",
    "pascal": "Pa", "second": "s", "siemens": "S", "sievert": "Sv", "tesla": "T", "volt": "V", "watt": "W",
    "weber": "Wb",
}  # fmt: skip
COUNTED = ("dimensionless", "item", "radian", "steradian")
BASES = {
    "[substance]": "mole", "[mass]": "gram", "[time]": "second", "[length] ** 3": "litre", "[length]": "metre",
    "[temperature]": "kelvin", "[current]": "ampere", "[luminosity]": "candela",
}  # fmt: skip


def unit_text(definition: Any, where: str) -> str:
    """Return a unit definition of libsbml as text, such as ``nmol/L``.

    Raises
    ------
    MechanismError
        For a unit that no text without a number can write.
    """
    from qsp_bayes.systems.sbml.library import libsbml

    kinds: list[tuple[str, float, float]] = []
    loose = 0.0
    for i in range(definition.getNumUnits()):
        unit = definition.getUnit(i)
        kind = libsbml().UnitKind_toString(unit.getKind())
        kind, more = ("gram", 3) if kind == "kilogram" else (kind, 0)
        exponent = unit.getExponentAsDouble()
        power = unit.getScale() + more + math.log10(unit.getMultiplier())
        if kind in COUNTED:
            loose += power * exponent
        elif kind in SYMBOLS:
            kinds.append((kind, exponent, power))
        else:
            raise MechanismError(
                f"{where}: the unit {kind!r} is not known here. Use others, or declared_units=False."
            )
    pieces = []
    for kind, exponent, power in sorted(kinds, key=lambda row: abs(row[1]) != 1):
        symbol = prefixed(kind, power + loose / exponent) if loose else None
        if symbol:
            loose = 0.0
        symbol = symbol or prefixed(kind, power)
        if symbol is None:
            raise MechanismError(
                f"{where}: a unit is {10**power:.6g} {kind}, which has no name. "
                "Declare one that has, or read with declared_units=False."
            )
        pieces.append(f"({symbol})**{exponent:g}")
    if abs(loose) > 1e-9:
        raise MechanismError(
            f"{where}: a unit is {10**loose:.6g} times a number. Scale the value instead, or read with "
            "declared_units=False."
        )
    text = spelling(parse_unit("*".join(pieces))) if pieces else ""
    return "" if text == "1" else text


def prefixed(kind: str, power: float) -> str | None:
    """Return the symbol of 10**power of a kind, or None where there is none.

    Examples
    --------
    >>> prefixed("mole", -9.0), prefixed("second", 3.556302500767287), prefixed("litre", 0.3)
    ('nmol', 'h', None)
    """
    whole = round(power)
    if abs(power - whole) < 1e-9 and whole in PREFIXES:
        return PREFIXES[whole] + SYMBOLS[kind]
    if kind == "second":
        return next((name for size, name in TIMES.items() if abs(math.log10(size) - power) < 1e-9), None)
    return None


def base_units(text: str) -> list[tuple[str, float, int, float]]:
    """Split a unit into base units of SBML: kind, exponent, scale (a power of ten) and multiplier.

    Examples
    --------
    >>> base_units("nmol/L/h")
    [('mole', 1, -9, 1.0), ('litre', -1, 0, 1.0), ('second', -1, 0, 3600.0)]
    """
    found = []
    for name, exponent in parse_unit(text)._units.items():
        one = registry.Quantity(1.0, name)
        kind = next((k for dimension, k in BASES.items() if one.check(dimension)), None)
        if kind:
            found.append((kind, exponent, *scaled(float(one.to(kind).magnitude))))
            continue
        base = one.to_base_units()
        size = float(base.magnitude)
        if size != 1.0 or not base.units._units:
            found.append(("dimensionless", exponent, *scaled(size)))
        for other, power in base.units._units.items():
            found.append((str(other), power * exponent, 0, 1.0))
    return found or [("dimensionless", 1, 0, 1.0)]


def scaled(size: float) -> tuple[int, float]:
    """Split a size into a power of ten and the rest; only whole powers are split off."""
    power = math.log10(size)
    return (round(power), 1.0) if abs(power - round(power)) < 1e-9 else (0, float(f"{size:.12g}"))


def unit_id(text: str) -> str:
    """Return an id for a unit.

    Examples
    --------
    >>> unit_id("nmol/L/h"), unit_id("1/h"), unit_id("")
    ('nmol_per_L_per_h', 'per_h', 'dimensionless')
    """
    if text.strip() in ("", "1"):
        return "dimensionless"
    words = (
        re.sub(r"\*\*\s*", "_to_", text.replace("/", " per ")).replace("-", "minus_").replace(".", "point")
    )
    name = "_".join(re.findall(r"\w+", words, re.ASCII))
    name = name.removeprefix("1_")
    return f"unit_{name}" if name[:1].isdigit() or name.lower() in {*SYMBOLS, *COUNTED, "kilogram"} else name
