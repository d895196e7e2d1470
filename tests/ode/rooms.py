"""A system as the kernels see it, with room for one step, for tests that call the methods themselves."""

import numpy as np

from qsp_bayes.ode.field import FUNCTIONS, Field
from qsp_bayes.ode.path import Path, Room


def arrays(found):
    """Field, working arrays and path of compiled equations."""
    n, n_parameters = found.n_states, found.n_parameters
    sizes = dict.fromkeys(Room._fields, (n,)) | {
        "p": (n_parameters,), "p_bar": (n_parameters,), "J": (found.rows.size,), "M": (found.rows.size,),
        "W": (found.n_factors,), "stages_bar": (8, n),
    }  # fmt: skip
    field = Field(
        *(found.addresses.get(name, 0) for name in FUNCTIONS),
        found.rows,
        found.columns,
        int(found.autonomous),
    )
    room = Room(**{name: np.zeros(size) for name, size in sizes.items()})
    return field, room, Path(np.zeros((1, 2)), np.zeros(1, np.int64), np.zeros((1, n)), np.zeros((1, 8, n)))


def with_loops(field):
    """The same system without steps that are written out."""
    return field._replace(explicit_step=0, explicit_step_back=0, implicit_step=0, implicit_step_back=0)
