"""A fabricated fit: the theophylline design, data drawn from a known population, and draws around the truth.

The posterior is not the posterior of the data, which the report layer cannot know; it is made so that every
statistic the report prints has a known answer or an independent authority.
"""

import json

import numpy as np
import xarray as xr
from scipy.stats import norm

from qsp_bayes.decision import choose

TYPICAL = {"CL": 2.8, "Vc": 32.0, "KA": 1.5}
UNITS = {"CL": "L/h", "Vc": "L", "KA": "1/h"}
SD = {"CL": 0.27, "Vc": 0.15, "KA": 0.6}
SIGMA_ADD, SIGMA_PROP = 0.25, 0.1
NOMINAL = np.array([0.25, 0.5, 1.0, 2.0, 3.5, 5.0, 7.0, 9.0, 12.0, 24.0])
N_SUBJECTS = 12
DOSE = 320.0
CHAINS, DRAWS, REPLICATES = 4, 250, 125


def concentration(time, CL, Vc, KA):
    k = CL / Vc
    return DOSE / Vc * KA / (KA - k) * (np.exp(-k * time) - np.exp(-KA * time))


def error_sd(prediction):
    return np.hypot(SIGMA_ADD, SIGMA_PROP * prediction)


def metadata(title="Theophylline, single oral dose"):
    distribution = {
        "CL": "LogNormal(mu=1.1, sigma=0.5)",
        "Vc": "LogNormal(mu=3.4, sigma=0.5)",
        "KA": "LogNormal(mu=0.2, sigma=0.8)",
    }
    rows = (
        [
            {
                "name": f"TV{name}",
                "unit": UNITS[name],
                "distribution": distribution[name],
                "source": "Textbook values, assumed wide",
                "informative": False,
                "median": TYPICAL[name],
                "q05": TYPICAL[name] * np.exp(-0.82),
                "q95": TYPICAL[name] * np.exp(0.82),
            }
            for name in TYPICAL
        ]
        + [
            {
                "name": f"omega_{name}",
                "unit": "",
                "distribution": "HalfNormal(sigma=0.5)",
                "source": "weakly informative",
                "informative": False,
                "median": 0.337,
                "q05": 0.031,
                "q95": 0.98,
            }
            for name in TYPICAL
        ]
        + [
            {
                "name": "sigma_add_Cc",
                "unit": "mg/L",
                "distribution": "HalfNormal(sigma=1)",
                "source": "assay of the time",
                "informative": True,
                "median": 0.674,
                "q05": 0.063,
                "q95": 1.96,
            },
            {
                "name": "sigma_prop_Cc",
                "unit": "",
                "distribution": "HalfNormal(sigma=0.3)",
                "source": "assay of the time",
                "informative": False,
                "median": 0.2,
                "q05": 0.02,
                "q95": 0.59,
            },
        ]
    )
    diagram = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 420 90" font-size="14" text-anchor="middle">'
        '<text x="65" y="47">depot</text><path d="M120 42H230"/><text x="285" y="47">central</text>'
        "</svg>"
    )
    return {
        "versions": {"python": "3.12.11", "qsp_bayes": "0.1.0", "pymc": "6.4.0", "arviz": "1.3.0"},
        "random_seed": 1,
        "study": {
            "name": "theophylline",
            "title": title,
            "checksum": "ab12" * 16,
            "source": ["Boeckmann AJ, Sheiner LB, Beal SL (1994) NONMEM Users Guide Part V"],
            "license": "GPL-2 | GPL-3",
            "notes": ["AMT = dose per weight times weight"],
            "n_subjects": N_SUBJECTS,
            "n_observations": N_SUBJECTS * len(NOMINAL),
            "excluded": ["12 records left out: pre-dose samples"],
            "units": {"time": "h", "amount": "mg", "outputs": {"Cc": "mg/L"}, "covariates": {"WT": "kg"}},
        },
        "system": {
            "name": "one compartment, first-order absorption",
            "states": ["depot", "central"],
            "parameters": UNITS,
            "equations": [
                "d(depot)/dt = -KA*depot",
                "d(central)/dt = KA*depot - CL/Vc*central",
                "Cc = central/Vc",
            ],
            "equations_html": "",
            "conservation": [],
            "diagram_svg": diagram,
            "stoichiometry": {
                "states": ["depot", "central"],
                "processes": ["absorption", "elimination"],
                "matrix": [[-1, 0], [1, -1]],
            },
        },
        "priors": rows,
        "calibration": {
            "individual": ["IIV(CL, Vc, KA), correlated", "Allometry(WT)"],
            "error": {"Cc": "Combined()"},
            "solver": "Linear()",
        },
        "sampling": {
            "draws": DRAWS,
            "tune": 500,
            "chains": CHAINS,
            "sampler": "nutpie",
            "target_accept": 0.9,
            "seconds": 12.3,
        },
    }


def make_fit(
    random_seed=20, title="Theophylline, single oral dose", time=None, subject=None, value=None, labels=None
):
    """Fabricate a fit, of data drawn here or of data given."""
    rng = np.random.default_rng(random_seed)
    names = list(TYPICAL)
    if labels is None:
        labels = [str(number) for number in range(1, N_SUBJECTS + 1)]
    n = len(labels)
    if time is None:
        subject = np.repeat(np.arange(n), len(NOMINAL))
        time = np.tile(NOMINAL, n) * rng.normal(1, 0.01, n * len(NOMINAL))
    eta = {name: rng.normal(size=n) for name in names}
    if value is None:
        own = {name: TYPICAL[name] * np.exp(SD[name] * eta[name]) for name in names}
        truth = concentration(time, *(own[name][subject] for name in names))
        value = truth + error_sd(truth) * rng.normal(size=time.size)

    def normal(*shape):
        return rng.normal(size=(CHAINS, DRAWS, *shape))

    dims = ("chain", "draw")
    posterior, prior = {}, {}
    for name in names:
        posterior[f"TV{name}"] = (dims, TYPICAL[name] * np.exp(SD[name] / n**0.5 * normal()))
        posterior[f"omega_{name}"] = (dims, SD[name] * np.exp(0.2 * normal()))
        posterior[f"eta_{name}"] = ((*dims, "subject"), eta[name] + 0.2 * normal(n))
        individual = posterior[f"TV{name}"][1][..., None] * np.exp(SD[name] * posterior[f"eta_{name}"][1])
        posterior[name] = ((*dims, "subject"), individual)
        prior[f"TV{name}"] = (dims, TYPICAL[name] * np.exp(0.5 * rng.normal(size=(1, 1000))))
        prior[f"omega_{name}"] = (dims, np.abs(0.5 * rng.normal(size=(1, 1000))))
    corr = np.broadcast_to(np.eye(3), (CHAINS, DRAWS, 3, 3)).copy()
    for i, j in ((0, 1), (0, 2), (1, 2)):
        corr[..., i, j] = corr[..., j, i] = np.tanh(0.3 * normal())
    posterior["corr_eta"] = ((*dims, "parameter", "parameter_other"), corr)
    for name, centre, scale in (("sigma_add_Cc", SIGMA_ADD, 1.0), ("sigma_prop_Cc", SIGMA_PROP, 0.3)):
        posterior[name] = (dims, centre * np.exp(0.15 * normal()))
        prior[name] = (dims, np.abs(scale * rng.normal(size=(1, 1000))))
    prediction = concentration(time, *(posterior[name][1][..., subject] for name in names))
    posterior["Cc"] = ((*dims, "obs_Cc"), prediction)
    posterior["half_life"] = (dims, np.log(2) * posterior["TVVc"][1] / posterior["TVCL"][1])
    sd = error_sd(prediction)
    log_prior = {
        name: (dims, norm.logpdf(np.log(posterior[name][1] / TYPICAL[name[2:]]), 0, 0.5))
        for name in ("TVCL", "TVVc", "TVKA")
    }

    pick = (slice(None), slice(0, REPLICATES))
    fresh = {
        name: posterior[f"TV{name}"][1][pick][..., None]
        * np.exp(posterior[f"omega_{name}"][1][pick][..., None] * rng.normal(size=(CHAINS, REPLICATES, n)))
        for name in names
    }
    replicate = concentration(time, *(fresh[name][..., subject] for name in names))
    replicate = replicate + error_sd(replicate) * rng.normal(size=replicate.shape)
    observed = (*dims, "obs_Cc")
    coords = {
        "chain": range(CHAINS),
        "draw": range(DRAWS),
        "subject": labels,
        "parameter": names,
        "parameter_other": names,
        "obs_Cc": range(time.size),
    }
    lp = rng.normal(-150, 4, (CHAINS, DRAWS))
    groups = {
        "posterior": xr.Dataset(posterior, coords=coords),
        "prior": xr.Dataset(prior),
        "posterior_predictive": xr.Dataset({"DV_Cc": (observed, prediction + sd * normal(time.size))}),
        "population_predictive": xr.Dataset({"DV_Cc": (observed, replicate)}),
        "log_likelihood": xr.Dataset(
            {"DV_Cc": (observed, norm.logpdf(value, prediction, sd))}, coords={"obs_Cc": range(time.size)}
        ),
        "log_prior": xr.Dataset(log_prior),
        "sample_stats": xr.Dataset(
            {
                "diverging": (dims, np.zeros((CHAINS, DRAWS), bool)),
                "reached_max_treedepth": (dims, np.zeros((CHAINS, DRAWS), bool)),
                "energy": (dims, lp + rng.normal(size=lp.shape)),
                "lp": (dims, lp),
            }
        ),
        "observed_data": xr.Dataset({"DV_Cc": ("obs_Cc", value)}),
        "constant_data": xr.Dataset(
            {
                "subject_Cc": ("obs_Cc", subject),
                "time_Cc": ("obs_Cc", time),
                "CENS_Cc": ("obs_Cc", np.zeros(time.size, int)),
                "LIMIT_Cc": ("obs_Cc", np.full(time.size, np.nan)),
                "WT": ("subject", rng.normal(70, 9, n).round(1)),
            },
            coords={"subject": labels},
        ),
    }
    fit = xr.DataTree.from_dict(groups)
    fit.attrs["qsp_bayes"] = json.dumps(metadata(title))
    return fit


def make_future(labels=("low", "high")):
    rng = np.random.default_rng(1)
    clearance = xr.DataArray(rng.lognormal(0, 0.2, (4, 25, 20)), dims=("chain", "draw", "subject"))
    dose = xr.DataArray([1.0, 4.0], dims="regimen", coords={"regimen": list(labels)})
    time = xr.DataArray([0.0, 1.0, 2.0], dims="time", coords={"time": [0.0, 1.0, 2.0]})
    exposure = (dose / clearance * np.exp(-time)).transpose("chain", "draw", "regimen", "subject", "time")
    future = xr.DataTree.from_dict({"predictions": exposure.to_dataset(name="Cc")})
    future.attrs["qsp_bayes"] = json.dumps({"units": {"time": "h", "Cc": "mg/L"}})
    return future


def make_decision(future):
    return choose(future, lambda x: -abs(np.log(x["Cc"].max("time"))))
