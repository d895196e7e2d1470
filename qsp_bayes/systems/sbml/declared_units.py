"""The units that an SBML model declares, for all that has one, or for nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems.sbml.unit_definitions import unit_text
from qsp_bayes.systems.scope import unknown_name

ADVICE = "Declare it, give it in given_units, or read with declared_units=False, which takes all numbers as they stand."
MODEL_WIDE = ("Substance", "Time", "Volume", "Extent")


class DeclaredUnits:
    """Units of the elements of one model as text.

    Those that are `given`, by name, come first. A model that declares none at all is one of pure numbers, as is any
    where `wanted` is False.
    """

    def __init__(self, model: Any, where: str, wanted: bool, given: Mapping[str, str]) -> None:
        self.model, self.where, self.given = model, where, dict(given)
        self.used = bool(given) or (wanted and declares_units(model))
        self.asked: set[str] = set()

    def of(self, element: Any, name: str, fallback: Any = None) -> str:
        """Return the unit of a parameter, species or compartment, called so here, as it stands in formulas.

        Raises
        ------
        MechanismError
            If it declares none, although others do.
        """
        if not self.used:
            return ""
        self.asked.add(name)
        if name in self.given:
            return self.given[name]
        what = f"{self.where}: {element.getElementName()} {element.getId()!r}"
        for source in (element, fallback):
            definition = None if source is None else source.getDerivedUnitDefinition()
            if definition is not None and definition.getNumUnits():
                return unit_text(definition, what)
        raise MechanismError(f"{what} has no unit, although others have. {ADVICE}")

    def named(self, unit: str) -> str:
        """Return the unit that a number is written with."""
        if not self.used or unit == "dimensionless":
            return ""
        definition = self.model.getUnitDefinition(unit)
        if definition is not None:
            return unit_text(definition, f"{self.where}: unit {unit!r}")
        from qsp_bayes.systems.sbml.library import libsbml

        sbml = libsbml()
        plain = sbml.UnitDefinition(self.model.getLevel(), self.model.getVersion())
        base = plain.createUnit()
        base.initDefaults()
        base.setKind(sbml.UnitKind_forName(unit))
        return unit_text(plain, f"{self.where}: unit {unit!r}")

    def time(self) -> str:
        """Return the unit of time."""
        if not self.used:
            return ""
        if "time" in self.given:
            return self.given["time"]
        if self.model.getLevel() > 2:
            if not self.model.isSetTimeUnits():
                raise MechanismError(f"{self.where}: the model declares no unit of time. {ADVICE}")
            return self.named(self.model.getTimeUnits())
        return self.named("time") if self.model.getUnitDefinition("time") else "s"

    def check_given(self) -> None:
        """Raise where a unit is given to nothing.

        Raises
        ------
        MechanismError
            Naming what there is.
        """
        for name in self.given:
            if name not in self.asked | {"time"}:
                raise unknown_name(
                    name, {"units": ["time", *sorted(self.asked)]}, f"{self.where}, given_units"
                )


def declares_units(model: Any) -> bool:
    """Say whether anything in a model declares a unit."""
    if model.getNumUnitDefinitions():
        return True
    if model.getLevel() > 2 and any(getattr(model, f"isSet{name}Units")() for name in MODEL_WIDE):
        return True
    elements = [*model.getListOfParameters()]
    for reaction in model.getListOfReactions():
        law = reaction.getKineticLaw()
        if law is not None:
            elements += [*law.getListOfLocalParameters(), *law.getListOfParameters()]
    return any(element.isSetUnits() for element in elements)
