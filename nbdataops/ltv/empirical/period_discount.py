"""Discounting of amounts that come in steps of a time unit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nbdataops.ltv.attrition.discounting import require_discount_rate
from nbdataops.ltv.columns import FloatArray


def discounted_in_steps(
    running_total: Callable[[float], FloatArray], horizon: float, discount_rate: object
) -> FloatArray:
    """Present value of `running_total` up to `horizon`: what comes within a time unit counts from its middle."""
    force = require_discount_rate(discount_rate)
    if force == 0:
        return running_total(horizon)
    ends = np.append(np.arange(1.0, np.ceil(horizon)), horizon) if horizon > 0 else np.zeros(1)
    before = running_total(0.0)
    total = before.copy()
    start = 0.0
    for end in ends:
        now = running_total(float(end))
        total = total + (now - before) * np.exp(-force * (start + end) / 2)
        before, start = now, float(end)
    return np.asarray(total)
