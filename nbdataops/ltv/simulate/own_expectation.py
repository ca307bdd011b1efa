"""What a customer with known rates is expected to buy: the truth that a forecast tries to see."""

from __future__ import annotations

import numpy as np
from scipy.special import exprel, gammainc

from nbdataops.ltv.columns import FloatArray
from nbdataops.ltv.simulate.latent_process import LatentProcess
from nbdataops.ltv.simulate.purchase_calendar import Clock

LOST = 1e-15
"""A further purchase this improbable is no longer counted."""


def purchases_ahead(
    process: LatentProcess,
    rate: FloatArray,
    leaving: FloatArray,
    silence: FloatArray,
    clock: Clock,
    now: float,
    until: float,
) -> FloatArray:
    """Expected purchases in (now, until] of customers who are there now, given their own rates.

    `rate`: ticks a day of the clock; `leaving`: probability at a purchase, or rate a day; `silence`: what the clock has
    passed since each one's last purchase; `now`, `until`: days since the clock's start.
    """
    if not process.at_purchases:
        passed_alive = np.zeros(len(rate))
        for a, b, factor in clock.stretches(now, until):
            passed_alive += factor * np.exp(-leaving * a) * (b - a) * exprel(-leaving * (b - a))
        return rate * passed_alive
    passed = float(np.diff(clock.at(np.array([now, until])))[0])
    if process.k == 1:
        return np.asarray(rate * passed * exprel(-leaving * rate * passed))
    phase = _phases(rate * silence, process.k)
    total = np.zeros(len(rate))
    for j in range(process.k):
        total += phase[:, j] * _regular(rate * passed, leaving, process.k, j)
    return total


def _phases(ticks: FloatArray, k: int) -> FloatArray:
    """Probability of each number of ticks since the last purchase, given that they were fewer than k: by row."""
    terms = [np.ones(len(ticks))]
    for j in range(1, k):
        # relative to the largest so far: long silences would overflow
        term = terms[-1] * ticks / j
        scale = np.maximum(term, 1.0)
        terms = [*(t / scale for t in terms), term / scale]
    shares = np.stack(terms, axis=1)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _regular(ticks: FloatArray, leaving: FloatArray, k: int, j: int) -> FloatArray:
    """E[min(M, purchases until leaving)] where the m-th purchase is at tick m k - j of a Poisson number of ticks.

    It is the sum over m of P(the m-th comes in time) (1 - leaving)^(m - 1), all terms positive and soon small.
    """
    total = np.zeros(len(ticks))
    open_ = np.flatnonzero(ticks > 0)
    stays = np.ones(len(open_))
    m = 1
    while len(open_):
        term = stays * gammainc(m * k - j, ticks[open_])
        total[open_] += term
        more = (term > LOST * total[open_]) & (leaving[open_] < 1)
        open_, stays = open_[more], stays[more] * (1 - leaving[open_[more]])
        m += 1
    return total
