"""Ratios of gamma and beta functions that are close together, in the logarithm and without cancellation.

Likelihoods hold Gamma(a + n) / Gamma(a) for n purchases of a customer whose rate has the shape a. On a ridge a grows to
millions, and with it both logarithms, until their difference is lost in rounding, and that of their derivatives even
sooner: a search then meets noise where it looks for a vanishing gradient.
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma, gammaln

from nbdataops.ltv.columns import FloatArray

LARGE = 25.0
"""From here on Stirling's series, to the terms below, is exact to the digits of a double."""


def log_rising(a: FloatArray | float, n: FloatArray | float) -> FloatArray:
    """log(Gamma(a + n) / Gamma(a)), elementwise; a > 0, n >= 0, whole or not.

    >>> round(float(np.exp(log_rising(3.0, 4.0))), 9)  # 3 * 4 * 5 * 6
    360.0
    """
    a, n = _alike(a, n)
    large = a >= LARGE
    if not large.any():
        return np.asarray(gammaln(a + n) - gammaln(a))
    far = np.where(large, a, LARGE)
    by_series = (far - 0.5) * np.log1p(n / far) + n * (np.log(far + n) - 1) + _log_rest(far + n)
    by_series -= _log_rest(far)
    return np.asarray(np.where(large, by_series, gammaln(a + n) - gammaln(a)))


def digamma_gap(a: FloatArray | float, n: FloatArray | float) -> FloatArray:
    """The derivative of `log_rising` by a: digamma(a + n) - digamma(a), the sum of 1 / (a + j) over j < n."""
    a, n = _alike(a, n)
    large = a >= LARGE
    if not large.any():
        return np.asarray(digamma(a + n) - digamma(a))
    far = np.where(large, a, LARGE)
    by_series = np.log1p(n / far) + 0.5 * n / (far * (far + n)) + _digamma_rest(far + n)
    by_series -= _digamma_rest(far)
    return np.asarray(np.where(large, by_series, digamma(a + n) - digamma(a)))


def log_beta_ratio(a: float, b: float, n: FloatArray | float, m: FloatArray | float = 0.0) -> FloatArray:
    """log(B(a + m, b + n) / B(a, b)), elementwise."""
    return np.asarray(log_rising(a, m) + log_rising(b, n) - log_rising(a + b, n + m))


def _alike(a: FloatArray | float, n: FloatArray | float) -> tuple[FloatArray, FloatArray]:
    both = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(n, dtype=np.float64))
    return both[0], both[1]


def _log_rest(a: FloatArray) -> FloatArray:
    """log Gamma(a) - (a - 1/2) log(a) + a - log(2 pi) / 2."""
    s = 1 / a**2
    return np.asarray((1 / 12 - s * (1 / 360 - s * (1 / 1260 - s / 1680))) / a)


def _digamma_rest(a: FloatArray) -> FloatArray:
    """digamma(a) - log(a) + 1 / (2 a)."""
    s = 1 / a**2
    return np.asarray(-s * (1 / 12 - s * (1 / 120 - s * (1 / 252 - s / 240))))
