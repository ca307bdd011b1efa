"""Contracts: how many periods each lasted so far, and whether it has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import (
    FloatArray,
    LtvInputError,
    numbers,
    refuse,
    require_columns,
    require_frame,
    require_rows,
    row_weights,
)
from nbdataops.ltv.time_units import TimeUnit, unit_of


@dataclass(frozen=True, slots=True)
class Contracts:
    """Checked columns: the period in which a contract ended, or the periods survived so far; weights by row."""

    index: pd.Index
    T: FloatArray
    churned: np.ndarray
    w: FloatArray
    time_unit: TimeUnit | None


def contracts_from_survivors(survivors: Sequence[float], customers: float = 1000.0) -> pd.DataFrame:
    """A table of contracts from the survivors of one cohort, such as the percentages of a survival table.

    `survivors`: who was there after 0, 1, 2, ... periods, in any unit; `customers`: how many the first stands for.
    One row for each period in which somebody left, and one for those still there: columns `T`, `churned`, `n`.
    Raises LtvInputError if anybody comes back.

    >>> contracts_from_survivors([100, 60, 45], customers=10)["n"].tolist()
    [4.0, 1.5, 4.5]
    """
    values = np.asarray(survivors, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all() or values[0] <= 0:
        raise LtvInputError(
            "survivors is no series of counts", todo="give who was there after 0, 1, 2, ... periods"
        )
    left = -np.diff(values)
    if (left < 0).any() or values[-1] < 0:
        raise LtvInputError(
            "survivors grow or are negative", todo="give the survivors of one cohort over time"
        )
    last = len(values) - 1
    return pd.DataFrame(
        {
            "T": [*range(1, last + 1), last],
            "churned": [True] * last + [False],
            "n": np.append(left, values[-1]) * (customers / values[0]),
        }
    )


def read_contracts(contracts: object, sample_weight: object = None, whole: bool = True) -> Contracts:
    """The columns `T` and `churned` (and `n`) of a table, checked."""
    frame = require_frame(contracts, "contracts")
    require_columns(frame, ("T", "churned"), "contracts")
    require_rows(frame.index, "contracts")
    T = numbers(frame, "T")
    if whole:
        refuse(np.rint(T) != T, frame.index, "T is no whole number", "count periods, not time")
    column = frame["churned"]
    refuse(column.isna().to_numpy(bool), frame.index, "churned is missing", "say True or False")
    if not column.isin([True, False]).all():
        raise LtvInputError(f"churned holds {column.dtype}, not truth values", todo="say True or False")
    churned = column.to_numpy(dtype=bool)
    refuse(churned & (T <= 0), frame.index, "a contract ended in period 0", "the first renewal is period 1")
    n = numbers(frame, "n") if "n" in frame.columns else None
    w = row_weights(sample_weight, n, frame.index)
    return Contracts(frame.index, T, churned, np.ones(len(T)) if w is None else w, unit_of(frame, None))
