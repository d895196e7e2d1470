"""Pharmacodynamics: what a concentration does, at once or after a delay.

Each is a partial system with the input ``Cc`` (or another `driver`), which ``+`` binds to the output of a
pharmacokinetic model, a receptor or another response.

======================= ==============================================================================
`direct_effect`         linear, Emax and sigmoid Emax, stimulation and inhibition
`effect_compartment`    delay of distribution (ke0)
`indirect_response`     drug acts on production or loss of a response (I to IV)
`feedback_response`     tolerance and rebound by a moderator
`precursor_response`    tolerance and rebound by a pool of precursor
`signal_transduction`   a chain of transit compartments
`myelosuppression`      Friberg's model of blood cells
`simeoni_tumour`        tumour growth inhibition in xenografts
`claret_tumour`         tumour size in patients
`viral_dynamics`        target cells, infected cells and virus
`time_to_event`         hazard and survival
======================= ==============================================================================

Examples
--------
A drug whose concentration stimulates the production of an enzyme that clears it:

>>> import qsp_bayes as qb
>>> enzyme = indirect_response(kind="III").rename(response="enzyme")
>>> induced = (qb.one_compartment() + enzyme).define({"CL0": "L/h"}, CL=lambda s: s.CL0 * s.enzyme)
>>> for equation in induced.equations():
...     print(equation)
kin = E0*kout
CL = CL0*enzyme
d(central)/dt = -CL/Vc*central
d(enzyme)/dt = kin*(1 + Emax*Cc/(EC50 + Cc)) - kout*enzyme
enzyme(0) = E0
Cc = central/Vc

An effect that lags behind plasma:

>>> delayed = qb.one_compartment() + effect_compartment() + direct_effect(driver="Ce", relation="sigmoid")
>>> list(delayed.outputs), dict(delayed.inputs)
(['Cc', 'Ce', 'E'], {})
"""

from qsp_bayes.models.pharmacodynamics.claret_tumour import claret_tumour
from qsp_bayes.models.pharmacodynamics.direct_effect import direct_effect
from qsp_bayes.models.pharmacodynamics.effect_compartment import effect_compartment
from qsp_bayes.models.pharmacodynamics.entries import examples
from qsp_bayes.models.pharmacodynamics.feedback_response import feedback_response
from qsp_bayes.models.pharmacodynamics.indirect_response import indirect_response
from qsp_bayes.models.pharmacodynamics.myelosuppression import myelosuppression
from qsp_bayes.models.pharmacodynamics.precursor_response import precursor_response
from qsp_bayes.models.pharmacodynamics.signal_transduction import signal_transduction
from qsp_bayes.models.pharmacodynamics.simeoni_tumour import simeoni_tumour
from qsp_bayes.models.pharmacodynamics.time_to_event import time_to_event
from qsp_bayes.models.pharmacodynamics.viral_dynamics import viral_dynamics

__all__ = [
    "claret_tumour",
    "direct_effect",
    "effect_compartment",
    "examples",
    "feedback_response",
    "indirect_response",
    "myelosuppression",
    "precursor_response",
    "signal_transduction",
    "simeoni_tumour",
    "time_to_event",
    "viral_dynamics",
]
