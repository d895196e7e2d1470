"""Partition coefficients between tissues and plasma, predicted from the composition of tissues."""

from qsp_bayes.physiology.partition.berezhkovskiy import berezhkovskiy
from qsp_bayes.physiology.partition.coefficients import PartitionCoefficients, partition_coefficients
from qsp_bayes.physiology.partition.comparison import compare_partition_methods, partition_figures
from qsp_bayes.physiology.partition.methods import METHODS
from qsp_bayes.physiology.partition.pk_sim import pk_sim
from qsp_bayes.physiology.partition.poulin_theil import poulin_theil
from qsp_bayes.physiology.partition.rodgers_rowland import rodgers_rowland
from qsp_bayes.physiology.partition.schmitt import schmitt
from qsp_bayes.physiology.partition.tissues import ORGANS, Composition, composition
from qsp_bayes.physiology.partition.volume import steady_state_volume

__all__ = [
    "METHODS",
    "ORGANS",
    "Composition",
    "PartitionCoefficients",
    "berezhkovskiy",
    "compare_partition_methods",
    "composition",
    "partition_coefficients",
    "partition_figures",
    "pk_sim",
    "poulin_theil",
    "rodgers_rowland",
    "schmitt",
    "steady_state_volume",
]
