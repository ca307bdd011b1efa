"""From a log of purchases to one row per customer and day: the ground of every summary."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbdataops.errors import did_you_mean
from nbdataops.ltv.columns import (
    FloatArray,
    IntArray,
    LtvInputError,
    refuse,
    require_columns,
    require_rows,
    to_floats,
)

ZeroRule: TypeAlias = Literal["keep", "drop"]
ReturnsRule: TypeAlias = Literal["refuse", "net", "drop"]


class NothingLeftError(LtvInputError):
    """The rules for zero amounts and returns leave no purchase."""


@dataclass(frozen=True, slots=True)
class PurchaseDays:
    """Distinct (customer, day) of a log, sorted by customer and day.

    customers: index of the customers, sorted. of_row, day, amount: of every distinct customer-day (the customer's
    position, days since 1970-01-01, summed amount). starts: where each customer's rows begin. total: all amounts of a customer, those
    of days that returns undid included. as_of: its day number.
    """

    customers: pd.Index
    of_row: IntArray
    day: IntArray
    amount: FloatArray
    starts: IntArray
    total: FloatArray
    as_of: int

    @property
    def first_day(self) -> IntArray:
        """Day of the first purchase, by customer."""
        return self.day[self.starts]

    @property
    def is_repeat(self) -> NDArray[np.bool_]:
        """True for every row but each customer's first day."""
        repeat = np.ones(len(self.day), dtype=bool)
        repeat[self.starts] = False
        return repeat


def purchase_days(
    purchases: object,
    as_of: date,
    *,
    entity: str,
    date: str,
    amount: str,
    zero: ZeroRule = "keep",
    returns: ReturnsRule = "refuse",
) -> PurchaseDays:
    """Merge the purchases of one customer on one day; check everything that a summary relies on.

    `purchases` is a pandas DataFrame or an Arrow table; `zero` and `returns` as in `rfm_summary`. Raises LtvInputError
    for a missing column, key, date or amount, an infinite amount, a negative one unless `returns` says what it is,
    and for rows after `as_of`: a summary never sees the future.
    """
    _require_rule("zero", zero, ("keep", "drop"))
    _require_rule("returns", returns, ("refuse", "net", "drop"))
    frame = _frame(purchases, [entity, date, amount])
    index = frame.index
    refuse(
        frame[entity].isna().to_numpy(bool),
        index,
        f"{entity} is missing",
        "every purchase needs its customer",
    )
    day = days_of(frame[date], date)
    value = _amounts(frame, amount, returns)
    last = day_number(as_of)
    refuse(
        day > last,
        index,
        f"{date} is after as_of {as_of}",
        "cut the log at as_of first: what came later must not reach a forecast",
    )
    keep = value > 0 if zero == "drop" else np.ones(len(value), dtype=bool)
    if returns == "net":
        keep |= value < 0
    elif returns == "drop":
        keep &= value >= 0
    if not keep.any():
        raise LtvInputError(
            "purchases has no rows", todo="the rules for zero amounts and returns left nothing"
        )
    code, customers = pd.factorize(frame[entity][keep], sort=True)
    return _merge(code.astype(np.int64), pd.Index(customers, name=entity), day[keep], value[keep], last)


def _merge(code: IntArray, customers: pd.Index, day: IntArray, value: FloatArray, last: int) -> PurchaseDays:
    """One row per customer and day. Where returns eat up a day's amount, that day is no purchase."""
    start = int(day.min())
    width = last - start + 1
    keys, of_key = np.unique(code * width + (day - start), return_inverse=True)
    of_row = keys // width
    amount = np.bincount(of_key, value, minlength=len(keys)).astype(np.float64)
    total = np.bincount(of_row, amount, minlength=len(customers)).astype(np.float64)
    returned = np.bincount(of_key, value < 0, minlength=len(keys)) > 0
    bought = (amount > 0) | ~returned
    buyers, of_buyer = np.unique(of_row[bought], return_inverse=True)
    if not len(buyers):
        raise NothingLeftError("purchases has no rows", todo="returns undo every purchase")
    return PurchaseDays(
        customers=customers[buyers],
        of_row=of_buyer.astype(np.int64),
        day=keys[bought] % width + start,
        amount=amount[bought],
        starts=np.searchsorted(of_buyer, np.arange(len(buyers))),
        total=total[buyers],
        as_of=last,
    )


def _amounts(frame: pd.DataFrame, amount: str, returns: ReturnsRule) -> FloatArray:
    value = to_floats(frame[amount], amount)
    index = frame.index
    refuse(np.isnan(value), index, f"{amount} is missing", "drop these rows or fill them before the fit")
    refuse(np.isinf(value), index, f"{amount} is infinite", "look for a division by zero upstream")
    if returns == "refuse":
        refuse(
            value < 0,
            index,
            f"{amount} is negative",
            'say what a return is: returns="net" (off the day\'s amount) or "drop"',
        )
    return value


def _require_rule(name: str, rule: object, known: tuple[str, ...]) -> None:
    if rule not in known:
        raise LtvInputError(f"{name} is {rule!r}", todo=did_you_mean(str(rule), known))


def _frame(purchases: object, names: list[str]) -> pd.DataFrame:
    if hasattr(purchases, "to_pandas") and hasattr(purchases, "column_names"):  # an Arrow table
        require_columns(pd.DataFrame(columns=list(purchases.column_names)), names, "purchases")
        purchases = purchases.select(names).to_pandas(date_as_object=False)  # type: ignore[attr-defined]
    if not isinstance(purchases, pd.DataFrame):
        raise LtvInputError(
            f"purchases is a {type(purchases).__name__}", todo="give a pandas DataFrame or an Arrow table"
        )
    require_columns(purchases, names, "purchases")
    require_rows(purchases.index, "purchases")
    return purchases


def days_of(column: pd.Series, name: str) -> IntArray:
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


def day_number(as_of: date) -> int:
    """Days since 1970-01-01."""
    if not isinstance(as_of, date):
        raise LtvInputError(
            f"as_of is a {type(as_of).__name__}, not a date", todo="give datetime.date(1997, 9, 30)"
        )
    day = as_of.date() if isinstance(as_of, datetime) else as_of
    return int(np.datetime64(day, "D").astype(np.int64))
