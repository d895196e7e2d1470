"""The sentences of a decision: what is chosen, how sure that is, and what the simulation cannot tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from qsp_bayes.formatting import rounded

if TYPE_CHECKING:
    from qsp_bayes.decision.choice.decision import Decision

NOISE_LIMIT = 0.1
CREDIBLE_RIVAL = 0.01
FEWEST_COUNTED = 20
"""Values that a worst share should hold: its mean is biased by about the inverse of their number."""


def summary_of(decision: Decision) -> str:
    """Say which regimen is best, how sure that is, and what stands against it."""
    sentences = [chosen_sentence(decision), certainty_sentence(decision), *constraint_sentences(decision)]
    rivals = rivals_of(decision)
    if len(rivals):
        second = rivals["expected_utility"].idxmax()
        behind = rivals.loc[second]
        sentences.append(
            f"Next is {second}, lower by {with_unit(decision, rounded(-behind['difference'], 2))} "
            f"(Monte Carlo standard error {rounded(behind['difference_mcse'], 1)})."
        )
        if not decision.is_for_one:
            served = 100 * decision.table.loc[decision.best, "share_best_served"]
            sentences.append(f"{decision.best} serves {served:.0f} % of individuals best.")
    return " ".join([*sentences, *decision.cautions])


def chosen_sentence(decision: Decision) -> str:
    """Name the best regimen with its expected utility."""
    chosen = decision.table.loc[decision.best]
    unknown = (
        "what is not known of the individual" if decision.is_for_one else "the uncertainty of the population"
    )
    return (
        f"{decision.best} has the highest expected utility{risk_of(decision)}, "
        f"{with_unit(decision, rounded(chosen['expected_utility']))} "
        f"(Monte Carlo standard error {rounded(chosen['mcse'], 1)}; 90 % interval over {unknown} "
        f"{rounded(chosen['q05'])} to {rounded(chosen['q95'])})."
    )


def certainty_sentence(decision: Decision) -> str:
    """Say how probably it is best, and what it may lose."""
    chosen = decision.table.loc[decision.best]
    n, among = len(decision.admissible), "admissible " if "admissible" in decision.data else ""
    return (
        f"It is the best of the {n} {among}regimens with probability "
        f"{decision.probability(chosen['p_best'])}, and its expected regret is "
        f"{with_unit(decision, rounded(chosen['expected_regret'], 2))}."
    )


def risk_of(decision: Decision) -> str:
    """Say what took the place of the means, if anything did."""
    parts = [
        f"{functional} over {what}"
        for what, key in (
            ("individuals", "individuals"),
            (
                "what is not known" if decision.is_for_one else "the uncertainty of the population",
                "uncertainty",
            ),
        )
        if (functional := decision.metadata.get(key, "mean")) != "mean"
    ]
    return f" ({' and '.join(parts)})" if parts else ""


def constraint_sentences(decision: Decision) -> list[str]:
    """Say which constraints rule regimens out, and what would have been best without them."""
    sentences = []
    for fact in decision.metadata.get("constraints", []):
        found = decision.data.sel(constraint=fact["name"])
        out = [
            str(label) for label in found["regimen"].values[~found["constraint_admits"].values.astype(bool)]
        ]
        certain = found["constraint_certainty"] if fact["certainty"] is not None else None
        figures = ", ".join(
            f"{label} ({rounded(float(found['constraint_value'].sel(regimen=label)))}"
            + ("" if certain is None else f", certainty {rounded(float(certain.sel(regimen=label)))}")
            + ")"
            for label in out
        )
        sentences.append(f"The constraint, {fact['text']}, rules out {figures or 'none'}.")
    free = decision.unconstrained_best
    if free != decision.best:
        ahead = decision.table.loc[free, "difference"]
        sentences.append(
            f"Without constraints, {free} would have been best, higher by {with_unit(decision, rounded(ahead, 2))}."
        )
    return sentences


def cautions_of(decision: Decision) -> tuple[str, ...]:
    """Say what the simulation cannot tell."""
    found = [near_rivals(decision), noisy_rivals(decision), few_counted(decision), *near_limits(decision)]
    if decision.metadata.get("residual"):
        found.append(
            "The utility was computed on observations with residual error, not on the outputs themselves."
        )
    return tuple(caution for caution in found if caution)


def near_rivals(decision: Decision) -> str:
    """Name rivals that the Monte Carlo error does not tell from the best."""
    rivals = rivals_of(decision)
    near = rivals[-rivals["difference"] <= 2 * rivals["difference_mcse"]]
    if not len(near):
        return ""
    return (
        f"The simulation does not separate {decision.best} from {', '.join(near.index)} "
        f"(difference within two Monte Carlo standard errors): {simulate_more(decision)}, "
        "or choose among them on other grounds."
    )


def noisy_rivals(decision: Decision) -> str:
    """Say where too few individuals blur the differences between draws."""
    rivals = rivals_of(decision)
    noisy = rivals[(rivals["individual_noise"] > NOISE_LIMIT) & (rivals["p_best"] > CREDIBLE_RIVAL)]
    if not len(noisy):
        return ""
    return (
        f"With {decision.metadata['n_subjects']} individuals, up to {100 * noisy['individual_noise'].max():.0f} % of "
        f"the draw-to-draw variance of the differences to {decision.best} is noise between individuals, "
        "which blurs the probabilities of being best and inflates the regrets: simulate more "
        "individuals."
    )


def few_counted(decision: Decision) -> str:
    """Say where a worst share holds too few values."""
    facts = decision.metadata
    for what, key in (("individuals", "individuals"), ("draws", "uncertainty")):
        counted = facts.get(f"{what}_counted", FEWEST_COUNTED)
        if facts.get(key, "mean") != "mean" and counted < FEWEST_COUNTED:
            return (
                f"The {facts[key]} over {what} rests on {rounded(counted)} {what}: it is biased; simulate more, so "
                f"that {FEWEST_COUNTED} count."
            )
    return ""


def near_limits(decision: Decision) -> list[str]:
    """Say which constraints are met or missed by less than the Monte Carlo error."""
    found = []
    for fact in decision.metadata.get("constraints", []):
        judged = decision.data.sel(constraint=fact["name"])
        certain = fact["certainty"] is not None
        value = judged["constraint_certainty" if certain else "constraint_value"]
        error = judged["constraint_certainty_mcse" if certain else "constraint_mcse"]
        near = abs(value - (fact["certainty"] if certain else fact["limit"])) <= 2 * error
        labels = [str(label) for label in judged["regimen"].values[near.values]]
        if labels:
            found.append(
                f"Whether {', '.join(labels)} keeps to {fact['text']} is within two Monte Carlo standard errors: "
                f"{simulate_more(decision)}."
            )
    return found


def simulate_more(decision: Decision) -> str:
    """Say what makes the Monte Carlo error smaller."""
    return "simulate more draws" if decision.is_for_one else "simulate more draws and more individuals"


def rivals_of(decision: Decision) -> pd.DataFrame:
    """Rows of the admissible regimens but the best."""
    table = decision.table
    return table.loc[[label for label in decision.admissible if label != decision.best]]


def with_unit(decision: Decision, text: str) -> str:
    """Put the unit behind a number, where there is one."""
    return text if decision.unit in (None, "1") else f"{text} {decision.unit}"
