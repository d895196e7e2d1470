"""Events of SBML, and conditions in rates, as switches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytensor.tensor as pt

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.formula import COMPARISONS, Call, Formula, Name, Number, evaluate, parts, quantity
from qsp_bayes.systems.formula import names as names_in
from qsp_bayes.systems.sbml.draft import Draft
from qsp_bayes.systems.switch import Switch

if TYPE_CHECKING:
    from qsp_bayes.systems.sbml.reader import Reader


def add_event(reader: Reader, event: Any) -> None:
    """Read an event as a switch.

    Raises
    ------
    MechanismError
        For a trigger that is no comparison, or that acts at the start.
    """
    draft = reader.result
    known = event.getId()
    name = reader.names[known] if known else reader.names.new("event")
    what = f"event {known!r}" if known else "an event without id"
    where = f"{reader.where}: {what}"
    trigger = event.getTrigger()
    if trigger is None:
        raise MechanismError(f"{where} has no trigger. Give it one, or delete it.")
    condition = reader.formula(trigger, f"trigger of {what}")
    height = side(condition, where)
    at_once = reader.model.getLevel() > 2 and not trigger.getInitialValue()
    refuse_start(draft, condition, height, at_once, where)
    change: dict[str, Any] = {}
    for assignment in event.getListOfEventAssignments():
        key = assignment.getVariable()
        target = reader.names[key]
        formula = reader.formula(assignment, f"assignment of {key!r} in {what}")
        unit = draft.outputs.get(target, "")
        formula = draft.with_unit(formula, unit, f"{target}_after")
        if target not in draft.states:  # a concentration, whose amount is the state
            target, volume = (
                reader.state_of(target),
                reader.names[reader.model.getSpecies(key).getCompartment()],
            )
            formula = Call("*", (formula, Name(volume)))
        change[target] = 0.0 if formula == Number(0.0) else quantity(formula)
    if change:
        draft.switches.append(Switch(name, quantity(height), change=change))
        draft.heights.append(height)


def side(condition: Formula, where: str, holds: bool = True) -> Formula:
    """Return what is positive where a condition holds, or where it does not.

    Examples
    --------
    >>> side(Call(">", (Name("S"), Number(2.0))), "event 'E'")
    Call(function='-', arguments=(Name(name='S', position=-1), Number(value=2.0)), position=-1)
    """
    if isinstance(condition, Call):
        symbol, arguments = condition.function, condition.arguments
        if symbol in COMPARISONS:
            larger, smaller = arguments if (symbol in (">", ">=")) == holds else arguments[::-1]
            return Call("-", (larger, smaller))
        if symbol == "!":
            return side(arguments[0], where, not holds)
        if symbol in ("&&", "||"):
            both = "min" if (symbol == "&&") == holds else "max"
            return Call(both, tuple(side(argument, where, holds) for argument in arguments))
    raise MechanismError(
        f"{where}: its trigger is no comparison by <, <=, > or >=, nor made of such by and, or, not. "
        "Write it so: equality is not crossed."
    )


def refuse_start(draft: Draft, condition: Formula, height: Formula, at_once: bool, where: str) -> None:
    """Raise where an event would act at the start, or could not tell whether it did."""
    values = {**draft.values, **{name: constant.value for name, constant in draft.constants.items()}}
    start = draft.at_start(height)
    if not set(names_in(start)) <= set(values):
        return
    first = float(pt.as_tensor_variable(evaluate(start, values)).eval(mode="FAST_COMPILE"))
    holds = bool(pt.as_tensor_variable(evaluate(draft.at_start(condition), values)).eval(mode="FAST_COMPILE"))
    if (at_once and holds) or first == 0.0:
        raise MechanismError(
            f"{where} acts at the start, or begins at its very limit. Put what it changes into the initial values, or "
            "let the trigger hold later."
        )


def add_crossings(draft: Draft) -> None:
    """Let the integration stop where a condition within a rate begins or ceases to hold.

    Raises
    ------
    MechanismError
        For a rate that jumps without a comparison (floor, ceil).
    """
    seen: set[str] = set()
    found: list[Formula] = []

    def look(formula: Formula, where: str) -> None:
        for part in parts(formula):
            if isinstance(part, Name) and part.name in draft.expressions and part.name not in seen:
                seen.add(part.name)
                look(draft.expressions[part.name], where)
            if isinstance(part, Call) and draft.moving(part):
                if part.function in COMPARISONS and part not in found:
                    found.append(part)
                if part.function in ("floor", "ceil"):
                    raise MechanismError(
                        f"{draft.name!r}: {where} holds {part.function} of a quantity that changes, at whose jumps "
                        "the integration cannot stop. Write it as piecewise, or as events."
                    )

    for name, _, rate in draft.processes:
        look(rate, f"the rate of {name!r}")
    known = {both_sides(draft, height) for height in draft.heights}
    for condition in found:
        height = side(condition, draft.name)
        if both_sides(draft, height) not in known:
            known.add(both_sides(draft, height))
            name = draft.identifiers.new(f"crossing_{len(draft.switches) + 1}")
            draft.switches.append(Switch(name, quantity(height)))


def both_sides(draft: Draft, height: Formula) -> frozenset[Formula]:
    """Return what is compared, whichever is larger: one switch stands for a condition and its opposite."""
    compared = height.arguments if isinstance(height, Call) and height.function == "-" else (height,)
    return frozenset(map(draft.expanded, compared))
