"""Outputs of a system as a function of numbers, and systems whose states can all be seen."""

import dataclasses
import operator

import pytensor

from qsp_bayes.systems import Output


def outputs_of(system):
    """Outputs as a function of states, parameters, inputs and time, all given by name."""
    graphs = system.symbolic()
    given = {**graphs.states, **graphs.parameters, **graphs.inputs}
    function = pytensor.function(
        [graphs.time, *given.values()],
        list(graphs.outputs.values()),
        mode="FAST_COMPILE",
        on_unused_input="ignore",
    )

    def call(t=0.0, **numbers):
        found = function(t, *(numbers[name] for name in given))
        return {name: float(value) for name, value in zip(graphs.outputs, found, strict=True)}

    return call


def with_all_states(system):
    """The system with each of its states among its outputs."""
    states = {
        name: Output(unit, operator.itemgetter(name))
        for name, unit in system.states.items()
        if name not in system.outputs
    }
    return dataclasses.replace(system, outputs={**system.outputs, **states})
