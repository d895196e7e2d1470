"""How graphs that solve systems go to JAX, as for ``pm.sample(nuts_sampler="numpyro")``.

PyTensor rewrites a graph before it hands it to JAX, with the rewrites that are marked for it. Those below put
callbacks into the compiled kernels in the place of the operations, and are the first to import JAX.
"""

from __future__ import annotations

from functools import partial

from pytensor.compile import optdb
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.link.jax.ops import JAXOp

from qsp_bayes.ode.batch import BatchAdjoint, BatchSolve
from qsp_bayes.ode.rows import Stack, Unstack
from qsp_bayes.ode.take import AddUp, Take

AMONG_JAX = 100.0
"""Where the rewrites for JAX come, after those that make a graph smaller and fold its constants."""


@node_rewriter([BatchAdjoint])
def adjoint_by_jax(fgraph: FunctionGraph, node: Apply) -> list[Variable] | dict[Variable, Variable]:
    """Go back through a callback that solves first: JAX cannot hold the memory of a solve, whose length varies."""
    from qsp_bayes.ode.jax_functions import Kernel, going_back

    solve = node.op.solve()
    n_inputs = len(node.inputs) - 1 - len(solve.memory)
    inputs, cotangent = node.inputs[:n_inputs], node.inputs[n_inputs]
    kernel = Kernel(solve, inputs)
    arguments = [*(inputs[k] for k in kernel.variables), cotangent]
    wanted = [node.outputs[k] for k in kernel.differentiable]
    op = JAXOp([x.type for x in arguments], [x.type for x in wanted], going_back(kernel), name=str(node.op))
    return dict(zip(wanted, op.make_node(*arguments).outputs, strict=True))


@node_rewriter([BatchSolve])
def solve_by_jax(fgraph: FunctionGraph, node: Apply) -> list[Variable] | dict[Variable, Variable]:
    """Solve through a callback."""
    from qsp_bayes.ode.jax_functions import Kernel, refusing, solving

    if any(fgraph.clients[x] for x in node.outputs[1:]):
        op = JAXOp([x.type for x in node.inputs], [x.type for x in node.outputs], refusing, name=str(node.op))
        return op.make_node(*node.inputs).outputs
    kernel = Kernel(node.op, node.inputs)
    arguments = [node.inputs[k] for k in kernel.variables]
    op = JAXOp([x.type for x in arguments], [node.outputs[0].type], solving(kernel), name=str(node.op))
    return {node.outputs[0]: op.make_node(*arguments).outputs[0]}


@node_rewriter([Stack, Unstack, Take, AddUp])
def plain_by_jax(fgraph: FunctionGraph, node: Apply) -> list[Variable]:
    """Arrange numbers by JAX's own means."""
    from qsp_bayes.ode.jax_functions import adding_up, stacking, taking, unstacking

    sizes = node.op.sizes if isinstance(node.op, Unstack) else ()
    functions = {Stack: stacking, Unstack: partial(unstacking, sizes), Take: taking, AddUp: adding_up}
    function = functions[type(node.op)]
    op = JAXOp([x.type for x in node.inputs], [x.type for x in node.outputs], function, name=str(node.op))
    return op.make_node(*node.inputs).outputs


# The adjoints first, which let go of the memory of the solves.
optdb.register("jax_adjoint_of_batch", dfs_rewriter(adjoint_by_jax), "jax", position=AMONG_JAX)
optdb.register("jax_solve_of_batch", dfs_rewriter(solve_by_jax), "jax", position=AMONG_JAX + 0.1)
optdb.register("jax_arrangements", dfs_rewriter(plain_by_jax), "jax", position=AMONG_JAX)
