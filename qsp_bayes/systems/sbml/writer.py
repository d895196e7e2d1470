"""Writing SBML: the parts of a system become the elements of a document of level 3."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytensor.tensor as pt
from pytensor.graph.traversal import ancestors
from pytensor.tensor.variable import TensorVariable

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.interpolation import unlike
from qsp_bayes.systems.notation import definition, names_of, write
from qsp_bayes.systems.sbml.identifiers import usable
from qsp_bayes.systems.sbml.infix import Infix
from qsp_bayes.systems.sbml.library import libsbml, refuse_errors
from qsp_bayes.systems.sbml.unit_definitions import base_units, unit_id
from qsp_bayes.systems.symbolic import symbolic
from qsp_bayes.systems.system import System
from qsp_bayes.units import conversion_factor, parse_unit, registry

SUBSTANCES = ("[substance]", "[mass]", "dimensionless")
CONCENTRATIONS = ("[substance] / [length] ** 3", "[mass] / [length] ** 3")
RESERVED = (
    "time",
    "avogadro",
    "pi",
    "exponentiale",
    "true",
    "false",
    "infinity",
    "nan",
    "inf",
    "delay",
    "rateOf",
)


class Writer:
    """One system on its way to a document."""

    def __init__(self, system: System, values: Mapping[str, float]) -> None:
        self.system, self.values = system, dict(values)
        self.graphs = symbolic(system)
        self.check_values()
        self.units = system.units()
        everything = {name for names in system.names().values() for name in names}
        self.taken = everything | set(RESERVED)
        self.ids = {name: self.new(name) if name in RESERVED else name for name in everything}
        self.ids |= {"t": "time"}
        self.compartment = self.new("compartment")
        self.names = {
            variable: self.ids[name] for variable, name in names_of(self.graphs).items() if name in self.ids
        }
        self.substance = self.common_substance()
        sbml = libsbml()
        self.document = sbml.SBMLDocument(3, 1)
        self.model = self.document.createModel()
        self.settings = sbml.L3ParserSettings()
        self.settings.setModel(self.model)
        self.settings.setParseUnits(True)

    def check_values(self) -> None:
        """Raise unless values are of parameters and inputs, every input has one, and nothing is released."""
        known = {**self.system.parameters, **self.system.inputs}
        unknown = [name for name in self.values if name not in known]
        if unknown:
            raise MechanismError(
                f"{self.system.name!r} has no parameter {', '.join(unknown)}. It has {', '.join(known)}."
            )
        for name in self.graphs.releases:
            raise MechanismError(
                f"process {name!r} of {self.system.name!r} cannot be written: SBML has no doses, and it releases them. "
                "Write the system with another absorption, such as transit compartments."
            )
        for name in self.system.inputs:
            if name in self.system.interpolated or name not in self.values:
                raise MechanismError(
                    f"input {name!r} of {self.system.name!r} cannot be written: SBML has no covariates. "
                    + (
                        "It is interpolated: take it out of `interpolated`."
                        if name in self.system.interpolated
                        else "Bind it with `+` to a system that gives it, or pass its value in `parameters`."
                    )
                )

    def new(self, stem: str) -> str:
        """Return an id that nothing else has."""
        words = re.sub(r"\W+", "_", stem, flags=re.ASCII).strip("_")
        return unlike(self.taken, words if words[:1].isalpha() and usable(words) else f"x_{words}")

    def common_substance(self) -> str:
        """Return the unit of substance that most processes exchange; empty where none does."""
        found = Counter(
            substance
            for process in self.system.processes
            if (substance := substance_of(self.system.states[next(iter(process.stoichiometry))])) is not None
        )
        return found.most_common(1)[0][0] if found else ""

    def is_species(self, state: str) -> bool:
        """Say whether a state is written as a species."""
        substance = substance_of(self.system.states[state])
        return substance is not None and conversion_factor(substance, self.substance) == 1.0

    def unit(self, text: str) -> str:
        """Return the id of a unit, defining it where it is new."""
        name = unit_id(text)
        if name != "dimensionless" and self.model.getUnitDefinition(name) is None:
            unit = self.model.createUnitDefinition()
            unit.setId(name)
            for kind, exponent, scale, multiplier in base_units(text):
                base = unit.createUnit()
                base.setKind(libsbml().UnitKind_forName(kind))
                base.setExponent(float(exponent))
                base.setScale(scale)
                base.setMultiplier(multiplier)
        return name

    def math(self, text: str, where: str) -> Any:
        """Parse a formula."""
        sbml = libsbml()
        node = sbml.parseL3FormulaWithSettings(text, self.settings)
        if node is None:
            raise MechanismError(f"{where} cannot be written in SBML: {sbml.getLastParseL3Error()}")
        return node

    def formula(self, graph: TensorVariable, where: str) -> Any:
        """Return a graph as MathML."""
        return self.math(self.infix(graph), where)

    def infix(self, graph: TensorVariable) -> str:
        """Write a graph, names standing for what has one."""
        return write(graph, self.names, Infix())

    def text(self) -> str:
        """Return the document as text.

        Raises
        ------
        MechanismError
            If libsbml finds it invalid.
        """
        self.quantities()
        self.changes()
        for switch in self.system.switches:
            self.switch(switch.name)
        self.document.checkConsistency()
        refuse_errors(self.document, f"system {self.system.name!r} as SBML")
        written: str = libsbml().writeSBMLToString(self.document)
        return written

    def quantities(self) -> None:
        """Write units, the compartment, species and parameters."""
        model, system = self.model, self.system
        model.setId(self.new(system.name))
        model.setName(system.name)
        model.setTimeUnits(self.unit(system.time_unit))
        model.setSubstanceUnits(self.unit(self.substance))
        model.setExtentUnits(self.unit(self.substance))
        if any(self.is_species(state) for state in system.states):
            compartment = model.createCompartment()
            compartment.setId(self.compartment)
            compartment.setSpatialDimensions(3.0)
            compartment.setSize(1.0)
            compartment.setUnits("litre" if self.substance else "dimensionless")
            compartment.setConstant(True)
        for name, unit in system.states.items():
            if self.is_species(name):
                self.species(name, unit)
            else:
                self.parameter(name, unit, constant=False, value=self.start_of(name))
        for name, unit in {**system.parameters, **system.inputs}.items():
            self.parameter(name, unit, constant=True, value=self.values.get(name))
        for name, constant in system.constants.items():
            self.parameter(name, constant.unit, constant=True, value=constant.value)
        for name in [*system.expressions, *system.outputs]:
            if name not in system.states and self.model.getParameter(self.ids[name]) is None:
                self.parameter(name, self.units[name], constant=False, value=None)

    def start_of(self, state: str) -> float | None:
        """Return the number a state starts at; None where it is a formula."""
        value = self.system.initial.get(state, 0.0)
        return None if callable(value) else float(value)

    def species(self, name: str, unit: str) -> None:
        """Write a state as a species."""
        species = self.model.createSpecies()
        species.setId(self.ids[name])
        species.setCompartment(self.compartment)
        species.setHasOnlySubstanceUnits(not concentration(unit))
        species.setBoundaryCondition(False)
        species.setConstant(False)
        species.setSubstanceUnits(self.unit(self.substance))
        start = self.start_of(name)
        if start is not None and concentration(unit):
            species.setInitialConcentration(start)
        elif start is not None:
            species.setInitialAmount(start)

    def parameter(self, name: str, unit: str, constant: bool, value: float | None) -> None:
        """Write a quantity as a parameter."""
        parameter = self.model.createParameter()
        parameter.setId(self.ids[name])
        parameter.setUnits(self.unit(unit))
        parameter.setConstant(constant)
        if value is not None:
            parameter.setValue(float(value))

    def changes(self) -> None:
        """Write initial assignments, rules and reactions."""
        graphs, system = self.graphs, self.system
        for name in system.initial:
            if callable(system.initial[name]):
                assignment = self.model.createInitialAssignment()
                assignment.setSymbol(self.ids[name])
                assignment.setMath(self.formula(graphs.initial[name], f"initial value of {name!r}"))
        defined = {**graphs.expressions, **graphs.outputs}
        for name, graph in defined.items():
            if name in system.states:
                continue
            # One graph of two names is written by the first of them, but for the definition of that one.
            own = self.names.get(graph) == self.ids[name]
            text = definition(graph, self.names, Infix()) if own else self.infix(graph)
            self.rule(self.model.createAssignmentRule(), name, text)
        for name in system.states:
            changed = any(name in process.stoichiometry for process in system.processes)
            if not self.is_species(name) and changed:
                self.rule(self.model.createRateRule(), name, self.infix(graphs.derivatives[name]))
        for process in system.processes:
            if self.is_species(next(iter(process.stoichiometry))):
                self.reaction(process.name, process.stoichiometry)

    def rule(self, rule: Any, name: str, text: str) -> None:
        """Write a rule."""
        rule.setVariable(self.ids[name])
        rule.setMath(self.math(text, f"{name!r}"))

    def reaction(self, name: str, stoichiometry: Mapping[str, Fraction]) -> None:
        """Write a process as a reaction."""
        reaction = self.model.createReaction()
        reaction.setId(self.new(name))
        reaction.setName(name)
        reaction.setReversible(True)
        reaction.setFast(False)
        for state, change in stoichiometry.items():
            reference = reaction.createReactant() if change < 0 else reaction.createProduct()
            reference.setSpecies(self.ids[state])
            reference.setStoichiometry(float(abs(change)))
            reference.setConstant(True)
        text = self.infix(self.graphs.rates[name])
        if concentration(self.system.states[next(iter(stoichiometry))]):
            text = f"{self.compartment}*({text})"
        math = self.math(text, f"rate of process {name!r}")
        used = {node.getName() for node in nodes(math)}
        for state in self.system.states:
            if self.ids[state] in used and self.is_species(state) and state not in stoichiometry:
                reaction.createModifier().setSpecies(self.ids[state])
        reaction.createKineticLaw().setMath(math)

    def switch(self, name: str) -> None:
        """Write a switch: a quantity of 0 or 1 where rates read it, events where states change."""
        graph = self.graphs.switches[name]
        read = set(ancestors([*self.graphs.rates.values(), *self.graphs.expressions.values()]))
        if graph.side in read:
            self.parameter(name, "", constant=False, value=None)
            holds = self.infix(condition(graph.when, up=True))
            text = f"piecewise(1 dimensionless, {holds}, 0 dimensionless)"
            self.rule(self.model.createAssignmentRule(), name, text)
        for direction in (
            {1: (True,), -1: (False,), 0: (True, False)}[graph.direction] if graph.change else ()
        ):
            event = self.model.createEvent()
            event.setId(self.new(f"{name}_{'begins' if direction else 'ends'}"))
            event.setUseValuesFromTriggerTime(True)
            trigger = event.createTrigger()
            trigger.setInitialValue(True)
            trigger.setPersistent(True)
            trigger.setMath(self.formula(condition(graph.when, direction), f"condition of switch {name!r}"))
            for state, value in graph.change.items():
                assignment = event.createEventAssignment()
                assignment.setVariable(self.ids[state])
                assignment.setMath(self.formula(value, f"change of {state!r} at switch {name!r}"))


def condition(when: TensorVariable, up: bool) -> TensorVariable:
    """Return the condition that a graph is above zero, or below; of a difference, that of its parts."""
    from qsp_bayes.systems.equations import side_of

    comparison = side_of(when).owner.inputs[0]
    larger, smaller = comparison.owner.inputs
    return pt.gt(larger, smaller) if up else pt.gt(smaller, larger)


def nodes(math: Any) -> list[Any]:
    """Return a node of MathML and all below it."""
    found = [math]
    for node in found:
        found += [node.getChild(i) for i in range(node.getNumChildren())]
    return found


def dimension(unit: str) -> str:
    """Return the dimension of a unit, as pint writes it."""
    return str(registry.Quantity(1, parse_unit(unit)).dimensionality)


def concentration(unit: str) -> bool:
    """Say whether a unit is one of concentration."""
    return dimension(unit) in CONCENTRATIONS


def substance_of(unit: str) -> str | None:
    """Return the unit of substance of an amount, or of a concentration in 1 L; None for anything else.

    Examples
    --------
    >>> substance_of("nmol"), substance_of("ng/mL"), substance_of("mmHg")
    ('nmol', '(ng/mL)*L', None)
    """
    if dimension(unit) in SUBSTANCES:
        return unit
    return f"({unit})*L" if concentration(unit) else None
