"""BG/NBD: customers may leave after any purchase."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import betainc, betaln, digamma, expit, gammaln

from nbdataops.ltv.attrition.beta_mean import mean_purchases_until_leaving
from nbdataops.ltv.attrition.latent_attrition import LatentAttrition, typical_rate
from nbdataops.ltv.attrition.leaving import purchases_until_leaving
from nbdataops.ltv.columns import FloatArray, LtvInputError
from nbdataops.ltv.fit.cells import Cells
from nbdataops.ltv.time_units import to_horizon


class BGNBD(LatentAttrition):
    """Beta-geometric / negative binomial model of repeat purchases.

    Family: latent attrition, continuous time. Assumes: while alive a customer buys as a Poisson process with an own
    rate, Gamma(r, alpha) over customers; after every repeat purchase the customer leaves with an own probability,
    Beta(a, b) over customers; rate and probability are independent; nothing changes with the calendar. A customer
    without a repeat purchase is alive with certainty.
    Source: Fader, Hardie and Lee 2005, "Counting your customers" the easy way, Marketing Science 24:275.

    Fitted attributes: `r_`, `alpha_` (time units), `a_`, `b_`, `fit_result_`.

    >>> import pandas as pd
    >>> model = BGNBD.with_parameters(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> customer = pd.DataFrame({"x": [2], "t_x": [30.43], "T": [38.86]})
    >>> round(float(model.expected_transactions(customer, 39).iloc[0]), 3)
    1.226
    """

    parameter_names = ("r", "alpha", "a", "b")
    r_: float
    alpha_: float
    a_: float
    b_: float

    def probability_of_transactions(self, n: int, horizon: float) -> float:
        """P(X(t) = n): the probability that a new customer makes exactly n repeat transactions within `horizon`."""
        r, alpha, a, b = self._theta()
        t = self._finite(to_horizon(horizon, self.time_unit_))
        if isinstance(n, bool) or int(n) != n or n < 0:
            raise LtvInputError(f"n is {n}", todo="give a whole number of transactions, zero or more")
        share = t / (alpha + t)
        with np.errstate(divide="ignore"):
            log_power = n * np.log(share) if n else 0.0
        log_stayed = betaln(a, b + n) - betaln(a, b)
        log_count = gammaln(r + n) - gammaln(r) - gammaln(n + 1) + r * np.log1p(-share) + log_power
        stayed = np.exp(log_stayed + log_count)
        if n == 0:
            return float(stayed)
        # left right after purchase n: a negative binomial would have reached at least n
        left = np.exp(betaln(a + 1, b + n - 1) - betaln(a, b)) * betainc(n, r, share)
        return float(stayed + left)

    def _starts(self, cells: Cells, counts: FloatArray) -> Sequence[Sequence[float]]:
        mean_T, mean_x = typical_rate(cells, counts)
        return (
            (0.5, 0.5 * mean_T / mean_x, 1.0, 2.0),
            (0.2, 0.1 * mean_T / mean_x, 0.5, 5.0),
        )

    def _log_likelihood(
        self, theta: FloatArray, cells: Cells, counts: FloatArray
    ) -> tuple[float, FloatArray]:
        r, alpha, a, b = theta
        x, n = cells.distinct_x, counts
        n_x = np.bincount(cells.x_of_cell, n, minlength=len(x))
        total = n.sum()
        value = n_x @ (gammaln(r + x) - gammaln(r) + betaln(a, b + x) - betaln(a, b)) + total * r * np.log(
            alpha
        )
        d_r = n_x @ (digamma(r + x) - digamma(r)) + total * np.log(alpha)
        d_alpha = total * r / alpha
        d_ab = digamma(a + b) - digamma(a + b + x)
        d_a = n_x @ d_ab
        d_b = n_x @ (d_ab + digamma(b + x) - digamma(b))

        # two ways to have been silent since t_x: alive until T, or left right after the last purchase
        purchases = r + cells.x
        log_T, log_t = np.log(alpha + cells.T), np.log(alpha + cells.t_x)
        log_odds = self._log_odds_left(theta, cells, log_T, log_t)
        value += n @ (np.logaddexp(0.0, log_odds) - purchases * log_T)
        left = n * expit(log_odds)
        alive = n - left
        d_r -= alive @ log_T + left @ log_t
        d_alpha -= (alive * purchases) @ (1 / (alpha + cells.T)) + (left * purchases) @ (
            1 / (alpha + cells.t_x)
        )
        d_a += left.sum() / a
        d_b -= left @ (1 / np.where(cells.x > 0, b + cells.x - 1, 1.0))
        return float(value), np.array([d_r, d_alpha, d_a, d_b])

    @staticmethod
    def _log_odds_left(theta: FloatArray, cells: Cells, log_T: FloatArray, log_t: FloatArray) -> FloatArray:
        r, _, a, b = theta
        repeat = cells.x > 0
        odds = np.log(a / np.where(repeat, b + cells.x - 1, 1.0)) + (r + cells.x) * (log_T - log_t)
        return np.where(repeat, odds, -np.inf)

    def _alive(self, theta: FloatArray, cells: Cells) -> FloatArray:
        alpha = theta[1]
        log_odds = self._log_odds_left(theta, cells, np.log(alpha + cells.T), np.log(alpha + cells.t_x))
        return np.asarray(expit(-log_odds))

    def _expected_if_alive(self, theta: FloatArray, cells: Cells, horizon: float) -> FloatArray:
        r, alpha, a, b = theta
        age = cells.age
        mean = mean_purchases_until_leaving(r + age.x, horizon / (alpha + age.t), a, b + age.x)
        return mean[age.of_cell]

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
        bought = rng.poisson(rng.gamma(r + x) / (alpha + T) * horizon)
        return purchases_until_leaving(bought, rng.beta(a, b + x), rng)
