"""Mammillary compartment models."""

from __future__ import annotations

from qsp_bayes.systems import DoseInto, Output, Process, System
from qsp_bayes.units import Units


def one_compartment(*, units: Units | None = None, absorption: str | None = None) -> System:
    """One compartment, intravenous or with first-order absorption."""
    units = units or Units()
    states = {"central": units.amount}
    parameters = {"CL": units.clearance, "Vc": units.volume}
    processes = [Process("elimination", {"central": -1}, lambda s: s.CL / s.Vc * s.central)]
    doses = {"central": DoseInto()}
    if absorption == "first-order":
        states = {"depot": units.amount, **states}
        parameters = {"KA": units.rate, **parameters}
        processes.insert(0, Process("absorption", {"depot": -1, "central": +1}, lambda s: s.KA * s.depot))
        doses = {"depot": DoseInto(), **doses}
    return System(
        states=states,
        parameters=parameters,
        processes=processes,
        outputs={"Cc": Output(units.concentration, lambda s: s.central / s.Vc)},
        doses=doses,
        time_unit=units.time,
        name="one_compartment",
    )
