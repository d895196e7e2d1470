"""Rate laws that a reaction may name: rows of one table, each a formula of its own arguments, S and P."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.formula import Call, Formula, Name, substitute
from qsp_bayes.systems.formula_text import parse_formula


class RateLaw(NamedTuple):
    """The arguments of a rate law and its formula, in which S is the only reactant and P the only product."""

    arguments: tuple[str, ...]
    formula: str


RATE_LAWS: Mapping[str, RateLaw] = MappingProxyType(
    {
        "michaelis_menten": RateLaw(("Vmax", "Km"), "Vmax*S/(Km + S)"),
        "reversible_michaelis_menten": RateLaw(
            ("Vf", "Kf", "Vb", "Kb"), "(Vf*S/Kf - Vb*P/Kb)/(1 + S/Kf + P/Kb)"
        ),
        "competitive_inhibition": RateLaw(("Vmax", "Km", "I", "Ki"), "Vmax*S/(Km*(1 + I/Ki) + S)"),
        "noncompetitive_inhibition": RateLaw(("Vmax", "Km", "I", "Ki"), "Vmax*S/((Km + S)*(1 + I/Ki))"),
        "uncompetitive_inhibition": RateLaw(("Vmax", "Km", "I", "Ki"), "Vmax*S/(Km + S*(1 + I/Ki))"),
        "substrate_inhibition": RateLaw(("Vmax", "Km", "Ki"), "Vmax*S/(Km + S*(1 + S/Ki))"),
        "hill": RateLaw(("Vmax", "K", "n"), "Vmax*(S/K)^n/(1 + (S/K)^n)"),
        "activation": RateLaw(("Vmax", "A", "K", "n"), "Vmax*(A/K)^n/(1 + (A/K)^n)"),
        "repression": RateLaw(("Vmax", "R", "K", "n"), "Vmax/(1 + (R/K)^n)"),
    }
)
"""What may stand in a reaction as ``name(arguments)``, with formulas as arguments: ``hill(kcat*E, K, n)``."""


def expand(formula: Formula, reactants: Mapping[str, object], products: Mapping[str, object]) -> Formula:
    """Put the formulas of rate laws in the place of their names.

    Raises
    ------
    MechanismError
        For a law with another number of arguments, or one that asks for a single reactant or product where there are
        more or none.

    Examples
    --------
    >>> expand(parse_formula("michaelis_menten(V, K)"), {"A": 1}, {}) == parse_formula("V*A/(K + A)")
    True
    """
    if not isinstance(formula, Call):
        return formula
    arguments = tuple(expand(argument, reactants, products) for argument in formula.arguments)
    if formula.function not in RATE_LAWS:
        return Call(formula.function, arguments, formula.position)
    law = RATE_LAWS[formula.function]
    call = f"{formula.function}({', '.join(law.arguments)})"
    if len(arguments) != len(law.arguments):
        raise MechanismError(f"{call} has {len(arguments)} arguments here.")
    meanings = dict(zip(law.arguments, arguments, strict=True))
    text = parse_formula(law.formula, call)
    for letter, side, kind in (("S", reactants, "reactant"), ("P", products, "product")):
        if letter in law.formula and len(side) == 1:
            meanings[letter] = Name(next(iter(side)))
        elif letter in law.formula:
            raise MechanismError(f"{call} is a rate of one {kind}, and here are {', '.join(side) or 'none'}.")
    return substitute(text, meanings)
