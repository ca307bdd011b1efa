"""The Gamma-Gamma likelihood, over millions of customers who all differ.

Values do not repeat, so nothing can be compressed: every evaluation passes over all repeaters once, in blocks that
stay in the processor's cache, with one logarithm each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betaln, digamma

from nbdataops.ltv.columns import FloatArray, IntArray
from nbdataops.ltv.fit.sums import dot

BLOCK = 1 << 14


@dataclass(frozen=True, slots=True)
class ValueSums:
    """What the likelihood needs of the data; arrays over repeaters, but those over distinct x.

    value: all repeat spend of a customer. weight: None if every customer counts once.
    """

    x: FloatArray
    value: FloatArray
    log_value: FloatArray
    weight: FloatArray | None
    distinct_x: FloatArray
    weight_by_x: FloatArray
    total: float
    log_spend: float
    mean_spend: float

    def systematic_sample(self, size: int) -> ValueSums:
        """Every so many'th customer, about `size` of them, weighted as they are."""
        step = max(len(self.x) // size, 1)
        x, value = self.x[::step], self.value[::step]
        return value_sums(x, value / x, None if self.weight is None else self.weight[::step])


def value_sums(x: FloatArray, spend: FloatArray, w: FloatArray | None) -> ValueSums:
    """Prepare repeaters with a positive spend; those of weight zero are left out."""
    if w is not None:
        counting = w > 0
        x, spend, w = x[counting], spend[counting], w[counting]
    value = x * spend
    log_value = np.log(value)
    distinct, weight_by_x = _weight_by_x(x, w)
    total = float(len(x)) if w is None else float(w.sum())
    log_x = dot(weight_by_x, np.log(distinct))
    log_values = float(log_value.sum()) if w is None else dot(w, log_value)
    spent = float(spend.sum()) if w is None else dot(w, spend)
    return ValueSums(
        x=x,
        value=value,
        log_value=log_value,
        weight=w,
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
    q_log, p_log, slope = _sums(p, q, gamma, data)
    digamma_all = digamma(px + q)
    value = -dot(w_x, betaln(px, q)) - q * q_log - p * p_log - data.log_spend
    gradient = np.array(
        [
            dot(w_x * data.distinct_x, digamma_all - digamma(px)) - p_log,
            dot(w_x, digamma_all - digamma(q)) - q_log,
            slope,
        ]
    )
    return float(value), gradient


def _sums(p: float, q: float, gamma: float, data: ValueSums) -> tuple[float, float, float]:
    """Over customers: log(1 + v / gamma), x log(1 + gamma / v), and the derivative by gamma, v the total value.

    One is the other plus log(v / gamma); the smaller of both ratios is taken, so that nothing cancels.
    """
    log_gamma = np.log(gamma)
    q_log = p_log = slope = 0.0
    for i in range(0, len(data.x), BLOCK):
        x, v = data.x[i : i + BLOCK], data.value[i : i + BLOCK]
        ratio = v / gamma
        log_small = np.log1p(np.minimum(ratio, 1 / ratio))
        apart = data.log_value[i : i + BLOCK] - log_gamma
        by_gamma = log_small + np.maximum(apart, 0.0)
        by_value = log_small + np.maximum(-apart, 0.0)
        pull = (q * ratio - p * x) / (1 + ratio)
        if data.weight is None:
            q_log += by_gamma.sum()
            p_log += dot(x, by_value)
            slope += pull.sum()
        else:
            w = data.weight[i : i + BLOCK]
            q_log += dot(w, by_gamma)
            p_log += np.einsum("i,i,i", w, x, by_value)
            slope += dot(w, pull)
    return float(q_log), float(p_log), float(slope / gamma)


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
