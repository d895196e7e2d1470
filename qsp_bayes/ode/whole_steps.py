"""Whole steps of small systems, written out line by line, forward and back.

The loops of `tsit5` and `rodas5p` pass every stage through memory and call the equations by their addresses, which for
a few states takes as long as the equations themselves. Written out, a step keeps its stages in registers. The formulas
are those of the two modules, which larger systems run as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pytensor.graph.basic import Variable
from pytensor.graph.traversal import graph_inputs

from qsp_bayes.ode import rodas5p, tsit5
from qsp_bayes.ode.derivatives import Derivatives
from qsp_bayes.ode.elimination import solution, transposed_solution
from qsp_bayes.ode.equations import Equations
from qsp_bayes.ode.path import N_STAGES
from qsp_bayes.ode.sparse import Elimination
from qsp_bayes.ode.statements import statements

STEP_SIGNATURES = {
    "explicit_step": "t, h, y, p, u, K, new, error",
    "explicit_step_back": "t, h, y, p, K, K_bar, lam, y_bar, u_bar, p_bar",
    "implicit_step": "t, h, y, p, u, T, W, K, new, error",
    "implicit_step_back": "t, h, y, p, W, K, K_bar, M, tau, lam, y_bar, u_bar, p_bar",
}
"""Arguments of the generated functions. All but `t` and `h` are addresses of float64."""

MOST_LINES = 1200
"""A system whose steps take more lines is left to the loops: compiling them would take seconds."""


def whole_steps(
    equations: Equations, derivatives: Derivatives, names: Mapping[Variable, str], plan: Elimination
) -> dict[str, list[str]]:
    """Write the bodies of the functions in `STEP_SIGNATURES`; none for a system that is not small.

    - explicit_step: stages 1 to 6 of Tsit5, the state at the end and the error, given stage 0
    - explicit_step_back: its adjoint, as `tsit5.adjoint` but for the slope at the end
    - implicit_step: all stages of Rodas5P, the state at the end and the error, given the factors W and T = df/dt
    - implicit_step_back: its adjoint, as `rodas5p.adjoint` but for what passes through the Jacobian, given in M and tau
    """
    n_lines = len(statements(derivatives.slopes, names)[0])
    n_lines += len(
        statements(list(derivatives.pull.values()), {**names, **dict.fromkeys(derivatives.v, "v")})[0]
    )
    if N_STAGES * (n_lines + 8 * plan.n_states) > MOST_LINES or not plan.straight:
        return {}
    return {
        "explicit_step": Step(equations, derivatives, names).explicit(),
        "explicit_step_back": Step(equations, derivatives, names).explicit_back(),
        "implicit_step": Step(equations, derivatives, names).implicit(plan),
        "implicit_step_back": Step(equations, derivatives, names).implicit_back(plan),
    }


class Step:
    """A function in the making: its lines so far. Names that begin with an underscore are the generated text's own."""

    def __init__(self, equations: Equations, derivatives: Derivatives, names: Mapping[Variable, str]) -> None:
        self.time, self.derivatives, self.names = equations.time, derivatives, names
        self.states = list(equations.states.values())
        sides = [switch.side for switch in equations.switches.values()]
        self.parameters = list(enumerate([*equations.parameters.values(), *sides]))
        self.pulled_back = [(k, p) for k, p in self.parameters if p in derivatives.pull]
        self.n = len(self.states)
        self.lines: list[str] = []
        self.made = 0

    def load(self, address: str, prefix: str, count: int, first: int = 0) -> None:
        """Read consecutive numbers into names with a prefix."""
        self.lines += [f"{prefix}{i} = {address}[{first + i}]" for i in range(count)]

    def store(self, address: str, prefix: str, count: int, first: int = 0) -> None:
        """Write them back."""
        self.lines += [f"{address}[{first + i}] = {prefix}{i}" for i in range(count)]

    def begin(self) -> None:
        """Read the state and the parameters."""
        self.load("y", "_y", self.n)
        used = set(graph_inputs([*self.derivatives.slopes, *self.derivatives.pull.values()]))
        self.lines += [f"{self.names[p]} = p[{k}]" for k, p in self.parameters if p in used]

    def end(self) -> list[str]:
        """Return all lines."""
        return [*self.lines, "return 0"]

    def written(
        self, graphs: Sequence[Variable], state: str, node: float, more: Mapping[Variable, str]
    ) -> list[str]:
        """Write graphs at a state, by its prefix, and at t + node h; return what the results are called."""
        time = "t"
        if node != 0.0:
            time = "_t"
            self.lines.append(f"_t = t + {number(node)} * h")
        at = {x: f"{state}{i}" for i, x in enumerate(self.states)}
        lines, results, _ = statements(graphs, {**self.names, **at, self.time: time, **more}, self.made)
        self.lines += lines
        self.made += len(lines)
        return results

    def combine(self, target: str, start: str, row: Iterable[float], scale: str = "") -> None:
        """Set `target` to `start` plus the scaled sum of stages."""
        row = tuple(row)
        for i in range(self.n):
            total = " + ".join(f"{number(c)} * _K{j}_{i}" for j, c in enumerate(row) if c != 0.0)
            total = f"{scale} * ({total})" if scale else f"({total})"
            self.lines.append(f"{target}{i} = {start}{i} + {total}" if start else f"{target}{i} = {total}")

    def spread(self, source: str, row: Iterable[float], scale: str = "") -> None:
        """Add to the adjoints of the stages what the adjoint `source` of such a sum passes on."""
        for i in range(self.n):
            factor = f"{source}{i}"
            if scale:
                self.lines.append(f"_scaled = {scale} * {factor}")
                factor = "_scaled"
            self.lines += [
                f"_b{j}_{i} = _b{j}_{i} + {number(c)} * {factor}" for j, c in enumerate(row) if c != 0.0
            ]

    def add(self, target: str, source: str) -> None:
        """Add one vector to another."""
        self.lines += [f"{target}{i} = {target}{i} + {source}{i}" for i in range(self.n)]

    def pulled(self, state: str, node: float, k: int, target: str) -> None:
        """Pull the adjoint of stage k back through the equations, to `target` and to the parameters."""
        weights = {v: f"_b{k}_{i}" for i, v in enumerate(self.derivatives.v)}
        pull = self.derivatives.pull
        results = dict(zip(pull, self.written(list(pull.values()), state, node, weights), strict=True))
        self.lines += [f"{target}{i} = {results.get(x, '0.0')}" for i, x in enumerate(self.states)]
        self.lines += [f"_p_bar{k} = _p_bar{k} + {results[p]}" for k, p in self.pulled_back]

    def explicit(self) -> list[str]:
        """Write a step of Tsit5."""
        n = self.n
        self.begin()
        self.load("u", "_u", n)
        self.load("K", "_K0_", n)
        for k in range(1, 7):
            at = "_Y" if k < 6 else "_new"
            self.combine(at, "_y", tsit5.A[k] if k < 6 else tsit5.END, "h")
            slopes = self.written(self.derivatives.slopes, at, tsit5.NODES[k], {})
            self.lines += [f"_K{k}_{i} = {slope} + _u{i}" for i, slope in enumerate(slopes)]
            self.store("K", f"_K{k}_", n, k * n)
        self.store("new", "_new", n)
        self.combine("_error", "", tsit5.ERROR, "h")
        self.store("error", "_error", n)
        return self.end()

    def explicit_back(self) -> list[str]:
        """Write its adjoint."""
        self.begin_back(6)
        self.spread("_lam", tsit5.END, "h")
        self.add("_y_bar", "_lam")
        for k in range(5, -1, -1):
            if k > 0:
                self.combine("_Y", "_y", tsit5.A[k], "h")
            self.pulled("_Y" if k > 0 else "_y", tsit5.NODES[k], k, "_Y_bar")
            self.spread("_Y_bar", tsit5.A[k], "h")
            self.add("_y_bar", "_Y_bar")
            self.add("_u_bar", f"_b{k}_")
        self.store("lam", "_y_bar", self.n)
        return self.end_back()

    def implicit(self, plan: Elimination) -> list[str]:
        """Write a step of Rodas5P."""
        n = self.n
        self.begin()
        self.load("u", "_u", n)
        self.load("W", "_W", plan.n_factors)
        self.lines.append("_rate = 1.0 / h")
        for k in range(N_STAGES):
            at = "_Y" if k > 0 else "_y"
            if k > 0:
                self.combine("_Y", "_y", rodas5p.A[k])
            slopes = self.written(self.derivatives.slopes, at, rodas5p.NODES[k], {})
            self.lines += [f"_r{i} = {slope} + _u{i}" for i, slope in enumerate(slopes)]
            if k > 0:
                self.combine("_r", "_r", rodas5p.C[k], "_rate")
            if self.derivatives.time_slopes and rodas5p.SLANT[k] != 0.0:
                slant = number(rodas5p.SLANT[k])
                self.lines += [f"_r{i} = _r{i} + {slant} * h * T[{i}]" for i in self.derivatives.time_slopes]
            self.lines += solution(plan, "_r{}", "_W{}")
            self.lines += [f"_K{k}_{i} = _r{i}" for i in range(n)]
            self.store("K", "_r", n, k * n)
        self.combine("_new", "_y", rodas5p.END)
        self.store("new", "_new", n)
        self.store("error", "_r", n)
        return self.end()

    def implicit_back(self, plan: Elimination) -> list[str]:
        """Write its adjoint."""
        n, entries = self.n, list(enumerate(plan.entries))
        self.begin_back(N_STAGES)
        self.load("W", "_W", plan.n_factors)
        self.lines.append("_rate = 1.0 / h")
        self.lines += [f"_M{q} = 0.0" for q, _ in entries]
        self.lines += [f"_tau{i} = 0.0" for i in self.derivatives.time_slopes]
        self.spread("_lam", rodas5p.END)
        self.add("_y_bar", "_lam")
        for k in range(N_STAGES - 1, -1, -1):
            self.lines += transposed_solution(plan, f"_b{k}_{{}}", "_W{}")
            self.lines += [f"_M{q} = _M{q} + _b{k}_{i} * _K{k}_{j}" for q, (i, j) in entries]
            self.add("_u_bar", f"_b{k}_")
            if rodas5p.SLANT[k] != 0.0:
                slant = number(rodas5p.SLANT[k])
                self.lines += [
                    f"_tau{i} = _tau{i} + {slant} * h * _b{k}_{i}" for i in self.derivatives.time_slopes
                ]
            if k > 0:
                self.spread(f"_b{k}_", rodas5p.C[k], "_rate")
                self.combine("_Y", "_y", rodas5p.A[k])
            self.pulled("_Y" if k > 0 else "_y", rodas5p.NODES[k], k, "_Y_bar")
            self.spread("_Y_bar", rodas5p.A[k])
            self.add("_y_bar", "_Y_bar")
        self.store("M", "_M", len(entries))
        self.lines += [f"tau[{i}] = _tau{i}" for i in self.derivatives.time_slopes]
        self.store("y_bar", "_y_bar", n)
        return self.end_back()

    def begin_back(self, stages: int) -> None:
        """Read what an adjoint starts from."""
        self.begin()
        for address, prefix in (("lam", "_lam"), ("y_bar", "_y_bar"), ("u_bar", "_u_bar")):
            self.load(address, prefix, self.n)
        self.lines += [f"_p_bar{k} = p_bar[{k}]" for k, _ in self.pulled_back]
        for k in range(stages):
            self.load("K", f"_K{k}_", self.n, k * self.n)
            self.load("K_bar", f"_b{k}_", self.n, k * self.n)

    def end_back(self) -> list[str]:
        """Write back the adjoints of input rates and parameters."""
        self.store("u_bar", "_u_bar", self.n)
        self.lines += [f"p_bar[{k}] = _p_bar{k}" for k, _ in self.pulled_back]
        return self.end()


def number(value: float) -> str:
    """Write a coefficient."""
    return f"({float(value)!r})" if value < 0 else repr(float(value))
