"""Pareto/NBD: customers may leave at any time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import digamma, expit, exprel, gammaln

from nbdataops.ltv.attrition.latent_attrition import LatentAttrition, typical_rate
from nbdataops.ltv.attrition.pareto_tail import log_relative_tail
from nbdataops.ltv.columns import FloatArray
from nbdataops.ltv.fit.cells import Cells
from nbdataops.ltv.fit.sums import dot


class ParetoNBD(LatentAttrition):
    """Pareto / negative binomial model of repeat purchases.

    Family: latent attrition, continuous time. Assumes: while alive a customer buys as a Poisson process with an own
    rate, Gamma(r, alpha) over customers; the time until leaving is exponential with an own rate, Gamma(s, beta) over
    customers; both rates are independent; nothing changes with the calendar. On real logs s and beta often lie on a
    ridge (everybody leaves at the same rate): `fit_result_.identified` says so.
    Source: Schmittlein, Morrison and Colombo 1987, Counting your customers, Management Science 33:1; the integral in
    positive terms follows Fader and Hardie 2005, A note on deriving the Pareto/NBD model.

    `time_unit`: "day", "week", "month" or "year", of the data and of every horizon; None takes what the summary
    carries.
    `warm_start`: a second `fit` starts at the solution of the first.
    Fitted attributes: `r_`, `alpha_` (time units), `s_`, `beta_` (time units), `fit_result_`, `time_unit_`.

    >>> import pandas as pd
    >>> model = ParetoNBD.with_parameters(r=0.553, alpha=10.58, s=0.606, beta=11.656)
    >>> customer = pd.DataFrame({"x": [26], "t_x": [30.85714], "T": [31.0]})
    >>> round(float(model.expected_transactions(customer, 52).iloc[0]), 5)
    25.45457
    >>> from nbdataops.ltv.simulate import draw_summary
    >>> rfm = draw_summary(model, np.full(500, 31.0), np.random.default_rng(0))  # or rfm_summary(log, as_of)
    >>> ParetoNBD().fit(rfm).expected_transactions(rfm, 52, interval=0.9).columns.tolist()
    ['transactions', 'lower', 'upper']
    """

    parameter_names = ("r", "alpha", "s", "beta")
    r_: float
    alpha_: float
    s_: float
    beta_: float

    def _starts(self, cells: Cells, counts: FloatArray) -> Sequence[Sequence[float]]:
        mean_T, mean_x = typical_rate(cells, counts)
        return (
            (0.6, 0.5 * mean_T / mean_x, 0.6, 0.5 * mean_T),
            (1.5, 2.0 * mean_T / mean_x, 0.3, 0.1 * mean_T),
        )

    def _log_likelihood(
        self, theta: FloatArray, cells: Cells, counts: FloatArray
    ) -> tuple[float, FloatArray]:
        r, alpha, s, beta = theta
        x, n = cells.distinct_x, counts
        n_x = np.bincount(cells.x_of_cell, n, minlength=len(x)).astype(np.float64)
        purchases = r + cells.x
        # the likelihood of being alive at T ...
        grown_alpha, grown_beta = np.log1p(cells.T / alpha), np.log1p(cells.T / beta)
        n_alpha, n_beta = dot(n, grown_alpha), dot(n, grown_beta)
        value = dot(n_x, gammaln(r + x) - gammaln(r) - x * np.log(alpha))
        value -= r * n_alpha + dot(n * cells.x, grown_alpha) + s * n_beta
        gradient = np.array(
            [
                dot(n_x, digamma(r + x) - digamma(r)) - n_alpha,
                dot(n, r / alpha - purchases / (alpha + cells.T)),
                -n_beta,
                s / beta * dot(n, cells.T / (beta + cells.T)),
            ]
        )
        # ... times one plus the odds of having left since t_x, s (I(t_x) - I(T)) over it
        odds = _odds(theta, cells)
        value += dot(n, np.logaddexp(0.0, odds.log))
        left = n * expit(odds.log)
        by_age = -left * odds.ratio
        by_recency = left - by_age
        silent = cells.T - cells.t_x
        gradient += (
            dot(by_recency, odds.log_alpha),
            -dot(by_recency * purchases, silent / ((alpha + cells.T) * (alpha + cells.t_x))),
            dot(by_recency, odds.log_beta) + left.sum() / s,
            -s * dot(by_recency, silent / ((beta + cells.T) * (beta + cells.t_x))),
        )
        of_pair = np.bincount(cells.recency.of_cell, by_recency, minlength=len(cells.recency.x))
        gradient += np.einsum("i,ij", of_pair, odds.recency_gradient)
        of_pair = np.bincount(cells.age.of_cell, by_age, minlength=len(cells.age.x))
        gradient += np.einsum("i,ij", of_pair, odds.age_gradient)
        return float(value), gradient

    def _alive(self, theta: FloatArray, cells: Cells) -> FloatArray:
        return np.asarray(expit(-_odds(theta, cells).log))

    def _expected_if_alive(self, theta: FloatArray, cells: Cells, horizon: float) -> FloatArray:
        r, alpha, s, beta = theta
        x, T = cells.age.x, cells.age.t
        # (1 - (1 + h / (beta + T))^(1 - s)) / (s - 1), which is a logarithm at s = 1
        growth = np.log1p(horizon / (beta + T))
        mean = (r + x) / (alpha + T) * (beta + T) * growth * exprel((1 - s) * growth)
        return np.asarray(mean[cells.age.of_cell])

    def _draw_if_alive(
        self,
        theta: FloatArray,
        x: FloatArray,
        t_x: FloatArray,
        T: FloatArray,
        horizon: float,
        rng: np.random.Generator,
    ) -> FloatArray:
        r, alpha, s, beta = theta
        # leaves when an exponential time is over; its rate is gamma distributed, so it can be tiny
        with np.errstate(divide="ignore", over="ignore"):
            stays = rng.exponential(size=len(x)) * (beta + T) / rng.gamma(s, size=len(x))
        rate = rng.gamma(r + x) / (alpha + T)
        return np.asarray(rng.poisson(rate * np.minimum(stays, horizon)), dtype=np.float64)


class _Odds(NamedTuple):
    """Odds of having left between t_x and T, and what their gradient is made of.

    By cell: log of the odds, I(T) / (I(t_x) - I(T)), log((alpha + T) / (alpha + t_x)), the same of beta; by pair: the
    gradients of the tails.
    """

    log: FloatArray
    ratio: FloatArray
    log_alpha: FloatArray
    log_beta: FloatArray
    recency_gradient: FloatArray
    age_gradient: FloatArray


def _odds(theta: FloatArray, cells: Cells) -> _Odds:
    r, alpha, s, beta = theta
    n = len(cells.recency.x)
    tails = log_relative_tail(
        theta, np.concatenate([cells.recency.x, cells.age.x]), np.concatenate([cells.recency.t, cells.age.t])
    )
    silent = cells.T - cells.t_x
    log_alpha, log_beta = np.log1p(silent / (alpha + cells.t_x)), np.log1p(silent / (beta + cells.t_x))
    # both integrals over the likelihood of being alive at T
    at_recency = tails.log[:n][cells.recency.of_cell] + (r + cells.x) * log_alpha + s * log_beta
    at_age = tails.log[n:][cells.age.of_cell]
    gap = at_age - at_recency
    some = gap < -1e-14  # none where t_x == T: then nobody can have left
    missing = np.where(some, -np.expm1(np.where(some, gap, -1.0)), 1.0)
    return _Odds(
        log=np.where(some, np.log(s) + at_recency + np.log(missing), -np.inf),
        ratio=np.where(some, np.exp(gap) / missing, 0.0),
        log_alpha=log_alpha,
        log_beta=log_beta,
        recency_gradient=tails.gradient[:n],
        age_gradient=tails.gradient[n:],
    )
