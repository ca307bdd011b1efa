"""The Gamma-Gamma likelihood, over millions of customers who all differ.

The data enter through x alone, which repeats, and through sums over customers of functions that are smooth in the
logarithm of all they spent: of many customers, those are taken over a grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import gammaln

from nbdataops.ltv.columns import FloatArray, IntArray
from nbdataops.ltv.fit.rising import digamma_gap, log_rising
from nbdataops.ltv.fit.sums import dot
from nbdataops.ltv.spend.log_grid import on_grid, worth_a_grid


@dataclass(frozen=True, slots=True)
class ValueSums:
    """What the likelihood needs of the data.

    log_value, weight, purchases: over customers, or nodes of a grid that stand for them: the logarithm of all repeat
    spend, how many customers, and their repeat transactions. distinct_x, weight_by_x: how many customers have each x.
    """

    log_value: FloatArray
    weight: FloatArray
    purchases: FloatArray
    distinct_x: FloatArray
    weight_by_x: FloatArray
    total: float
    log_spend: float
    mean_spend: float


def value_sums(x: FloatArray, spend: FloatArray, w: FloatArray | None) -> ValueSums:
    """Prepare repeaters with a positive spend; those of weight zero are left out."""
    if w is not None:
        counting = w > 0
        x, spend, w = x[counting], spend[counting], w[counting]
    log_value = np.log(x * spend)
    distinct, weight_by_x = _weight_by_x(x, w)
    total = float(len(x)) if w is None else float(w.sum())
    log_x = dot(weight_by_x, np.log(distinct))
    log_values = float(log_value.sum()) if w is None else dot(w, log_value)
    spent = float(spend.sum()) if w is None else dot(w, spend)
    purchases = x if w is None else w * x
    if worth_a_grid(log_value):
        log_value, (weight, purchases) = on_grid(log_value, (w, purchases))
    else:
        weight = np.ones(len(x)) if w is None else w
    return ValueSums(
        log_value=log_value,
        weight=weight,
        purchases=purchases,
        distinct_x=distinct,
        weight_by_x=weight_by_x,
        total=total,
        log_spend=log_values - log_x,
        mean_spend=spent / total if total else 0.0,
    )


def log_likelihood(theta: FloatArray, data: ValueSums) -> tuple[float, FloatArray]:
    """Log-likelihood of the mean spends and its gradient by p, q and gamma."""
    p, q, gamma = (float(v) for v in theta)
    px, w_x = p * data.distinct_x, data.weight_by_x
    # log(1 + v / gamma) and log(1 + gamma / v), v the value: one is the other plus log(v / gamma); the smaller of both
    # ratios is taken, so that nothing cancels
    ratio = data.log_value - np.log(gamma)
    small = np.log1p(np.exp(-np.abs(ratio)))
    by_gamma, by_value = small + np.maximum(ratio, 0.0), small + np.maximum(-ratio, 0.0)
    q_log, p_log = dot(data.weight, by_gamma), dot(data.purchases, by_value)
    slope = q * dot(data.weight, np.exp(-by_value)) - p * dot(data.purchases, np.exp(-by_gamma))
    # B(px, q) from the smaller of both, so that little cancels
    log_beta = gammaln(np.minimum(px, q)) - log_rising(np.maximum(px, q), np.minimum(px, q))
    value = -dot(w_x, log_beta) - q * q_log - p * p_log - data.log_spend
    gradient = np.array(
        [
            dot(w_x * data.distinct_x, digamma_gap(px, q)) - p_log,
            dot(w_x, digamma_gap(q, px)) - q_log,
            slope / gamma,
        ]
    )
    return float(value), gradient


def _weight_by_x(x: FloatArray, w: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    if len(x) and x.max() < max(1024, len(x)):
        by_x = np.bincount(x.astype(np.int64), w).astype(np.float64)
        present = np.flatnonzero(by_x)
        return present.astype(np.float64), by_x[present]
    code, distinct = pd.factorize(x, sort=True)
    of_x: IntArray = code.astype(np.int64)
    return np.asarray(distinct, dtype=np.float64), np.bincount(of_x, w, minlength=len(distinct)).astype(
        np.float64
    )
