"""What bodies are like: species tables, partition, clearance in vitro, allometry. It knows no PyMC."""

from qsp_bayes.physiology.allometry import SimpleAllometry, scale, simple_allometry
from qsp_bayes.physiology.drug import Drug
from qsp_bayes.physiology.equivalent_dose import human_equivalent_dose
from qsp_bayes.physiology.figure import Figure
from qsp_bayes.physiology.hepatic import (
    hepatic_clearance,
    hepatic_extraction,
    intrinsic_clearance_from_hepatic,
)
from qsp_bayes.physiology.human import reference_human
from qsp_bayes.physiology.human_clearance import (
    corrected_allometry,
    fu_corrected_intercept,
    maximum_life_span,
    method_probabilities,
    rule_of_exponents,
)
from qsp_bayes.physiology.ivive import (
    intrinsic_clearance_from_hepatocytes,
    intrinsic_clearance_from_microsomes,
)
from qsp_bayes.physiology.organs import ARTERIAL, ORGANS, PORTAL
from qsp_bayes.physiology.partition import (
    PartitionCoefficients,
    compare_partition_methods,
    partition_coefficients,
    partition_figures,
    steady_state_volume,
)
from qsp_bayes.physiology.physiology import Physiology
from qsp_bayes.physiology.population import Population, virtual_population
from qsp_bayes.physiology.species import list_species, load_physiology

__all__ = [
    "ARTERIAL",
    "ORGANS",
    "PORTAL",
    "Drug",
    "Figure",
    "PartitionCoefficients",
    "Physiology",
    "Population",
    "SimpleAllometry",
    "compare_partition_methods",
    "corrected_allometry",
    "fu_corrected_intercept",
    "hepatic_clearance",
    "hepatic_extraction",
    "human_equivalent_dose",
    "intrinsic_clearance_from_hepatic",
    "intrinsic_clearance_from_hepatocytes",
    "intrinsic_clearance_from_microsomes",
    "list_species",
    "load_physiology",
    "maximum_life_span",
    "method_probabilities",
    "partition_coefficients",
    "partition_figures",
    "reference_human",
    "rule_of_exponents",
    "scale",
    "simple_allometry",
    "steady_state_volume",
    "virtual_population",
]
