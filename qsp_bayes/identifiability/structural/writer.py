"""Writer: writes experiments on a tape, cut at every event into pieces that are analytic."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from qsp_bayes.errors import MechanismError
from qsp_bayes.identifiability.structural.experiment import Experiment
from qsp_bayes.identifiability.structural.modular import PRIMES
from qsp_bayes.identifiability.structural.point import Point, SingularStart, UnluckyPoint
from qsp_bayes.identifiability.structural.series import Piece, observed
from qsp_bayes.identifiability.structural.steady import steady_states
from qsp_bayes.identifiability.structural.tape import Tape
from qsp_bayes.systems import System
from qsp_bayes.systems.conservation import conservation_laws
from qsp_bayes.systems.linear import linear_form
from qsp_bayes.systems.symbolic import Delivery

Slots = Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Route:
    """What a dose does to one state: a jump, or a constant inflow, some time after it is given."""

    state: str
    jump: int | None
    inflow: int | None
    lag: int | None
    duration: int | None


@dataclass(eq=False)
class Writer:
    """Writes experiments on a tape, piece by piece."""

    system: System
    known: Collection[str]
    tape: Tape = field(default_factory=Tape)
    starts: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    others: list[Slots] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    resting: dict[str, dict[str, int]] = field(default_factory=dict)
    flooded: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.symbolic = self.system.symbolic()
        self.linear = linear_form(self.symbolic) is not None
        self.laws = conservation_laws(self.system)
        self.parameters = [name for name in self.system.parameters if name not in self.known]

    def leaves(self, experiment: Experiment, when: str) -> None:
        """Say what the names of the system stand for at some time of an experiment."""
        symbolic, slot = self.symbolic, self.tape.slot
        known = {variable: slot("state", name) for name, variable in symbolic.states.items()}
        for name, variable in symbolic.parameters.items():
            known[variable] = slot("known" if name in self.known else "unknown", name)
        for name, variable in symbolic.inputs.items():
            varies = experiment.inputs[name] == "varying"
            label = f"{name}, {experiment.name}"
            known[variable] = slot("varying", f"{label}, {when}") if varies else slot("known", label)
        known[symbolic.time] = slot("time", when)
        self.tape.known = known

    def experiment(self, experiment: Experiment) -> None:
        """Write the pieces of an experiment."""
        self.leaves(experiment, "start")
        start = {state: self.start(experiment, state) for state in self.system.states}
        routes = [
            self.route(experiment, compartment, number, delivery)
            for compartment in experiment.doses
            for number, delivery in enumerate(self.symbolic.deliveries[compartment])
        ]
        lags = list(dict.fromkeys(sorted((r.lag for r in routes), key=lambda lag: lag is not None)))
        first = [route for route in routes if not lags or route.lag == lags[0]]
        self.piece(experiment, "start", start, first)
        self.facts(routes)
        touched = {r.state for r in routes if r.inflow is not None or r not in first}
        moved = self.pieces[-1].start
        if any(route.inflow is not None for route in routes) and not self.linear:
            self.again(experiment, "after the infusion", [], moved, touched)
        for number, lag in enumerate(lags[1:], start=2):
            self.again(experiment, f"route {number}", [r for r in routes if r.lag == lag], moved, touched)
        if experiment.repeated and not self.linear:
            self.again(experiment, "next dose", routes, moved, touched)

    def start(self, experiment: Experiment, state: str) -> int:
        """Write the value of a state before the first dose."""
        given = experiment.start_of(state)
        label = f"{state}(0), {experiment.name}" if experiment.name else f"{state}(0)"
        match given:
            case "system":
                return self.tape.write(self.symbolic.initial[state], f"initial value of {state!r}")
            case "steady":
                return self.rest(experiment)[state]
            case "unknown":
                self.starts.append(label)
                return self.tape.slot("unknown", label)
            case "nuisance":
                self.later.append(label)
                return self.tape.slot("unknown", label)
            case "known":
                return self.tape.slot("known", label)
        return self.tape.number(given)

    def rest(self, experiment: Experiment) -> dict[str, int]:
        """Write the values of the states at rest, before anything is given."""
        if experiment.name not in self.resting:
            tape = self.tape

            def rates(values: Slots) -> Slots:
                self.leaves(experiment, "start")
                for name, variable in self.symbolic.states.items():
                    tape.known[variable] = values[name]
                return {
                    state: tape.write(graph, f"rates of {state!r}")
                    for state, graph in self.symbolic.derivatives.items()
                }

            where = f"system {self.system.name!r}, experiment {experiment.name!r}"
            self.resting[experiment.name] = steady_states(tape, list(self.system.states), rates, where)
            self.leaves(experiment, "start")
        return self.resting[experiment.name]

    def route(self, experiment: Experiment, compartment: str, number: int, delivery: Delivery) -> Route:
        """Write what one route of a dose does."""
        tape = self.tape
        shapes = {
            name: tape.write(graph, f"{name} of doses into {compartment!r}")
            for name, graph in delivery.graphs().items()
        }
        amount = tape.number(experiment.doses[compartment])
        amount = tape.mul(amount, shapes["F"]) if "F" in shapes else amount
        lag = shapes.get("lag")
        rate, duration = shapes.get("rate"), shapes.get("duration")
        if compartment in experiment.rates:
            rate, duration = tape.number(experiment.rates[compartment]), None
        elif compartment in experiment.durations:
            rate, duration = None, tape.number(experiment.durations[compartment])
        if rate is None and duration is None:
            return Route(delivery.state, amount, None, lag, None)
        rate = tape.slot("div", amount, duration) if rate is None else rate
        duration = tape.slot("div", amount, rate) if duration is None else duration
        return Route(delivery.state, None, rate, lag, duration)

    def piece(self, experiment: Experiment, when: str, start: Slots, routes: Sequence[Route]) -> None:
        """Write what follows from a start and what is given then."""
        tape, symbolic = self.tape, self.symbolic
        self.leaves(experiment, when)
        moved = dict(start)
        derivative = {
            state: tape.write(graph, f"rates of {state!r}") for state, graph in symbolic.derivatives.items()
        }
        for route in routes:
            if route.jump is not None:
                moved[route.state] = tape.add(moved[route.state], route.jump)
            elif route.inflow is not None:
                derivative[route.state] = tape.add(derivative[route.state], route.inflow)
        graphs = {**symbolic.expressions, **symbolic.states, **symbolic.outputs}
        watched = {name: tape.write(graphs[name], f"output {name!r}") for name in experiment.outputs or ()}
        seen = set(watched.values())
        others = {
            name: slot
            for name in (*symbolic.outputs, *symbolic.states)
            if (slot := tape.write(graphs[name], f"output {name!r}")) not in seen
        }
        label = f"{experiment.name}, {when}" if experiment.name else when
        if any(route.inflow is not None for route in routes):
            self.flooded.add(label)
        self.pieces.append(Piece(label, moved, derivative, watched))
        self.others.append(others)

    def again(
        self,
        experiment: Experiment,
        when: str,
        routes: Sequence[Route],
        moved: Slots,
        touched: Collection[str],
    ) -> None:
        """Write what is seen before and after a later event, from states that nobody knows."""
        start = self.unknown_states(f"{when}, {experiment.name}", moved, touched)
        if routes:
            self.piece(experiment, f"before {when}", start, [])
        self.piece(experiment, when, start, routes)

    def unknown_states(self, when: str, moved: Slots, touched: Collection[str]) -> dict[str, int]:
        """Write states at a later time: unknown, but for what conservation laws tell of them.

        A law gives one of its states from its total when the experiment started, unless something `touched` the states.
        """
        tape = self.tape
        given: dict[str, dict[str, int]] = {}
        for law in self.laws:
            own = [s for s in law if not any(s in other for other in self.laws if other is not law)]
            if own and not touched & law.keys():
                given[own[-1]] = law
        start: dict[str, int] = {}
        for state in self.system.states:
            if state not in given:
                self.later.append(f"{state} at {when}")
                start[state] = tape.slot("unknown", self.later[-1])
        for state, law in given.items():
            value = tape.number(0)
            for other, weight in law.items():
                change = moved[other] if other == state else tape.slot("sub", moved[other], start[other])
                value = tape.add(value, tape.mul(tape.number(Fraction(weight, law[state])), change))
            start[state] = value
        return start

    def facts(self, routes: Sequence[Route]) -> None:
        """Let the data show when a dose arrives, and when an infusion ends, where either can be seen."""
        piece = self.pieces[-1]
        shown = dict(piece.watched)
        for number, route in enumerate(routes):
            if self.tape.slot("state", route.state) not in followed(self.tape, piece, piece.watched.values()):
                continue
            for name, slot in (("lag", route.lag), ("duration", route.duration)):
                if slot is not None:
                    shown[f"{name} {number}"] = slot
        self.pieces[-1] = replace(piece, watched=shown)

    def regular(self) -> bool:
        """Watch what has no power series at the start of a piece from a later time on, and say whether there is any."""
        unlinked = False
        pairs = list(zip(self.pieces, self.others, strict=True))
        for number, (piece, others) in enumerate(pairs):
            watched = {name: slot for name, slot in piece.watched.items() if self.is_regular(piece, slot)}
            rest = {name: slot for name, slot in others.items() if self.is_regular(piece, slot)}
            self.pieces[number], self.others[number] = replace(piece, watched=watched), rest
            lost = [name for name in piece.watched if name not in watched]
            if not lost:
                continue
            unlinked = True
            start = self.unknown_states(f"a later time, {piece.label}", piece.start, self.inflows(piece))
            later = Piece(f"{piece.label}, later", start, piece.derivative, piece.watched)
            if not all(self.is_regular(later, slot) for slot in later.watched.values()):
                raise MechanismError(
                    f"system {self.system.name!r}: {', '.join(lost)} has no power series at any time of "
                    f"{piece.label!r}. Look for a division by 0, or a logarithm of 0, in what it rests on."
                )
            self.pieces.append(later)
            self.others.append({})
            self.conditions.append(
                f"{', '.join(lost)} has no power series where {piece.label!r} starts (a power of 0): it is watched "
                "from a later time on, at unknown states. What only its link to the dose could tell is not decided."
            )
        return unlinked

    def inflows(self, piece: Piece) -> set[str]:
        """Return the states of which no total is known in a piece: all of them while something flows in."""
        return set() if piece.label not in self.flooded else set(self.system.states)

    def is_regular(self, piece: Piece, slot: int) -> bool:
        """Say whether a slot has a power series where a piece starts."""
        for seed in range(40):
            try:
                observed(self.tape, piece, Point(PRIMES[0], (), seed), 0, [slot])
            except SingularStart:
                return False
            except UnluckyPoint:
                continue
            return True
        return False


def followed(tape: Tape, piece: Piece, slots: Collection[int]) -> set[int]:
    """Return all slots that some slots rest on, through the derivatives of the states."""
    reached: set[int] = set()
    frontier = set(tape.needed(slots))
    while frontier:
        reached |= frontier
        states = [tape.instructions[slot] for slot in frontier]
        wanted = [piece.derivative[name[0]] for kind, *name in states if kind == "state"]
        frontier = set(tape.needed(wanted)) - reached
    return reached
