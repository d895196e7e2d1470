"""What SBML can say and a system cannot: refused by element, with what to do."""

from __future__ import annotations

from typing import Any

from qsp_bayes.errors import MechanismError


def refuse_unsupported(model: Any, where: str) -> None:
    """Raise for the first element that is not supported.

    Raises
    ------
    MechanismError
        Naming it.
    """
    for what, advice in unsupported(model):
        raise MechanismError(f"{where}: {what} is not supported. {advice}")


def unsupported(model: Any) -> Any:
    """Go through what is not supported: what it is, and what to do."""
    if model.getLevel() < 2:
        yield "SBML level 1", "Convert the file to level 3, for example with libsbml or COPASI."
    for constraint in range(model.getNumConstraints()):
        yield f"constraint {constraint + 1}", "Delete it: it changes no solution."
    if model.getLevel() > 2 and model.isSetConversionFactor():
        yield "the conversion factor of the model", "Multiply the rates by it."
    changed = {
        a.getVariable(): f"event {event.getId()!r}"
        for event in model.getListOfEvents()
        for a in event.getListOfEventAssignments()
    }
    for rule in model.getListOfRules():
        if rule.isAlgebraic():
            yield "an algebraic rule", "Solve it for a variable, and write an assignment rule."
        changed[rule.getVariable()] = "a rule"
    for compartment in model.getListOfCompartments():
        if compartment.getId() in changed:
            yield (
                f"compartment {compartment.getId()!r}, which {changed[compartment.getId()]} changes,",
                "Make its size constant, and the volume a parameter with species in amounts.",
            )
    for species in model.getListOfSpecies():
        if model.getLevel() > 2 and species.isSetConversionFactor():
            yield (
                f"the conversion factor of species {species.getId()!r}",
                "Write it in units of the reactions.",
            )
    assigned = {a.getSymbol() for a in model.getListOfInitialAssignments()}
    for reaction in model.getListOfReactions():
        if reaction.isSetFast() and reaction.getFast():
            yield (
                f"fast reaction {reaction.getId()!r}",
                "Give it a rate that is large, or solve its equilibrium.",
            )
        for reference in [*reaction.getListOfReactants(), *reaction.getListOfProducts()]:
            moving = reference.getId() and reference.getId() in {*changed, *assigned}
            if moving or reference.isSetStoichiometryMath():
                yield (
                    f"the stoichiometry of {reference.getSpecies()!r} in reaction {reaction.getId()!r}, a formula,",
                    "Write it as a number.",
                )
    for event in model.getListOfEvents():
        name = f"event {event.getId()!r}"
        if event.isSetDelay():
            yield f"the delay of {name}", "Let the trigger come later by itself."
        if model.getLevel() > 2 and event.isSetPriority():
            yield f"the priority of {name}", "Delete it, or let the triggers follow one another in time."
