"""Receptors: occupancy, kinetics of binding, competition, turnover, and the effect of occupied receptors.

Each is a partial system driven by a concentration that it does not deplete: the input ``Cc``, which ``+`` binds to the
output of a pharmacokinetic model. Where the receptor takes up a relevant part of the drug, see `qsp_bayes.models.tmdd`.

======================== ==============================================================================
`receptor_occupancy`     rapid equilibrium, with or without a Hill coefficient
`receptor_binding`       kon and koff (or KD), constant number of receptors
`competitive_binding`    two ligands, in equilibrium or kinetically
`two_step_binding`       a loose complex that becomes a tight one
`receptor_turnover`      synthesis, degradation, internalisation
`operational_agonism`    occupancy and effect, spare receptors, antagonists
`transducer`             the effect of any occupancy RO
======================== ==============================================================================
"""

from collections.abc import Mapping

from qsp_bayes.models.example import Example
from qsp_bayes.models.receptor import binding, competition, isomerisation, occupancy, operational, turnover
from qsp_bayes.models.receptor.binding import receptor_binding
from qsp_bayes.models.receptor.competition import competitive_binding
from qsp_bayes.models.receptor.isomerisation import two_step_binding
from qsp_bayes.models.receptor.occupancy import receptor_occupancy
from qsp_bayes.models.receptor.operational import operational_agonism, transducer
from qsp_bayes.models.receptor.turnover import receptor_turnover

__all__ = [
    "competitive_binding",
    "examples",
    "operational_agonism",
    "receptor_binding",
    "receptor_occupancy",
    "receptor_turnover",
    "transducer",
    "two_step_binding",
]


def examples() -> Mapping[str, Example]:
    """Return every entry about receptors with numbers to try it with.

    Examples
    --------
    >>> len(examples())
    9
    """
    modules = (occupancy, binding, competition, isomerisation, turnover, operational)
    return {title: example for module in modules for title, example in module.examples().items()}
