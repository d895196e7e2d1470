"""From the records of a study to the flat arrays that a solver sees, in numpy or as PyMC data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from qsp_bayes.data.events import Events

if TYPE_CHECKING:
    from qsp_bayes.data.study import Study

# Events field: record column. Fields that are positions are computed from the columns of names.
NUMERIC_FIELDS = {
    "time": "TIME",
    "evid": "EVID",
    "amount": "AMT",
    "rate": "RATE",
    "duration": "DUR",
    "interval": "II",
    "additional": "ADDL",
    "steady_state": "SS",
}


def numpy_events(study: Study) -> Events:
    """Give the records as numpy arrays, int64 and float64."""
    table = study.table
    fields = {field: table[column].to_numpy(copy=True) for field, column in NUMERIC_FIELDS.items()}
    # Where a record states both, the reader has checked that they agree. Only one of them can stand once
    # bioavailability is not 1, and it is NONMEM's: the rate.
    fields["duration"][fields["rate"] != 0] = 0.0
    return Events(
        subjects=study.subjects,
        compartments=study.compartments,
        outputs=study.outputs,
        subject=study.subject_index.copy(),
        compartment=positions(table["COMPARTMENT"], study.compartments),
        occasion=study.occasion_index.copy(),
        output=positions(table["OUTPUT"], study.outputs),
        occasion_subject=study.subject_index[~table.duplicated(["ID", "OCC"]).to_numpy()],
        rows={output: rows.copy() for output, rows in study.rows.items()},
        DV={output: table["DV"].to_numpy()[rows] for output, rows in study.rows.items()},
        covariates={name: study.covariate_by_record(name) for name in study.covariates},
        carry=study.carry,
        **fields,
    )


def positions(names: pd.Series, known: tuple[str, ...]) -> np.ndarray:
    """Position of each name in `known`, -1 where there is none."""
    return pd.Index(known, dtype="str").get_indexer(names).astype(np.int64)


def named_arrays(events: Events) -> dict[str, tuple[str, np.ndarray]]:
    """Dimension and array of everything in `events`, by its name in a PyMC model.

    Values that a planned study has not observed are 0, because ``pm.Data`` holds no NaN.
    """
    by_record = (*NUMERIC_FIELDS, "subject", "compartment", "occasion", "output")
    return {
        **{f"record_{field}": ("record", events[field]) for field in by_record},
        **{f"covariate_{name}": ("record", values) for name, values in events.covariates.items()},
        "occasion_subject": ("occasion", events.occasion_subject),
        **{f"rows_{output}": (f"obs_{output}", rows) for output, rows in events.rows.items()},
        **{f"observed_{output}": (f"obs_{output}", np.nan_to_num(DV)) for output, DV in events.DV.items()},
    }


def pymc_events(study: Study) -> Events:
    """Register the records in the current ``pm.Model`` and give the registered variables."""
    import pymc as pm  # takes seconds to import, which reading or planning a study need not wait for
    import pytensor.tensor as pt

    pm.modelcontext(None).add_coords(study.coords)
    data = {}
    for name, (dimension, values) in named_arrays(numpy_events(study)).items():
        variable = pm.Data(name, values, dims=dimension)
        # pm.Data narrows whole numbers to int32; positions are int64 everywhere else.
        data[name] = pt.cast(variable, "int64") if values.dtype == np.int64 else variable
    return Events(
        subjects=study.subjects,
        compartments=study.compartments,
        outputs=study.outputs,
        occasion_subject=data["occasion_subject"],
        rows={output: data[f"rows_{output}"] for output in study.outputs},
        DV={output: data[f"observed_{output}"] for output in study.outputs},
        covariates={name: data[f"covariate_{name}"] for name in study.covariates},
        carry=study.carry,
        **{name.removeprefix("record_"): data[name] for name in data if name.startswith("record_")},
    )
