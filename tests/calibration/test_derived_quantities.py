"""The half-life and its kin that a fit carries, and the systems that have none."""

import numpy as np
import xarray as xr

from qsp_bayes.calibration import Calibration, Combined, load_priors
from qsp_bayes.calibration.fit import derived_quantities
from qsp_bayes.models import one_compartment
from qsp_bayes.systems import Output, Process, System

DRAWS = xr.Dataset(
    {
        name: (("chain", "draw"), np.full((2, 3), value))
        for name, value in {"TVKA": 1.5, "TVCL": 2.0, "TVVc": 20.0}.items()
    }
)


def calibration(system, **options):
    return Calibration(system, load_priors("theophylline"), error={"Cc": Combined()}, **options)


def test_quantities_of_the_typical_individual_with_their_units():
    found = derived_quantities(calibration(one_compartment(absorption="first-order")), DRAWS)
    assert {"kel", "half_life", "Vss", "MRT"} <= set(found)
    assert found.half_life.dims == ("chain", "draw")
    assert found.half_life.units == "h"
    assert np.allclose(found.half_life, np.log(2) * 20.0 / 2.0)


def test_fixed_parameters_count():
    fixed = calibration(one_compartment(absorption="first-order"), fix={"Vc": 40.0})
    found = derived_quantities(fixed, DRAWS.drop_vars("TVVc"))
    assert np.allclose(found.half_life, np.log(2) * 40.0 / 2.0)


def test_other_dispositions_have_none():
    system = System(
        {"central": "mg"},
        {"k": "1/h", "Vc": "L"},
        [Process("loss", {"central": -1}, lambda s: s.k * s.central)],
        outputs={"Cc": Output("mg/L", lambda s: s.central / s.Vc)},
    )
    assert derived_quantities(calibration(system), DRAWS) is None
