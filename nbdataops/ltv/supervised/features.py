"""What a customer looks like, in terms that mean the same at every date.

Whatever grows with age (age itself, counts, totals) means something else a year later, and models trained on labels of
an earlier date would meet values that they have never seen. So counts become rates, and dates become silences. What a
time or an amount is compared with comes from the training rows, so neither the time unit nor the currency matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import (
    FloatArray,
    LtvInputError,
    counts,
    numbers,
    refuse,
    require_columns,
    require_frame,
    require_rows,
)

LABELS = ("transactions", "value", "origin")
"""Columns of a training set that are no features."""
DERIVED = ("rate", "silence", "spend")
LINEAR = ("log_rate", "log_silence", "log_spend", "repeats")
MOST_CATEGORIES = 255
"""How many categories of one covariate scikit-learn's trees can split on."""
LEAST_AGE = 0.02
"""What share of the mean age a customer's age is counted as at least: a purchase on the second day is no daily habit.
Half a week in half a year."""


@dataclass(frozen=True, slots=True)
class Typical:
    """What counts as 1 on the log scale: the training rows' mean `rate`, mean `silence`, and `spend` of a repeater."""

    rate: float
    silence: float
    spend: float

    @classmethod
    def of(cls, features: pd.DataFrame, w: FloatArray) -> Typical:
        """Means of the features that `behaviour` makes, under the weights `w` of the rows; 1 where there is nothing."""
        rate, silence, spend = (features[name].to_numpy() for name in DERIVED)
        return cls(_mean_or_one(rate, w), _mean_or_one(silence, w), _mean_or_one(spend, w * (spend > 0)))


def least_age(rfm: object, w: FloatArray) -> float:
    """The age that younger customers are counted as, in time units of `rfm`: a share of the mean age under `w`."""
    frame = require_frame(rfm)
    require_columns(frame, ("T",))
    require_rows(frame.index, "rfm")
    return LEAST_AGE * _mean_or_one(numbers(frame, "T"), w)


def behaviour(rfm: object, least_age: float, covariates: Sequence[str] = ()) -> pd.DataFrame:
    """By customer: `rate` (repeat transactions per time unit, age counted as `least_age` at least), `silence` (time
    since the last transaction), `spend` (0 where there was no repeat one), and the covariates as they are.

    Raises LtvInputError for a covariate that is missing, that is a label, or that bears the name of a feature.
    """
    frame = require_frame(rfm)
    _require_names(covariates)
    require_columns(frame, ("x", "t_x", "T", "spend", *covariates))
    require_rows(frame.index, "rfm")
    x, t_x, T = counts(frame, "x"), numbers(frame, "t_x"), numbers(frame, "T")
    refuse(
        t_x > T * (1 + 1e-9),
        frame.index,
        "t_x is later than T",
        "recency cannot exceed age: one unit for both?",
    )
    spend = numbers(frame[["spend"]].where(x[:, None] > 0, 0), "spend")
    features = pd.DataFrame(
        {"rate": x / np.maximum(T, least_age), "silence": T - np.minimum(t_x, T), "spend": spend},
        index=frame.index,
    )
    return pd.concat([features, frame[list(covariates)]], axis=1)


def on_a_log_scale(features: pd.DataFrame, typical: Typical) -> tuple[FloatArray, list[str]]:
    """A design for linear models: log1p of rate, silence and spend, whether there was a repeat transaction, covariates.

    Rate, silence and spend are in terms of the `typical` ones: log1p bends at 1, which must not depend on units.
    Covariates must be numbers there; a category is an error that says to encode it, a missing value one that says to
    fill it.
    """
    columns = {
        "log_rate": np.log1p(features["rate"] / typical.rate),
        "log_silence": np.log1p(features["silence"] / typical.silence),
        "log_spend": np.log1p(features["spend"] / typical.spend),
        "repeats": (features["rate"] > 0).astype(float),
    }
    for name in features.columns[3:]:
        if not _is_number(features[name]):
            raise LtvInputError(
                f"covariate {name!r} holds {features[name].dtype}, not numbers",
                todo="encode it first, e.g. pd.get_dummies",
            )
        values = _numeric(features[name])
        refuse(np.isnan(values), features.index, f"covariate {name!r} is missing", "fill it before the fit")
        columns[str(name)] = pd.Series(values, index=features.index)
    return np.stack([np.asarray(c, dtype=np.float64) for c in columns.values()], axis=1), list(columns)


def for_trees(features: pd.DataFrame) -> pd.DataFrame:
    """Features as trees take them: numbers with NaN for missing, text and categories as text with None for missing.

    A missing number or name is a branch of its own to a tree. Raises LtvInputError for an infinite number and for what
    is neither a number nor a name (dates, lists).
    """
    columns: dict[str, pd.Series] = {}
    for name in features.columns:
        column = features[name]
        if _is_number(column):
            columns[name] = pd.Series(_numeric(column), index=features.index)
        elif _is_name(column):
            columns[name] = column.astype(object).map(str, na_action="ignore").astype(object)
        else:
            raise LtvInputError(
                f"covariate {name!r} holds {column.dtype}, neither numbers nor names",
                todo="make a number of it that means the same at every origin, e.g. time until the origin",
            )
    return pd.DataFrame(columns, index=features.index)


def class_bounds(values: FloatArray, w: FloatArray, classes: int) -> FloatArray:
    """Bounds of classes of about equally many customers; repeated values make fewer classes. NaN is in none."""
    counting = (w > 0) & ~np.isnan(values)
    values, w = values[counting], w[counting]
    if not len(values):
        return np.zeros(0)
    order = np.argsort(values, kind="stable")
    up_to = np.cumsum(w[order])
    wanted = np.arange(1, classes) / classes * up_to[-1]
    return np.unique(values[order][np.searchsorted(up_to, wanted * (1 - 1e-12))])


def categories_of(features: pd.DataFrame) -> dict[str, pd.Index]:
    """The names that each covariate of names holds, sorted. Raises where there are more than trees can split on."""
    found = {}
    for name in features.columns:
        if not _is_number(features[name]):
            found[name] = pd.Index(features[name].dropna().unique()).sort_values()
            if len(found[name]) > MOST_CATEGORIES:
                raise LtvInputError(
                    f"covariate {name!r} has {len(found[name])} categories, trees split on {MOST_CATEGORIES} at most",
                    todo="group the rare ones, or leave it out if it names single customers",
                )
    return found


def coded(features: pd.DataFrame, categories: dict[str, pd.Index]) -> FloatArray:
    """Features as numbers: names by their place among the categories, NaN where missing or not among them.

    Raises LtvInputError for numbers where there are categories, and for names where there are none.
    """
    columns = []
    for name in features.columns:
        column = features[name]
        if _is_number(column) == (name in categories):
            then, now = ("names", "numbers") if name in categories else ("numbers", "names")
            raise LtvInputError(
                f"covariate {name!r} holds {now}, and held {then} at the fit",
                todo="prepare both tables in the same way",
            )
        if name in categories:
            code = categories[name].get_indexer(pd.Index(column))
            columns.append(np.where(code < 0, np.nan, code))
        else:
            columns.append(column.to_numpy(dtype=np.float64))
    return np.stack(columns, axis=1)


def without_empty_columns(design: FloatArray) -> FloatArray:
    """What trees are fitted to: a column that is missing in every row, which they cannot bin, is 0 instead."""
    return np.where(np.isnan(design).all(axis=0), 0.0, design)


def _mean_or_one(values: FloatArray, w: FloatArray) -> float:
    total = float(w.sum())
    mean = float(w @ values) / total if total > 0 else 0.0
    return mean if mean > 0 else 1.0


def _require_names(covariates: Sequence[str]) -> None:
    if isinstance(covariates, str):
        raise LtvInputError(
            f"covariates is the text {covariates!r}", todo=f"give a list of columns: [{covariates!r}]"
        )
    leaks = [name for name in covariates if name in LABELS]
    if leaks:
        raise LtvInputError(
            f"{', '.join(leaks)} as a covariate: labels would predict themselves",
            todo="leave out what was not known at the origin",
        )
    for name in covariates:
        if name in (*DERIVED, *LINEAR, "intercept"):
            raise LtvInputError(
                f"covariate {name!r} has the name of a feature that every model here has",
                todo="leave it out, or rename the column",
            )
    if len(set(covariates)) < len(covariates):
        raise LtvInputError("a covariate is named twice", todo="name each once")


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_complex_dtype(column.dtype)


def _numeric(column: pd.Series) -> FloatArray:
    values = np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    refuse(
        np.isinf(values),
        column.index,
        f"covariate {column.name!r} is infinite",
        "look for a division by zero upstream",
    )
    return values


def _is_name(column: pd.Series) -> bool:
    if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_string_dtype(column):
        return True
    return column.dtype == object and bool(column.dropna().map(np.isscalar).all())
