"""Model averaging: weights of several fits of the same data, by how well each predicts a new subject."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Mapping

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.calibration.left_out_subjects import leave_one_subject_out
from qsp_bayes.errors import DecisionError


def stacking_weights(fits: Mapping[str, xr.DataTree]) -> pd.DataFrame:
    r"""Weigh fits of the same data so that their mixture predicts left-out subjects best.

    .. math:: \hat w = \operatorname{argmax}_w \sum_i \log \sum_k w_k \, p_k(y_i \mid y_{-i}),
              \qquad w_k \ge 0, \; \sum_k w_k = 1

    Subjects are left out whole, their random effects integrated out (`leave_one_subject_out`): a dose is chosen for
    subjects who are not in the study, so that a model counts by how it predicts those, not the next sample of subjects
    it knows.

    Parameters
    ----------
    fits : mapping of str to DataTree
        At least two, from `Calibration.fit` on one study.

    Returns
    -------
    pandas.DataFrame
        By label: ``weight``; ``elpd``, the expected log predictive density of all subjects; ``difference`` to the best
        and its standard error ``se`` over subjects; ``pareto_k``, the largest, and ``limit``, up to which the estimate
        of a subject can be trusted.

    Raises
    ------
    DecisionError
        If there are fewer than two fits, or they are not of the same records.

    Notes
    -----
    With few subjects the weights are uncertain, whatever the number of draws.

    References
    ----------
    Yao Y, Vehtari A, Simpson D, Gelman A (2018). Using stacking to average Bayesian predictive distributions. Bayesian
    Anal 13:917-1007.
    """
    if len(fits) < 2:
        raise DecisionError(
            f"Averaging needs at least two fits; received {len(fits)}. Give fits={{label: fit}}."
        )
    require_same_records(fits)
    left_out = {label: leave_one_subject_out(fit) for label, fit in fits.items()}
    pointwise = np.stack([found.elpd_i.values for found in left_out.values()])
    # What all models share in a subject changes no weight, but could underflow.
    relative = pointwise - pointwise.max(axis=0)
    shifted = {
        label: dataclasses.replace(found, elpd=float(row.sum()), p=0.0, elpd_i=found.elpd_i.copy(data=row))
        for (label, found), row in zip(left_out.items(), relative, strict=True)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Pareto k and the number of subjects are in the table
        weights = arviz_stats.compare(shifted, method="stacking", round_to="none")["weight"]
    best = pointwise.sum(axis=1).argmax()
    differences = pointwise - pointwise[best]
    return pd.DataFrame(
        {
            "weight": [float(weights[label]) for label in fits],
            "elpd": pointwise.sum(axis=1),
            "difference": differences.sum(axis=1),
            "se": np.sqrt(pointwise.shape[1]) * differences.std(axis=1),
            "pareto_k": [float(found.pareto_k.max()) for found in left_out.values()],
            "limit": [float(found.good_k) for found in left_out.values()],
        },
        index=pd.Index(fits, name="fit"),
    )


def require_same_records(fits: Mapping[str, xr.DataTree]) -> None:
    """Require that all fits were made from the very same records."""
    found = {
        label: json.loads(fit.attrs.get("qsp_bayes", "{}")).get("study", {}).get("checksum")
        for label, fit in fits.items()
    }
    first, *others = found
    different = [label for label in others if found[label] != found[first]]
    if different:
        raise DecisionError(
            f"The fits {first!r} and {different[0]!r} were made from different records, so that their predictions "
            "cannot be compared. Fit both to the same study."
        )
