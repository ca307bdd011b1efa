"""From a log of purchases to the summary (x, t_x, T, spend) that every model reads."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import FloatArray, LtvInputError
from nbdataops.ltv.summary.log_days import LogDays, log_days
from nbdataops.ltv.summary.log_stream import MEMORY_LIMIT
from nbdataops.ltv.summary.purchase_days import PurchaseDays
from nbdataops.ltv.summary.purchase_log import LogRules, ReturnsRule, ZeroRule
from nbdataops.ltv.time_units import ATTRIBUTE, RECENT, TimeUnit, days_per

RESERVED = ("x", "t_x", "T", "spend", "n", "first", "total", "litt", "recent_transactions", "recent_value")
"""Names of the summary's own columns, and `n`, which models read as a number of customers."""


def rfm_summary(
    purchases: object,
    as_of: date,
    *,
    entity: str = "customer_id",
    date: str = "date",
    amount: str = "amount",
    time_unit: TimeUnit = "week",
    zero: ZeroRule = "keep",
    returns: ReturnsRule = "refuse",
    litt: bool = False,
    recent: float | None = None,
    memory_limit: str = MEMORY_LIMIT,
) -> pd.DataFrame:
    """One row a customer, sorted by customer, as of the end of the day `as_of`.

    `purchases`: one row a purchase; a pandas DataFrame, an Arrow table, dataset, reader or whatever can be read as
    one (a Polars frame), a DuckDB relation, or the path of a Parquet file, of a folder, or a pattern such as
    "log/*.parquet". Purchases of a customer on the same day are one transaction, their amounts summed. The first day
    makes somebody a customer: it counts in `total` only.

    Customers are numbers or texts, all of one kind (categories count as their values, UUIDs as text). Days are
    those of the column's own clock; where moments come without the zone whose days are meant (from Parquet, from a
    relation), a column of days is asked for. Amounts are added up as doubles, decimals rounded to the nearest one.

    Anything but a frame of at most two million rows may be larger than memory: DuckDB reads it once and sorts it
    within `memory_limit`, the rest on the disk in the system's temporary folder (`TMPDIR`), until the summary is made.
    The process then holds that, about 0.3 GB of working memory, and the summary, once. The summary is the same to the
    last bit wherever the log comes from and in whatever order its rows are.

    Columns: the entity; `x` repeat transactions (distinct days after the first); `t_x` time from the first to the
    last one, 0 where x == 0; `T` time from the first to `as_of`; `spend` mean amount of a repeat transaction, 0 where
    x == 0; `first` date of the first purchase; `total` all revenue so far. Times are days divided by the days of
    `time_unit` (day 1, week 7, month 30.4375, year 365.25), which the summary carries in `attrs["time_unit"]`.

    `zero` says what a row of amount 0 is: "keep" counts it as a purchase, "drop" removes it before anything else (a
    customer with nothing but such rows is then no customer). `returns` says what a negative amount is: "refuse" an
    error; "net" a return, taken off the amount of its day: where a return leaves nothing of a day, that day is no
    purchase, but its amount stays in `total` (and in `total` alone); "drop" removes such rows.

    `litt=True` adds the column `litt`, the sum of the logarithms of the times between transactions (in time units),
    which `BGCNBD` and `MBGCNBD` need to choose k. `recent=13` adds `recent_transactions` and `recent_value`: days
    with a purchase, and their amounts, in the last 13 time units up to the end of `as_of` (later than 13 time units
    before that day; 91 days, `as_of` among them). A first purchase in that time counts, since `LastPeriod` carries on
    what came in, whoever it came from.

    Raises LtvInputError for rows after `as_of` (a leak), missing keys or dates, negative or non-finite amounts.

    >>> log = pd.DataFrame({
    ...     "customer_id": [7, 7, 7],
    ...     "date": pd.to_datetime(["1997-01-01", "1997-01-15", "1997-01-15"]),
    ...     "amount": [10.0, 3.0, 4.0],
    ... })
    >>> rfm_summary(log, date(1997, 1, 22))[["x", "t_x", "T", "spend", "total"]].values.tolist()
    [[1.0, 2.0, 3.0, 7.0, 17.0]]
    """
    columns = SummaryColumns(time_unit, litt, recent)
    rules = LogRules(as_of, entity, date, amount, zero, returns)
    require_free_name(entity, RESERVED)
    parts = [columns.summary(days) for days in log_days(purchases, rules, memory_limit)]
    return as_one_frame(parts, time_unit, recent)


class SummaryColumns:
    """What a summary holds besides x, t_x, T and spend, and in which unit."""

    def __init__(self, time_unit: TimeUnit, litt: bool, recent: float | None) -> None:
        self.unit = days_per(time_unit)
        self.litt = litt
        if recent is not None and not (_is_number(recent) and np.isfinite(recent) and recent > 0):
            raise LtvInputError(
                f"recent is {recent!r}", todo="give a length of time before as_of, in time units, e.g. 13"
            )
        self.recent_days = None if recent is None else recent * self.unit

    def summary(self, log: LogDays) -> pd.DataFrame:
        """One row a customer."""
        days = log.purchases()
        first = days.first_day
        x = np.diff(np.append(days.starts, len(days.day))) - 1
        last = days.day[days.starts + x]
        columns = {
            str(days.customers.name): days.customers,
            "x": x,
            "t_x": (last - first) / self.unit,
            "T": (days.as_of - first) / self.unit,
            "spend": np.divide(_repeat_sum(days, days.amount), x, out=np.zeros(len(x)), where=x > 0),
            "first": first.astype("datetime64[D]").astype("datetime64[us]"),
            "total": days.total,
        }
        if self.litt:
            gap = np.diff(days.day, prepend=days.day[:1] - 1) / self.unit
            columns["litt"] = _repeat_sum(days, np.log(np.where(days.is_repeat, gap, 1.0)))
        if self.recent_days is not None:
            late = days.day > days.as_of - self.recent_days
            of_row, amount = days.of_row[late], days.amount[late]
            columns["recent_transactions"] = np.bincount(of_row, minlength=len(x)).astype(np.int64)
            columns["recent_value"] = np.bincount(of_row, amount, minlength=len(x)).astype(np.float64)
        return pd.DataFrame(columns, copy=False)


def as_one_frame(parts: list[pd.DataFrame], time_unit: TimeUnit, recent: float | None) -> pd.DataFrame:
    """Parts one below the other, with the unit (and length of `recent`) that they carry.

    Column by column, taken from the parts: held once.
    """
    names = [str(name) for name in parts[0]]
    columns = {name: pd.concat([_taken(part, name) for part in parts], ignore_index=True) for name in names}
    frame = pd.DataFrame(columns, copy=False)
    frame.attrs[ATTRIBUTE] = time_unit
    if recent is not None:
        frame.attrs[RECENT] = float(recent)
    return frame


def _taken(frame: pd.DataFrame, name: str) -> pd.Series:
    column = frame[name]
    del frame[name]
    return column


def require_free_name(entity: str, taken: tuple[str, ...]) -> None:
    """Raise if the key of the customers has the name of a column that is made."""
    if entity in taken:
        raise LtvInputError(
            f"entity is named {entity!r}, like a column of the summary", todo="rename it in the log"
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _repeat_sum(days: PurchaseDays, values: FloatArray) -> FloatArray:
    """Sum over the repeat transactions of every customer, in the order of days."""
    repeats = np.where(days.is_repeat, values, 0.0)
    return np.bincount(days.of_row, repeats, minlength=len(days.customers)).astype(np.float64)
