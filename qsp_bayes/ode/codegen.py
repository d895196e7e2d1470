"""From equations to Python source: straight-line scalar functions that numba compiles to C callbacks.

The same graphs compiled one by one by PyTensor cost fifty times as much in each call, since each operation there goes
through an array. Here every quantity is a local variable, named after the state or parameter where that is possible.
"""

from __future__ import annotations

import builtins
import hashlib
import keyword
import re
from collections.abc import Iterable, Mapping, Sequence

import pytensor
from pytensor.graph.basic import Variable

from qsp_bayes.ode.derivatives import Derivatives, derive
from qsp_bayes.ode.elimination import USABLE, functions, tables
from qsp_bayes.ode.equations import Equations
from qsp_bayes.ode.expressions import (
    FROM_MATH,
    FROM_SCALARS,
    check_available,
    generated_names,
)
from qsp_bayes.ode.jit import KERNEL_VERSION
from qsp_bayes.ode.sparse import Elimination
from qsp_bayes.ode.statements import statements
from qsp_bayes.ode.switch_derivatives import derive_switches
from qsp_bayes.ode.whole_steps import STEP_SIGNATURES, whole_steps

SIGNATURES = {
    "slopes": "t, y, p, u, out",
    "jacobian": "t, y, p, J, T",
    "factor": "J, shift, W",
    "solve": "W, b",
    "solve_transposed": "W, b",
    "pull": "t, y, p, v, y_bar, p_bar",
    "pull_jacobian": "t, y, p, M, tau, y_bar, p_bar",
}
"""Arguments of the generated functions. All but `t` and `shift` are addresses of float64."""

SWITCH_SIGNATURES = {
    "switches": "t, y, p, out",
    "switch_slopes": "t, y, p, flow, out",
    "pull_switches": "t, y, p, v, y_bar, p_bar",
    "change": "t, y, p, out",
    "pull_change": "t, y, p, v, y_bar, p_bar, t_bar",
}
"""Those of the functions that only a system with switches has."""

EVERY_SIGNATURE = SIGNATURES | STEP_SIGNATURES | SWITCH_SIGNATURES
"""With those of the functions that only some systems have."""

WIDTH = 100
"""Of the lines of the tables in a generated module."""

RESERVED = frozenset(
    [
        *(argument for arguments in EVERY_SIGNATURE.values() for argument in arguments.split(", ")),
        *EVERY_SIGNATURE,
        *(f"{function}_lines" for function in EVERY_SIGNATURE),
        *FROM_MATH,
        *FROM_SCALARS,
        *keyword.kwlist,
        *keyword.softkwlist,
        *dir(builtins),
        "np",
        "straight_line",
    ]
)
"""Names that states and parameters of a generated function cannot have."""

OWN_NAME = re.compile(rf"({'|'.join(generated_names())}|x|p|s)_?\d+|_.*")
"""Names that the generated text uses, or may use, for its own."""


def identifiers(equations: Equations) -> dict[Variable, str]:
    """Choose what the time, states and parameters are called: their own names, or x0, p0 where those cannot be used.

    Only plain ASCII identifiers are used, so that no name can become anything else in the text.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> t, a, b, c = (pt.dscalar() for _ in range(4))
    >>> equations = Equations(t, {"depot": a}, {"lambda": b, "k el": c}, {"depot": -b * c * a})
    >>> list(identifiers(equations).values())
    ['t', 'depot', 'p0', 'p1']
    """
    chosen = {equations.time: "t"}
    sides = {name: switch.side for name, switch in equations.switches.items()}
    for letter, group in (("x", equations.states), ("p", equations.parameters), ("s", sides)):
        for k, (name, variable) in enumerate(group.items()):
            plain = name.isascii() and name.isidentifier()
            safe = plain and name not in RESERVED and not OWN_NAME.fullmatch(name)
            chosen[variable] = name if safe and name not in chosen.values() else f"{letter}{k}"
    return chosen


def check_equations(equations: Equations) -> None:
    """Refuse equations with an operation that cannot be compiled, by the state where it occurs."""
    graphs = {f"state {name!r}": [graph] for name, graph in equations.derivatives.items()}
    check_available(graphs, "dx/dt")
    for name, switch in equations.switches.items():
        check_available({f"switch {name!r}": switch.graphs}, "its functions")


def fingerprint(equations: Equations) -> str:
    """Name equations by a hash of their operations and names, which takes no derivatives.

    It covers this layer's source and PyTensor's version, so that equal fingerprints mean equal functions.

    Raises
    ------
    SolverError
        For an operation that cannot be compiled.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> t, x, k = (pt.dscalar() for _ in range(3))
    >>> decay, growth = (Equations(t, {"x": x}, {"k": k}, {"x": slope}) for slope in (-k * x, k * x))
    >>> fingerprint(decay) == fingerprint(growth)
    False
    """
    check_equations(equations)
    names = identifiers(equations)
    graphs = [equations.derivatives[name] for name in equations.states]
    lines, results, _ = statements(graphs, names)
    parts: list[object] = [KERNEL_VERSION, pytensor.__version__, list(names.values()), lines, results]
    for switch in equations.switches.values():
        lines, results, _ = statements(switch.graphs, names)
        parts += [switch.direction, list(switch.change), lines, results]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def source(equations: Equations) -> str:
    """Write the module of a system.

    Its constants are the facts that callers need: N_STATES, N_PARAMETERS, ROWS and COLUMNS of the entries of df/dy,
    N_FACTORS, the length of W, and AUTONOMOUS, whether the time does not occur. Each function returns 0 if all is well:

    - slopes: out = f(t, y, p) + u
    - jacobian: J = entries of df/dy row by row, T = df/dt
    - factor: W = LU decomposition of shift I - J; 1 where a pivot cannot be used
    - solve, solve_transposed: b = solution of (shift I - J) x = b, or of the transposed system
    - pull: y_bar += (df/dy)' v, p_bar += (df/dp)' v
    - pull_jacobian: y_bar, p_bar += derivatives of the sum of M J and tau T
    - for a small system, whole steps: see `whole_steps`

    In `p` the sides of the switches follow the parameters. A system that has switches, with the functions g and the
    changes y -> c(t, y, p), also has:

    - switches: out = g, one for each switch
    - switch_slopes: out = dg/dt + dg/dy flow
    - pull_switches: y_bar, p_bar += derivatives of v' g
    - change: out = c, all states of the first switch, then all of the second, ...
    - pull_change: y_bar, p_bar, t_bar[0] += derivatives of v' c

    Raises
    ------
    SolverError
        For an operation that cannot be compiled or has no derivative, by the state where it occurs.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> t, drug, Vmax, Km = (pt.dscalar(name) for name in ("t", "drug", "Vmax", "Km"))
    >>> equations = Equations(t, {"drug": drug}, {"Vmax": Vmax, "Km": Km}, {"drug": -Vmax * drug / (Km + drug)})
    >>> text = source(equations)
    >>> print(text[text.index("def slopes_lines") : text.index("def slopes(")].strip())
    def slopes_lines(t, y, p, u, out):
        drug = y[0]
        Vmax = p[0]
        Km = p[1]
        ...
        return 0
    """
    check_equations(equations)
    derivatives = derive(equations)
    names = identifiers(equations)
    plan = Elimination(len(equations.states), tuple(derivatives.jacobian))
    bodies = bodies_of_graphs(equations, derivatives, names) | functions(plan)
    bodies |= whole_steps(equations, derivatives, names, plan)
    facts: dict[str, object] = {
        "N_STATES": len(equations.states),
        "N_PARAMETERS": len(equations.parameters),
        "N_ENTRIES": len(plan.entries),
        "N_FACTORS": plan.n_factors,
        "AUTONOMOUS": autonomous(derivatives, names, equations.time),
        "USABLE": USABLE,
    }
    arrays = {"ROWS": [i for i, _ in plan.entries], "COLUMNS": [j for _, j in plan.entries]} | tables(plan)
    text = [f"{name} = {value}" for name, value in facts.items()]
    text += [line for name, values in arrays.items() for line in table(name, values)]
    for function, body in bodies.items():
        text += ["", "", *definition(function, EVERY_SIGNATURE[function], body)]
    words = set(re.findall(r"\w+", "\n".join(text)))
    imports = {
        "math": FROM_MATH,
        "qsp_bayes.ode.scalars": FROM_SCALARS,
        "qsp_bayes.ode.straight": ["straight_line"],
    }
    head = [
        '"""Written by qsp_bayes.ode.codegen: a change here is lost, one there makes a new file."""',
        *["", "import numpy as np"],
        *(
            f"from {module} import {name}"
            for module, available in imports.items()
            for name in available
            if name in words
        ),
        "",
    ]
    return "\n".join(head + text) + "\n"


def bodies_of_graphs(
    equations: Equations, derivatives: Derivatives, names: Mapping[Variable, str]
) -> dict[str, list[str]]:
    """Write the bodies of slopes, jacobian, pull and pull_jacobian."""
    states = range(len(equations.states))
    sides = [switch.side for switch in equations.switches.values()]
    vectors = [("y", equations.states.values()), ("p", [*equations.parameters.values(), *sides])]
    addresses = {variable: f"{v}[{k}]" for v, group in vectors for k, variable in enumerate(group)}
    bars = {variable: address.replace("[", "_bar[") for variable, address in addresses.items()}

    def body(
        outputs: Sequence[Variable], targets: Iterable[str], weights: Mapping[str, Sequence[Variable]]
    ) -> list[str]:
        local = {w: f"{vector}[{k}]" for vector, group in weights.items() for k, w in enumerate(group)}
        lines, results, used = statements(outputs, {**names, **local})
        loads = [
            f"{names[variable]} = {address}" for variable, address in addresses.items() if variable in used
        ]
        stores = [target.format(result) for target, result in zip(targets, results, strict=True)]
        return [*loads, *lines, *stores, "return 0"]

    zeros = [f"T[{i}] = 0.0" for i in states if i not in derivatives.time_slopes]
    entries = [*derivatives.jacobian.values(), *derivatives.time_slopes.values()]
    places = [f"J[{k}] = {{}}" for k in range(len(derivatives.jacobian))]
    places += [f"T[{i}] = {{}}" for i in derivatives.time_slopes]
    bodies = {
        "slopes": body(derivatives.slopes, [f"out[{i}] = {{}} + u[{i}]" for i in states], {}),
        "jacobian": [*zeros, *body(entries, places, {})],
    }
    for function, graphs, weights in (
        ("pull", derivatives.pull, {"v": derivatives.v}),
        ("pull_jacobian", derivatives.pull_jacobian, {"M": derivatives.M, "tau": derivatives.tau}),
    ):
        bodies[function] = body(list(graphs.values()), [f"{bars[x]} += {{}}" for x in graphs], weights)
    if equations.switches:
        found, bars = derive_switches(equations), {**bars, equations.time: "t_bar[0]"}
        for function, outputs in (
            ("switches", found.functions), ("switch_slopes", found.slopes), ("change", found.changes)
        ):  # fmt: skip
            bodies[function] = body(
                outputs, [f"out[{k}] = {{}}" for k in range(len(outputs))], {"flow": found.flow}
            )
        for function, graphs, weights in (
            ("pull_switches", found.pull, {"v": found.v}),
            ("pull_change", found.pull_change, {"v": found.w}),
        ):
            bodies[function] = body(list(graphs.values()), [f"{bars[x]} += {{}}" for x in graphs], weights)
    return bodies


def autonomous(derivatives: Derivatives, names: Mapping[Variable, str], time: Variable) -> bool:
    """Whether the time does not occur in f."""
    return time not in statements(derivatives.slopes, names)[2]


def definition(function: str, arguments: str, body: Sequence[str]) -> list[str]:
    """Write a function, a straight-line one in the form that takes the short way to machine code."""
    lines = [f"    {line}" for line in body]
    if any(line.startswith("for ") for line in body):
        return [f"def {function}({arguments}):", *lines]
    return [
        "@straight_line",
        f"def {function}_lines({arguments}):",
        *lines,
        *["", "", f"def {function}({arguments}):"],
        f"    return {function}_lines({arguments})",
    ]


def table(name: str, values: Iterable[int]) -> list[str]:
    """Write a vector of integers, in lines of bounded width."""
    lines = [f"{name} = np.array(", "    ["]
    for value in values:
        if len(lines[-1]) > WIDTH:
            lines.append("    ")
        lines[-1] += f"{value}, "
    lines[-1] = lines[-1].rstrip() + "],"
    return [*lines, "    np.int64,", ")"]
