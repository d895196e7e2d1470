"""Reaction: what reacts to what, and how fast, read from a line such as ``L + R <-> LR; kon, koff``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.declarations import Quantity, frozen
from qsp_bayes.systems.formula import Call, Formula, Name, Number, names, quantity
from qsp_bayes.systems.formula_text import parse_formula
from qsp_bayes.systems.rate_laws import RATE_LAWS, expand

ARROWS = ("<->", "->")
TITLE = re.compile(r"\s*([^:;<>]*?)\s*:(.*)", re.DOTALL)
TERM = re.compile(r"(?:(\d+(?:/\d+|\.\d+)?)\s*\*?\s*)?([A-Za-z]\w*)", re.ASCII)
FORM = "Write it as 'L + R <-> LR; kon, koff', '2 A -> A2; k', '-> R; ksyn' or 'S -> P; Vmax*S/(Km + S)'."


@dataclass(frozen=True, eq=False)
class Reaction:
    r"""What reacts to what, and how fast.

    ========================================= ======================================================
    text                                      rate
    ========================================= ======================================================
    ``L + R <-> LR; kon, koff``               mass action, :math:`k_{on} L R - k_{off} LR`
    ``2 A -> A2; k``                          mass action, :math:`k A^2`
    ``-> R; ksyn``                            mass action of nothing, :math:`k_{syn}`
    ``R ->; kdeg``                            mass action, :math:`k_{deg} R`
    ``S -> P; Vmax*S/(Km + S)``               as written
    ``S <-> P; kf*S - kb*P``                  the net rate, as written
    ``S -> P; michaelis_menten(Vmax, Km)``    a row of `qsp_bayes.systems.rate_laws.RATE_LAWS`
    ``binding: L + R <-> LR; kon, koff``      with a name of its own
    ========================================= ======================================================

    A rate that is one name or one number is the constant of mass action; anything else is the rate itself. The
    exponents of mass action are the coefficients of the reactants, whatever the products are.

    Parameters
    ----------
    text : str
        Without its rates where `rate` is given.
    rate : callable, optional
        The net rate as a function: ``lambda s: s.Vmax * s.S / (s.Km + s.S)``.
    name : str, optional
        Of the process; the reactants and products where left out.

    Attributes
    ----------
    reactants, products : mapping of str to Fraction
        Coefficients of the states.
    reversible : bool
    formula : Formula or None
        The net rate, where it was given as text.

    Raises
    ------
    MechanismError
        For a line that is no reaction, with the position of what has no meaning.

    Examples
    --------
    >>> reaction = Reaction("binding: L + 2 R <-> LR2; kon, koff")
    >>> reaction.name, dict(reaction.stoichiometry())
    ('binding', {'L': Fraction(-1, 1), 'R': Fraction(-2, 1), 'LR2': Fraction(1, 1)})
    """

    text: str
    rate: Quantity | None = None
    name: str = ""
    reactants: Mapping[str, Fraction] = field(init=False)
    products: Mapping[str, Fraction] = field(init=False)
    reversible: bool = field(init=False)
    formula: Formula | None = field(init=False)

    def __post_init__(self) -> None:
        equation, _, rates = self.text.partition(";")
        titled = TITLE.fullmatch(equation)
        title, equation = (titled[1], titled[2]) if titled else ("", equation)
        arrow = next((arrow for arrow in ARROWS if arrow in equation), "")
        if not arrow or equation.count("->") != 1:
            raise MechanismError(f"reaction {self.text!r} needs one arrow, -> or <->. {FORM}")
        left, right = (self.side(side) for side in equation.split(arrow))
        if not left and not right:
            raise MechanismError(f"reaction {self.text!r} has neither reactants nor products. {FORM}")
        found = {
            "reactants": frozen(left),
            "products": frozen(right),
            "reversible": arrow == "<->",
            "name": self.name or title or " ".join(equation.split()),
        }
        for attribute, value in found.items():
            object.__setattr__(self, attribute, value)
        object.__setattr__(self, "formula", self.net_rate(rates))

    def side(self, text: str) -> dict[str, Fraction]:
        """Read one side of the arrow."""
        found: dict[str, Fraction] = {}
        for term in text.split("+") if text.strip() else ():
            match = TERM.fullmatch(term.strip())
            if match is None:
                at = self.text.find(term.strip()) + 1
                raise MechanismError(
                    f"reaction {self.text!r}: {term.strip()!r} at character {at} is no species with a coefficient, "
                    f"such as '2 A'. {FORM}"
                )
            coefficient, state = Fraction(match[1] or 1), match[2]
            if coefficient == 0:
                raise MechanismError(
                    f"reaction {self.text!r}: the coefficient of {state!r} is 0. Leave it out."
                )
            found[state] = found.get(state, Fraction(0)) + coefficient
        return found

    def net_rate(self, text: str) -> Formula | None:
        """Read the rates behind the semicolon."""
        where = f"rate of reaction {self.name!r}:"
        if self.rate is not None:
            if text.strip() or not callable(self.rate):
                raise MechanismError(
                    f"reaction {self.name!r}: give a rate in the text or as a function, and only one of them."
                )
            return None
        written = [part.strip() for part in split_arguments(text)]
        if not text.strip() or len(written) > 1 + self.reversible:
            raise MechanismError(
                f"reaction {self.text!r} has {len(written) if text.strip() else 0} rates, expected one"
                + (", or one for each direction" if self.reversible else "")
                + f". {FORM}"
            )
        formulas = [parse_formula(part, where) for part in written]
        if self.reversible and len(formulas) == 1 and isinstance(formulas[0], Name | Number):
            raise MechanismError(
                f"reaction {self.text!r} is reversible and has one constant. Write two, 'kon, koff', or the net rate."
            )
        forward, *backward = (
            self.directed(formula, *sides)
            for formula, sides in zip(
                formulas, [(self.reactants, self.products), (self.products, self.reactants)], strict=False
            )
        )
        return Call("-", (forward, *backward)) if backward else forward

    def directed(
        self, formula: Formula, reactants: Mapping[str, Fraction], products: Mapping[str, Fraction]
    ) -> Formula:
        """Return the rate of one direction: mass action for a constant, the formula itself otherwise."""
        if isinstance(formula, Call):
            try:
                return expand(formula, reactants, products)
            except MechanismError as error:
                raise MechanismError(f"rate of reaction {self.name!r}: {error}") from None
        factors: list[Formula] = [formula]
        for state, order in reactants.items():
            factors.append(Name(state) if order == 1 else Call("^", (Name(state), Number(float(order)))))
        return Call("*", tuple(factors)) if len(factors) > 1 else formula

    def stoichiometry(self) -> dict[str, Fraction]:
        """Return what one unit of the reaction makes (positive) or takes (negative); catalysts are left out."""
        states = dict.fromkeys([*self.reactants, *self.products])
        net = {s: self.products.get(s, Fraction(0)) - self.reactants.get(s, Fraction(0)) for s in states}
        return {state: change for state, change in net.items() if change}

    def quantity(self) -> Callable[[Any], Any]:
        """Return the net rate as a function of `s`."""
        return self.rate if self.formula is None else quantity(self.formula)  # type: ignore[return-value]

    def constants(self) -> dict[str, Mapping[str, Fraction]]:
        """Return the constants of mass action, each with the reactants it multiplies."""
        directions = ((self.reactants, 0), (self.products, 1))
        written = [part.strip() for part in split_arguments(self.text.partition(";")[2])]
        return {
            written[i]: side
            for side, i in directions
            if i < len(written) and written[i].isidentifier() and written[i] not in RATE_LAWS
        }

    def names(self) -> dict[str, int]:
        """Return the names in the rate, with their positions in it where they were written."""
        return {} if self.formula is None else names(self.formula)


def split_arguments(text: str) -> list[str]:
    """Split at the commas that stand outside brackets.

    Examples
    --------
    >>> split_arguments("max(a, b), c")
    ['max(a, b)', ' c']
    """
    found, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return found
