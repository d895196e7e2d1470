"""Operating characteristics of a dose escalation at fixed truths: ``python -m benchmarks.escalation [trials]``.

Writes `escalation.md` beside this file. The trial: one compartment, four samples in each subject, toxicity logistic in
the log of AUC, cohorts of three, EWOC at 0.25 without skipping, at most 24 subjects.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import qsp_bayes as qb

# Intercepts of the toxicity that make each dose the true MTD, everything else at its prior median.
INTERCEPTS = {"50 mg": 1.3, "100 mg": 0.0, "200 mg": -1.3, "450 mg": -3.0, "600 mg": -4.0}


def positive(median: float, sd_log: float, unit: str = "") -> qb.Prior:
    """Give a log-normal prior."""
    return qb.Prior(median=median, sd_log=sd_log, unit=unit, source="an example")


def example() -> tuple[qb.EscalationDesign, qb.TrialModel]:
    """Give the design and the model."""
    priors = {
        "TVCL": positive(10, 0.4, "L/h"),
        "TVVc": positive(50, 0.3, "L"),
        "TVKA": positive(1, 0.3, "1/h"),
        "omega_CL": positive(0.3, 0.3),
        "omega_Vc": positive(0.2, 0.3),
        "omega_KA": positive(0.3, 0.3),
        "sigma_prop_Cc": positive(0.15, 0.3),
        "sigma_add_Cc": positive(0.02, 0.3, "mg/L"),
    }
    calibration = qb.Calibration(
        qb.one_compartment(absorption="first-order"),
        priors,
        individual=[qb.IIV("CL", "Vc", "KA")],
        error={"Cc": qb.Combined()},
    )
    toxicity = qb.DoseLimitingToxicity(
        lambda x: qb.auc(x["Cc"]),
        reference=20.0,
        priors={
            "dlt_intercept": qb.Prior(
                distribution="Normal", mu=-1.1, sigma=1.0, unit="", source="an example"
            ),
            "dlt_slope": positive(2.0, 0.3),
        },
    )
    model = qb.TrialModel(
        calibration, toxicity, times=[0, 0.5, 1, 2, 4, 8, 12, 24], samples={"Cc": [1, 4, 12, 24]}
    )
    levels = {f"{x} mg": qb.Regimen(x, unit="mg", into="depot") for x in (50, 100, 200, 300, 450, 600)}
    return qb.EscalationDesign(levels, rules=[qb.EWOC(0.25), qb.NoSkipping()], max_subjects=24), model


def main() -> None:
    """Simulate, print and write the table."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    design, model = example()
    scenarios = [qb.Scenario(f"MTD {dose}", {"dlt_intercept": x}) for dose, x in INTERCEPTS.items()]
    begin = time.perf_counter()
    found = qb.simulate_trials(design, model, scenarios, n=trials, random_seed=11, workers=2)
    seconds = time.perf_counter() - begin
    print(found)
    by_dose = found.by_dose["recommended"].unstack("dose")[[*found.doses, "none"]]
    lines = [
        "# Operating characteristics of a dose escalation",
        "",
        f"Written by `python -m benchmarks.escalation {trials}` ({seconds:.0f} s, two processes): {found.design}. "
        "Shares with Monte Carlo standard errors in brackets.",
        "",
        "| scenario | trials | correct dose | above MTD | cohorts above MTD | subjects | DLTs | safety stops |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in found.table.iterrows():
        figures = ("correct", "selected_above", "decisions_above", "subjects", "dlts", "stopped_for_safety")
        cells = [f"{row[figure]:.2f} ({row[f'{figure}_mcse']:.2f})" for figure in figures]
        lines.append(f"| {' | '.join([str(name), f'{row["trials"]:.0f}', *cells])} |")
    lines += [
        "",
        f"| share of trials that recommend | {' | '.join(by_dose.columns)} |",
        "|---" * (1 + len(by_dose.columns)) + "|",
    ]
    for name in found.scenarios:
        lines.append(f"| {name} | {' | '.join(f'{share:.2f}' for share in by_dose.loc[name])} |")
    Path(__file__).with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
