"""What is conserved stays so over ten thousand units of time, in oscillations and across volumes."""

import numpy as np
import pytest
from by_roadrunner import read

LAWS = {
    "kholodenko": [
        ({"MKKK": 1, "MKKK_P": 1}, 100),
        ({"MKK": 1, "MKK_P": 1, "MKK_PP": 1}, 300),
        ({"MAPK": 1, "MAPK_P": 1, "MAPK_PP": 1}, 300),
    ],
    "two_volumes": [
        ({"D": 3000, "Dt": 40, "DR": 40, "cleared": 1}, 60),
        ({"R": 40, "DR": 40}, 2),
    ],
}


@pytest.mark.parametrize("name", LAWS)
def test_totals_stay(name):
    model = read(name)
    assert len(model.system.conservation_laws()) == len(LAWS[name])
    found = model.course(np.linspace(0, 1e4, 101)[1:])
    for weights, total in LAWS[name]:
        held = sum(weight * found[species].values for species, weight in weights.items())
        np.testing.assert_allclose(held, total, rtol=1e-9)
