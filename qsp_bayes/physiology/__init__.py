"""What bodies are like: species tables, partition coefficients, allometry. It knows no PyMC."""

from qsp_bayes.physiology.drug import Drug
from qsp_bayes.physiology.figure import Figure

__all__ = ["Drug", "Figure"]
