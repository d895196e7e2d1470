"""Chains get the cores first; what they leave idle goes to the solves, while sampling only."""

import itertools

import nutpie
import pytest

from qsp_bayes.calibration import Additive, Calibration, load_priors, sampler
from qsp_bayes.calibration import calibration as module_of_calibrations
from qsp_bayes.calibration.sampler import share_cores
from qsp_bayes.data import load_dataset
from qsp_bayes.models import one_compartment
from qsp_bayes.ode.threads import number_of_threads


@pytest.mark.parametrize(
    ("chains", "cores", "usable"), list(itertools.product((1, 2, 3, 4, 6), (None, 1, 2, 8), (1, 2, 5, 8)))
)
def test_cores_are_neither_shared_nor_left_idle(chains, cores, usable):
    at_once, for_each = share_cores(chains, cores, usable)
    assert at_once == min(chains, usable if cores is None else cores)
    assert for_each == 1 or at_once * for_each <= usable
    assert at_once * (for_each + 1) > usable


@pytest.mark.parametrize(
    ("chains", "cores", "at_once", "for_each"), [(2, None, 2, 4), (4, 1, 1, 8), (20, None, 8, 1)]
)
def test_a_fit_tells_the_sampler_and_the_solves(monkeypatch, chains, cores, at_once, for_each):
    seen = {}

    def sample(compiled, **settings):
        seen.update(cores=settings["cores"], threads=number_of_threads())
        raise KeyboardInterrupt

    monkeypatch.setattr(nutpie, "compile_pymc_model", lambda *arguments, **settings: None)
    monkeypatch.setattr(nutpie, "sample", sample)
    for module in (module_of_calibrations, sampler):
        monkeypatch.setattr(module, "usable_cores", lambda: 8)
    calibration = Calibration(
        one_compartment(absorption="first-order"), load_priors("theophylline"), [], {"Cc": Additive()}
    )
    with pytest.raises(KeyboardInterrupt):
        calibration.fit(
            load_dataset("theophylline"), chains=chains, cores=cores, random_seed=1, progressbar=False
        )
    assert seen == {"cores": at_once, "threads": for_each}
    assert number_of_threads() == 1
