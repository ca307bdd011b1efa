"""The present value of a stream that is known by its running total.

A customer's expected transactions up to t are E(t). Discounted continuously at the rate delta, they are

    integral over (0, h) of exp(-delta t) dE(t) = exp(-delta h) E(h) + delta * integral of exp(-delta t) E(t) dt,

which needs E only, not its derivative, and holds for every model (Fader, Hardie and Lee 2005, RFM and CLV, Journal of
Marketing Research 42:415, call it DERT for h to infinity). The tanh-sinh rule is exact to about 12 digits wherever
E bends, be it in the first hour or after years.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nbdataops.ltv.columns import FloatArray, LtvInputError

FORGOTTEN = 45.0
"""An infinite horizon is followed until money is worth exp(-45)."""


def require_discount_rate(rate: object) -> float:
    """The force of interest, log(1 + rate), of an effective discount rate per time unit; zero or more."""
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.integer | np.floating):
        raise LtvInputError(
            f"discount_rate is a {type(rate).__name__}",
            todo="give the rate per time unit, e.g. rate_per_unit(0.15, 'week')",
        )
    if not 0 <= float(rate) < np.inf:
        raise LtvInputError(f"discount_rate is {rate}", todo="give the rate per time unit, zero or more")
    return float(np.log1p(float(rate)))


def discounted(running_total: Callable[[float], FloatArray], horizon: float, force: float) -> FloatArray:
    """Present value of what `running_total(t)` counts up to `horizon` (infinite: needs force > 0), elementwise."""
    if force == 0:
        if not np.isfinite(horizon):
            raise LtvInputError(
                "an infinite horizon without a discount rate", todo="give a finite horizon or a discount_rate"
            )
        return running_total(horizon)
    end = min(horizon, FORGOTTEN / force)
    total = np.exp(-force * end) * running_total(end) if end == horizon else 0.0
    times, weights = _tanh_sinh(end)
    for t, w in zip(times, weights, strict=True):
        total = total + (force * w * np.exp(-force * t)) * running_total(float(t))
    return np.asarray(total, dtype=np.float64)


def _tanh_sinh(end: float, step: float = 0.125, reach: float = 3.2) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights on (0, end), dense at both ends."""
    u = np.arange(-round(reach / step), round(reach / step) + 1) * step
    inner = np.pi * np.sinh(u)
    share = 1 / (1 + np.exp(-inner))
    weights = step * np.pi * np.cosh(u) * share * (1 - share)
    return end * share, end * weights
