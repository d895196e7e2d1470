"""Sums over the stages of a method, written out: their coefficients are constants of the machine code.

A loop over a table of coefficients takes several times longer, and the methods' own formulas would be pages of
numbers. The text that is compiled here is made of numbers only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qsp_bayes.ode.jit import inlined_kernel


def combination(coefficients: Sequence[float], start: str = "y[r, i]", out: str = "out[i]") -> Any:
    """Return the kernel ``combine(y, K, r, scale, out)``: out = y[r] + scale * sum of c[j] K[r, j].

    Parameters
    ----------
    coefficients : sequence of float
        Those that are 0 cost nothing.
    start : str
        What the sum is added to.
    out : str
        Where it goes; ``"K[r, 3, i]"`` puts it in the place of stage 3, and `out` then only has the right length.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(1)
    >>> K = np.array([[[1.0], [10.0], [100.0]]])
    >>> combination([2.0, 0.0, 3.0]).py_func(np.ones((1, 1)), K, 0, 0.5, out)
    >>> out.item()
    152.0
    """
    terms = [f"{float(c)!r} * K[r, {j}, i]" for j, c in enumerate(coefficients) if c != 0.0]
    total = f" + scale * ({' + '.join(terms)})" if terms else ""
    loop = "    for i in range(out.size):\n"
    return compiled(f"def combine(y, K, r, scale, out):\n{loop}        {out} = {start}{total}\n")


def spreading(coefficients: Sequence[float], source: str = "x[i]") -> Any:
    """Return the kernel ``spread(x, scale, K)``, the transpose of `combination`: K[j] += scale * c[j] x.

    Examples
    --------
    >>> import numpy as np
    >>> K = np.zeros((3, 1))
    >>> spreading([2.0, 0.0, 3.0]).py_func(np.ones(1), 0.5, K)
    >>> K.ravel().tolist()
    [1.0, 0.0, 1.5]
    """
    lines = [f"        K[{j}, i] += {float(c)!r} * scaled\n" for j, c in enumerate(coefficients) if c != 0.0]
    loop = f"    for i in range(x.size):\n        scaled = scale * {source}\n"
    return compiled(f"def spread(x, scale, K):\n{loop}{''.join(lines)}")


def compiled(text: str) -> Any:
    """Return the kernel of a function's text."""
    namespace: dict[str, Any] = {}
    exec(compile(text, "<stages>", "exec"), namespace)
    return inlined_kernel()(namespace[text.split("(")[0].removeprefix("def ")])
