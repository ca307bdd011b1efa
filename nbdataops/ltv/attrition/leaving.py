"""Leaving after a purchase with a probability of one's own, as draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nbdataops.ltv.columns import FloatArray

NEVER = 1 << 62
"""The last chance of somebody who does not leave at any."""


def last_chance(probability: FloatArray, rng: np.random.Generator) -> NDArray[np.int64]:
    """The chance, from 1, at which each leaves, when it does with this probability at every one: geometric."""
    # 1e-18 and below would overflow the draw; nobody who leaves that rarely leaves within a horizon
    last = rng.geometric(np.maximum(probability, 1e-18))
    return np.where(probability > 1e-18, last, NEVER)


def purchases_until_leaving(
    bought: NDArray[np.int64], probability: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Purchases that happen of those that would, when each may be the last: min(bought, geometric), elementwise."""
    return np.minimum(bought, last_chance(probability, rng)).astype(np.float64)
