"""Columns of a summary, taken by name and checked: what every estimator of this package does first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbdataops.errors import UsageError, did_you_mean

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
WholeNumbers: TypeAlias = FloatArray | NDArray[np.integer]

SUMMARY_COLUMNS = ("x", "t_x", "T", "spend")
"""Repeat transactions, recency, age (both in time units), mean value of a repeat transaction."""


LARGEST = 1e100
"""Of a time, an amount or a weight: products and sums of them stay far from the largest double."""


class LtvInputError(UsageError, ValueError):
    """Data or a number that no model of this package can use; also a `ValueError`, as scikit-learn expects."""

    code = "ltv-input"


def require_frame(frame: object, what: str = "rfm") -> pd.DataFrame:
    """The frame itself, an Arrow table as a frame, or an error that says what was given."""
    if hasattr(frame, "to_pandas") and hasattr(frame, "column_names"):
        frame = frame.to_pandas()
    if not isinstance(frame, pd.DataFrame):
        raise LtvInputError(
            f"{what} is a {type(frame).__name__}, neither a pandas DataFrame nor an Arrow table",
            todo="give a DataFrame with the columns " + ", ".join(SUMMARY_COLUMNS),
        )
    return frame


def require_columns(frame: pd.DataFrame, names: Sequence[str], what: str = "rfm") -> None:
    """Raise unless every named column is there exactly once."""
    for name in names:
        count = int(sum(1 for known in frame.columns if known == name))
        if count == 0:
            known = [str(c) for c in frame.columns]
            raise LtvInputError(f"{what} has no column {name!r}", todo=did_you_mean(name, known))
        if count > 1:
            raise LtvInputError(f"{what} has {count} columns named {name!r}", todo="keep one of them")


def to_floats(values: object, what: str) -> FloatArray:
    """One column as float64, missing as NaN; bool, text and objects are refused."""
    series = values if isinstance(values, pd.Series) else pd.Series(np.asarray(values))
    if not pd.api.types.is_numeric_dtype(series.dtype) or pd.api.types.is_bool_dtype(series.dtype):
        raise LtvInputError(
            f"{what} holds {series.dtype}, not numbers", todo=f"convert {what} to a numeric column"
        )
    return series.to_numpy(dtype=np.float64, na_value=np.nan)


def refuse(bad: NDArray[np.bool_], index: pd.Index, what: str, todo: str) -> None:
    """Raise if any row is bad, with their count and up to five of their labels."""
    count = int(np.count_nonzero(bad))
    if count:
        labels = ", ".join(repr(label) for label in index[np.flatnonzero(bad)[:5]].tolist())
        rows = "row" if count == 1 else "rows"
        raise LtvInputError(
            f"{what} in {count} {rows} of {len(index)} ({labels}{', ...' if count > 5 else ''})", todo=todo
        )


def numbers(frame: pd.DataFrame, name: str) -> FloatArray:
    """A column of finite numbers that are not negative."""
    values = to_floats(frame[name], name)
    if len(values) == 0 or (values.min() >= 0 and values.max() <= LARGEST):  # false for NaN as well
        return values
    refuse(np.isnan(values), frame.index, f"{name} is missing", "drop these rows or fill them before the fit")
    refuse(np.isinf(values), frame.index, f"{name} is infinite", "look for a division by zero upstream")
    refuse(
        values > LARGEST, frame.index, f"{name} is too large to add up", "is this number a marker or a bug?"
    )
    refuse(
        values < 0,
        frame.index,
        f"{name} is negative",
        "returns and clock errors are settled before the summary",
    )
    return values


def whole_numbers(frame: pd.DataFrame, name: str) -> WholeNumbers:
    """A column of whole numbers, zero or more; integers stay as they are, floats can take eight times the memory."""
    column = frame[name]
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu" and column.min() >= 0:
        return column.to_numpy()
    return counts(frame, name)


def counts(frame: pd.DataFrame, name: str) -> FloatArray:
    """A column of whole numbers, zero or more, as floats."""
    values = numbers(frame, name)
    refuse(
        values != np.rint(values),
        frame.index,
        f"{name} is no whole number",
        f"{name} counts repeat transactions; was it given per time unit?",
    )
    return values


def weights(sample_weight: object, index: pd.Index) -> FloatArray | None:
    """Checked sample weights in the order of `index`; None stays None (every row once).

    A Series must carry exactly this index, in this order, so that no weight can land on another customer.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, pd.Series) and not sample_weight.index.equals(index):
        raise LtvInputError(
            "sample_weight has another index than the data",
            todo="give sample_weight.reindex(rfm.index), or sample_weight.to_numpy() if the rows already correspond",
        )
    values = to_floats(sample_weight, "sample_weight")
    if values.shape != (len(index),):
        raise LtvInputError(
            f"sample_weight has {values.size} values for {len(index)} rows", todo="one weight for every row"
        )
    refuse(
        ~np.isfinite(values),
        index,
        "sample_weight is missing or infinite",
        "use 0 for a row that does not count",
    )
    refuse(
        values < 0, index, "sample_weight is negative", "weights count how often a row is taken: zero or more"
    )
    if values.size and not values.any():
        raise LtvInputError("all sample weights are zero", todo="at least one row must count")
    return values


def row_weights(sample_weight: object, n: FloatArray | None, index: pd.Index) -> FloatArray | None:
    """Sample weights times the column `n` of a summary, where there is one; None: every row counts once."""
    w = weights(sample_weight, index)
    both = w if n is None else n if w is None else w * n
    if both is None:
        return None
    refuse(both > LARGEST, index, "a weight is too large to add up", "weights count customers")
    if both.size and not both.any():
        raise LtvInputError(
            "no row counts: n is zero everywhere", todo="n is how many customers a row stands for"
        )
    return both


def require_rows(index: pd.Index, what: str) -> None:
    """Raise on an empty table."""
    if len(index) == 0:
        raise LtvInputError(
            f"{what} has no rows", todo="was the table filtered, or cut before the first purchase?"
        )


def require_horizon(horizon: float) -> float:
    """A finite number of time units, zero or more."""
    if isinstance(horizon, bool) or not isinstance(horizon, (int, float, np.integer, np.floating)):
        raise LtvInputError(
            f"horizon is a {type(horizon).__name__}, not a number", todo="give time units, e.g. 39"
        )
    value = float(horizon)
    if not np.isfinite(value) or value < 0:
        raise LtvInputError(f"horizon is {value}", todo="give a finite number of time units, zero or more")
    return value


def require_number(value: object, what: str, todo: str, least: float = -np.inf) -> float:
    """A finite number, `least` or more; no bool and no text."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise LtvInputError(f"{what} is {value!r}, not a number", todo=todo)
    if not (np.isfinite(value) and value >= least):
        raise LtvInputError(f"{what} is {value}", todo=todo)
    return float(value)


def require_positive(
    parameters: dict[str, float], names: Iterable[str], real: Iterable[str] = ()
) -> dict[str, float]:
    """Exactly these parameters, each a finite number, positive unless named in `real`."""
    wanted = tuple(names)
    for name in parameters:
        if name not in wanted:
            raise LtvInputError(f"no parameter {name!r}", todo=did_you_mean(name, wanted))
    for name in wanted:
        if name not in parameters:
            raise LtvInputError(f"parameter {name!r} is missing", todo=f"needed: {', '.join(wanted)}")
        sign = "" if name in real else " positive"
        value = require_number(parameters[name], f"parameter {name}", f"it is a finite{sign} number")
        if value <= 0 and name not in real:
            raise LtvInputError(f"parameter {name} is {value}", todo=f"it is a finite{sign} number")
    return {name: float(parameters[name]) for name in wanted}
