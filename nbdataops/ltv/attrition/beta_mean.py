"""The average over unseen leaving probabilities that a forecast of BG/NBD needs.

A customer with a Gamma(shape, rate) purchase rate who leaves with probability p after every purchase makes
(1 - (1 + p c)^-shape) / p purchases on average in a time of c * rate. Averaged over p ~ Beta(a, b) this is

    (a + b - 1) / (a - 1) * [1 - (1 + c)^-shape * 2F1(shape, b; a + b - 1; c / (1 + c))],

which overflows, cancels or divides by zero in many corners (thousands of purchases, a = 1, a + b = 1, a tiny
horizon). The average itself is a smooth positive integral, taken by the trapezoidal rule on logit(p), stretched by a sinh so
that both tails are reached. It is exact to about 12 digits for customers as they come, where b grows with the purchases
in shape, and to 1e-8 where hardly anybody leaves (a = 0.001).
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, log_expit

from nbdataops.ltv.columns import FloatArray

NODES = 160
TAIL = 42.0
"""Both tails are followed to exp(-42) of the middle."""


def mean_purchases_until_leaving(shape: FloatArray, c: FloatArray, a: float, b: FloatArray) -> FloatArray:
    """E[(1 - (1 + p c)^-shape) / p] for p ~ Beta(a, b), elementwise; a > 0, b > 0, c >= 0."""
    p, weight = beta_nodes(a, b)
    bought = -np.expm1(-shape[:, None] * np.log1p(p * c[:, None])) / p
    return np.asarray((weight * bought).sum(axis=1))


def beta_nodes(a: float, b: FloatArray, nodes: int = NODES) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights, one row for each b, of the average over Beta(a, b)."""
    width = np.minimum(1.0, np.sqrt(1 / a + 1 / b))
    middle = np.log(a / b)
    # a tail ends exp(-TAIL) below the middle, or, where a or b is small and the middle far from it, below 1
    left = np.maximum(TAIL / (a * width) + TAIL**0.5, (middle + _log_expm1(TAIL / a)) / width)
    right = np.maximum(TAIL / (b * width) + TAIL**0.5, (_log_expm1(TAIL / b) - middle) / width)
    reach_left, reach_right = np.arcsinh(left), np.arcsinh(right)
    w = -reach_left[:, None] + (reach_left + reach_right)[:, None] * np.linspace(0.0, 1.0, nodes)
    logit = middle[:, None] + width[:, None] * np.sinh(w)
    log_density = a * log_expit(logit) + b[:, None] * log_expit(-logit) + np.log(np.cosh(w))
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    return np.maximum(expit(logit), 1e-300), density / density.sum(axis=1, keepdims=True)


def _log_expm1(v: FloatArray | float) -> FloatArray:
    """log(exp(v) - 1) for v > 0, however large."""
    return np.asarray(v + np.log(-np.expm1(-np.asarray(v))))
