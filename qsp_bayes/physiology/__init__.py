"""What bodies are like: species tables, partition coefficients, clearance from in vitro data. It knows no PyMC."""

from qsp_bayes.physiology.drug import Drug
from qsp_bayes.physiology.figure import Figure
from qsp_bayes.physiology.hepatic import (
    hepatic_clearance,
    hepatic_extraction,
    intrinsic_clearance_from_hepatic,
)
from qsp_bayes.physiology.human import reference_human
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
    "compare_partition_methods",
    "hepatic_clearance",
    "hepatic_extraction",
    "intrinsic_clearance_from_hepatic",
    "intrinsic_clearance_from_hepatocytes",
    "intrinsic_clearance_from_microsomes",
    "list_species",
    "load_physiology",
    "partition_coefficients",
    "partition_figures",
    "reference_human",
    "steady_state_volume",
    "virtual_population",
]
