"""Calibration: priors, individuals, error models, and the PyMC model, fit and simulation they make with a system.

`Calibration` joins a `System` with `Priors`, parts that say how individuals differ (`IIV`, `IOV`, `Allometry`,
`Covariate`, `Species`) and error models; `build` gives an ordinary ``pm.Model``, `fit` and `simulate` give
``DataTree``s.
"""

from qsp_bayes.calibration.allometry import Allometry
from qsp_bayes.calibration.calibration import Calibration
from qsp_bayes.calibration.censored import Censored
from qsp_bayes.calibration.covariate import Covariate
from qsp_bayes.calibration.error import Additive, Combined, LogNormal, Proportional, StudentT
from qsp_bayes.calibration.figures import priors_from
from qsp_bayes.calibration.iiv import IIV
from qsp_bayes.calibration.iov import IOV
from qsp_bayes.calibration.left_out_species import LeftOutSpecies, leave_one_species_out
from qsp_bayes.calibration.left_out_subjects import leave_one_subject_out
from qsp_bayes.calibration.metadata import read_facts
from qsp_bayes.calibration.prior import Prior, Source
from qsp_bayes.calibration.prior_files import list_priors, load_priors, read_priors
from qsp_bayes.calibration.priors import Priors
from qsp_bayes.calibration.species import Species
from qsp_bayes.calibration.store import load_fit, save_fit
from qsp_bayes.calibration.typical import typical_values
from qsp_bayes.calibration.virtual.statistic import Statistic
from qsp_bayes.calibration.virtual.virtual_patients import VirtualPatients
from qsp_bayes.calibration.virtual.weights import Weights

__all__ = [
    "IIV",
    "IOV",
    "Additive",
    "Allometry",
    "Calibration",
    "Censored",
    "Combined",
    "Covariate",
    "LeftOutSpecies",
    "LogNormal",
    "Prior",
    "Priors",
    "Proportional",
    "Source",
    "Species",
    "Statistic",
    "StudentT",
    "VirtualPatients",
    "Weights",
    "leave_one_species_out",
    "leave_one_subject_out",
    "list_priors",
    "load_fit",
    "load_priors",
    "priors_from",
    "read_facts",
    "read_priors",
    "save_fit",
    "typical_values",
]
