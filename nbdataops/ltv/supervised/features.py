"""What a customer looks like, in terms that mean the same at every date.

Whatever grows with age (age itself, counts, totals) means something else a year later, and models trained on labels of
an earlier date would meet values that they have never seen. So counts become rates, and dates become silences.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import (
    FloatArray,
    LtvInputError,
    counts,
    numbers,
    require_columns,
    require_frame,
    require_rows,
)

LABELS = ("transactions", "value", "origin")
"""Columns of a training set that are no features."""


def behaviour(rfm: object, covariates: Sequence[str] = ()) -> pd.DataFrame:
    """By customer: `rate` (repeat transactions per time unit, age counted as 1 at least), `silence` (time since the
    last transaction), `spend` (0 where there was no repeat one), and the covariates as they are.

    Raises LtvInputError for a covariate that is missing, or that is a label.
    """
    frame = require_frame(rfm)
    leaks = [name for name in covariates if name in LABELS]
    if leaks:
        raise LtvInputError(
            f"{', '.join(leaks)} as a covariate: labels would predict themselves",
            todo="leave out what was not known at the origin",
        )
    require_columns(frame, ("x", "t_x", "T", "spend", *covariates))
    require_rows(frame.index, "rfm")
    x, t_x, T = counts(frame, "x"), numbers(frame, "t_x"), numbers(frame, "T")
    if (t_x > T * (1 + 1e-9)).any():
        raise LtvInputError("t_x is later than T", todo="recency cannot exceed age: one unit for both?")
    spend = numbers(frame[["spend"]].where(x[:, None] > 0, 0), "spend")
    features = pd.DataFrame(
        {"rate": x / np.maximum(T, 1.0), "silence": T - np.minimum(t_x, T), "spend": spend}, index=frame.index
    )
    return pd.concat([features, frame[list(covariates)]], axis=1)


def on_a_log_scale(features: pd.DataFrame) -> tuple[FloatArray, list[str]]:
    """A design for linear models: log1p of rate, silence and spend, whether there was a repeat transaction, covariates.

    Covariates must be numbers there; a category is an error that says to encode it.
    """
    columns = {
        "log_rate": np.log1p(features["rate"]),
        "log_silence": np.log1p(features["silence"]),
        "log_spend": np.log1p(features["spend"]),
        "repeats": (features["rate"] > 0).astype(float),
    }
    for name in features.columns[3:]:
        if not pd.api.types.is_numeric_dtype(features[name].dtype):
            raise LtvInputError(
                f"covariate {name!r} holds {features[name].dtype}, not numbers",
                todo="encode it first, e.g. pd.get_dummies",
            )
        values = features[name].to_numpy(dtype=np.float64, na_value=np.nan)
        if not np.isfinite(values).all():
            raise LtvInputError(f"covariate {name!r} is missing or infinite", todo="fill it before the fit")
        columns[str(name)] = pd.Series(values, index=features.index)
    return np.stack([np.asarray(c, dtype=np.float64) for c in columns.values()], axis=1), list(columns)
