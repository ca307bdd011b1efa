"""A log in a pandas frame: its columns checked, and its rows sorted in memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import (
    FloatArray,
    IntArray,
    LtvInputError,
    refuse,
    require_columns,
    require_rows,
    to_floats,
)
from nbdataops.ltv.summary.purchase_log import (
    BoolArray,
    LogRules,
    SortedRows,
    no_dates,
    no_keys,
    problems,
)

if TYPE_CHECKING:
    import pyarrow as pa

KEYS_IN_OBJECTS = frozenset(
    ("string", "bytes", "integer", "decimal", "boolean", "date", "datetime", "datetime64", "empty")
)
"""What objects in a column of customers may be (`pandas.api.types.infer_dtype`), all of them the same."""


@dataclass(frozen=True, slots=True)
class FrameLog:
    """The checked columns of a frame: customer, day (since 1970-01-01) and amount of every row."""

    key: pd.Series
    day: IntArray
    value: FloatArray

    @classmethod
    def of(cls, frame: pd.DataFrame, rules: LogRules) -> FrameLog:
        """Raises LtvInputError for columns and rows that no summary can use, with the labels of such rows."""
        require_columns(frame, rules.columns, "purchases")
        require_rows(frame.index, "purchases")
        key = _keys(frame[rules.entity], rules.entity)
        day, no_day = _days(frame[rules.date], rules.date)
        value = _amounts(frame[rules.amount], rules.amount)
        for bad, what, todo in problems(key.isna().to_numpy(bool), no_day, day, value, rules):
            refuse(bad, frame.index, what, todo)
        return cls(key, day, value)

    def sorted(self, rules: LogRules) -> SortedRows:
        """The rows that count."""
        keep = rules.kept(self.value)
        key, day, value = self.key[keep], self.day[keep], self.value[keep]
        code, customers = pd.factorize(key.astype(self.key_type), sort=True)
        of_row = code.astype(np.int64)
        if len(day):
            first = int(day.min())
            both = of_row * (rules.last_day - first + 1) + (day - first)
            if (both[1:] < both[:-1]).any():
                order = np.argsort(both)
                of_row, day, value = of_row[order], day[order], value[order]
        return SortedRows(pd.Index(customers, name=rules.entity), of_row, day, value)

    def to_arrow(self, rules: LogRules) -> pa.Table:
        """The same columns, for DuckDB."""
        import pyarrow as pa

        day = pa.array(self.day.astype(np.int32)).cast(pa.date32())
        columns = [pa.array(self.key, from_pandas=True), day, pa.array(self.value)]
        return pa.Table.from_arrays(columns, names=rules.columns)

    @property
    def key_type(self) -> Any:
        """The dtype of the summary's customers: that of the log's; of categories, that of their values."""
        dtype = self.key.dtype
        return dtype.categories.dtype if isinstance(dtype, pd.CategoricalDtype) else dtype


def _keys(column: pd.Series, name: str) -> pd.Series:
    """Customers that can be told apart and sorted: objects of one kind, UUIDs as text, no 0 below 0."""
    if pd.api.types.is_object_dtype(column.dtype):
        kind = pd.api.types.infer_dtype(column, skipna=True)
        if kind not in KEYS_IN_OBJECTS:
            kinds = {type(key) for key in column.dropna()}
            if kinds != {UUID}:
                raise no_keys(name, " and ".join(sorted(kind.__name__ for kind in kinds)))
            return column.map(str, na_action="ignore")
    if pd.api.types.is_float_dtype(column.dtype):
        return column + 0.0
    return column


def _days(column: pd.Series, name: str) -> tuple[IntArray, BoolArray]:
    """Days since 1970-01-01, and where there is none. A day is read on the clock of the column's time zone."""
    convert = f"convert it first: pd.to_datetime(frame[{name!r}])"
    dtype = column.dtype
    is_date = dtype.kind == "M" or (isinstance(dtype.type, type) and issubclass(dtype.type, date))
    if pd.api.types.is_object_dtype(dtype):
        is_date = all(isinstance(value, date) for value in column.dropna().unique())
    if not is_date:
        raise no_dates(name, dtype, convert)
    try:
        moments = pd.DatetimeIndex(
            pd.to_datetime(column)
        )  # pandas 2 forgets the clock of Arrow's zoned series
    except ValueError as error:
        raise LtvInputError(
            f"{name} holds moments of several time zones, or of none and some",
            todo=f"say whose days are meant: pd.to_datetime(frame[{name!r}], utc=True).dt.tz_convert('Europe/Berlin')",
        ) from error
    days = moments.tz_localize(None).to_numpy().astype("datetime64[D]")
    return days.astype(np.int64), np.isnat(days)


def _amounts(column: pd.Series, name: str) -> FloatArray:
    """Amounts as doubles. Databases hand over decimals as Python objects."""
    if pd.api.types.infer_dtype(column, skipna=True) == "decimal":
        column = column.where(column.notna(), np.nan).astype(np.float64)
    return to_floats(column, name)
