"""Predictions at the prior medians: what an error model needs to know before sampling starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytensor

from qsp_bayes.calibration.checks import rows_text
from qsp_bayes.calibration.prior import Prior
from qsp_bayes.data.study import Study
from qsp_bayes.errors import CalibrationError

if TYPE_CHECKING:
    from qsp_bayes.calibration.calibration import Calibration


def typical_predictions(calibration: Calibration, study: Study) -> dict[str, np.ndarray] | None:
    """Predict the study with every parameter at the median of its prior.

    Returns
    -------
    dict of str to array, or None
        By output; None where a prior does not tell its median.
    """
    typical = {}
    for name in calibration.system.parameters:
        variable = f"TV{name}"
        if variable in calibration.fix:
            typical[name] = calibration.fix[variable]
        elif isinstance(calibration.priors[variable], Prior):
            typical[name] = float(calibration.priors[variable].median)
        else:
            return None
    path = calibration.system.solve(study.events(), typical, solver=calibration.solver)
    outputs = list(calibration.error)
    # One evaluation does not repay a compilation.
    evaluate = pytensor.function([], [path[output] for output in outputs], mode="FAST_COMPILE")
    return dict(zip(outputs, evaluate(), strict=True))


def require_positive(calibration: Calibration, study: Study) -> None:
    """Require positive predictions where the error is relative to them.

    Raises
    ------
    CalibrationError
        Naming the records where the prediction is 0 or less.
    """
    relative = [output for output, error in calibration.error.items() if error.needs_positive]
    if not relative or study.is_planned:
        return
    predictions = typical_predictions(calibration, study)
    for output in relative if predictions is not None else ():
        bad = ~(predictions[output] > 0)  # type: ignore[index]
        if bad.any():
            records = study.table.iloc[study.rows[output]]
            raise CalibrationError(
                f"output {output}: a {calibration.error[output]} error needs positive predictions, but at the prior "
                f"medians the system predicts 0 or less for {rows_text(records[bad])}. This usually means (a) samples "
                "taken before the first dose: leave them out; (b) a dose or an initial value that is missing. "
                "A combined error also accepts them."
            )
