"""structural_identifiability: the verdict on a system and the experiments that will be fitted, in exact arithmetic."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from qsp_bayes.data.study import Study
from qsp_bayes.identifiability.structural.bound import error_bound
from qsp_bayes.identifiability.structural.combinations import symmetries
from qsp_bayes.identifiability.structural.design import Design, design_of
from qsp_bayes.identifiability.structural.experiment import Experiment, experiments_of
from qsp_bayes.identifiability.structural.jacobian import Jacobian, identified, jacobian
from qsp_bayes.identifiability.structural.modular import PRIMES
from qsp_bayes.identifiability.structural.remedies import remedies
from qsp_bayes.identifiability.structural.result import (
    GLOBAL,
    LOCAL,
    NOT,
    UNDECIDED,
    StructuralIdentifiability,
)
from qsp_bayes.identifiability.structural.solutions import solutions
from qsp_bayes.systems import System

MARGIN = 6
"""Coefficients beyond as many as there are unknowns and states; the rank must have settled so many before the last."""


def structural_identifiability(
    system: System,
    experiments: Sequence[Experiment] | Study | None = None,
    *,
    known: Collection[str] = (),
    seconds: float = 10.0,
    random_seed: int = 1,
) -> StructuralIdentifiability:
    r"""Decide which parameters perfect data of one individual determine: without error, and at all times.

    Outputs are expanded in power series :math:`y(t) = \sum_k y_k(\theta)\,t^k`, in exact arithmetic modulo two primes
    near :math:`2^{31}`, at random values of the unknowns :math:`\theta` (parameters and unknown initial values), with
    all derivatives :math:`\partial y_k / \partial \theta`. A parameter is locally identifiable (it has finitely many
    values that give these data) where no direction that leaves all :math:`y_k` unchanged moves it. Where it is, the
    values are counted by a Groebner basis: of the equations between transfer functions for a linear system, of the
    power series otherwise.

    Parameters
    ----------
    system : System
    experiments : sequence of Experiment or Study, optional
        The arms, which share the parameters, or those of a study (see `experiments_of`). Left out, one dose of 100 into
        the compartment that the system declares first, with all outputs observed.
    known : collection of str
        Parameters that are known from elsewhere.
    seconds : float
        How long the count of solutions may take. 0 leaves it out.
    random_seed : int
        Of the points.

    Returns
    -------
    StructuralIdentifiability

    Raises
    ------
    MechanismError
        For names that the system does not have; for switches and releases, at which rates have no power series; and
        for functions beyond powers, exp, log, square root, sine and cosine.

    Notes
    -----
    - Verdicts hold for generic parameters: all but those that satisfy some equation, such as two equal rate constants.
    - A later event (a second route, the end of an infusion, a repeated dose) cuts an experiment. What follows is
      compared from states that nobody knows, before and after the event. In a linear system superposition makes the
      response to each dose the same, and a repeated dose or the end of an infusion adds nothing.
    - A lag time and the duration of an input show in data as the times of a change, and count as known where the change
      reaches something observed.
    - exp, log and powers that are not whole start at random values tied to the parameters by their derivatives, and
      independent of each other where their arguments differ. A power of a state that starts at 0 has no power series
      there. It is watched from a later time on, and with squares in place of its powers: what only the second
      determines is "not decided" (see `conditions` of the result).
    - Real data are finite and have error: what is structurally identifiable may still be practically unknown. Between
      individuals a parameter may vary, and the population then tells more than one individual does.

    References
    ----------
    Bellman R, Astrom KJ (1970). On structural identifiability. Math Biosci 7:329-339.

    Sedoglavic A (2002). A probabilistic algorithm to test local algebraic observability in polynomial time.
    J Symb Comput 33:735-755.

    Hong H, Ovchinnikov A, Pogudin G, Yap C (2020). Global identifiability of differential models. Commun Pure Appl
    Math 73:1831-1879.

    Examples
    --------
    By mouth, CL/F and Vc/F are all that is known of CL, Vc and F, and KA can change places with CL/Vc:

    >>> import qsp_bayes as qb
    >>> oral = qb.one_compartment(absorption="first-order", bioavailability=True)
    >>> found = structural_identifiability(oral, [Experiment({"depot": 100}, outputs=["Cc"])])
    >>> found
    Structural identifiability of first-order absorption + one compartment
      locally identifiable (2 solutions): KA
      not identifiable: F, CL, Vc
      known together: CL/F, Vc/F
      to know all parameters, fix F or CL or Vc
      observing depot would determine F, CL, Vc
      observing central would determine F, CL, Vc

    An intravenous arm determines all of them:

    >>> both = [Experiment({"depot": 100}), Experiment({"central": 100})]
    >>> set(structural_identifiability(oral, both).parameters.values())
    {'globally identifiable'}
    """
    arms = experiments_of(experiments, system) if isinstance(experiments, Study) else experiments
    design = design_of(system, arms, known)
    names = design.unknowns[: design.asked]
    first, check = both_primes(design, random_seed)
    held = identified(first.null(), design.asked)
    counts = solutions(design, first, seconds) if seconds > 0 else {}
    open_ = [k for k, is_held in enumerate(held) if not is_held]
    units = system.units()
    last = [name for name in names if not units.get(name, "1")]
    ranked = sorted(open_, key=lambda k: (names[k] in system.parameters, names[k] in last))
    more = [jacobian(design, PRIMES[0], random_seed + n, first.orders.max()) for n in (1, 2)] if open_ else []
    verdicts = {name: verdict(held[k], counts.get(name)) for k, name in enumerate(names)}
    verdicts |= dict.fromkeys(undecided(design, arms, known, open_, random_seed), UNDECIDED)
    rank = len(design.unknowns) - len(first.null())
    order = int(first.orders.max(initial=0))
    return StructuralIdentifiability(
        system=system.name,
        parameters={name: verdicts[name] for name in names if name in system.parameters},
        starts={name: verdicts[name] for name in names if name not in system.parameters},
        solutions={name: counts.get(name) if held[k] else None for k, name in enumerate(names)},
        rank=rank,
        unknowns=len(design.unknowns),
        order=order,
        settled=first.settled(),
        primes=(first.prime, check.prime),
        error_bound=error_bound(design, rank, order, (first.prime, check.prime)),
        symmetries=symmetries([first, *more], check, names, open_, ranked, linked=not design.unlinked),
        remedies=remedies(first, check, names, [k for k in open_ if names[k] in system.parameters]),
        units={name: units[name] for name in names if name in units},
        experiments=tuple(experiment.describe() for experiment in design.experiments),
        known=tuple(known),
        conditions=design.conditions,
    )


def verdict(held: bool, count: int | None) -> str:
    """Say what is known of one unknown."""
    if not held:
        return NOT
    if count is None:
        return LOCAL
    return GLOBAL if count == 1 else f"{LOCAL} ({count} solutions)"


def undecided(
    design: Design, arms: Sequence[Experiment] | None, known: Collection[str], open_: Sequence[int], seed: int
) -> list[str]:
    """Return the unknowns that might be identifiable through a start that has no power series.

    With squares in place of its powers the start has one. What is open even then, with known exponents, is open.
    """
    names = design.unknowns[: design.asked]
    if not design.unlinked or not open_:
        return []
    squared = design_of(design.system, arms, known, squares=True)
    if squared.unlinked:
        return [names[k] for k in open_]
    held = identified(both_primes(squared, seed)[0].null(), squared.asked)
    return [names[k] for k in open_ if held[k] or names[k] in design.exponents]


def both_primes(design: Design, seed: int) -> tuple[Jacobian, Jacobian]:
    """Differentiate modulo two primes, to an order at which the rank has settled and with one verdict."""
    order = len(design.unknowns) + len(design.system.states) + MARGIN
    while True:
        first = jacobian(design, PRIMES[0], seed, order, others=True)
        check = jacobian(design, PRIMES[1], seed, order)
        # A rank that is too small is the fault of a point: another one is drawn.
        if len(first.null()) != len(check.null()):
            seed += 1
        elif first.settled() > order - MARGIN:
            order += order // 2
        else:
            return first, check
