"""What bodies are like: species tables, partition coefficients, allometry. It knows no PyMC."""

from qsp_bayes.physiology.figure import Figure
from qsp_bayes.physiology.physiology import Physiology
from qsp_bayes.physiology.species import list_species, load_physiology

__all__ = ["Figure", "Physiology", "list_species", "load_physiology"]
