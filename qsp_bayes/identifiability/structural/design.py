"""Design: the experiments on a system, written on one tape."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from qsp_bayes.errors import MechanismError
from qsp_bayes.identifiability.structural.experiment import Experiment, checked
from qsp_bayes.identifiability.structural.series import Piece
from qsp_bayes.identifiability.structural.tape import Tape
from qsp_bayes.identifiability.structural.writer import Slots, Writer, followed
from qsp_bayes.systems import System


@dataclass(frozen=True, eq=False)
class Design:
    """A system and its experiments, written on one tape.

    Attributes
    ----------
    system : System
    experiments : list of Experiment
    tape : Tape
    pieces : list of Piece
        What each piece watches are slots by output.
    unknowns : tuple of str
        Parameters and unknown initial values, then the states at later events, which nobody asks for.
    asked : int
        How many of the unknowns are asked for.
    others : list of mapping of str to int
        By piece, outputs and states that are not observed there.
    conditions : tuple of str
        What the verdict supposes.
    unlinked : bool
        Whether some piece starts at a power of 0, so that its link to the dose is lost.
    exponents : frozenset of str
        Parameters in exponents.
    """

    system: System
    experiments: list[Experiment]
    tape: Tape
    pieces: list[Piece]
    unknowns: tuple[str, ...]
    asked: int
    others: list[Slots]
    conditions: tuple[str, ...]
    unlinked: bool
    exponents: frozenset[str]


def design_of(
    system: System, experiments: Sequence[Experiment] | None, known: Collection[str], squares: bool = False
) -> Design:
    """Write the experiments on a system; `squares` makes squares of powers that are not whole.

    Raises
    ------
    MechanismError
        For switches and releases, unknown names, and operations that exact arithmetic does not have.
    """
    refuse(system, known)
    arms = checked(experiments, system)
    writer = Writer(system, frozenset(known), Tape(squares))
    for experiment in arms:
        writer.experiment(experiment)
    unlinked = writer.regular()
    if any(instruction[0] == "choose" for instruction in writer.tape.instructions):
        writer.conditions.append(
            "The system chooses between formulas (switch, max, min, abs): the verdict is that of the side on which "
            "each piece starts."
        )
    if any(instruction[0] == "time" for instruction in reached_of(writer)):
        writer.conditions.append(
            "Rates depend on time: an experiment starts at a known time that is not special."
        )
    unknowns = (*writer.parameters, *dict.fromkeys(writer.starts))
    return Design(
        system, arms, writer.tape, writer.pieces, (*unknowns, *writer.later), len(unknowns), writer.others,
        tuple(dict.fromkeys(writer.conditions)), unlinked,
        frozenset(
            instruction[1]
            for slot in writer.tape.needed(writer.tape.exponents)
            if (instruction := writer.tape.instructions[slot])[0] == "unknown"
        ),
    )  # fmt: skip


def reached_of(writer: Writer) -> list[tuple]:
    """Return the operations that anything observed rests on."""
    slots = {
        slot for piece in writer.pieces for slot in followed(writer.tape, piece, list(piece.watched.values()))
    }
    return [writer.tape.instructions[slot] for slot in slots]


def refuse(system: System, known: Collection[str]) -> None:
    """Refuse what has no power series, and known parameters that the system does not have."""
    for name in known:
        if name not in system.parameters:
            raise MechanismError(
                f"known: system {system.name!r} has no parameter {name!r}. It has {', '.join(system.parameters)}."
            )
    symbolic = system.symbolic()
    for kind, found, why in (
        ("switches", symbolic.switches, "a rate that jumps at a crossing has no power series there"),
        (
            "releases",
            symbolic.releases,
            "a profile such as Weibull's or the gamma has no power series at the dose",
        ),
    ):
        if found:
            raise MechanismError(
                f"system {system.name!r} has {kind} ({', '.join(found)}): {why}, so its structural identifiability "
                "is not decided here. Ask for the system without them, or judge the fit (prior against posterior)."
            )
