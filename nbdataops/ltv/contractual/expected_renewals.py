"""Expected renewals, or occasions still there, of who leaves with an own probability each time.

A customer who leaves with probability p before each of the next h occasions is there at the j-th with (1 - p)^j, and
money then is worth d^j, d = exp(-force). Averaged over p ~ Beta(a, b), the first occasions are added up one by one. Who
got through k of them has p ~ Beta(a, b + k), whatever k is; and with q = (1 - p) d the sum over all that follow is
q (1 - q^h) / (1 - q), for good q / (1 - q), whose average is taken on the nodes of `beta_mean`. So a horizon for good
costs no more than a long one, where a plain sum would be as long as money keeps its worth.
"""

from __future__ import annotations

import numpy as np

from nbdataops.ltv.attrition.beta_mean import beta_nodes
from nbdataops.ltv.columns import FloatArray, LtvInputError

ONE_BY_ONE = 100
"""Occasions that are added up; behind them few customers leave at once, and the nodes are dense where they are."""


def expected_renewals(a: float, b: FloatArray, horizon: float, force: float) -> FloatArray:
    """E[sum over j = 1 .. horizon of (1 - p)^j exp(-force j)] for p ~ Beta(a, b), elementwise in b; a, b > 0.

    `horizon`: a whole number of occasions, or infinite where `force` > 0. Raises LtvInputError for an infinite one
    without a discount.

    >>> expected_renewals(1.0, np.array([1.0]), 2, 0.0).round(12).tolist()  # 1/2 + 1/3
    [0.833333333333]
    """
    if not np.isfinite(horizon) and force == 0:
        raise LtvInputError(
            "an infinite horizon without a discount rate", todo="give a finite horizon or a discount_rate"
        )
    distinct, where = np.unique(b, return_inverse=True)
    total, worth = np.zeros(len(distinct)), np.ones(len(distinct))
    first = int(min(horizon, ONE_BY_ONE))
    for j in range(first):
        worth = worth * (distinct + j) / (a + distinct + j) * np.exp(-force)
        total += worth
    if horizon > first:
        total += worth * _all_that_follow(a, distinct + first, horizon - first, force)
    return np.asarray(total[where])


def _all_that_follow(a: float, b: FloatArray, horizon: float, force: float) -> FloatArray:
    p, weight = beta_nodes(a, b, force + 1 / horizon)
    some = weight > 0
    log_q = np.log1p(-np.where(some, np.minimum(p, 1 - 1e-16), 0.5)) - force
    kept = -np.expm1(horizon * log_q) if np.isfinite(horizon) else 1.0
    return np.asarray((weight * np.exp(log_q) * kept / -np.expm1(log_q)).sum(axis=1))
