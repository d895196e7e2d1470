"""From the derivatives of the steps of a timeline to those of the dose records that they came from."""

from __future__ import annotations

from qsp_bayes.ode.jit import inlined_kernel
from qsp_bayes.ode.timeline import ANCHOR, AT_RECORD, AT_STOP, RECORD, REPEAT, ROUTE, delivery, optional


@inlined_kernel()
def share_among_inputs(records, bar, k, n, value_bar, duration_bar):  # type: ignore[no-untyped-def]
    """Pass derivatives of what a delivery adds (amount or rate) and of its duration on to AMT, F, rate and duration."""
    _, rate, duration = delivery(records, k, n)
    amount_bar = value_bar
    if rate > 0.0:
        if optional(records.rate, k, n, 0.0) > 0.0:  # duration = amount / rate
            amount_bar = duration_bar / rate
            bar.rate[k, n] += value_bar - duration_bar * duration / rate
        else:  # rate = amount / duration
            amount_bar = value_bar / duration
            bar.duration[k, n] += duration_bar - value_bar * rate / duration
    bar.amount[n] += amount_bar * optional(records.bioavailability, k, n, 1.0)
    if bar.bioavailability.size > 0:
        bar.bioavailability[k, n] += amount_bar * records.amount[n]


@inlined_kernel()
def dose_adjoint(records, bar, codes, s, time_bar, value_bar, lag_bar, duration_bar, interval_bar):  # type: ignore[no-untyped-def]
    """Pass the derivatives of a dosing step on to the inputs that it came from."""
    route, record, anchor = codes[s, ROUTE], codes[s, RECORD], codes[s, ANCHOR]
    if anchor != AT_RECORD:
        lag_bar += time_bar
        interval_bar += codes[s, REPEAT] * time_bar
        if anchor == AT_STOP:
            duration_bar += time_bar
    if bar.lag.size > 0:
        bar.lag[route, record] += lag_bar
    bar.interval[record] += interval_bar
    share_among_inputs(records, bar, route, record, value_bar, duration_bar)
