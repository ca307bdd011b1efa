"""What methods share that learn from labels: targets, horizons, scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from scipy.special import xlogy

from nbdataops.ltv.attrition.discounting import require_discount_rate
from nbdataops.ltv.columns import (
    FloatArray,
    LtvInputError,
    numbers,
    require_columns,
    require_number,
    to_floats,
)
from nbdataops.ltv.time_units import to_horizon

Scale: TypeAlias = Literal["refuse", "linear"]


@dataclass(frozen=True, slots=True)
class Labels:
    """What followed an origin: `value`, and `transactions` where they were given."""

    value: FloatArray
    transactions: FloatArray | None


def read_labels(y: object, index: pd.Index) -> Labels:
    """Labels of the rows of `index`: a DataFrame with `value` (and `transactions`), or values alone.

    Raises LtvInputError for another index, for negative and missing values, and for labels that are all zero.
    """
    if y is None:
        raise LtvInputError(
            "labels are missing",
            todo="give y: a DataFrame with value and transactions, e.g. of training_set(...)",
        )
    if isinstance(y, pd.DataFrame | pd.Series) and not y.index.equals(index):
        raise LtvInputError(
            "labels have another index than the features", todo="give y.reindex(rfm.index), row by row"
        )
    if isinstance(y, pd.DataFrame):
        require_columns(y, ("value",), "labels")
        transactions = numbers(y, "transactions") if "transactions" in y.columns else None
        value = numbers(y, "value")
    else:
        value, transactions = to_floats(y, "labels"), None
        if not (np.isfinite(value).all() and (value >= 0).all()):
            raise LtvInputError(
                "labels are missing, infinite or negative", todo="0 means that nothing was bought"
            )
    if value.shape != (len(index),):
        raise LtvInputError(f"{value.size} labels for {len(index)} rows", todo="one label for every row")
    if not value.any():
        raise LtvInputError("all labels are zero", todo="take a longer train_horizon: nothing can be learned")
    return Labels(value, transactions)


def carried_to(
    horizon: object, train_horizon: object, scale: str, time_unit: str | None, rate: object
) -> float:
    """What a prediction over `train_horizon` is multiplied with for `horizon`, discounted at `rate` per time unit.

    Another horizon is an error unless `scale` is "linear": the labels say nothing about it.
    """
    if scale not in ("refuse", "linear"):
        raise LtvInputError(f"scale is {scale!r}", todo='give "refuse" or "linear"')
    todo = "give the length of the label window in time units, e.g. 13 for 13 weeks"
    covered = require_number(train_horizon, "train_horizon", todo)
    if covered <= 0:
        raise LtvInputError(f"train_horizon is {covered:g}", todo=todo)
    h = to_horizon(horizon, time_unit)
    if scale == "refuse" and abs(h - covered) > 1e-9 * covered:
        raise LtvInputError(
            f"the labels cover {covered:g} time units, the horizon is {h:g}",
            todo='train on labels of that horizon, or declare scale="linear": the horizon is like its beginning',
        )
    if not np.isfinite(h):
        raise LtvInputError("horizon is infinite", todo="give a finite horizon")
    force = require_discount_rate(rate)
    length = -np.expm1(-force * h) / force if force else h
    return float(length / covered)


def explained_deviance(actual: FloatArray, predicted: FloatArray, w: FloatArray) -> float:
    """Share of the Poisson deviance that a prediction of means explains: 1 is perfect, 0 as good as the mean.

    A proper score for expectations of what is never negative; it does not ask for Poisson data.
    """

    def deviance(mean: FloatArray) -> float:
        return float((w * (xlogy(actual, actual / np.maximum(mean, 1e-300)) - actual + mean)).sum())

    overall = np.full(len(actual), np.average(actual, weights=w))
    worst = deviance(overall)
    return 1 - deviance(predicted) / worst if worst > 0 else 0.0
