"""The sampler: NUTS by nutpie, reproducible, interruptible, with statistics named as ArviZ names them."""

from __future__ import annotations

import dataclasses
import functools
import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import nutpie
import xarray as xr

from qsp_bayes.calibration.divergences import Divergences, stored_divergences
from qsp_bayes.calibration.resolve import Resolver
from qsp_bayes.calibration.search import PRIOR_DRAWS, chooser, find_starts
from qsp_bayes.calibration.start import explain_start
from qsp_bayes.errors import CalibrationError
from qsp_bayes.ode.threads import threads, usable_cores

STATISTICS = {
    "diverging": "diverging",
    "depth": "tree_depth",
    "maxdepth_reached": "reached_max_treedepth",
    "energy": "energy",
    "logp": "lp",
    "n_steps": "n_steps",
    "step_size": "step_size",
    "mean_tree_accept": "acceptance_rate",
}


@dataclass(frozen=True)
class Sample:
    """Posterior draws, statistics of the sampler, divergences, and how long it took (seconds of either part)."""

    posterior: xr.Dataset
    sample_stats: xr.Dataset
    divergences: Divergences | None
    seconds_compiling: float
    seconds_sampling: float


def sample_posterior(
    resolver: Resolver,
    *,
    draws: int,
    tune: int,
    chains: int,
    cores: int | None,
    random_seed: int,
    target_accept: float,
    progressbar: bool,
) -> Sample:
    """Sample a model by NUTS.

    Raises
    ------
    CalibrationError
        If no chain finds a start, and none is found by looking for one, saying which subject or variable is the
        cause.
    KeyboardInterrupt
        If interrupted before every chain had made a draw to keep; later interruptions keep the draws.
    """
    start = time.perf_counter()
    at_once, for_each = share_cores(chains, cores, usable_cores())
    # The data are constants while sampling: the compiled gradient then knows every shape.
    compiled = nutpie.compile_pymc_model(resolver.model, freeze_model=True)
    between = time.perf_counter()
    sample = functools.partial(
        nutpie.sample,
        draws=draws,
        tune=tune,
        chains=chains,
        cores=at_once,
        seed=random_seed,
        target_accept=target_accept,
        progress_bar=progressbar,
        store_divergences=True,
        store_unconstrained=True,  # for the metric and the range of the posterior, by which divergences are judged
        save_warmup=False,
    )
    try:
        with threads(for_each):
            trace = sample(compiled)
    except (RuntimeError, ValueError) as error:
        reason = explain_start(resolver, random_seed, error)
        starts = find_starts(resolver, compiled.logp_func, random_seed)
        if not starts:
            raise CalibrationError(
                f"{reason} Better starting points were looked for, among {PRIOR_DRAWS} draws from the prior and by a "
                "search from the best of them, and none was found."
            ) from error
        warnings.warn(
            f"{reason} Sampling has started from better starting points ({len(starts)}) instead, found among draws "
            "from the prior and by optimisation. Look at `diagnose(fit)`: it counts what cannot be solved.",
            stacklevel=4,
        )
        with threads(for_each):
            trace = sample(dataclasses.replace(compiled, initial_point_func=chooser(starts)))
    posterior, statistics = trace["posterior"].to_dataset(), trace["sample_stats"].to_dataset()
    kept = complete_block(count_draws(posterior))
    if kept["draw"].stop == 0:
        raise KeyboardInterrupt
    if kept["draw"].stop < draws or len(kept["chain"]) < chains:
        warnings.warn(
            f"Sampling was interrupted: {kept['draw'].stop} of {draws} draws of {len(kept['chain'])} chains are kept.",
            stacklevel=4,
        )
    return Sample(
        posterior=posterior.isel(kept),
        sample_stats=normalise_statistics(statistics.isel(kept)),
        divergences=stored_divergences(statistics.isel(kept)),
        seconds_compiling=between - start,
        seconds_sampling=time.perf_counter() - between,
    )


def share_cores(chains: int, cores: int | None, usable: int) -> tuple[int, int]:
    """Choose how many chains run at once, and how many threads the solves of each of them may use.

    Chains come first: they need not wait for each other. What they leave idle goes to the solves within them, and no
    core gets two threads.

    Parameters
    ----------
    chains : int
    cores : int, optional
        Chains that the user wants to run at once; as many as there are cores where left out.
    usable : int
        Cores that the process may use.

    Examples
    --------
    >>> share_cores(chains=4, cores=None, usable=16), share_cores(chains=4, cores=None, usable=2)
    ((4, 4), (2, 1))
    >>> share_cores(chains=4, cores=1, usable=6)
    (1, 6)
    """
    at_once = max(1, min(chains, usable if cores is None else cores))
    return at_once, max(1, usable // at_once)


def count_draws(posterior: xr.Dataset) -> np.ndarray:
    """Count the draws that each chain has made: after an interruption the missing ones are NaN."""
    any_variable = next(iter(posterior.data_vars.values()))
    others = [dim for dim in any_variable.dims if dim not in ("chain", "draw")]
    return any_variable.notnull().all(others).sum("draw").to_numpy()


def complete_block(counts: np.ndarray) -> dict[str, Any]:
    """Choose the chains, and the draws that all of them have made, which together keep the most draws.

    Examples
    --------
    >>> complete_block(np.array([900, 1000, 0, 20]))
    {'chain': [0, 1], 'draw': slice(0, 900, None)}
    """
    longest_first = np.argsort(-counts, kind="stable")
    in_block = np.arange(1, len(counts) + 1) * counts[longest_first]
    n_chains = int(np.argmax(in_block)) + 1
    chains = sorted(int(chain) for chain in longest_first[:n_chains])
    return {"chain": chains, "draw": slice(0, int(counts[chains].min()))}


def normalise_statistics(statistics: xr.Dataset) -> xr.Dataset:
    """Rename nutpie's statistics as ArviZ names them."""
    kept = statistics[list(STATISTICS)].rename(STATISTICS)
    return kept.assign({name: kept[name].astype(np.int64) for name in ("tree_depth", "n_steps")})


@contextmanager
def quiet_pymc() -> Iterator[None]:
    """Keep PyMC's notices about which variables it draws out of the user's output."""
    logger = logging.getLogger("pymc")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
