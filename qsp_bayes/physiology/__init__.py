"""What bodies are like: species tables, partition coefficients, allometry. It knows no PyMC."""

from qsp_bayes.physiology.allometry import SimpleAllometry, scale, simple_allometry
from qsp_bayes.physiology.equivalent_dose import human_equivalent_dose
from qsp_bayes.physiology.figure import Figure
from qsp_bayes.physiology.human_clearance import (
    corrected_allometry,
    fu_corrected_intercept,
    maximum_life_span,
    method_probabilities,
    rule_of_exponents,
)

__all__ = [
    "Figure",
    "SimpleAllometry",
    "corrected_allometry",
    "fu_corrected_intercept",
    "human_equivalent_dose",
    "maximum_life_span",
    "method_probabilities",
    "rule_of_exponents",
    "scale",
    "simple_allometry",
]
