"""Gamma-Gamma: the mean value of a customer's transactions, seen through few of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Self, overload

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import (
    LARGEST,
    FloatArray,
    IntArray,
    LtvInputError,
    counts,
    numbers,
    require_columns,
    require_frame,
    require_rows,
    row_weights,
    to_floats,
    whole_numbers,
)
from nbdataops.ltv.fit.intervals import standard_deviation, with_interval
from nbdataops.ltv.fit.likelihood_model import LikelihoodModel, Uncertainty
from nbdataops.ltv.spend.spend_model import draw_next_values
from nbdataops.ltv.spend.value_sums import ValueSums, log_likelihood, value_sums
from nbdataops.ltv.time_units import unit_of

SMALLEST_DRAW = 1e-150
"""A gamma variable of a tiny shape is often smaller than any double: what it divides stays one."""


class GammaGamma(LikelihoodModel):
    """Gamma-Gamma model of the value of a transaction.

    Family: latent attrition (its spend part; it shares no likelihood with the count model but is used only with one).
    Assumes: values of one customer's transactions are Gamma(p, nu) with an own scale nu, Gamma(q, gamma) over
    customers; **value is independent of frequency**, which fails on many real logs: look at the correlation of x and
    spend among repeaters first.
    Source: Fader and Hardie 2013, The Gamma-Gamma model of monetary value, note 025 at brucehardie.com; after Colombo
    and Jiang 1999.

    `time_unit`: of the summaries, recorded only: money knows no time. `warm_start`: a second `fit` starts at the
    solution of the first.
    Fitted attributes: `p_`, `q_`, `gamma_` (money), `fit_result_`, `time_unit_`; `n_repeaters_`, the customers in the
    likelihood (rows, whatever their weight), and `n_zero_spend_`, repeaters left out of it since all their
    transactions were worth nothing, which a gamma distribution cannot produce. They are predicted by the formula like
    anybody else.

    >>> model = GammaGamma.with_parameters(p=6.25, q=3.74, gamma=15.44)
    >>> known = pd.DataFrame({"x": [2, 0], "spend": [22.35, 0.0]})
    >>> model.expected_spend(known).round(2).tolist()
    [24.66, 35.22]
    >>> from nbdataops.ltv.simulate import draw_spend
    >>> rng = np.random.default_rng(0)
    >>> x = rng.integers(0, 6, 1000)
    >>> rfm = draw_spend(model, x, rng).assign(x=x)  # or rfm_summary(log, as_of)
    >>> GammaGamma().fit(rfm).expected_spend(known, interval=0.9).columns.tolist()
    ['spend', 'lower', 'upper']
    """

    family: ClassVar[str] = "latent-attrition"
    parameter_names: ClassVar[tuple[str, ...]] = ("p", "q", "gamma")
    p_: float
    q_: float
    gamma_: float
    n_repeaters_: int
    n_zero_spend_: int

    def fit(self, rfm: pd.DataFrame, y: object = None, sample_weight: object = None) -> Self:
        """Maximum likelihood from the columns `x` and `spend` (mean value of a repeat transaction).

        Customers without a repeat transaction carry no information and are skipped. `spend` is money, in the one
        currency that predictions come in. `sample_weight` (Series with the index of `rfm`, or array), or a column
        `n`: how many customers a row stands for; `y` is accepted for scikit-learn and changes nothing. Raises
        LtvInputError when no repeater with a positive spend is left.
        """
        frame, rows, spend = _repeaters(rfm)
        unit = unit_of(frame, self.time_unit)
        data = _value_sums(frame, rows, spend, sample_weight)
        if not data.total:
            raise LtvInputError(
                "no customer has a repeat transaction of positive value",
                todo="fit on customers with x > 0 and spend > 0",
            )
        self._fit_likelihood(partial(log_likelihood, data=data), _starts(data), data.total)
        self.n_repeaters_ = int(np.count_nonzero(spend))
        self.n_zero_spend_ = len(rows) - self.n_repeaters_
        self.time_unit_ = unit
        return self

    @overload
    def expected_spend(self, rfm: pd.DataFrame, *, interval: None = None) -> pd.Series: ...

    @overload
    def expected_spend(self, rfm: pd.DataFrame, *, interval: float) -> pd.DataFrame: ...

    def expected_spend(self, rfm: pd.DataFrame, *, interval: float | None = None) -> pd.Series | pd.DataFrame:
        """Expected value of a customer's next transaction, in currency: between its own mean and the population's.

        The population mean where x == 0; it exists only if q > 1, otherwise such a row is an error. `interval`: a
        level such as 0.9 returns a DataFrame with `lower` and `upper` beside it, from the uncertainty of the
        parameters; NaN where the data do not identify them.
        """
        theta = self._theta()
        frame, x, spend = _columns(rfm)
        below = self.p_ * x + self.q_ - 1
        if (below <= 0).any():
            raise LtvInputError(
                f"the population mean is infinite: q = {self.q_:.3f}",
                todo="predict customers with x > 0 only, or cap extreme values of spend before the fit",
            )
        value = _expected(theta, x, spend)
        if interval is None:
            return pd.Series(value, index=frame.index, name="spend")
        return with_interval(value, self.spend_deviation(frame), interval, frame.index, "spend")

    def spend_deviation(self, rfm: pd.DataFrame) -> FloatArray:
        """Standard deviation of the logarithm of `expected_spend`, by customer; NaN where not identified."""
        result = self._result()
        _, x, spend = _columns(rfm)
        return standard_deviation(lambda theta: _expected(theta, x, spend), result)

    def draw_totals(
        self,
        rfm: pd.DataFrame,
        transactions: FloatArray,
        rng: np.random.Generator,
        parameters: Uncertainty = "drawn",
    ) -> FloatArray:
        """One posterior-predictive draw of the total value of so many `transactions`, one number a customer of `rfm`."""
        _, x, spend = _columns(rfm)
        p, q, gamma = self._draw_theta(rng, parameters)
        scale = (gamma + x * spend) / np.maximum(rng.gamma(p * x + q), SMALLEST_DRAW)
        some = transactions > 0
        return np.where(some, rng.gamma(p * np.where(some, transactions, 1.0)) * scale, 0.0)

    def sample(
        self, rfm: pd.DataFrame, *, draws: int = 100, seed: int = 0, parameters: Uncertainty = "drawn"
    ) -> pd.DataFrame:
        """Posterior-predictive draws of the value of each customer's next transaction, in the currency of `spend`.

        One row a customer, one column a draw; parameters as uncertain as the fit leaves them ("drawn") or as they are
        ("fitted"). The same seed gives the same draws. Raises LtvInputError where the fit cannot draw its parameters.
        """
        return draw_next_values(self, rfm, draws, seed, parameters)

    @property
    def population_mean_(self) -> float:
        """Mean value of a transaction over all customers: p gamma / (q - 1), infinite for q <= 1."""
        self._require_fit("p_")
        return self.p_ * self.gamma_ / (self.q_ - 1) if self.q_ > 1 else float("inf")

    def score(self, rfm: pd.DataFrame, y: object = None, sample_weight: object = None) -> float:
        """Mean log-likelihood of a repeater with a positive spend. `sample_weight` as in `fit`; `y` changes nothing."""
        theta = self._theta()
        data = _value_sums(*_repeaters(rfm), sample_weight)
        if not data.total:
            raise LtvInputError(
                "no repeater with a positive spend to score", todo="score customers with x > 0"
            )
        return log_likelihood(theta, data)[0] / data.total


def _columns(rfm: object) -> tuple[pd.DataFrame, FloatArray, FloatArray]:
    """The frame, x and spend, checked; spend may be missing where x == 0, since there it means nothing."""
    frame = require_frame(rfm)
    require_columns(frame, ("x", "spend"))
    require_rows(frame.index, "rfm")
    x = counts(frame, "x")
    values = to_floats(frame["spend"], "spend")
    if not (values.min() >= 0 and values.max() <= LARGEST):
        values = numbers(frame[["spend"]].where(x[:, None] > 0, 0), "spend")
    return frame, x, values


def _repeaters(rfm: object) -> tuple[pd.DataFrame, IntArray, FloatArray]:
    """The frame, the rows where x > 0, and their spend, checked."""
    frame = require_frame(rfm)
    require_columns(frame, ("x", "spend"))
    require_rows(frame.index, "rfm")
    rows = np.flatnonzero(whole_numbers(frame, "x") > 0)
    spend = to_floats(frame["spend"], "spend").take(rows)
    if not (spend.min(initial=0.0) >= 0 and spend.max(initial=0.0) <= LARGEST):
        numbers(frame.iloc[rows], "spend")  # an error that names the rows
    return frame, rows, spend


def _value_sums(frame: pd.DataFrame, rows: IntArray, spend: FloatArray, sample_weight: object) -> ValueSums:
    """The sums of the repeaters who paid something."""
    w = row_weights(sample_weight, _n(frame), frame.index)
    if not spend.all():
        paid = np.flatnonzero(spend)
        rows, spend = rows[paid], spend[paid]
    x = whole_numbers(frame, "x").take(rows).astype(np.float64)
    return value_sums(x, spend, None if w is None else w.take(rows))


def _n(frame: pd.DataFrame) -> FloatArray | None:
    return numbers(frame, "n") if "n" in frame.columns else None


def _expected(theta: FloatArray, x: FloatArray, spend: FloatArray) -> FloatArray:
    p, q, gamma = theta
    below = p * x + q - 1
    exists = below > 0
    return np.where(exists, p * (gamma + x * spend) / np.where(exists, below, 1.0), np.inf)


def _starts(data: ValueSums) -> Sequence[Sequence[float]]:
    return ((5.0, 4.0, 0.4 * data.mean_spend), (1.5, 2.0, data.mean_spend))
