"""BG/BB: purchases at fixed occasions, such as a yearly donation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import betaln, digamma, gammaln, logsumexp

from nbdataops.ltv.attrition.latent_attrition import LatentAttrition
from nbdataops.ltv.columns import FloatArray, LtvInputError, refuse
from nbdataops.ltv.contractual.expected_renewals import expected_renewals
from nbdataops.ltv.fit.cells import Cells, rfm_cells
from nbdataops.ltv.fit.sums import dot


class BGBB(LatentAttrition):
    """Beta-geometric / beta-Bernoulli model of purchases at discrete occasions.

    Family: discrete attrition. Assumes: at each occasion a customer who is still there buys at most once, with an own
    probability, Beta(alpha, beta) over customers; before each occasion the customer leaves with an own probability,
    Beta(gamma, delta) over customers; both are independent and nothing changes with time. Columns: `x` occasions with
    a purchase, `t_x` the number of the last of them (0 if none), `T` occasions so far; whole numbers, the first
    purchase that made somebody a customer not counted; `n` customers a row.
    Source: Fader, Hardie and Shang 2010, Customer-base analysis in a discrete-time noncontractual setting, Marketing
    Science 29:1086.

    A horizon is a number of occasions; an occasion j ahead is discounted by (1 + discount_rate)^-j.
    `time_unit`: "day", "week", "month" or "year", what an occasion is; None takes what the summary carries.
    `warm_start`: a second `fit` starts at the solution of the first.
    Fitted attributes: `alpha_`, `beta_`, `gamma_`, `delta_`, `fit_result_`, `time_unit_`.

    >>> model = BGBB.with_parameters(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783)
    >>> donors = pd.DataFrame({"x": [0, 2, 6], "t_x": [0, 4, 6], "T": [6, 6, 6]})
    >>> model.probability_alive(donors, ahead=1).round(2).tolist()
    [0.11, 0.59, 0.93]
    >>> from nbdataops.ltv.simulate import draw_summary
    >>> many = draw_summary(model, np.full(1000, 6), np.random.default_rng(0))
    >>> BGBB().fit(many).expected_transactions(many, 5, interval=0.9).columns.tolist()
    ['transactions', 'lower', 'upper']
    """

    family: ClassVar[str] = "discrete-attrition"
    parameter_names = ("alpha", "beta", "gamma", "delta")
    alpha_: float
    beta_: float
    gamma_: float
    delta_: float

    def fit(self, rfm: pd.DataFrame | Cells, y: object = None, sample_weight: object = None) -> Self:
        """Maximum likelihood from `x`, `t_x` and `T` in occasions, one row a customer, or `n` customers a row.

        `sample_weight` (Series with the index of `rfm`, or array) says how often each row counts; `y` is accepted for
        scikit-learn and changes nothing. Raises LtvInputError for impossible rows, a fraction of an occasion or
        another time unit, and NotConvergedError rather than returning a doubtful number.
        """
        self._require_whole(rfm_cells(rfm))
        return super().fit(rfm, y, sample_weight)

    def probability_alive(
        self, rfm: pd.DataFrame | Cells, *, ahead: int = 0, interval: float | None = None
    ) -> pd.Series | pd.DataFrame:
        """Probability that each customer is there at occasion T + `ahead` (1: at the next one, as in the paper).

        `interval`: see `lifetime_value`.
        """
        self._theta()
        steps = self._horizon(ahead)

        def alive(theta: FloatArray, cells: Cells) -> FloatArray:
            _, _, gamma, delta = theta
            stays = np.exp(betaln(gamma, delta + cells.T + steps) - betaln(gamma, delta + cells.T))
            return np.asarray(self._alive(theta, cells) * stays)

        return self._answer(rfm, alive, "alive", interval, "probability")

    def probability_of_transactions(self, n: int, occasions: int) -> float:
        """P(X = n): the probability that a new customer buys at exactly n of the next `occasions`."""
        alpha, beta, gamma, delta = self._theta()
        of, k = self._horizon(occasions), self._horizon(n)
        if k > of:
            return 0.0
        last = np.arange(k, of + 1)  # the last occasion with the customer still there
        chosen = gammaln(last + 1) - gammaln(k + 1) - gammaln(last - k + 1)
        bought = chosen + betaln(alpha + k, beta + last - k) - betaln(alpha, beta)
        leaves = np.append(betaln(gamma + 1, delta + last[:-1]), betaln(gamma, delta + of)) - betaln(
            gamma, delta
        )
        return float(np.exp(logsumexp(bought + leaves)))

    def _starts(self, cells: Cells, counts: FloatArray) -> Sequence[Sequence[float]]:
        return ((1.0, 1.0, 1.0, 3.0), (0.5, 2.0, 0.5, 5.0))

    def _log_likelihood(
        self, theta: FloatArray, cells: Cells, counts: FloatArray
    ) -> tuple[float, FloatArray]:
        alpha, beta, gamma, delta = theta
        x, t_x, T = cells.x, cells.t_x, cells.T
        log, gradient = self._alive_terms(theta, cells)
        # ... or gone after occasion t_x + i, for every i before T
        for i in range(int((T - t_x).max(initial=0.0))):
            open_ = np.flatnonzero(T - t_x > i)
            x_i, t_i = x[open_], t_x[open_] + i
            term = betaln(alpha + x_i, beta + t_i - x_i) + betaln(gamma + 1, delta + t_i)
            term -= betaln(alpha, beta) + betaln(gamma, delta)
            both = np.logaddexp(log[open_], term)
            share = np.exp(term - both)
            d_all, d_left = digamma(alpha + beta + t_i), digamma(gamma + delta + t_i + 1)
            by = np.stack(
                [
                    digamma(alpha + x_i) - d_all,
                    digamma(beta + t_i - x_i) - d_all,
                    digamma(gamma + 1) - d_left,
                    digamma(delta + t_i) - d_left,
                ]
            )
            gradient[:, open_] = (1 - share) * gradient[:, open_] + share * by
            log[open_] = both
        d_all, d_left = digamma(alpha + beta), digamma(gamma + delta)
        prior = np.array(
            [digamma(alpha) - d_all, digamma(beta) - d_all, digamma(gamma) - d_left, digamma(delta) - d_left]
        )
        return dot(counts, log), np.einsum("ij,j", gradient, counts) - prior * counts.sum()

    def _alive_terms(self, theta: FloatArray, cells: Cells) -> tuple[FloatArray, FloatArray]:
        """Log-likelihood of being there at T, and its gradient without the priors' part."""
        alpha, beta, gamma, delta = theta
        x, T = cells.x, cells.T
        log = betaln(alpha + x, beta + T - x) - betaln(alpha, beta)
        log = log + betaln(gamma, delta + T) - betaln(gamma, delta)
        d_all, d_left = digamma(alpha + beta + T), digamma(gamma + delta + T)
        gradient = np.stack(
            [
                digamma(alpha + x) - d_all,
                digamma(beta + T - x) - d_all,
                digamma(gamma) - d_left,
                digamma(delta + T) - d_left,
            ]
        )
        return log, gradient

    def _alive(self, theta: FloatArray, cells: Cells) -> FloatArray:
        self._require_whole(cells)
        alive = self._alive_terms(theta, cells)[0]
        each = np.array([self._log_of_cell(theta, *c) for c in zip(cells.x, cells.t_x, cells.T, strict=True)])
        sure = cells.t_x == cells.T  # bought at the last occasion
        return np.where(sure, 1.0, np.exp(np.minimum(alive - each, 0.0))) if len(each) else alive

    @staticmethod
    def _log_of_cell(theta: FloatArray, x: float, t_x: float, T: float) -> float:
        alpha, beta, gamma, delta = theta
        last = np.arange(t_x, T + 1)
        bought = betaln(alpha + x, beta + last - x) - betaln(alpha, beta)
        leaves = np.append(betaln(gamma + 1, delta + last[:-1]), betaln(gamma, delta + T)) - betaln(
            gamma, delta
        )
        return float(logsumexp(bought + leaves))

    def _expected_if_alive(self, theta: FloatArray, cells: Cells, horizon: float) -> FloatArray:
        return self._sum_ahead(theta, cells, horizon, 0.0)

    def _present(self, theta: FloatArray, cells: Cells, horizon: float, force: float) -> FloatArray:
        return self._sum_ahead(theta, cells, horizon, force) * self._alive(theta, cells)

    def _sum_ahead(self, theta: FloatArray, cells: Cells, horizon: float, force: float) -> FloatArray:
        """Discounted purchases at the next occasions of who is there at T."""
        alpha, beta, gamma, delta = theta
        x, T = cells.age.x, cells.age.t
        total = expected_renewals(gamma, delta + T, horizon, force)
        return np.asarray((total * (alpha + x) / (alpha + beta + T))[cells.age.of_cell])

    def _draw_if_alive(
        self,
        theta: FloatArray,
        x: FloatArray,
        t_x: FloatArray,
        T: FloatArray,
        horizon: float,
        rng: np.random.Generator,
    ) -> FloatArray:
        alpha, beta, gamma, delta = theta
        leaving = rng.beta(gamma, delta + T)
        there = np.minimum(rng.geometric(np.maximum(leaving, 1e-18)) - 1, int(horizon))
        there = np.where(leaving > 1e-18, there, int(horizon))
        return rng.binomial(there, rng.beta(alpha + x, beta + T - x)).astype(np.float64)

    def _horizon(self, horizon: object) -> float:
        h = super()._horizon(horizon)
        if np.isfinite(h) and h != np.rint(h):
            raise LtvInputError(f"{h:g} is no whole number of occasions", todo="give a count of occasions")
        return h

    @staticmethod
    def _require_whole(cells: Cells) -> None:
        index = pd.RangeIndex(len(cells))
        for name in ("t_x", "T"):
            values = getattr(cells, name)
            refuse(
                values != np.rint(values), index, f"{name} is no whole number", "count occasions, not time"
            )
        refuse(cells.x > cells.t_x, index, "x is larger than t_x", "at most one purchase at an occasion")
