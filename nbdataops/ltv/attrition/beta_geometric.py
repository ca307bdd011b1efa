"""Customers who may leave after a purchase: what BG/NBD, MBG/NBD and their regular variants share.

While alive a customer buys at every k-th tick of a Poisson clock of an own rate, Gamma(r, alpha) over customers: gaps
are Erlang-k, so that k = 1 is pure chance and larger k more regular. At each chance to leave it does, with an own
probability, Beta(a, b) over customers. With c chances survived so far (x, or x + 1 where the first purchase is one),
the likelihood of x, t_x and T is

    Gamma(r + kx) alpha^r / Gamma(r) * B(a, b + c) / B(a, b) *
        [S (alpha + T)^-(r + kx) + a / (b + c - 1) (alpha + t_x)^-(r + kx)],
    S = sum over j < k of Gamma(r + kx + j) / (Gamma(r + kx) j!) ((T - t_x) / (alpha + T))^j,

alive until T in phase j of the running gap, or gone right after the last purchase. Terms of S are positive, and their
shares are the probabilities of the phases.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from scipy.special import expit

from nbdataops.ltv.attrition.beta_mean import mean_purchases_until_leaving
from nbdataops.ltv.attrition.latent_attrition import LatentAttrition, typical_rate
from nbdataops.ltv.attrition.leaving import purchases_until_leaving
from nbdataops.ltv.attrition.regular_mean import mean_regular_purchases_until_leaving
from nbdataops.ltv.columns import FloatArray
from nbdataops.ltv.fit.cells import Cells
from nbdataops.ltv.fit.odds import log_one_plus
from nbdataops.ltv.fit.rising import digamma_gap, log_beta_ratio, log_rising
from nbdataops.ltv.fit.sums import dot


class BetaGeometric(LatentAttrition):
    """Base of the models where leaving may happen at purchases."""

    parameter_names = ("r", "alpha", "a", "b")
    first_chance: ClassVar[int]
    """1 if a customer may leave right after the first purchase, 0 if only after repeat purchases."""

    r_: float
    alpha_: float
    a_: float
    b_: float

    def _ticks(self) -> int:
        """Ticks of the clock per purchase: k."""
        return 1

    def _starts(self, cells: Cells, counts: FloatArray) -> Sequence[Sequence[float]]:
        mean_T, mean_x = typical_rate(cells, counts)
        gap = mean_T / (mean_x * self._ticks())
        return ((0.5, 0.5 * gap, 1.0, 2.0), (0.2, 0.1 * gap, 0.5, 5.0))

    def _log_likelihood(
        self, theta: FloatArray, cells: Cells, counts: FloatArray
    ) -> tuple[float, FloatArray]:
        r, alpha, a, b = theta
        n, x, recency, age = counts, cells.distinct_x, cells.recency, cells.age
        n_T = age.sums(n)
        n_x = age.sums_by_x(n_T, len(x))
        ticks, chances = self._ticks() * x, x + self.first_chance
        value = dot(n_x, log_rising(r, ticks) - ticks * np.log(alpha) + log_beta_ratio(a, b, chances))
        d_r = dot(n_x, digamma_gap(r, ticks))
        d_a = -dot(n_x, digamma_gap(a + b, chances))
        d_b = d_a + dot(n_x, digamma_gap(b, chances))

        # two ways to have been silent since t_x: alive until T, or left right after the last purchase
        shape_T, shape_t = r + self._ticks() * age.x, r + self._ticks() * recency.x
        grown_T, grown_t = np.log1p(age.t / alpha), np.log1p(recency.t / alpha)
        log_left = self._log_odds_after(theta, recency.x) - shape_t * grown_t
        log_odds = recency.spread(log_left) + age.spread(shape_T * grown_T)
        if self._ticks() > 1:
            log_phases, by_shape, mean_phase = self._phases(r + self._ticks() * cells.x, alpha, cells)
            log_odds -= log_phases
        one_plus = log_one_plus(log_odds)
        left = n * np.exp(log_odds - one_plus)
        left_t = recency.sums(left)
        alive_T = n_T - age.sums(left)
        value += dot(n, one_plus) - dot(n_T, shape_T * grown_T)
        d_r -= dot(alive_T, grown_T) + dot(left_t, grown_t)
        d_alpha = dot(alive_T, r / alpha - shape_T / (alpha + age.t))
        d_alpha += dot(left_t, r / alpha - shape_t / (alpha + recency.t))
        if self._ticks() > 1:
            alive = n - left
            value += dot(n, log_phases)
            d_r += dot(alive, by_shape)
            d_alpha -= dot(alive, mean_phase / (alpha + cells.T))
        d_a += float(left_t.sum()) / a
        d_b -= dot(left_t, 1 / self._chances_before(b, recency.x))
        return float(value), np.array([d_r, d_alpha, d_a, d_b])

    def _phases(
        self, shape: FloatArray, alpha: float, cells: Cells
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """log S, its derivative by the shape r + kx, and the mean phase, by cell."""
        zero = np.zeros(len(shape))
        if self._ticks() == 1:
            return zero, zero, zero
        silence = (cells.T - cells.t_x) / (alpha + cells.T)
        term, total, rise = np.ones(len(shape)), np.ones(len(shape)), zero
        by_shape, phase, log_scale = zero.copy(), zero.copy(), zero
        for j in range(1, self._ticks()):
            term = term * ((shape + j - 1) * silence / j)
            rise = rise + 1 / (shape + j - 1)
            total += term
            by_shape += term * rise
            phase += j * term
            if j % 8 == 0:  # the product of many phases of a million purchases would overflow
                term, by_shape, phase, log_scale = (
                    term / total,
                    by_shape / total,
                    phase / total,
                    log_scale + np.log(total),
                )
                total = np.ones(len(shape))
        return log_scale + np.log(total), by_shape / total, phase / total

    def _phase_shares(self, theta: FloatArray, x: FloatArray, t_x: FloatArray, T: FloatArray) -> FloatArray:
        """Probability of each phase given alive at T: one row a customer or cell, one column a phase."""
        r, alpha, _, _ = theta
        shape, silence = r + self._ticks() * x, (T - t_x) / (alpha + T)
        logs = [np.zeros(len(x))]
        for j in range(1, self._ticks()):
            logs.append(logs[-1] + np.log(np.maximum((shape + j - 1) * silence / j, 1e-300)))
        terms = np.stack(logs, axis=1)
        shares = np.exp(terms - terms.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def _chances_before(self, b: float, x: FloatArray) -> FloatArray:
        """b + c - 1, and 1 where there was no chance to leave yet."""
        chances = x + self.first_chance
        return np.where(chances > 0, b + chances - 1, 1.0)

    def _log_odds_after(self, theta: FloatArray, x: FloatArray) -> FloatArray:
        """Log odds of leaving right after the last of x repeat purchases over staying, seen from all that followed."""
        odds = np.log(theta[2] / self._chances_before(theta[3], x))
        return np.where(x + self.first_chance > 0, odds, -np.inf)

    def _alive(self, theta: FloatArray, cells: Cells) -> FloatArray:
        r, alpha, _, _ = theta
        shape = r + self._ticks() * cells.x
        log_ratio = shape * np.log1p((cells.T - cells.t_x) / (alpha + cells.t_x))
        log_phases = self._phases(shape, alpha, cells)[0]
        return np.asarray(expit(log_phases - log_ratio - self._log_odds_after(theta, cells.x)))

    def _expected_if_alive(self, theta: FloatArray, cells: Cells, horizon: float) -> FloatArray:
        r, alpha, a, b = theta
        x, growth = cells.age.x, horizon / (alpha + cells.age.t)
        shape, stayed = r + self._ticks() * x, b + x + self.first_chance
        if self._ticks() == 1:
            return mean_purchases_until_leaving(shape, growth, a, stayed)[cells.age.of_cell]
        shares = self._phase_shares(theta, cells.x, cells.t_x, cells.T)
        mean = np.zeros(len(cells))
        for j in range(self._ticks()):
            of_phase = mean_regular_purchases_until_leaving(shape, growth, a, stayed, self._ticks(), j)
            mean += shares[:, j] * of_phase[cells.age.of_cell]
        return mean

    def _draw_if_alive(
        self,
        theta: FloatArray,
        x: FloatArray,
        t_x: FloatArray,
        T: FloatArray,
        horizon: float,
        rng: np.random.Generator,
    ) -> FloatArray:
        r, alpha, a, b = theta
        phase = np.zeros(len(x))
        if self._ticks() > 1:
            passed = np.cumsum(self._phase_shares(theta, x, t_x, T), axis=1)
            phase = (rng.random((len(x), 1)) > passed[:, :-1]).sum(axis=1).astype(np.float64)
        rate = rng.gamma(r + self._ticks() * x + phase) / (alpha + T)
        bought = ((rng.poisson(rate * horizon) + phase) // self._ticks()).astype(np.int64)
        return purchases_until_leaving(bought, rng.beta(a, b + x + self.first_chance), rng)
