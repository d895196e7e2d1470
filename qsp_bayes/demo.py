"""The main job in one function: a real study in, a dose recommendation and a report out."""

from __future__ import annotations

import time
from pathlib import Path

import qsp_bayes as qb


def run_demo(folder: str | Path = ".", *, draws: int = 1000, tune: int = 1000, random_seed: int = 1) -> Path:
    """Fit the theophylline study, choose among six oral regimens and write the report.

    One compartment with first-order absorption, clearance and volume scaled to body weight, correlated random
    effects on CL, Vc and KA, combined residual error. The utility of a regimen is the time within 10 to 20
    mg/L over 72 hours minus half the time above 20 mg/L, in hours.

    Parameters
    ----------
    folder : str or Path
        Where ``theophylline.nc`` (the fit) and ``theophylline.html`` (the report) are written.
    draws, tune : int
        Draws kept and draws of adaptation, for each chain.
    random_seed : int
        The same seed gives the same report.

    Returns
    -------
    pathlib.Path
        The report.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()

    def say(what: str) -> None:
        print(f"{time.perf_counter() - start:6.0f} s  {what}", flush=True)

    study = qb.load_dataset("theophylline")
    say(f"Read the study: {study.n_subjects} subjects, {study.n_observations} concentrations.")
    calibration = qb.Calibration(
        qb.one_compartment(absorption="first-order", units=qb.Units(time="h", amount="mg", volume="L")),
        qb.load_priors("theophylline"),
        individual=[
            qb.Allometry("WT", CL=0.75, Vc=1.0, reference=70),
            qb.IIV("CL", "Vc", "KA", correlated=True),
        ],
        error={"Cc": qb.Combined()},
    )
    say("Built the model. Compiling and sampling; this is the longest stage.")
    fit = calibration.fit(study, draws=draws, tune=tune, random_seed=random_seed, target_accept=0.95)
    say("Sampled.")
    print(qb.diagnose(fit), flush=True)
    qb.save_fit(fit, folder / "theophylline.nc")
    say(f"Saved the fit in {folder / 'theophylline.nc'}. Simulating six regimens in 500 new individuals.")
    regimens = {
        f"{dose} mg q{interval}h": qb.Regimen(dose, unit="mg", every=interval, until=72, into="depot")
        for dose in (100, 200, 300)
        for interval in (8, 12)
    }
    future = calibration.simulate(
        fit,
        regimens,
        qb.new_subjects(study, 500, random_seed=random_seed),
        times=range(73),
        random_seed=random_seed,
    )
    benefit = qb.utility(lambda x: qb.time_within(x["Cc"], 10, 20) - 0.5 * qb.time_above(x["Cc"], 20))
    decision = qb.choose(future, benefit)
    say("Chose:")
    print(decision, flush=True)
    report = qb.report(fit, decision, to=folder / "theophylline.html", future=future).resolve()
    say(f"Report: {report}")
    return report
