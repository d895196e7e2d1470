"""System: the mechanism, dx/dt = S v(x, p, t)."""

from __future__ import annotations

import keyword
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from qsp_bayes.errors import MechanismError
from qsp_bayes.systems import composition, conservation, equations, presentation, reduction
from qsp_bayes.systems.declarations import Constant, DoseInto, Output, Process, Quantity, frozen
from qsp_bayes.systems.diagram import Diagram, draw
from qsp_bayes.systems.dimensions import units_of
from qsp_bayes.systems.rates import rates
from qsp_bayes.systems.release import check_releases
from qsp_bayes.systems.scope import unknown_name
from qsp_bayes.systems.switch import Switch
from qsp_bayes.systems.symbolic import SymbolicSystem, symbolic

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from qsp_bayes.data.regimen import Regimen
    from qsp_bayes.ode.solvers import Solver

SCALES = ("log", "logit", "identity")


@dataclass(frozen=True, eq=False, repr=False)
class System:
    r"""A mechanism: states that processes change, :math:`\dot x = S\,v(x, p, t)`.

    S is the stoichiometry, v the rates. Names, units and algebraic loops are checked when the system is made.

    Parameters
    ----------
    states : mapping of str to str
        Units of the states. What is dosed or exchanged is an amount.
    parameters : mapping of str to str
        Units of the parameters.
    processes : sequence of Process
        Their order, and that of the states, is kept.
    outputs : mapping of str to Output
        What can be observed.
    doses : mapping of str to DoseInto or sequence of DoseInto
        Compartments that take doses, by the name that the data write. Several routes share each dose record.
    expressions : mapping of str to callable
        Named algebraic quantities, usable in rates and outputs.
    accumulators : sequence of str
        States that only accumulate (AUC, amount excreted): they appear in no rate and take no part in steady
        states.
    initial : mapping of str to callable or float
        Values of states at the start, functions of parameters and inputs; a number is in the unit of its
        state; 0 where left out.
    inputs : mapping of str to str
        Units of quantities that come from elsewhere: from another system through ``+``, or from a covariate.
    interpolated : sequence of str
        Inputs that go linearly from record to record in rates, and are constant before the first record and after the
        last. Other inputs are constant from one record to the next, as are parameters that change with the record.
    switches : sequence of Switch
        Conditions at which a rate jumps or bends, or states change.
    constants : mapping of str to Constant
        Known quantities with a unit.
    shared : sequence of str
        States that another system owns, to which this one adds processes.
    share : sequence of str
        Parameters that are the same quantity as those of equal name in another system.
    scales : mapping of str to {"log", "logit", "identity"}
        Scale on which each parameter varies; log where left out.
    closed : sequence of str
        States of pools whose totals are fixed (see `reduce`): no dose, switch or other system may change them.
    time_unit : str
        Unit of time.
    name : str
        Title in prints and reports.

    Raises
    ------
    MechanismError
        For duplicate, missing or reserved names and for algebraic loops.
    UnitsError
        Where a rate, an output, an initial value or a dose has another unit than it must have.

    Examples
    --------
    >>> system = System(
    ...     states={"depot": "mg", "central": "mg"},
    ...     parameters={"KA": "1/h", "CL": "L/h", "Vc": "L"},
    ...     processes=[
    ...         Process("absorption", {"depot": -1, "central": +1}, lambda s: s.KA * s.depot),
    ...         Process("elimination", {"central": -1}, lambda s: s.CL / s.Vc * s.central),
    ...     ],
    ...     outputs={"Cc": Output("mg/L", lambda s: s.central / s.Vc)},
    ...     doses={"depot": DoseInto(), "central": DoseInto()},
    ... )
    >>> for equation in system.equations():
    ...     print(equation)
    d(depot)/dt = -KA*depot
    d(central)/dt = KA*depot - CL/Vc*central
    Cc = central/Vc
    """

    states: Mapping[str, str]
    parameters: Mapping[str, str]
    processes: Sequence[Process]
    outputs: Mapping[str, Output] = field(default_factory=dict)
    doses: Mapping[str, Any] = field(default_factory=dict)
    expressions: Mapping[str, Quantity] = field(default_factory=dict)
    accumulators: Sequence[str] = ()
    initial: Mapping[str, Quantity | float] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    interpolated: Sequence[str] = ()
    constants: Mapping[str, Constant] = field(default_factory=dict)
    shared: Sequence[str] = ()
    share: Sequence[str] = ()
    scales: Mapping[str, str] = field(default_factory=dict)
    time_unit: str = "h"
    name: str = "system"
    switches: Sequence[Switch] = ()
    closed: Sequence[str] = ()

    def __post_init__(self) -> None:
        routes = {
            compartment: tuple(
                replace(route, state=route.state or compartment)
                for route in ([given] if isinstance(given, DoseInto) else given)
            )
            for compartment, given in self.doses.items()
        }
        scales = dict.fromkeys(self.parameters, "log") | dict(self.scales)
        for name, value in {**vars(self), "doses": routes, "scales": scales}.items():
            if not isinstance(value, str):
                kept = frozen(value) if isinstance(value, Mapping) else tuple(value)
                object.__setattr__(self, name, kept)
        self.check_names()
        units_of(self)

    def check_names(self) -> None:
        """Raise unless every name is usable, unique, and known where it is used.

        Raises
        ------
        MechanismError
            Naming the offender and what exists.
        """
        where = f"system {self.name!r}"
        kind_of: dict[str, str] = {"t": "time"}
        for kind, names in self.names().items():
            for name in names:
                if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
                    raise MechanismError(
                        f"{where}: {name!r} cannot be a name among {kind}. "
                        "Use letters, digits and underscores, such as 'Vc'."
                    )
                other = kind_of.setdefault(name, kind)
                if other != kind and not (kind == "outputs" and other in ("states", "expressions")):
                    raise MechanismError(
                        f"{where}: {name!r} stands among {other} and among {kind}. Rename one of them."
                    )
        for kind in ("processes", "switches"):
            listed = [thing.name for thing in getattr(self, kind)]
            for name in listed:
                if listed.count(name) > 1:
                    raise MechanismError(f"{where}: two {kind} are called {name!r}. Rename one of them.")
        routes = {name: [route.state for route in routes] for name, routes in self.doses.items()}
        uses: list[tuple[str, Collection[Any], Collection[str], str]] = [
            *((f"process {p.name!r}", p.stoichiometry, self.states, "states") for p in self.processes),
            *((f"switch {switch.name!r}", switch.change, self.states, "states") for switch in self.switches),
            *((f"doses into {name!r}", reached, self.states, "states") for name, reached in routes.items()),
            ("accumulators", self.accumulators, self.states, "states"),
            ("initial", self.initial, self.states, "states"),
            ("interpolated", self.interpolated, self.inputs, "inputs"),
            ("shared", self.shared, self.states, "states"),
            ("closed", self.closed, self.states, "states"),
            ("share", self.share, self.parameters, "parameters"),
            ("scales", self.scales, self.parameters, "parameters"),
            ("scales", self.scales.values(), SCALES, "scales"),
        ]
        for user, used, known, kind in uses:
            for name in used:
                if name not in known:
                    raise unknown_name(name, {kind: known}, f"{where}, {user}")
        self.check_closed(where, routes)
        check_releases(self)

    def check_closed(self, where: str, routes: Mapping[str, Sequence[Any]]) -> None:
        """Raise where something changes a pool whose total was fixed by `reduce`."""
        changed = {state: f"doses into {compartment!r}" for compartment, s in routes.items() for state in s}
        changed |= {state: f"switch {switch.name!r}" for switch in self.switches for state in switch.change}
        changed |= dict.fromkeys(self.shared, "another system (`shared`)")
        for state, source in changed.items():
            if state in self.closed:
                raise MechanismError(
                    f"{where}: {source} would change {state!r}, of a pool whose total `reduce` has fixed. "
                    "Declare doses and switches, and add systems, before `reduce`."
                )

    def names(self) -> dict[str, list[str]]:
        """Return every name that a rate may use, by kind."""
        kinds = ("states", "parameters", "expressions", "inputs", "constants", "outputs")
        names = {kind: list(getattr(self, kind)) for kind in kinds}
        return names | {"switches": [switch.name for switch in self.switches]}

    def units(self) -> Mapping[str, str]:
        """Return the unit of every state, parameter, expression, input, constant and output.

        Examples
        --------
        >>> System({"A": "mg"}, {"k": "1/h"}, [Process("loss", {"A": -1}, lambda s: s.k * s.A)]).units()["k"]
        '1/h'
        """
        return units_of(self)

    def symbolic(self) -> SymbolicSystem:
        """Return the scalar PyTensor graphs of the system; they are built once."""
        return symbolic(self)

    def solve(
        self,
        events: Any,
        params: Mapping[str, Any],
        *,
        levels: Mapping[str, Any] | None = None,
        covariates: Mapping[str, Any] | None = None,
        solver: Any = None,
    ) -> Any:
        """Solve the system for a batch of subjects.

        Parameters
        ----------
        events : Events
            Doses and observations, from `Study.events` or `Study.as_pymc_data`.
        params : mapping of str to scalar or vector
            Every parameter of the system.
        levels : mapping of str to {"subject", "occasion", "record"}, optional
            What the entries of a vector stand for; subject where left out.
        covariates : mapping of str to vector, optional
            Values of the inputs.
        solver : Solver, optional
            How to solve; chosen from the structure of the system where left out.

        Returns
        -------
        Path
            ``path["Cc"]`` is a PyTensor vector over the rows of output Cc.
        """
        from qsp_bayes.systems.solve import solve

        return solve(self, events, params, levels=levels, covariates=covariates, solver=solver)

    def course(
        self,
        params: Mapping[str, float],
        times: Iterable[float],
        regimen: Regimen | None = None,
        *,
        outputs: Sequence[str] | None = None,
        inputs: Mapping[str, float] | None = None,
        solver: Solver | None = None,
    ) -> xr.Dataset:
        """Solve the system for one individual, and return its outputs as numbers.

        Parameters
        ----------
        params : mapping of str to float
            Every parameter of the system.
        times : iterable of float
            Increasing times, in the unit of the system.
        regimen : Regimen, optional
            Doses, in the units of the system; none where left out.
        outputs : sequence of str, optional
            All where left out.
        inputs : mapping of str to float, optional
            Values of inputs that no other system gives.
        solver : Solver, optional
            Chosen from the structure of the system where left out.

        Returns
        -------
        xarray.Dataset
            Every output along ``time``, with its unit.

        Raises
        ------
        MechanismError
            For an output or a compartment that the system does not have.
        SolverError
            If the system cannot be solved, naming time and state.

        Examples
        --------
        >>> system = System(
        ...     {"central": "mg"}, {"CL": "L/h", "Vc": "L"},
        ...     [Process("elimination", {"central": -1}, lambda s: s.CL / s.Vc * s.central)],
        ...     {"Cc": Output("mg/L", lambda s: s.central / s.Vc)}, {"central": DoseInto()},
        ... )
        >>> from qsp_bayes.data import Regimen
        >>> found = system.course({"CL": 1.0, "Vc": 10.0}, [1, 10], Regimen(100, unit="mg", into="central"))
        >>> found.Cc.values.round(3), found.Cc.units
        (array([9.048, 3.679]), 'mg/L')
        """
        from qsp_bayes.systems.course import course

        return course(self, params, times, regimen, outputs=outputs, inputs=inputs, solver=solver)

    def __add__(self, other: System) -> System:
        """Join two systems.

        Inputs of each are bound to equally named outputs, expressions or states of the other, both ways.
        Shared states and parameters listed in `share` become one; any other name that both have is refused.

        Raises
        ------
        MechanismError
            For a name that both have, and for algebraic loops.
        UnitsError
            Where an input, a shared state or a shared parameter has another unit in the other system.

        Examples
        --------
        >>> drug = System(
        ...     {"central": "mg"}, {"CL": "L/h", "Vc": "L"},
        ...     [Process("elimination", {"central": -1}, lambda s: s.CL / s.Vc * s.central)],
        ...     {"Cc": Output("mg/L", lambda s: s.central / s.Vc)},
        ... )
        >>> effect = System(
        ...     {"Ce": "mg/L"}, {"ke0": "1/h"},
        ...     [Process("equilibration", {"Ce": 1}, lambda s: s.ke0 * (s.Cc - s.Ce))],
        ...     inputs={"Cc": "mg/L"},
        ... )
        >>> print((drug + effect).equations()[1])
        d(Ce)/dt = ke0*(Cc - Ce)
        """
        if not isinstance(other, System):
            return NotImplemented
        return composition.join(self, other)

    def rename(self, **new_names: str) -> System:
        """Return the system with other names, as in ``rename(CL="CL_metabolite")``.

        Raises
        ------
        MechanismError
            For a name that does not exist, or that is taken.
        """
        return composition.rename(self, new_names)

    def fix(self, **values: float) -> System:
        """Return the system with parameters made constants, as in ``fix(Q=0.5)``; the unit stays.

        Raises
        ------
        MechanismError
            For a name that is not a parameter.
        """
        return composition.fix(self, values)

    def measure(self, *names: str) -> System:
        """Return the system with parameters made inputs, whose values are covariates of the same name.

        What is known of each individual, such as the volumes of a virtual one's organs, is then no variable of a model.

        Raises
        ------
        MechanismError
            For a name that is not a parameter.

        Examples
        --------
        >>> system = System({"A": "mg"}, {"k": "1/h"}, [Process("loss", {"A": -1}, lambda s: s.k * s.A)])
        >>> dict(system.measure("k").inputs)
        {'k': '1/h'}
        """
        return composition.measure(self, names)

    def define(self, parameters: Mapping[str, str] | None = None, /, **expressions: Quantity) -> System:
        """Return the system with parameters made expressions of other quantities.

        Parameters
        ----------
        parameters : mapping of str to str, optional
            Units of new parameters that the expressions need.
        **expressions : callable
            The new meaning of each parameter, in the same unit.

        Raises
        ------
        MechanismError
            For a name that is not a parameter, or an expression that needs itself.
        UnitsError
            Where an expression has another unit than its parameter.

        Examples
        --------
        >>> system = System({"A": "mg"}, {"k": "1/h"}, [Process("loss", {"A": -1}, lambda s: s.k * s.A)])
        >>> system.define({"CL": "L/h", "Vc": "L"}, k=lambda s: s.CL / s.Vc).equations()
        ['k = CL/Vc', 'd(A)/dt = -k*A']
        """
        return composition.define(self, expressions, parameters or {})

    def replace(self, *processes: Process, parameters: Mapping[str, str] | None = None) -> System:
        """Return the system with processes exchanged for others of the same name.

        Parameters that only the old processes used are dropped.

        Parameters
        ----------
        *processes : Process
        parameters : mapping of str to str, optional
            Units of new parameters that the processes need.

        Raises
        ------
        MechanismError
            For a process that the system does not have.

        Examples
        --------
        >>> system = System({"A": "mg"}, {"k": "1/h"}, [Process("loss", {"A": -1}, lambda s: s.k * s.A)])
        >>> saturable = Process("loss", {"A": -1}, lambda s: s.Vmax * s.A / (s.Km + s.A))
        >>> system.replace(saturable, parameters={"Vmax": "mg/h", "Km": "mg"})
        <System system: states A; parameters Vmax, Km>
        """
        return composition.exchange(self, processes, parameters or {})

    def accumulate(self, **totals: str) -> System:
        """Return the system with integrals over time, as in ``accumulate(AUC="Cc")``, as states and outputs.

        Raises
        ------
        MechanismError
            For a quantity that the system does not have.

        Examples
        --------
        >>> system = System({"A": "mg"}, {"k": "1/h"}, [Process("loss", {"A": -1}, lambda s: s.k * s.A)])
        >>> total = system.accumulate(AUC="A")
        >>> total.equations()[-1], total.units()["AUC"]
        ('d(AUC)/dt = A', 'mg*h')
        """
        return composition.accumulate(self, totals)

    def equations(self) -> list[str]:
        """Return the equations as lines of text."""
        return equations.equations_text(self)

    def equations_html(self) -> str:
        """Return the equations as an HTML table of MathML."""
        return equations.equations_html(self)

    def stoichiometry(self) -> pd.DataFrame:
        """Return the exact stoichiometric matrix, states by processes."""
        return conservation.stoichiometry(self)

    def rates(self) -> pd.DataFrame:
        """Return the rates as a table: for each process what turns into what, the rate, and its unit.

        Examples
        --------
        >>> system = System({"A": "mg"}, {"k": "1/h"}, [Process("loss", {"A": -1}, lambda s: s.k * s.A)])
        >>> system.rates().loc["loss"].tolist()
        ['A ->', 'k*A', 'mg/h']
        """
        return rates(self)

    def conservation_laws(self) -> list[str]:
        """Return the sums of states that no process changes, such as ``'depot + central + urine'``."""
        return [conservation.law_text(law) for law in conservation.conservation_laws(self)]

    def reduce(self, *states: str) -> System:
        r"""Return the system without states that conservation laws determine; they become expressions.

        With a law :math:`c^T x = T`, a state is :math:`x_i = (T - \sum_{j \ne i} c_j x_j) / c_i`, in which the
        total T follows from the initial values. The solution is the same, with fewer states to integrate.

        Parameters
        ----------
        *states : str
            States to remove; one of each law where left out.

        Returns
        -------
        System
            With an expression ``<state>_total`` for each law. What remains of each pool is `closed`.

        Raises
        ------
        MechanismError
            For a state that no law determines, or whose pool also changes by doses, switches, accumulators or
            another system, naming them; and where a pool starts at a value of an input. A pool that takes doses is
            left as it is where no states are named.

        Notes
        -----
        Parameters of initial values must not change in time (by record or occasion): a total would change with them.

        Examples
        --------
        >>> binding = Process("binding", {"L": -1, "R": -1, "LR": 1}, lambda s: s.kon * s.L * s.R - s.koff * s.LR)
        >>> system = System(
        ...     dict.fromkeys(["L", "R", "LR"], "nmol"), {"kon": "1/nmol/h", "koff": "1/h", "R0": "nmol"}, [binding],
        ...     doses={"L": DoseInto()}, initial={"R": lambda s: s.R0},
        ... )
        >>> for equation in system.reduce().equations():
        ...     print(equation)
        R_total = R0
        R = R0 - LR
        d(L)/dt = -(kon*L*R - koff*LR)
        d(LR)/dt = kon*L*R - koff*LR
        """
        return reduction.reduce(self, states)

    def diagram(self) -> Diagram:
        """Return the drawing of the system: graphviz source `dot` and inline `svg`."""
        return draw(self)

    def describe(self) -> dict[str, Any]:
        """Return what documents the system, as plain values that JSON can hold."""
        return presentation.describe(self)

    def __repr__(self) -> str:
        return presentation.summary(self)

    def _repr_html_(self) -> str:
        return presentation.card(self)
