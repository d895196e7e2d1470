"""Measure the rows that are named, or all: ``python -m benchmarks.run [NAME...]``."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.comparison import circumstances, table

ROWS = {
    "gradient": "logp and gradient of the theophylline model, beside Stan and PyMC by hand",
    "sampling": "effective samples per CPU second of the same model",
    "solve": "concentrations and their gradient, beside scipy and diffrax",
    "first_draw": "CPU from build to the first draw, cold and warm",
    "nonlinear": "states and sensitivities of Michaelis-Menten, TMDD and PBPK, beside CVODES, diffrax and pm.ode",
    "pbpk": "the whole-body model of 15 organs, beside CVODES and Stan",
    "threads": "wall time of a nonlinear solve by two threads, beside one",
    "six_subjects": "the posterior of a TMDD model, beside Stan",
    "growth": "compiling, solving and differentiating with 5 to 100 states",
    "michaelis_menten_posterior": "posteriordb's Michaelis-Menten posterior, beside Stan's rk45",
    "decision_throughput": "wall time and memory of choosing among 20 regimens in 500 subjects",
    "scaling": "time per gradient and memory from 12 to 1200 subjects",
}
RESULTS = Path(__file__).parent / "results.json"


def main(names: list[str]) -> int:
    """Measure, print a table, and put the rows into the results file in place of their earlier figures."""
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        print(f"No row is called {', '.join(unknown)}. The rows are:")
        print("\n".join(f"  {name:<12} {what}" for name, what in ROWS.items()))
        return 2
    earlier = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    measured = []
    for name in names or ROWS:
        print(f"Measuring {name}: {ROWS[name]}", flush=True)
        comparisons = import_module(f"benchmarks.{name}").measure()
        measured += comparisons
        lines = [{**comparison.record(), **circumstances()} for comparison in comparisons]
        earlier = [line for line in earlier if line["name"] != name] + lines
        RESULTS.write_text(
            json.dumps(sorted(earlier, key=lambda line: list(ROWS).index(line["name"])), indent=1) + "\n"
        )
    print(f"\n{table(measured)}\n\nWritten to {RESULTS}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
