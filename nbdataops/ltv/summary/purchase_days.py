"""From a log of purchases to one row per customer and day: the ground of every summary."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from nbdataops.errors import did_you_mean
from nbdataops.ltv.columns import (
    FloatArray,
    IntArray,
    LtvInputError,
    numbers,
    refuse,
    require_columns,
    require_rows,
)

TimeUnit: TypeAlias = Literal["day", "week", "month", "year"]
ZeroRule: TypeAlias = Literal["keep", "drop"]

DAYS_PER: dict[str, float] = {"day": 1.0, "week": 7.0, "month": 365.25 / 12, "year": 365.25}
"""Days in a time unit; a month is a twelfth of a mean year, since a model's time has no calendar."""


@dataclass(frozen=True, slots=True)
class PurchaseDays:
    """Distinct (customer, day) of a log, sorted by customer and day.

    customers: index of the customers, sorted. of_row, day, amount: of every distinct customer-day (the customer's
    position, days since 1970-01-01, summed amount). starts: where each customer's rows begin. as_of: its day number.
    """

    customers: pd.Index
    of_row: IntArray
    day: IntArray
    amount: FloatArray
    starts: IntArray
    as_of: int

    @property
    def first_day(self) -> IntArray:
        """Day of the first purchase, by customer."""
        return self.day[self.starts]

    @property
    def is_repeat(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """True for every row but each customer's first day."""
        repeat = np.ones(len(self.day), dtype=bool)
        repeat[self.starts] = False
        return repeat


def days_per(time_unit: str) -> float:
    """Days in a time unit; an unknown unit is an error."""
    if time_unit not in DAYS_PER:
        raise LtvInputError(f"no time unit {time_unit!r}", todo=did_you_mean(str(time_unit), DAYS_PER))
    return DAYS_PER[time_unit]


def purchase_days(
    purchases: object, as_of: date, *, entity: str, date: str, amount: str, zero: ZeroRule
) -> PurchaseDays:
    """Merge the purchases of one customer on one day; check everything that a summary relies on.

    `purchases` is a pandas DataFrame or an Arrow table. Raises LtvInputError for a missing column, key, date or
    amount, a negative or infinite amount, and for rows after `as_of`: a summary never sees the future.
    """
    frame = _frame(purchases, [entity, date, amount])
    if zero not in ("keep", "drop"):
        raise LtvInputError(f"zero is {zero!r}", todo='give "keep" or "drop"')
    refuse(
        frame[entity].isna().to_numpy(bool),
        frame.index,
        f"{entity} is missing",
        "every purchase needs its customer",
    )
    day = _days(frame[date], date)
    value = numbers(frame, amount)
    last = _day_number(as_of)
    refuse(
        day > last,
        frame.index,
        f"{date} is after as_of {as_of}",
        "cut the log at as_of first: what came later must not reach a forecast",
    )
    keep = value > 0 if zero == "drop" else np.ones(len(value), dtype=bool)
    if not keep.any():
        raise LtvInputError("purchases has no rows", todo='every amount is zero and zero="drop" left nothing')
    code, customers = pd.factorize(frame[entity][keep], sort=True)
    start = int(day[keep].min())
    width = last - start + 1
    keys, of_key = np.unique(code * width + (day[keep] - start), return_inverse=True)
    of_row = keys // width
    return PurchaseDays(
        customers=pd.Index(customers, name=entity),
        of_row=of_row,
        day=keys % width + start,
        amount=np.bincount(of_key, value[keep], minlength=len(keys)).astype(np.float64),
        starts=np.searchsorted(of_row, np.arange(len(customers))),
        as_of=last,
    )


def _frame(purchases: object, names: list[str]) -> pd.DataFrame:
    if hasattr(purchases, "to_pandas") and hasattr(purchases, "column_names"):  # an Arrow table
        require_columns(pd.DataFrame(columns=list(purchases.column_names)), names, "purchases")
        purchases = purchases.select(names).to_pandas()  # type: ignore[attr-defined]
    if not isinstance(purchases, pd.DataFrame):
        raise LtvInputError(
            f"purchases is a {type(purchases).__name__}", todo="give a pandas DataFrame or an Arrow table"
        )
    require_columns(purchases, names, "purchases")
    require_rows(purchases.index, "purchases")
    return purchases


def _days(column: pd.Series, name: str) -> IntArray:
    """Days since 1970-01-01. A time zone is dropped after the day was read on its own wall clock."""
    is_date = pd.api.types.is_datetime64_any_dtype(column.dtype) or "date" in str(column.dtype)
    if pd.api.types.is_object_dtype(column.dtype):
        is_date = all(isinstance(value, date) for value in column.dropna().unique())
    if not is_date and not str(column.dtype).startswith("timestamp"):  # the dtype's name in Arrow
        raise LtvInputError(
            f"{name} holds {column.dtype}, not dates",
            todo=f"convert it first: pd.to_datetime(frame[{name!r}])",
        )
    moments = pd.to_datetime(column)
    refuse(moments.isna().to_numpy(bool), column.index, f"{name} is missing", "every purchase needs its date")
    if getattr(moments.dt, "tz", None) is not None:
        moments = moments.dt.tz_localize(None)
    return moments.to_numpy().astype("datetime64[D]").astype(np.int64)


def _day_number(as_of: date) -> int:
    if not isinstance(as_of, date):
        raise LtvInputError(
            f"as_of is a {type(as_of).__name__}, not a date", todo="give datetime.date(1997, 9, 30)"
        )
    day = as_of.date() if isinstance(as_of, datetime) else as_of
    return int(np.datetime64(day, "D").astype(np.int64))
