"""Whole fits of published studies: they converge and reach published estimates, priors doubled or not.

The estimates are those of other programs (NONMEM, Monolix, nlme) for the same data and the same models: clearance and
volume proportional to weight, the absorption rate not, independent variability of all of them.
"""

import dataclasses

import numpy as np
import pytest

from qsp_bayes.calibration import IIV, Allometry, Calibration, Combined, Prior, Proportional, load_priors
from qsp_bayes.data import load_dataset
from qsp_bayes.models import one_compartment, three_compartment
from qsp_bayes.report import diagnose
from qsp_bayes.units import Units

pytestmark = pytest.mark.slow

ADULT = 70.0  # kg: where the typical values of adults' priors hold; those of newborns hold at 1 kg
PUBLISHED = {
    "theophylline": {"TVCL": 0.0402 * ADULT, "TVVc": 0.456 * ADULT, "TVKA": 1.53},
    "phenobarbital": {"TVCL": 0.00470, "TVVc": 1.00},
}


def theophylline(priors):
    return Calibration(
        one_compartment(absorption="first-order"),
        priors,
        individual=[Allometry("WT", CL=1, Vc=1, reference=ADULT), IIV("CL", "Vc", "KA")],
        error={"Cc": Combined()},
    )


def phenobarbital(priors):
    return Calibration(
        one_compartment(),
        priors,
        individual=[Allometry("WT", CL=1, Vc=1, reference=1), IIV("CL", "Vc")],
        error={"Cc": Proportional()},
    )


def remifentanil(priors):
    """Three compartments whose second peripheral one is the slower, in every individual.

    Exchanging the two peripheral compartments leaves the prediction as it is: with Q2 free, 63 of the 65
    subjects have a second mode, by least squares on their own data. So Q2 is what the ratio of the two rates
    of return makes it, and the ratio is below 1. The additive error keeps the first steps of tuning finite,
    where concentrations at late times can be smaller than the observed ones by many orders of magnitude.
    """
    system = three_compartment(units=Units(time="min", amount="ug", volume="L"))
    system = system.define({"ratio": ""}, Q2=lambda s: s.ratio * s.Q / s.Vp * s.Vp2)
    system = dataclasses.replace(system, scales={**system.scales, "ratio": "logit"})
    ordered = {
        "TVratio": Prior(
            median=0.1, sd_logit=1.0, unit="", source="As the prior file: slow over fast, a tenth"
        ),
        "omega_ratio": Prior(distribution="HalfNormal", sigma=0.5, unit="", source="As for the clearances"),
    }
    return Calibration(
        system,
        priors.replace(ordered),
        individual=[
            Allometry("WT", CL=0.75, Vc=1, Q=0.75, Vp=1, Vp2=1, reference=ADULT),
            IIV("CL", "Vc", "Q", "Vp", centred=True),
            IIV("ratio", "Vp2"),
        ],
        error={"Cc": Combined()},
    )


CALIBRATIONS = {"theophylline": theophylline, "phenobarbital": phenobarbital}


def converged(fit):
    """Check the sampler, and print what `pytest -s` shows."""
    table = diagnose(fit).table
    divergences = int(fit["sample_stats"]["diverging"].sum())
    print(
        f"\nR-hat max {table['rhat'].max():.4f}, ESS min bulk {table['ess_bulk'].min():.0f}, "
        f"tail {table['ess_tail'].min():.0f}, divergences {divergences}, worst {', '.join(table.index[:3])}"
    )
    assert table["rhat"].max() < 1.01, table.head()
    assert divergences == 0


@pytest.mark.parametrize(("factor", "allowed"), [(1.0, 0.5), (2.0, 1.0)], ids=["priors", "priors doubled"])
@pytest.mark.parametrize("name", CALIBRATIONS)
def test_published_estimates_are_reached(name, factor, allowed):
    study, priors = load_dataset(name), load_priors(name).scaled(factor)
    assert all(priors[variable].parameters["sigma"] >= 0.5 for variable in PUBLISHED[name])
    fit = CALIBRATIONS[name](priors).fit(study, random_seed=1, target_accept=0.95, progressbar=False)
    converged(fit)
    distances = {}
    for variable, published in PUBLISHED[name].items():
        draws = fit["posterior"][variable].to_numpy().ravel()
        distances[variable] = (np.median(draws) - published) / draws.std(ddof=1)
        print(
            f"{variable}: published {published:.5g}, median {np.median(draws):.5g}, sd {draws.std(ddof=1):.3g}, "
            f"distance {distances[variable]:+.2f} sd (allowed {allowed})"
        )
    assert max(map(abs, distances.values())) < allowed, distances


def test_three_compartments_converge():
    """Not met yet: 94 divergences, and R-hat up to 1.020 in subjects 30 and 57 (population at most 1.006)."""
    study = load_dataset("remifentanil")
    assert (study.n_subjects, study.n_observations) == (65, 1992)
    fit = remifentanil(load_priors("remifentanil")).fit(study, draws=1500, random_seed=1, progressbar=False)
    converged(fit)
