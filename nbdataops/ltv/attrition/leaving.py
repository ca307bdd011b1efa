"""Leaving after a purchase with a probability of one's own, as draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nbdataops.ltv.columns import FloatArray


def purchases_until_leaving(
    bought: NDArray[np.int64], probability: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Purchases that happen of those that would, when each may be the last: min(bought, geometric), elementwise."""
    # 1e-18 and below would overflow the draw; nobody who leaves that rarely leaves within a horizon
    last = rng.geometric(np.maximum(probability, 1e-18))
    return np.minimum(bought, np.where(probability > 1e-18, last, bought)).astype(np.float64)
