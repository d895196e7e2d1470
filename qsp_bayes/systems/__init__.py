"""Systems: a mechanism as dx/dt = S v(x, p, t), with its units, laws, equations and diagram.

A `System` says what happens and nothing of how it is solved, which priors it has or which data it meets.
"""

from qsp_bayes.systems.declarations import Constant, DoseInto, Output, Process
from qsp_bayes.systems.network import ReactionNetwork
from qsp_bayes.systems.profile import Gamma, Weibull
from qsp_bayes.systems.reaction import Reaction
from qsp_bayes.systems.release import Release
from qsp_bayes.systems.switch import Switch
from qsp_bayes.systems.symbolic import Delivery, SymbolicSystem
from qsp_bayes.systems.system import System

__all__ = [
    "Constant",
    "Delivery",
    "DoseInto",
    "Gamma",
    "Output",
    "Process",
    "Reaction",
    "ReactionNetwork",
    "Release",
    "Switch",
    "SymbolicSystem",
    "System",
    "Weibull",
]
