"""What bodies are like: species tables, partition coefficients, allometry. It knows no PyMC."""

from qsp_bayes.physiology.figure import Figure
from qsp_bayes.physiology.human import reference_human
from qsp_bayes.physiology.organs import ARTERIAL, ORGANS, PORTAL
from qsp_bayes.physiology.physiology import Physiology
from qsp_bayes.physiology.population import Population, virtual_population
from qsp_bayes.physiology.species import list_species, load_physiology

__all__ = [
    "ARTERIAL",
    "ORGANS",
    "PORTAL",
    "Figure",
    "Physiology",
    "Population",
    "list_species",
    "load_physiology",
    "reference_human",
    "virtual_population",
]
