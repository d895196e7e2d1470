"""What is already known of a variable of a graph: data are checked where they are numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.scalar.basic import Cast
from pytensor.tensor.elemwise import Elemwise


def known_value(array: Any) -> np.ndarray | None:
    """Return the numbers an array holds now, where that can be told without compiling anything."""
    if isinstance(array, Variable) and is_cast(array):
        return known_value(array.owner.inputs[0])
    if isinstance(array, SharedVariable):
        return np.asarray(array.get_value(borrow=True))
    if isinstance(array, Constant):
        return np.asarray(array.data)
    return None if isinstance(array, Variable) else np.asarray(array)


def is_cast(variable: Variable) -> bool:
    """Tell whether a variable is another one as another type; integer `pm.Data` come so."""
    op = None if variable.owner is None else variable.owner.op
    return isinstance(op, Elemwise) and isinstance(op.scalar_op, Cast)
