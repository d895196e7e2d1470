"""Reading SBML: the elements of a model become the parts of a system."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.formula import Call, Formula, Name, Number, names, substitute
from qsp_bayes.systems.sbml.declared_units import DeclaredUnits
from qsp_bayes.systems.sbml.draft import Draft
from qsp_bayes.systems.sbml.events import add_crossings, add_event
from qsp_bayes.systems.sbml.identifiers import Identifiers
from qsp_bayes.systems.sbml.mathematics import Mathematics
from qsp_bayes.systems.sbml.unsupported import refuse_unsupported
from qsp_bayes.units import parse_unit

CLOSEST = 1_000_000
"""Largest denominator of a stoichiometric coefficient that is written as a decimal number."""


class Reader:
    """One model on its way to a draft."""

    def __init__(self, model: Any, where: str, declared_units: bool, given_units: Mapping[str, str]) -> None:
        refuse_unsupported(model, where)
        self.model, self.where = model, where
        self.units = DeclaredUnits(model, where, declared_units, given_units)
        self.names = Identifiers(
            element.getId()
            for element in [
                *model.getListOfCompartments(), *model.getListOfSpecies(), *model.getListOfParameters(),
                *model.getListOfReactions(), *model.getListOfEvents(), *references(model),
            ]
            if element.getId()
        )  # fmt: skip
        title = model.getName() or model.getId() or Path(where).stem
        self.result = Draft(title, self.units.time(), self.names)
        self.rates: dict[str, Formula] = {}
        self.functions: dict[str, tuple[tuple[str, ...], Formula]] = {}
        self.mathematics = Mathematics(self.functions, self.names.__getitem__, self.literal)
        self.rules = {rule.getVariable(): rule for rule in model.getListOfRules()}
        self.assigned = {a.getSymbol(): a for a in model.getListOfInitialAssignments()}
        self.by_events = {
            assignment.getVariable()
            for event in model.getListOfEvents()
            for assignment in event.getListOfEventAssignments()
        }

    def literal(self, value: float, unit: str) -> Formula:
        """Return a number that is written with a unit."""
        return self.result.constant(value, self.units.named(unit), "number")

    def formula(self, element: Any, what: str) -> Formula:
        """Read the formula of an element."""
        return self.mathematics.read(element.getMath(), f"{self.where}: {what}")

    def draft(self) -> Draft:
        """Read everything."""
        for function in self.model.getListOfFunctionDefinitions():
            variables = tuple(
                self.names[function.getArgument(i).getName()] for i in range(function.getNumArguments())
            )
            where = f"{self.where}: function {function.getId()!r}"
            self.functions[function.getId()] = (variables, self.mathematics.read(function.getBody(), where))
        for compartment in self.model.getListOfCompartments():
            if compartment.isSetSize() or compartment.getId() in {**self.rules, **self.assigned}:
                self.plain(compartment, compartment.getSize())
        for parameter in self.model.getListOfParameters():
            self.plain(parameter, parameter.getValue() if parameter.isSetValue() else math.nan)
        reacting = {
            reference.getSpecies()
            for reaction in self.model.getListOfReactions()
            for reference in [*reaction.getListOfReactants(), *reaction.getListOfProducts()]
        }
        for species in self.model.getListOfSpecies():
            held = species.getBoundaryCondition() or species.getConstant()
            if species.getId() in reacting and not held:
                self.reacting(species)
            else:
                self.plain(species, self.start_number(species))
        for reaction in self.model.getListOfReactions():
            self.reaction(reaction)
        self.used_elsewhere()
        for event in self.model.getListOfEvents():
            add_event(self, event)
        add_crossings(self.result)
        self.units.check_given()
        return self.result

    def plain(self, element: Any, value: float) -> None:
        """Read a quantity that stands for itself: by a rule, as a state that events change, or as a parameter."""
        key, name, draft = element.getId(), self.names[element.getId()], self.result
        what = f"{element.getElementName()} {key!r}"
        rule = self.rules.get(key)
        unit = self.units.of(element, name, rule if rule is not None and rule.isAssignment() else None)
        start = None
        if key in self.assigned:
            start = draft.with_unit(
                self.formula(self.assigned[key], f"initial value of {what}"), unit, f"{name}_start"
            )
        if rule is not None:
            formula = self.formula(rule, f"rule of {what}")
        if rule is not None and rule.isAssignment():
            draft.expressions[name] = draft.with_unit(formula, unit, f"{name}_value")
            draft.outputs[name] = unit
        elif rule is not None or key in self.by_events:
            draft.states[name] = unit
            draft.outputs[name] = unit
            if start is None:
                self.require_value(value, what)
                start = draft.constant(value, unit, f"{name}_start")
            draft.starts[name] = start
            if rule is not None:
                per_time = f"({unit or 1})/({self.result.time_unit or 1})" if self.units.used else ""
                rate = draft.with_unit(formula, per_time, f"{name}_slope")
                draft.processes.append((f"rate of {name}", {name: Fraction(1)}, rate))
        elif start is not None:
            draft.fixed[name] = start
        else:
            draft.parameters[name] = unit
            if not math.isnan(value):
                draft.values[name] = float(value)

    def require_value(self, value: float, what: str) -> None:
        """Raise where a quantity that changes has no value at the start."""
        if math.isnan(value):
            raise MechanismError(f"{self.where}: {what} has no initial value. Give it one.")

    def in_concentration(self, species: Any) -> bool:
        """Say whether the id of a species means its concentration in formulas."""
        compartment = self.model.getCompartment(species.getCompartment())
        return not species.getHasOnlySubstanceUnits() and compartment.getSpatialDimensions() > 0

    def start_number(self, species: Any) -> float:
        """Return the start of a species as formulas mean it, NaN where it has none."""
        size = self.model.getCompartment(species.getCompartment()).getSize()
        if species.isSetInitialAmount():
            amount = species.getInitialAmount()
            return amount / size if self.in_concentration(species) else amount
        if species.isSetInitialConcentration():
            concentration = species.getInitialConcentration()
            return concentration if self.in_concentration(species) else concentration * size
        return math.nan

    def reacting(self, species: Any) -> None:
        """Read a species that reactions change: its state is an amount."""
        key, name, draft = species.getId(), self.names[species.getId()], self.result
        what = f"species {key!r}"
        if key in self.rules:
            raise MechanismError(
                f"{self.where}: {what} is changed by reactions and by a rule. Make it a boundary species, or drop one."
            )
        unit, volume = self.units.of(species, name), None
        state, amount = name, unit
        if self.in_concentration(species):
            volume = self.names[species.getCompartment()]
            compartment = self.model.getCompartment(species.getCompartment())
            if volume not in {**draft.parameters, **draft.fixed}:
                raise MechanismError(
                    f"{self.where}: compartment {species.getCompartment()!r} has no size. Give it one."
                )
            state = self.names.new(f"{name}_amount")
            if self.units.used:
                amount = simplified(f"({unit or 1})*({self.units.of(compartment, volume)})")
            draft.expressions[name] = Call("/", (Name(state), Name(volume)))
        draft.states[state] = amount
        draft.outputs[name] = unit
        if key in self.assigned:
            start = draft.with_unit(
                self.formula(self.assigned[key], f"initial value of {what}"), unit, f"{name}_start"
            )
        elif species.isSetInitialAmount():
            draft.starts[state] = draft.constant(species.getInitialAmount(), amount, f"{name}_start")
            return
        else:
            self.require_value(self.start_number(species), what)
            start = draft.constant(self.start_number(species), unit, f"{name}_start")
        if start != Number(0.0):
            draft.starts[state] = start if volume is None else Call("*", (start, Name(volume)))

    def reaction(self, reaction: Any) -> None:
        """Read a reaction as a process."""
        key = reaction.getId()
        what = f"reaction {key!r}"
        law = reaction.getKineticLaw()
        if law is None:
            raise MechanismError(f"{self.where}: {what} has no kinetic law. Give it one, or delete it.")
        local = {}
        for parameter in [*law.getListOfLocalParameters(), *law.getListOfParameters()]:
            name = self.names.new(f"{self.names[key]}_{parameter.getId()}")
            local[self.names[parameter.getId()]] = Name(name)
            self.result.parameters[name] = self.units.of(parameter, name)
            if parameter.isSetValue():
                self.result.values[name] = float(parameter.getValue())
        rate = substitute(self.formula(law, f"rate of {what}"), local)
        changes: dict[str, Fraction] = {}
        for references, sign in ((reaction.getListOfReactants(), -1), (reaction.getListOfProducts(), 1)):
            for reference in references:
                species = self.model.getSpecies(reference.getSpecies())
                if species.getBoundaryCondition() or species.getConstant():
                    continue
                name = self.names[species.getId()]
                state = name if name in self.result.states else self.state_of(name)
                changes[state] = changes.get(state, Fraction(0)) + sign * self.coefficient(reference, what)
        self.rates[self.names[key]] = rate
        if any(changes.values()):
            self.result.processes.append((self.names[key], changes, rate))

    def state_of(self, name: str) -> str:
        """Return the amount that the concentration of a species is made of."""
        ratio = self.result.expressions[name]
        return ratio.arguments[0].name  # type: ignore[union-attr]

    def coefficient(self, reference: Any, what: str) -> Fraction:
        """Return a stoichiometric coefficient as a fraction."""
        value = reference.getStoichiometry() / (reference.getDenominator() or 1)
        if not math.isfinite(value):
            raise MechanismError(
                f"{self.where}: {what}, species {reference.getSpecies()!r} has no stoichiometry. Give it one."
            )
        near = Fraction(value).limit_denominator(CLOSEST)
        return near if math.isclose(float(near), value, rel_tol=1e-14) else Fraction(repr(value))

    def used_elsewhere(self) -> None:
        """Make expressions of reactions, and of stoichiometries, that some formula names."""
        draft = self.result
        formulas = [*draft.expressions.values(), *draft.starts.values(), *draft.fixed.values()]
        formulas += [rate for _, _, rate in draft.processes]
        for event in self.model.getListOfEvents():
            for part in [event.getTrigger(), *event.getListOfEventAssignments()]:
                formulas.append(self.formula(part, f"event {event.getId()!r}"))
        used = {name for formula in formulas for name in names(formula)}
        for name, rate in self.rates.items():
            if name in used:
                draft.expressions[name] = rate
        for reference in references(self.model):
            name = self.names[reference.getId()]
            if name in used:
                draft.expressions[name] = Number(reference.getStoichiometry())


def references(model: Any) -> list[Any]:
    """Return the species references that have ids."""
    return [
        reference
        for reaction in model.getListOfReactions()
        for reference in [*reaction.getListOfReactants(), *reaction.getListOfProducts()]
        if reference.getId()
    ]


def simplified(unit: str) -> str:
    """Write a product of units shortly."""
    from qsp_bayes.systems.dimensions import spelling

    text = spelling(parse_unit(unit))
    return "" if text == "1" else text
