"""Data: studies, planned regimens and the catalogue of datasets.

`read_nonmem` and `load_dataset` give a `Study`; `Regimen`, `new_subjects` and `planned_study` give the
designs to simulate. A study gives `Events`, flat arrays that are all a solver sees; nothing here knows a
model.
"""

from qsp_bayes.data.catalogue import list_datasets, load_dataset
from qsp_bayes.data.events import Events
from qsp_bayes.data.files import data_folder
from qsp_bayes.data.nonmem import read_nonmem
from qsp_bayes.data.planned import planned_study
from qsp_bayes.data.provenance import Provenance
from qsp_bayes.data.regimen import Regimen
from qsp_bayes.data.study import Censoring, Study
from qsp_bayes.data.study_units import StudyUnits
from qsp_bayes.data.subjects import Subjects, new_subjects

__all__ = [
    "Censoring",
    "Events",
    "Provenance",
    "Regimen",
    "Study",
    "StudyUnits",
    "Subjects",
    "data_folder",
    "list_datasets",
    "load_dataset",
    "new_subjects",
    "planned_study",
    "read_nonmem",
]
