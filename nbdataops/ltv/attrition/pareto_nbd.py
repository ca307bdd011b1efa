"""Pareto/NBD: customers may leave at any time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import expit, exprel

from nbdataops.ltv.attrition.latent_attrition import LatentAttrition, typical_rate
from nbdataops.ltv.attrition.pareto_tail import Tail, log_relative_tail
from nbdataops.ltv.columns import FloatArray
from nbdataops.ltv.fit.cells import Cells
from nbdataops.ltv.fit.odds import log_one_plus
from nbdataops.ltv.fit.rising import digamma_gap, log_rising
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
        r, alpha = float(theta[0]), float(theta[1])
        x, n = cells.distinct_x, counts
        n_T = cells.age.sums(n)
        n_x = cells.age.sums_by_x(n_T, len(x))
        at = _Histories.of(theta, cells)
        # alive until T, times one plus the odds of having left since t_x
        log_odds, share = at.odds(cells)
        one_plus = log_one_plus(log_odds)
        value = dot(n_x, log_rising(r, x) - x * np.log(alpha))
        value += dot(n_T, at.alive.log) + dot(n, one_plus)
        left = n * np.exp(log_odds - one_plus)
        since_last = left / share
        since_now = cells.age.sums(since_last - left)
        gradient = np.einsum("i,ij", cells.recency.sums(since_last), at.left_since_last.gradient)
        gradient -= np.einsum("i,ij", since_now, at.left_since_now.gradient)
        gradient += np.einsum("i,ij", n_T - cells.age.sums(left), at.alive.gradient)
        gradient[0] += dot(n_x, digamma_gap(r, x))
        gradient[1] -= dot(n_x, x) / alpha
        return float(value), gradient

    def _alive(self, theta: FloatArray, cells: Cells) -> FloatArray:
        return np.asarray(expit(-_Histories.of(theta, cells).odds(cells)[0]))

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


class _Histories(NamedTuple):
    """What may have happened to a customer, by pair (x, t): each a likelihood, without the factor of x and alpha alone.

    left_since_last: left at any time after t_x. left_since_now: the same after T. alive: still there at T.
    """

    left_since_last: Tail
    left_since_now: Tail
    alive: Tail

    @classmethod
    def of(cls, theta: FloatArray, cells: Cells) -> _Histories:
        recency, age = cells.recency, cells.age
        x, t = np.concatenate([recency.x, age.x]), np.concatenate([recency.t, age.t])
        alive, tail = _alive_at(theta, x, t), log_relative_tail(theta, x, t)
        log = np.log(theta[2]) + tail.log + alive.log
        gradient = tail.gradient + alive.gradient
        gradient[:, 2] += 1 / theta[2]
        n = len(recency.x)
        return cls(
            Tail(log[:n], gradient[:n]),
            Tail(log[n:], gradient[n:]),
            Tail(alive.log[n:], alive.gradient[n:]),
        )

    def odds(self, cells: Cells) -> tuple[FloatArray, FloatArray]:
        """By cell: log odds of having left between t_x and T, and the share of it in having left at all since t_x."""
        since_last = cells.recency.spread(self.left_since_last.log)
        gap = cells.age.spread(self.left_since_now.log) - since_last
        # where t_x == T nobody can have left, whatever rounding says
        some = (gap < 0) & (cells.t_x < cells.T)
        share = np.where(some, -np.expm1(gap), 1.0)
        log_odds = since_last + np.log(share) - cells.age.spread(self.alive.log)
        return np.where(some, log_odds, -np.inf), share


def _alive_at(theta: FloatArray, x: FloatArray, t: FloatArray) -> Tail:
    """log of (1 + t / alpha)^-(r + x) (1 + t / beta)^-s, and its derivatives by r, alpha, s, beta."""
    r, alpha, s, beta = theta
    grown_alpha, grown_beta = np.log1p(t / alpha), np.log1p(t / beta)
    by_alpha, by_beta = (r + x) * (t / alpha) / (alpha + t), s * (t / beta) / (beta + t)
    return Tail(
        -(r + x) * grown_alpha - s * grown_beta,
        np.stack([-grown_alpha, by_alpha, -grown_beta, by_beta], axis=1),
    )
