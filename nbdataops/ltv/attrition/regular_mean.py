"""The average over unseen leaving probabilities, for customers who buy at every k-th tick.

A customer in phase j of the running gap, with a Gamma(shape + j, rate) clock, sees P ticks in a time of c * rate,
P negative binomial, and makes M = floor((P + j) / k) purchases if it does not leave. Leaving with probability p after
each, it makes (1 - E[(1 - p)^M]) / p on average. With z = (1 - p)^(1/k) and the k-th roots of unity w^l,

    E[(1 - p)^M] = sum over l of c_l (z w^l)^j (1 + c (1 - z w^l))^-(shape + j),
    c_l = 1/k sum over m < k of z^-m w^-lm,

which is exact for any number of purchases. Its distance from 1 is computed from differences that do not cancel. The
roots do cancel where p is above a half, or where hardly a purchase is due; there few purchases matter, and the sum over
them, whose terms are all positive, is short. The average over p ~ Beta(a, b) is that of `beta_mean`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from nbdataops.ltv.attrition.beta_mean import beta_nodes
from nbdataops.ltv.columns import FloatArray

FEW = 48
"""Purchases that matter where at least half leave at each: 2^-48 is the precision of the rest."""
SURE = 1e-17
"""A customer who makes more than FEW purchases with a smaller probability makes few."""
ROWS = 256
"""Customers at a time."""


def mean_regular_purchases_until_leaving(
    shape: FloatArray, c: FloatArray, a: float, b: FloatArray, k: int, j: int
) -> FloatArray:
    """E[min(M, purchases until leaving)] for p ~ Beta(a, b), elementwise; shape, b > 0, a > 0, c >= 0, 0 <= j < k."""
    answer = np.empty(len(shape))
    for i in range(0, len(shape), ROWS):
        part = slice(i, i + ROWS)
        answer[part] = _mean(shape[part], c[part], a, b[part], k, j)
    return answer


def _mean(shape: FloatArray, c: FloatArray, a: float, b: FloatArray, k: int, j: int) -> FloatArray:
    p, weight = beta_nodes(a, b, 1 / (1 + c * np.maximum(shape, 1.0)))
    at_least = _at_least(np.arange(1, FEW + 2)[:, None], shape + j, c, k, j)
    bought = _by_sum(p, at_least[:FEW])
    seldom = at_least[FEW] < SURE
    if not seldom.all():
        often = p > 0.5
        by_roots = _by_roots(np.where(often, 0.25, p), shape[:, None] + j, c[:, None], k, j)
        bought = np.where(often | seldom[:, None], bought, by_roots)
    return np.asarray((weight * bought).sum(axis=1))


def _at_least(m: NDArray[np.int64], shape: FloatArray, c: FloatArray, k: int, j: int) -> FloatArray:
    """P(M >= m): one row each m, one column a customer."""
    share = c / (1 + c)
    return np.where(share > 0, betainc(m * k - j, shape, np.where(share > 0, share, 0.5)), 0.0)


def _by_roots(p: FloatArray, shape: FloatArray, c: FloatArray, k: int, j: int) -> FloatArray:
    log_z = np.log1p(-p) / k
    powers = [np.expm1(-m * log_z) for m in range(k)]  # z^-m - 1
    first = np.log1p(np.sum(powers, axis=0) / k) + j * log_z - shape * np.log1p(-c * np.expm1(log_z))
    missing = -np.expm1(first)
    z = np.exp(log_z)
    for root in range(1, k):
        w = np.exp(2j * np.pi * root / k)
        coefficient = sum(power * w**-m for m, power in enumerate(powers)) / k
        missing = missing - np.real(coefficient * (z * w) ** j * np.exp(-shape * np.log(1 + c * (1 - z * w))))
    return np.asarray(missing / p)


def _by_sum(p: FloatArray, at_least: FloatArray) -> FloatArray:
    total, stays = np.zeros(p.shape), np.ones(p.shape)
    for probability in at_least:
        total += stays * probability[:, None]
        stays *= 1 - p
    return total
