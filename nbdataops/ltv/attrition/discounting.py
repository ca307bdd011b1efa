"""The present value of a stream that is known by its running total.

A customer's expected transactions up to t are E(t). Discounted continuously at the rate delta, they are

    integral over (0, h) of exp(-delta t) dE(t) = exp(-delta h) E(h) + delta * integral of exp(-delta t) E(t) dt,

which needs E only, not its derivative, and holds for every model (Fader, Hardie and Lee 2005, RFM and CLV, Journal of
Marketing Research 42:415, call it DERT for h to infinity). The integral is taken over v = exp(-delta t), what money is
worth by then, from 1 down to exp(-delta h): that is a finite range for good, on which the tanh-sinh rule is dense at
both ends. It is good to 1e-9 wherever E bends, be it in the first hour or after years, and to nearly all digits of a
double for most customers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nbdataops.ltv.columns import FloatArray, LtvInputError


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
    total = np.exp(-force * horizon) * running_total(horizon) if np.isfinite(horizon) else 0.0
    times, weights = _over_worth(horizon, force)
    for t, w in zip(times, weights, strict=True):
        total = total + w * running_total(float(t))
    return np.asarray(total, dtype=np.float64)


def _over_worth(
    horizon: float, force: float, step: float = 0.08, reach: float = 3.2
) -> tuple[FloatArray, FloatArray]:
    """Times at which to look, and weights that sum up to what the horizon takes off: 1 - exp(-force * horizon)."""
    u = np.arange(-round(reach / step), round(reach / step) + 1) * step
    inner = np.pi * np.sinh(u)
    lost, kept = 1 / (1 + np.exp(-inner)), 1 / (1 + np.exp(inner))  # shares of the range behind and ahead
    span, worth_at_end = -np.expm1(-force * horizon), np.exp(-force * horizon)
    early = lost < 0.5  # each time from the end that it is near to, so that no digits cancel
    times = np.where(
        early,
        -np.log1p(-span * np.where(early, lost, 0.0)),
        -np.log(worth_at_end + span * kept),
    )
    return times / force, span * step * np.pi * np.cosh(u) * lost * kept
