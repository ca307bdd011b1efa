"""The verbs of a method that predicts the label window and carries it to a horizon."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import (
    FloatArray,
    LtvInputError,
    numbers,
    require_frame,
    require_number,
    require_rows,
    row_weights,
)
from nbdataops.ltv.fit.refitted import Refitted
from nbdataops.ltv.supervised.features import least_age
from nbdataops.ltv.supervised.labels import Labels, Scale, carried_to, explained_deviance, read_labels
from nbdataops.ltv.time_units import TimeUnit, unit_of


class LabelledMethod(Refitted, ABC):
    """Base of the methods that are trained on summaries of earlier origins and what followed there."""

    family: ClassVar[str] = "supervised"
    train_horizon: float
    scale: Scale
    time_unit: TimeUnit | None
    time_unit_: TimeUnit | None
    least_age_: float

    def fit(self, rfm: pd.DataFrame, y: Any = None, sample_weight: object = None) -> Self:
        """Learn from summaries at earlier origins and what followed within `train_horizon`.

        `rfm`: the columns of `rfm_summary` at the origin of each row, times in time units. `y`: a DataFrame with
        `value` and `transactions`, or values alone, aligned with `rfm`. `training_set` makes both: `fit(past,
        past[["transactions", "value"]])`.
        `sample_weight`, or a column `n`: how many customers a row stands for, each with the labels of the row.
        Raises LtvInputError for missing or negative labels, and where nothing was bought at all.
        """
        frame = require_frame(rfm)
        require_rows(frame.index, "rfm")
        carried_to(self.train_horizon, self.train_horizon, self.scale, None, 0.0)
        self.time_unit_ = unit_of(frame, self.time_unit)
        labels = read_labels(y, frame.index)
        w = row_weights(sample_weight, count_of_rows(frame), frame.index)
        self.least_age_ = least_age(frame, np.ones(len(frame)) if w is None else w)
        prepared = self._prepare(frame)
        self._fit_all(
            lambda model, drawn: model._fit_once(
                prepared, labels, np.ones(len(frame)) if drawn is None else drawn
            ),
            len(frame),
            w,
        )
        self._has_transactions = labels.transactions is not None
        return self

    def predict(self, rfm: pd.DataFrame) -> FloatArray:
        """Expected value over `train_horizon`, as scikit-learn asks for it."""
        return np.asarray(self.lifetime_value(rfm, self.train_horizon), dtype=np.float64)

    def expected_transactions(
        self, rfm: pd.DataFrame, horizon: object, *, interval: float | None = None
    ) -> pd.Series | pd.DataFrame:
        """Expected transactions of each customer in the `horizon` (time units or a timedelta). `interval` needs `refits`.

        Raises LtvInputError if the labels held no transactions, or for another horizon without `scale="linear"`.
        """
        self._require_fit("_has_transactions")
        if not self._has_transactions:
            raise LtvInputError(
                "the labels held no transactions", todo="fit with a DataFrame of value and transactions"
            )
        return self._predicted(rfm, horizon, "transactions", 0.0, interval)

    def lifetime_value(
        self,
        rfm: pd.DataFrame,
        horizon: object,
        *,
        discount_rate: float = 0.0,
        interval: float | None = None,
    ) -> pd.Series | pd.DataFrame:
        """Expected value of each customer in the `horizon`, evenly spread over it.

        `horizon`: time units or a timedelta. `discount_rate`: effective rate per time unit. `interval`, a level such
        as 0.9, adds `lower` and `upper` from the `refits` that the method was made with.
        Raises LtvInputError for another horizon than `train_horizon` unless `scale="linear"` was declared, which
        means: the horizon is like its beginning, over and over.
        """
        self._require_fit("_has_transactions")
        return self._predicted(rfm, horizon, "value", discount_rate, interval)

    def score(self, rfm: pd.DataFrame, y: Any = None, sample_weight: object = None) -> float:
        """Share of the Poisson deviance of the value that is explained: 1 perfect, 0 as good as the overall mean.

        `y` and `sample_weight` as in `fit`.
        """
        self._require_fit("_has_transactions")
        frame = require_frame(rfm)
        labels = read_labels(y, frame.index)
        w = row_weights(sample_weight, count_of_rows(frame), frame.index)
        w = np.ones(len(frame)) if w is None else w
        return explained_deviance(labels.value, self.predict(frame), w)

    def _predicted(
        self, rfm: pd.DataFrame, horizon: object, name: str, discount_rate: object, interval: float | None
    ) -> pd.Series | pd.DataFrame:
        frame = require_frame(rfm)
        unit_of(frame, self.time_unit_)
        factor = carried_to(horizon, self.train_horizon, self.scale, self.time_unit_, discount_rate)
        prepared = self._prepare(frame)

        def predict(model: Self) -> pd.Series:
            return pd.Series(factor * model._expected(prepared, name), index=frame.index, name=name)

        return self._answer(predict, interval)

    @abstractmethod
    def _prepare(self, frame: pd.DataFrame) -> Any:
        """Features, checked; the same for all refits."""

    @abstractmethod
    def _fit_once(self, prepared: Any, labels: Labels, w: FloatArray) -> None:
        """Fit under these weights."""

    @abstractmethod
    def _expected(self, prepared: Any, name: str) -> FloatArray:
        """Expected `value` or `transactions` over the label window, by row."""


def count_of_rows(frame: pd.DataFrame) -> FloatArray | None:
    """How many customers each row stands for; None if one each."""
    return numbers(frame, "n") if "n" in frame.columns else None


def require_whole(value: object, name: str, least: int) -> None:
    """A parameter that counts something: a whole number, `least` or more."""
    todo = f"give a whole number, {least} or more"
    if require_number(value, name, todo, least=least) % 1:
        raise LtvInputError(f"{name} is {value}", todo=todo)
