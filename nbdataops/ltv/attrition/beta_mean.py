"""The average over unseen leaving probabilities that a forecast of BG/NBD needs.

A customer with a Gamma(shape, rate) purchase rate who leaves with probability p after every purchase makes
(1 - (1 + p c)^-shape) / p purchases on average in a time of c * rate. Averaged over p ~ Beta(a, b) this is

    (a + b - 1) / (a - 1) * [1 - (1 + c)^-shape * 2F1(shape, b; a + b - 1; c / (1 + c))],

which overflows, cancels or divides by zero in many corners (thousands of purchases, a = 1, a + b = 1, a tiny
horizon). The average itself is a smooth positive integral: the trapezoidal rule on logit(p), stretched by a sinh so
that both tails are reached, is exact to about 12 digits everywhere.
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


def beta_nodes(a: float, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights, one row for each b, of the average over Beta(a, b)."""
    width = np.minimum(1.0, np.sqrt(1 / a + 1 / b))
    middle = np.log(a / b)
    reach_left = np.arcsinh(TAIL / (a * width) + TAIL**0.5)
    reach_right = np.arcsinh(TAIL / (b * width) + TAIL**0.5)
    w = -reach_left[:, None] + (reach_left + reach_right)[:, None] * np.linspace(0.0, 1.0, NODES)
    logit = middle[:, None] + width[:, None] * np.sinh(w)
    log_density = a * log_expit(logit) + b[:, None] * log_expit(-logit) + np.log(np.cosh(w))
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    return np.maximum(expit(logit), 1e-300), density / density.sum(axis=1, keepdims=True)
