"""What bodies are like: species tables, partition coefficients, allometry. It knows no PyMC."""

from qsp_bayes.physiology.drug import Drug
from qsp_bayes.physiology.figure import Figure
from qsp_bayes.physiology.hepatic import (
    hepatic_clearance,
    hepatic_extraction,
    intrinsic_clearance_from_hepatic,
)
from qsp_bayes.physiology.ivive import (
    intrinsic_clearance_from_hepatocytes,
    intrinsic_clearance_from_microsomes,
)
from qsp_bayes.physiology.partition import (
    PartitionCoefficients,
    compare_partition_methods,
    partition_coefficients,
    partition_figures,
    steady_state_volume,
)

__all__ = [
    "Drug",
    "Figure",
    "PartitionCoefficients",
    "compare_partition_methods",
    "hepatic_clearance",
    "hepatic_extraction",
    "intrinsic_clearance_from_hepatic",
    "intrinsic_clearance_from_hepatocytes",
    "intrinsic_clearance_from_microsomes",
    "partition_coefficients",
    "partition_figures",
    "steady_state_volume",
]
