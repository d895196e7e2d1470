"""Every entry of pharmacodynamics, with numbers to try it with."""

from __future__ import annotations

from collections.abc import Mapping

from qsp_bayes.models.example import Example
from qsp_bayes.models.pharmacodynamics.claret_tumour import examples as claret_tumour
from qsp_bayes.models.pharmacodynamics.direct_effect import examples as direct_effect
from qsp_bayes.models.pharmacodynamics.effect_compartment import examples as effect_compartment
from qsp_bayes.models.pharmacodynamics.feedback_response import examples as feedback_response
from qsp_bayes.models.pharmacodynamics.indirect_response import examples as indirect_response
from qsp_bayes.models.pharmacodynamics.myelosuppression import examples as myelosuppression
from qsp_bayes.models.pharmacodynamics.precursor_response import examples as precursor_response
from qsp_bayes.models.pharmacodynamics.signal_transduction import examples as signal_transduction
from qsp_bayes.models.pharmacodynamics.simeoni_tumour import examples as simeoni_tumour
from qsp_bayes.models.pharmacodynamics.time_to_event import examples as time_to_event
from qsp_bayes.models.pharmacodynamics.viral_dynamics import examples as viral_dynamics

ENTRIES = (
    direct_effect,
    effect_compartment,
    indirect_response,
    feedback_response,
    precursor_response,
    signal_transduction,
    myelosuppression,
    simeoni_tumour,
    claret_tumour,
    viral_dynamics,
    time_to_event,
)


def examples() -> Mapping[str, Example]:
    """Return every entry of pharmacodynamics with numbers to try it with.

    Examples
    --------
    >>> len(examples())
    20
    """
    return {title: example for entry in ENTRIES for title, example in entry().items()}
