"""The continuous choice of a dose within constraints, against closed forms: exposures after one bolus are dose/CL."""

import numpy as np
import pytest
from fabricated_fits import calibration_of, fit_of, people

from qsp_bayes.data import Regimen
from qsp_bayes.decision import Between, Constraint, auc, optimise_dose, standard_error, utility
from qsp_bayes.decision.continuous.individuals import Individuals
from qsp_bayes.errors import DecisionError
from qsp_bayes.models import one_compartment

TARGET = 40.0
BOLUS = Regimen(100, into="central")
FREE = {"dose": Between(20, 900, of="amount")}
NEAR_TARGET = utility(lambda x: -((np.log(auc(x["Cc"])) - np.log(TARGET)) ** 2), "AUC near 40")


@pytest.fixture(scope="module")
def clearance():
    calibration = calibration_of(one_compartment(), vary=("CL",))
    individuals = Individuals.drawn(
        calibration, fit_of(calibration, draws=20), BOLUS, people(5), (0, 600), 40, 7
    )
    return individuals.labelled(individuals.parameters["CL"])


def optimum(constraints, **settings):
    calibration = calibration_of(one_compartment(), vary=("CL",))
    return optimise_dose(
        calibration,
        fit_of(calibration, draws=20),
        BOLUS,
        FREE,
        people(5),
        NEAR_TARGET,
        constraints=constraints,
        times=(0, 600),
        draws=40,
        random_seed=7,
        progressbar=False,
        **{"tolerance": 1e-9, **settings},
    )


def exposure(x):
    return auc(x["Cc"])


def test_a_limit_on_mean_exposure_holds_the_dose_exactly_there(clearance):
    """d E[1/CL] = L; the price of the limit is dEU/dL; the error of d is that of a mean of 1/CL."""
    best = TARGET * np.exp(float(np.log(clearance).mean()))
    limit = 0.8 * best * float((1 / clearance).mean())
    loose = 3.0 * limit
    found = optimum(
        [
            Constraint(exposure, below=limit, name="mean exposure", unit="mg*h/L"),
            Constraint(lambda x: auc(x["Cc"]), below=loose, name="far off"),
        ]
    )
    dose = 0.8 * best
    assert found.metadata["method"] == "gradient"
    assert found.values["dose"] == pytest.approx(dose, rel=2e-6)
    table = found.constraints
    assert table["binds"].tolist() == [True, False]
    assert table["value"].to_numpy() == pytest.approx([limit, limit], rel=2e-6)
    assert table.loc["mean exposure", "mcse"] == pytest.approx(
        dose * float(standard_error(1 / clearance)), rel=1e-5
    )
    slope = -2 * np.log(0.8) / dose
    assert found.table.loc["dose", "slope"] == pytest.approx(slope, rel=1e-4)
    price = slope / float((1 / clearance).mean())
    assert table["price"].to_numpy() == pytest.approx([price, 0.0], rel=1e-4)
    error = dose * float(standard_error(1 / clearance)) / float((1 / clearance).mean())
    assert found.table.loc["dose", "mcse"] == pytest.approx(error, rel=1e-4)
    assert "mean exposure is" in found.summary()
    assert "which binds" in found.summary()
    with pytest.raises(DecisionError, match="held by the limit on mean exposure"):
        found.near()


def test_a_share_of_individuals_limits_a_search_by_grid(clearance):
    """A comparison: the dose at which a tenth of all individuals exceeds 50, found among those of the grids."""
    high = Constraint(lambda x: auc(x["Cc"]) > 50.0, below=0.1, name="high")
    with pytest.raises(DecisionError, match=r"the constraint \(high\) compares: auc\(Cc\) > 50"):
        optimum([high], method="gradient")
    found = optimum([high], tolerance=1e-6)
    assert found.metadata["method"] == "grid"
    share = float((found.values["dose"] / clearance > 50.0).mean())
    assert found.constraints.loc["high", "value"] == share < 0.1
    doses = np.linspace(20, 900, 20_001)
    values = np.log(doses[:, None] / clearance.to_numpy().ravel() / TARGET)
    admitted = (values > np.log(50.0 / TARGET)).mean(axis=1) < 0.1
    expected = -(values**2).mean(axis=1)
    exact = expected[admitted].max()
    assert expected.max() > exact + 0.01  # the limit matters
    assert found.expected_utility == pytest.approx(exact, abs=2e-3)


def test_what_cannot_be_kept_or_followed_is_said():
    certain = Constraint(exposure, below=50.0, name="exposure", certainty=0.9)
    with pytest.raises(
        DecisionError, match="certainty asked of exposure is a share of the draws, which is not smooth"
    ):
        optimum([certain], method="gradient")
    low = Constraint(exposure, below=0.1, name="exposure")
    with pytest.raises(
        DecisionError, match=r"No dose .* keeps to every limit; the closest was dose 20, with exposure"
    ):
        optimum([low], tolerance=1e-6)
    with pytest.raises(DecisionError, match="'exposure' is given twice"):
        optimum([low, low])
