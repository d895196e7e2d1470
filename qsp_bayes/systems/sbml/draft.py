"""Draft: a system while it is read, with formulas in the place of functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.declarations import Constant, Output, Process
from qsp_bayes.systems.formula import Call, Formula, Name, Number, names, quantity, substitute
from qsp_bayes.systems.sbml.identifiers import Identifiers
from qsp_bayes.systems.switch import Switch
from qsp_bayes.systems.system import System

ZERO = Number(0.0)


@dataclass
class Draft:
    """A system in the making.

    Attributes
    ----------
    states, parameters : dict of str to str
        Units.
    values : dict of str to float
        Of parameters.
    expressions : dict of str to Formula
        What always holds.
    fixed : dict of str to Formula
        What is worked out at the start, and stays.
    starts : dict of str to Formula
        Values of states at the start.
    processes : list of (str, dict of str to Fraction, Formula)
    outputs : dict of str to str
        Units of what can be observed.
    switches : list of Switch
    heights : list of Formula
        What is positive where the conditions of the switches hold.
    """

    name: str
    time_unit: str
    identifiers: Identifiers
    states: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    constants: dict[str, Constant] = field(default_factory=dict)
    expressions: dict[str, Formula] = field(default_factory=dict)
    fixed: dict[str, Formula] = field(default_factory=dict)
    starts: dict[str, Formula] = field(default_factory=dict)
    processes: list[tuple[str, dict[str, Fraction], Formula]] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    switches: list[Switch] = field(default_factory=list)
    heights: list[Formula] = field(default_factory=list)

    def constant(self, value: float, unit: str, stem: str) -> Formula:
        """Return a number with its unit; zero, and what has no unit, is just a number."""
        if not unit or value == 0.0:
            return Number(value)
        for name, known in self.constants.items():
            if known == Constant(value, unit) and name.startswith(stem):
                return Name(name)
        name = self.identifiers.new(stem)
        self.constants[name] = Constant(value, unit)
        return Name(name)

    def with_unit(self, formula: Formula, unit: str, stem: str) -> Formula:
        """Give a formula that is one number the unit it must have."""
        return self.constant(formula.value, unit, stem) if isinstance(formula, Number) else formula

    def at_start(self, formula: Formula, opened: tuple[str, ...] = ()) -> Formula:
        """Return a formula of parameters and constants only: the value of another at the start.

        Raises
        ------
        MechanismError
            For a value that depends on itself.
        """
        if isinstance(formula, Call):
            return Call(formula.function, tuple(self.at_start(a, opened) for a in formula.arguments))
        if not isinstance(formula, Name):
            return formula
        name = formula.name
        if name in opened:
            raise MechanismError(
                f"{self.name!r}: the start of {name!r} depends on itself: {' -> '.join([*opened, name])}."
            )
        if name == "t":
            return ZERO
        if name in self.states:
            return self.at_start(self.starts.get(name, ZERO), (*opened, name))
        for kind in (self.fixed, self.expressions):
            if name in kind:
                return self.at_start(kind[name], (*opened, name))
        return formula

    def expanded(self, formula: Formula) -> Formula:
        """Return a formula with the meaning of expressions in their place."""
        inner = {
            name: self.expanded(self.expressions[name]) for name in names(formula) if name in self.expressions
        }
        return substitute(formula, inner)

    def moving(self, formula: Formula, seen: set[str] | None = None) -> bool:
        """Say whether a formula changes in time."""
        seen = set() if seen is None else seen
        for name in names(formula):
            if name == "t" or name in self.states:
                return True
            if name in self.expressions and name not in seen:
                seen.add(name)
                if self.moving(self.expressions[name], seen):
                    return True
        return False

    def system(self) -> System:
        """Return the system."""
        fixed = {name: self.at_start(formula) for name, formula in self.fixed.items()}
        starts = {name: self.at_start(formula) for name, formula in self.starts.items()}
        return System(
            name=self.name,
            states=self.states,
            parameters=self.parameters,
            constants=self.constants,
            expressions={name: quantity(formula) for name, formula in {**fixed, **self.expressions}.items()},
            initial={
                name: formula.value if isinstance(formula, Number) else quantity(formula)
                for name, formula in starts.items()
                if formula != ZERO
            },
            processes=[Process(name, changes, quantity(rate)) for name, changes, rate in self.processes],
            outputs={name: Output(unit, quantity(Name(name))) for name, unit in self.outputs.items()},
            switches=self.switches,
            scales={name: "identity" for name, value in self.values.items() if not value > 0.0},
            time_unit=self.time_unit,
        )
