"""Left-out subjects against the predictive density of a normal hierarchy, known in closed form."""

import numpy as np
import pytest
import xarray as xr
from normal_hierarchy import exact_log_density, hierarchy, observed

from qsp_bayes.calibration import leave_one_subject_out
from qsp_bayes.errors import CalibrationError


@pytest.mark.parametrize("occasions", [False, True], ids=["by subject", "by occasion"])
def test_closed_form(occasions):
    values = observed()
    found = leave_one_subject_out(hierarchy(values, occasions=occasions))
    np.testing.assert_allclose(found.elpd_i, exact_log_density(values), atol=0.06)
    assert float(found.pareto_k.max()) < 0.5
    assert found.elpd == pytest.approx(float(found.elpd_i.sum()))
    assert not found.warning


def test_effects_must_be_integrated_out():
    """With the effects as they are in the draws, the wrong variant, the estimate is far off and its k says so."""
    values = observed()
    fit = hierarchy(values)
    without = fit.copy()
    for group in ("posterior", "log_prior"):
        without[group] = xr.DataTree(fit[group].to_dataset()[["TVB"]])
    wrong = leave_one_subject_out(without)
    assert float(wrong.pareto_k.max()) > 0.7
    assert wrong.warning
    assert abs(wrong.elpd - exact_log_density(values).sum()) > 5


def test_missing_groups_are_named():
    fit = hierarchy(observed())
    del fit["log_prior"]
    with pytest.raises(CalibrationError, match="there is no log_prior"):
        leave_one_subject_out(fit)
