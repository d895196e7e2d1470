"""ReactionNetwork: a system written as reactions."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.declarations import Constant, Output, Process, Quantity, frozen
from qsp_bayes.systems.formula import names, quantity
from qsp_bayes.systems.formula_text import parse_formula
from qsp_bayes.systems.reaction import Reaction
from qsp_bayes.systems.scope import unknown_name
from qsp_bayes.systems.switch import Switch
from qsp_bayes.systems.system import System


@dataclass(frozen=True, eq=False)
class ReactionNetwork:
    r"""A system written as reactions: S follows from what reacts to what, v from the rates behind the semicolons.

    ::

                 kon
        L  +  R  --->  LR  ---> (internalised)
                 <---      kint
                 koff

    .. math:: \dot x = S\,v(x, p, t)

    Parameters
    ----------
    states : mapping of str to str
        Units of the species: amounts, or concentrations within one constant volume.
    parameters : mapping of str to str
        Units. A constant of mass action of order n has the unit of the species to the power 1 - n, over time.
    reactions : sequence of str or Reaction
        See `Reaction` for how they are written. A rate that no line can hold is given as
        ``Reaction("S -> P", rate=lambda s: ...)``.
    expressions, initial : mapping of str to str, callable or float, optional
        As for `System`; text is read as a formula.
    outputs : mapping of str to Output, optional
        All species where left out.
    doses, inputs, constants, switches, shared, share, accumulators, scales, time_unit, name
        As for `System`.

    Raises
    ------
    MechanismError
        For a line that is no reaction, a name that does not exist (with its position, and the unit that a constant of
        mass action needs), or two reactions of one name.
    UnitsError
        When `system` is called, where a rate has another unit than its species over time.

    Notes
    -----
    Holds where species are well mixed and so many that they can be counted by real numbers. From the concentrations of
    complexes near equilibrium only the ratio of the constants of a reversible reaction can be told, here koff/kon; each
    of them needs samples on the way to equilibrium.

    References
    ----------
    Klipp E et al. (2016). Systems Biology: A Textbook, 2nd ed. Wiley-VCH.

    Examples
    --------
    >>> network = ReactionNetwork(
    ...     states={"L": "nmol/L", "R": "nmol/L", "LR": "nmol/L"},
    ...     parameters={"kon": "L/nmol/h", "koff": "1/h", "kint": "1/h"},
    ...     reactions=["L + R <-> LR; kon, koff", "internalisation: LR -> ; kint"],
    ...     initial={"L": 10, "R": 4},
    ... )
    >>> for equation in network.system().equations():
    ...     print(equation)
    d(L)/dt = -(kon*L*R - koff*LR)
    d(R)/dt = -(kon*L*R - koff*LR)
    d(LR)/dt = kon*L*R - koff*LR - kint*LR
    L(0) = 10
    R(0) = 4
    >>> print(network.system().rates().to_string())
                        reaction               rate      unit
    process
    L + R <-> LR     L + R -> LR  kon*L*R - koff*LR  nmol/L/h
    internalisation        LR ->            kint*LR  nmol/L/h
    """

    states: Mapping[str, str]
    parameters: Mapping[str, str]
    reactions: Sequence[str | Reaction]
    expressions: Mapping[str, Quantity | str] = field(default_factory=dict)
    initial: Mapping[str, Quantity | float | str] = field(default_factory=dict)
    outputs: Mapping[str, Output] | None = None
    doses: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Constant] = field(default_factory=dict)
    switches: Sequence[Switch] = ()
    shared: Sequence[str] = ()
    share: Sequence[str] = ()
    accumulators: Sequence[str] = ()
    scales: Mapping[str, str] = field(default_factory=dict)
    time_unit: str = "h"
    name: str = "reaction network"

    def __post_init__(self) -> None:
        if isinstance(self.reactions, str):
            raise MechanismError(
                f"{self.name!r}: reactions are a list of lines, and {self.reactions!r} is one line."
            )
        read = tuple(r if isinstance(r, Reaction) else Reaction(r) for r in self.reactions)
        object.__setattr__(self, "reactions", read)
        for kind in ("states", "parameters", "expressions", "initial"):
            object.__setattr__(self, kind, frozen(getattr(self, kind)))
        for reaction in read:
            self.check(reaction)

    def check(self, reaction: Reaction) -> None:
        """Raise unless the names of a reaction exist."""
        where = f"{self.name!r}, reaction {reaction.text!r}"
        for state in (*reaction.reactants, *reaction.products):
            if state not in self.states:
                raise unknown_name(state, {"states": self.states}, where)
        known = self.known()
        listed = {name for names in known.values() for name in names}
        for name, position in reaction.names().items():
            if name in listed:
                continue
            place = f", at character {position + 1} of the rate" if position >= 0 else ""
            error = unknown_name(name, known, where + place)
            unit = self.unit_of_constant(reaction, name)
            raise MechanismError(
                f"{error}"
                + (f" As a constant of mass action it is declared {{{name!r}: {unit!r}}}." if unit else "")
            )

    def known(self) -> dict[str, list[str]]:
        """Return the names that a rate may use, by kind."""
        kinds = ("states", "parameters", "expressions", "inputs", "constants")
        switches = [switch.name for switch in self.switches]
        return {kind: list(getattr(self, kind)) for kind in kinds} | {"switches": switches, "time": ["t"]}

    def unit_of_constant(self, reaction: Reaction, name: str) -> str:
        """Return the unit that a constant of mass action must have; empty for anything else."""
        sides = reaction.constants()
        if name not in sides:
            return ""
        unit = self.states[next(iter([*reaction.reactants, *reaction.products]))]
        order = sum(sides[name].values())
        if order == 1:
            return f"1/{self.time_unit}"
        return f"{unit}/{self.time_unit}" if order == 0 else f"({unit})**{1 - order}/{self.time_unit}"

    def system(self) -> System:
        """Return the system of the network, in which each reaction is a process.

        Raises
        ------
        UnitsError
            Where a rate, an expression or an initial value has another unit than it must have.
        MechanismError
            For names that `System` refuses, and for algebraic loops.
        """
        listed = {name for names in self.known().values() for name in names}

        def read(kind: str) -> dict[str, Any]:
            found = {}
            for name, given in getattr(self, kind).items():
                if isinstance(given, str):
                    formula = parse_formula(given, f"{kind} {name!r} of {self.name!r}:")
                    for used in names(formula):
                        if used not in listed:
                            raise unknown_name(used, self.known(), f"{self.name!r}, {kind} {name!r}")
                    given = quantity(formula)
                found[name] = given
            return found

        outputs = self.outputs
        if outputs is None:
            outputs = {name: Output(unit, operator.itemgetter(name)) for name, unit in self.states.items()}
        return System(
            name=self.name,
            states=self.states,
            parameters=self.parameters,
            processes=[
                Process(reaction.name, reaction.stoichiometry(), reaction.quantity())
                for reaction in self.reactions
                if isinstance(reaction, Reaction)
            ],
            expressions=read("expressions"),
            initial=read("initial"),
            outputs=outputs,
            doses=self.doses,
            inputs=self.inputs,
            constants=self.constants,
            switches=self.switches,
            shared=self.shared,
            share=self.share,
            accumulators=self.accumulators,
            scales=self.scales,
            time_unit=self.time_unit,
        )
