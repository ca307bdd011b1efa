"""BG/BB: purchases at fixed occasions, such as a yearly donation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import gammaln, logsumexp

from nbdataops.ltv.attrition.latent_attrition import LatentAttrition
from nbdataops.ltv.columns import FloatArray, LtvInputError, refuse
from nbdataops.ltv.contractual.expected_renewals import expected_renewals
from nbdataops.ltv.fit.cells import Cells, rfm_cells
from nbdataops.ltv.fit.rising import digamma_gap, log_beta_ratio, log_rising
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
        another time unit, and NotConvergedError rather than returning a doubtful number. A frame that lost its unit on
        the way (`groupby`, `merge`) is taken to be in the model's: set `frame.attrs["time_unit"]`.
        """
        return super().fit(_require_whole(rfm_cells(rfm)), y, sample_weight)

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
            stays = log_rising(delta + cells.T, steps) - log_rising(gamma + delta + cells.T, steps)
            return np.asarray(self._alive(theta, cells) * np.exp(stays))

        return self._answer(rfm, alive, "alive", interval, "probability")

    def probability_of_transactions(self, n: int, occasions: int) -> float:
        """P(X = n): the probability that a new customer buys at exactly n of the next `occasions`."""
        alpha, beta, gamma, delta = self._theta()
        of, k = self._finite(self._horizon(occasions)), self._finite(self._horizon(n))
        if k > of:
            return 0.0
        last = np.arange(k, of + 1)  # the last occasion with the customer still there
        chosen = gammaln(last + 1) - gammaln(k + 1) - gammaln(last - k + 1)
        bought = chosen + log_beta_ratio(alpha, beta, last - k, k)
        leaves = log_beta_ratio(gamma, delta, last, np.append(np.ones(len(last) - 1), 0.0))
        return float(np.exp(logsumexp(bought + leaves)))

    def _starts(self, cells: Cells, counts: FloatArray) -> Sequence[Sequence[float]]:
        return ((1.0, 1.0, 1.0, 3.0), (0.5, 2.0, 0.5, 5.0))

    def _log_likelihood(
        self, theta: FloatArray, cells: Cells, counts: FloatArray
    ) -> tuple[float, FloatArray]:
        _, log, gradient = _over_states(theta, cells)
        return dot(counts, log), np.einsum("ij,j", gradient, counts)

    def _alive(self, theta: FloatArray, cells: Cells) -> FloatArray:
        alive, log, _ = _over_states(theta, cells)
        return np.exp(np.minimum(alive - log, 0.0))

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

    def _cells(self, rfm: pd.DataFrame | Cells) -> Cells:
        return _require_whole(super()._cells(rfm))


def _require_whole(cells: Cells) -> Cells:
    x, t_x, T = (column[cells.of_customer] for column in (cells.x, cells.t_x, cells.T))
    for name, values in (("t_x", t_x), ("T", T)):
        refuse(
            values != np.rint(values), cells.index, f"{name} is no whole number", "count occasions, not time"
        )
    refuse(x > t_x, cells.index, "x is larger than t_x", "at most one purchase at an occasion")
    return cells


def _over_states(theta: FloatArray, cells: Cells) -> tuple[FloatArray, FloatArray, FloatArray]:
    """By cell: log-likelihood with the customer there at T, and over all states, with the gradient of the latter.

    A state is the last occasion at which the customer was still there; each follows from the one before by a ratio.
    """
    alpha, beta, gamma, delta = theta
    x, t_x, T = cells.x, cells.t_x, cells.T
    alive, gradient = _state(theta, x, T, gone=0.0)
    log = alive.copy()
    term, slope = _state(theta, x, t_x, gone=1.0)
    for i in range(int((T - t_x).max(initial=0.0))):
        open_ = np.flatnonzero(T - t_x > i)
        both = np.logaddexp(log[open_], term[open_])
        gradient[:, open_] += np.exp(term[open_] - both) * (slope[:, open_] - gradient[:, open_])
        log[open_] = both
        t = t_x[open_] + i
        silent, asked, stayed, either = (
            beta + t - x[open_],
            alpha + beta + t,
            delta + t,
            gamma + delta + t + 1,
        )
        term[open_] += np.log(silent / asked) + np.log(stayed / either)
        slope[:, open_] += np.stack(
            [-1 / asked, 1 / silent - 1 / asked, -1 / either, 1 / stayed - 1 / either]
        )
    return alive, log, gradient


def _state(theta: FloatArray, x: FloatArray, last: FloatArray, gone: float) -> tuple[FloatArray, FloatArray]:
    """Log-likelihood of being there at `last` occasions, buying at x of them (and then leaving: gone = 1); gradient."""
    alpha, beta, gamma, delta = theta
    log = log_beta_ratio(alpha, beta, last - x, x) + log_beta_ratio(gamma, delta, last, gone)
    asked, either = digamma_gap(alpha + beta, last), digamma_gap(gamma + delta, last + gone)
    return log, np.stack(
        [
            digamma_gap(alpha, x) - asked,
            digamma_gap(beta, last - x) - asked,
            digamma_gap(gamma, np.full(len(x), gone)) - either,
            digamma_gap(delta, last) - either,
        ]
    )
