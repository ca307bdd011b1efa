"""Naive baselines: what was, once more. No method is worth its notebook that does not beat them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import (
    FloatArray,
    LtvInputError,
    counts,
    numbers,
    require_columns,
    require_frame,
    require_number,
    require_rows,
    row_weights,
    to_floats,
    weights,
)
from nbdataops.ltv.empirical.period_discount import discounted_in_steps
from nbdataops.ltv.estimator import Estimator
from nbdataops.ltv.fit.fit_result import two_sided
from nbdataops.ltv.fit.refitted import Refitted
from nbdataops.ltv.time_units import RECENT, TimeUnit, to_horizon, unit_of


class _Naive(Estimator, ABC):
    """A rate of transactions and of value per customer, carried on unchanged."""

    family: ClassVar[str] = "naive"
    time_unit_: TimeUnit | None

    def expected_transactions(
        self, rfm: pd.DataFrame, horizon: object, *, interval: float | None = None
    ) -> pd.Series | pd.DataFrame:
        """Expected transactions in the `horizon` (time units or a timedelta). `interval`: see `lifetime_value`."""
        return self._carried_on(rfm, horizon, 0, "transactions", 0.0, interval)

    def lifetime_value(
        self,
        rfm: pd.DataFrame,
        horizon: object,
        *,
        discount_rate: float = 0.0,
        interval: float | None = None,
    ) -> pd.Series | pd.DataFrame:
        """Expected value in the `horizon`, evenly spread over it.

        `horizon`: time units or a timedelta. `discount_rate`: effective rate per time unit.
        `interval`, a level such as 0.9, adds `lower` and `upper`: by the uncertainty of what the rule has learned
        from others, which is nothing at all for `LastPeriod` (both ends are NaN).
        """
        return self._carried_on(rfm, horizon, 1, "value", discount_rate, interval)

    @abstractmethod
    def _rates(self, frame: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
        """Transactions and value per time unit of each customer."""

    @abstractmethod
    def _answer(
        self, predict: Callable[[Any], pd.Series], interval: float | None
    ) -> pd.Series | pd.DataFrame:
        """What the rule says, with its interval."""

    def _carried_on(
        self,
        rfm: pd.DataFrame,
        horizon: object,
        which: int,
        name: str,
        discount_rate: float,
        interval: float | None,
    ) -> pd.Series | pd.DataFrame:
        self._require_fit("time_unit_")
        frame = require_frame(rfm)
        unit_of(frame, self.time_unit_)
        h = to_horizon(horizon, self.time_unit_)
        if not np.isfinite(h):
            raise LtvInputError("horizon is infinite", todo="a rate that never falls needs a finite horizon")

        def predict(rule: _Naive) -> pd.Series:
            rate = rule._rates(frame)[which]
            value = discounted_in_steps(lambda t: rate * t, h, discount_rate)
            return pd.Series(value, index=frame.index, name=name)

        return self._answer(predict, interval)


class LastPeriod(_Naive):
    """The last period once more: value in the horizon = recent value * horizon / window.

    Family: naive. A rule that a shopkeeper applies with a pencil. Assumes: everybody goes on exactly as in the last
    `window` time units; nobody leaves, nobody comes back. Needs the columns `recent_transactions` and `recent_value`,
    which `rfm_summary(..., recent=window)` makes; another length is an error. An interval has no ends (NaN): a pencil knows no uncertainty.
    It has no `score`: labels do not say which horizon they cover. Give cross-validation a `scoring`, a function of
    the fitted rule, rfm and y that compares y with `lifetime_value(rfm, horizon)`.

    `time_unit`: "day", "week", "month" or "year", of the summaries and of every horizon; None takes what the data
    carry.
    Fitted attribute: `time_unit_`.

    >>> rfm = pd.DataFrame({"recent_transactions": [2, 0], "recent_value": [26.0, 0.0]})
    >>> LastPeriod(window=13).fit(rfm).lifetime_value(rfm, horizon=39).tolist()
    [78.0, 0.0]
    """

    def __init__(self, *, window: float = 13.0, time_unit: TimeUnit | None = None) -> None:
        self.window = window
        self.time_unit = time_unit

    def fit(self, rfm: pd.DataFrame, y: Any = None, sample_weight: object = None) -> Self:
        """Check the columns and the unit; there is nothing to learn (`y` and `sample_weight` change nothing).

        Raises LtvInputError for a missing column and another time unit.
        """
        if require_number(self.window, "window", "give the length that `recent` had") <= 0:
            raise LtvInputError(f"window is {self.window}", todo="give the length that `recent` had")
        frame = require_frame(rfm)
        self._rates(frame)
        weights(sample_weight, frame.index)
        self.time_unit_ = unit_of(frame, self.time_unit)
        return self

    def _answer(
        self, predict: Callable[[Any], pd.Series], interval: float | None
    ) -> pd.Series | pd.DataFrame:
        value = predict(self)
        if interval is None:
            return value
        two_sided(interval)
        return pd.DataFrame({str(value.name): value, "lower": np.nan, "upper": np.nan}, index=value.index)

    def _rates(self, frame: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
        require_columns(frame, ("recent_transactions", "recent_value"))
        carried = frame.attrs.get(RECENT, self.window)
        if carried != self.window:
            raise LtvInputError(
                f"the columns recent_... reach back {carried:g} time units, window is {self.window:g}",
                todo=f"make it with window={carried:g}, or the summary with recent={self.window:g}",
            )
        require_rows(frame.index, "rfm")
        value = to_floats(frame["recent_value"], "recent_value")
        if not np.isfinite(value).all():
            raise LtvInputError("recent_value is missing or infinite", todo="0 means nothing was bought")
        return numbers(frame, "recent_transactions") / self.window, value / self.window


class PastRate(Refitted, _Naive):
    """The past rate carried on: repeat transactions so far per time, each worth the mean spend.

    Family: naive. Assumes: nobody ever leaves and rates do not change. A customer of age near zero has no rate of its
    own, so `prior` time units at the population's rate are added to everybody's history: (x + prior * rate) /
    (T + prior). Repeat spend is the customer's own mean, the population's where there was no repeat purchase.
    Needs `x`, `T` and `spend`. Intervals come from `refits` fits to resampled customers: by the uncertainty of the
    population's rate and spend, a customer's own history taken as it is; `seed`: of the resampling.
    It has no `score`: labels do not say which horizon they cover. Give cross-validation a `scoring`, a function of
    the fitted rule, rfm and y that compares y with `lifetime_value(rfm, horizon)`.

    `time_unit`: "day", "week", "month" or "year", of the summaries and of every horizon; None takes what the data
    carry.
    Fitted attributes: `rate_` (repeat transactions per customer and time unit), `spend_` (mean of a repeat
    transaction), `time_unit_`, `refits_` (the fits to resampled customers).

    >>> rfm = pd.DataFrame({"x": [4, 0], "t_x": [20.0, 0.0], "T": [20.0, 20.0], "spend": [10.0, 0.0]})
    >>> PastRate(prior=0.0).fit(rfm).expected_transactions(rfm, horizon=10).tolist()
    [2.0, 0.0]
    """

    rate_: float
    spend_: float

    def __init__(
        self,
        *,
        prior: float = 4.0,
        refits: int = 0,
        seed: int = 0,
        time_unit: TimeUnit | None = None,
    ) -> None:
        self.prior = prior
        self.refits = refits
        self.seed = seed
        self.time_unit = time_unit

    def fit(self, rfm: pd.DataFrame, y: Any = None, sample_weight: object = None) -> Self:
        """Learn the population's rate per time unit and mean spend.

        `sample_weight`, or a column `n`: how many customers a row stands for; `y` is accepted for scikit-learn and
        changes nothing. Raises LtvInputError for a column that is missing or cannot be.
        """
        require_number(self.prior, "prior", "give time units of shared history, 0 or more", least=0)
        frame = require_frame(rfm)
        x, T, spend = _history(frame)
        n = numbers(frame, "n") if "n" in frame.columns else None
        w = row_weights(sample_weight, n, frame.index)
        self._fit_all(lambda rule, drawn: rule._fit_once(x, T, spend, drawn), len(x), w)
        self.time_unit_ = unit_of(frame, self.time_unit)
        return self

    def _fit_once(self, x: FloatArray, T: FloatArray, spend: FloatArray, w: FloatArray | None) -> None:
        w = np.ones(len(x)) if w is None else w
        time, bought = float((w * T).sum()), float((w * x).sum())
        self.rate_ = bought / time if time else 0.0
        self.spend_ = float((w * x * spend).sum()) / bought if bought else 0.0

    def _rates(self, frame: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
        x, T, spend = _history(frame)
        time = T + self.prior
        rate = np.where(time > 0, (x + self.prior * self.rate_) / np.where(time > 0, time, 1.0), self.rate_)
        return rate, rate * np.where(x > 0, spend, self.spend_)


def _history(frame: pd.DataFrame) -> tuple[FloatArray, FloatArray, FloatArray]:
    require_columns(frame, ("x", "T", "spend"))
    require_rows(frame.index, "rfm")
    x = counts(frame, "x")
    spend = numbers(frame[["spend"]].where(x[:, None] > 0, 0), "spend")
    return x, numbers(frame, "T"), spend
