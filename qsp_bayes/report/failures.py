"""What could not be solved: while sampling, in the posterior and in the prior; by subject, state and time, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import pandas as pd
import xarray as xr

from qsp_bayes.errors import CalibrationError
from qsp_bayes.formatting import count, join, significant
from qsp_bayes.ode.status import REASONS
from qsp_bayes.report.blocks import Block, Column, Table
from qsp_bayes.report.checks import Check, Level
from qsp_bayes.report.contents import metadata, outputs, subject_labels, variables

PRIOR_LIMIT = 0.05
"""Share of prior draws that may fail. NUTS rejects them, so that the prior in force is the one cut off there."""
CAUSES = {reason.name: reason.causes for reason in REASONS}
COLUMNS = ("where", "subject", "state", "status", "count", "first", "last", "near posterior")
SHOWN = 3


def failure_table(fit: xr.DataTree) -> pd.DataFrame:
    """Count the failures that were solved again, by subject, state and reason, the most frequent first.

    Returns
    -------
    DataFrame
        Columns ``where`` (sampling or prior), ``subject``, ``state``, ``status``, ``count``, the ``first`` and ``last``
        time at which it failed, and the count ``near posterior``.
    """
    parts = []
    for where, group in (("sampling", "divergences"), ("prior", "prior_failures")):
        found = variables(fit, group)
        if "subject" not in found:
            continue
        # Zarr gives texts back in a type of numpy's that pandas does not take.
        texts = {name: found[name].to_numpy().astype(object) for name in ("subject", "state", "status")}
        frame = pd.DataFrame(texts | {"time": found["time"].to_numpy()})
        near = found["near_posterior"].to_numpy() if "near_posterior" in found else np.nan
        frame = frame.assign(where=where, near=near)
        frame = frame[frame["subject"] != ""]
        if len(frame):
            parts.append(frame)
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    keys = ["where", "subject", "state", "status"]
    table = pd.concat(
        [
            part.groupby(keys, sort=False)
            .agg(
                count=("time", "size"),
                first=("time", "min"),
                last=("time", "max"),
                near=("near", lambda x: x.sum() if x.notna().all() else np.nan),
            )
            .reset_index()
            .sort_values("count", ascending=False, kind="stable")
            for part in parts
        ],
        ignore_index=True,
    )
    return table.rename(columns={"near": "near posterior"})[list(COLUMNS)]


def failure_checks(fit: xr.DataTree, table: pd.DataFrame) -> Iterator[Check]:
    """Judge what failed while sampling, and the draws of posterior and prior whose predictions are not finite."""
    yield from sampling_check(fit, table)
    for group in ("posterior", "prior"):
        found = unsolved(fit, group)
        if found is None:
            continue
        failed, by_subject = found
        n, share = int(failed.sum()), float(failed.mean())
        name = f"Draws of the {group} that cannot be solved"
        limit = "none" if group == "posterior" else f"at most {PRIOR_LIMIT * 100:.0f} %"
        if share <= (0.0 if group == "posterior" else PRIOR_LIMIT):
            yield Check(name, str(n), limit)
            continue
        worst = join([f"{label} ({significant(100 * x, 2)} %)" for label, x in by_subject[:SHOWN].items()])
        if group == "posterior":
            meaning = (
                f"{count(n, 'posterior draw')} predict something that is not finite, for subject {worst}: they should "
                "have been rejected. An observed output cannot depend on what fails; look at the outputs."
            )
        else:
            told = set(table["status"][table["where"] == "sampling"])
            meaning = (
                f"{significant(100 * share, 2)} % of the prior draws cannot be solved, by subject: {worst}. The "
                "sampler rejects such draws, so that the prior in force is cut off where the solver fails. "
                f"{explanation(fit, table[table['where'] == 'prior'], told)}"
            ).strip()
        yield Check(
            name,
            f"{n} of {failed.size}",
            limit,
            "bad" if group == "posterior" else "caution",
            meaning,
        )


def sampling_check(fit: xr.DataTree, table: pd.DataFrame) -> Iterator[Check]:
    """Judge the divergences that are the solver's: loudly where they lie near the posterior."""
    divergences = variables(fit, "divergences")
    if "attribution" not in divergences:
        return
    ours = divergences["attribution"].to_numpy().astype(object) == "solver"
    name, limit = "Divergences from solves that failed", "none"
    if not ours.any():
        yield Check(name, "0", limit)
        return
    near = int(divergences["near_posterior"].to_numpy()[ours].sum())
    level: Level = "bad" if near else "caution"
    place = (
        f"THE SOLVER FAILS NEAR THE POSTERIOR ({near} of {count(int(ours.sum()), 'failing point')}): the posterior may "
        "be cut off where the system cannot be solved, and its results biased."
        if near
        else f"The solver failed at {count(int(ours.sum()), 'point')} far from the posterior: little is lost."
    )
    meaning = f"{place} {explanation(fit, table[table['where'] == 'sampling'])}"
    yield Check(name, f"{int(ours.sum())}, {near} near the posterior", limit, level, meaning)


def explanation(fit: xr.DataTree, table: pd.DataFrame, told: Collection[str] = ()) -> str:
    """Say which subjects and states failed, when, and what that usually means unless that was `told` before."""
    if table.empty:
        return ""
    unit = time_unit(fit)
    rows = [
        f"subject {row['subject']}{f', state `{row.state}`' if row['state'] else ''}: {row['status']} "
        f"({row['count']} times, {span(row['first'], row['last'], unit)})"
        for _, row in table.head(SHOWN).iterrows()
    ]
    more = f"; and {len(table) - SHOWN} more" if len(table) > SHOWN else ""
    status = str(table.iloc[0]["status"])
    causes = "" if status in told else f" This usually means {CAUSES.get(status, '')}."
    return f"Failures: {'; '.join(rows)}{more}.{causes}"


def span(first: float, last: float, unit: str) -> str:
    """Print one time or a span of times.

    Examples
    --------
    >>> span(4.9, 5.0, "h"), span(2.0, 2.0, "")
    ('t = 4.90 to 5.00 h', 't = 2.00')
    """
    times = " to ".join(dict.fromkeys(significant(t) for t in (first, last)))
    return f"t = {times} {unit}".strip()


def time_unit(fit: xr.DataTree) -> str:
    """Give the unit of time, empty where the fit does not tell."""
    try:
        return str(metadata(fit).get("study", {}).get("units", {}).get("time", ""))
    except CalibrationError:
        return ""


def unsolved(fit: xr.DataTree, group: str) -> tuple[np.ndarray, pd.Series] | None:
    """Find the draws whose predictions are not finite, and their share by subject, the worst first.

    None where the fit holds no predictions in this group.
    """
    draws, data = variables(fit, group), variables(fit, "constant_data")
    try:
        observed = [name for name in outputs(fit) if name in draws and f"subject_{name}" in data]
    except CalibrationError:
        return None
    if not observed:
        return None
    parts = []
    for name in observed:
        bad = ~np.isfinite(draws[name].stack(sample=("chain", "draw")).transpose("sample", ...).to_numpy())
        subject = data[f"subject_{name}"].to_numpy().astype(int)
        parts.append(pd.DataFrame(bad.T).groupby(subject).any())
    failed = pd.concat(parts).groupby(level=0).any()
    share = failed.mean(axis="columns")
    share.index = subject_labels(fit, int(share.index.max()) + 1)[share.index]
    return failed.any().to_numpy(), share[share > 0].sort_values(ascending=False, kind="stable")


def failure_block(fit: xr.DataTree, table: pd.DataFrame) -> list[Block]:
    """Print the failures; nothing where there are none."""
    if table.empty:
        return []
    unit = time_unit(fit)
    rows = [
        (
            str(row["where"]),
            str(row["subject"]),
            str(row["state"]) or "–",
            str(row["status"]),
            str(row["count"]),
            span(row["first"], row["last"], unit),
            "–" if pd.isna(row["near posterior"]) else str(int(row["near posterior"])),
        )
        for _, row in table.iterrows()
    ]
    titles = ("Where", "Subject", "State", "How", "Count", "When", "Near the posterior")
    return [
        Table(
            "Points that could not be solved, each solved again to learn why",
            [Column(title, title in ("Count", "Near the posterior")) for title in titles],
            rows,
            marked=[k for k, row in enumerate(rows) if row[-1] not in ("–", "0")],
        )
    ]
