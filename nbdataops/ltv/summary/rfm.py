"""From a log of purchases to the summary (x, t_x, T, spend) that every model reads."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import FloatArray, LtvInputError
from nbdataops.ltv.summary.parts import parts_by_customer
from nbdataops.ltv.summary.purchase_days import (
    NothingLeftError,
    PurchaseDays,
    ReturnsRule,
    ZeroRule,
    purchase_days,
)
from nbdataops.ltv.time_units import ATTRIBUTE, TimeUnit, days_per


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
) -> pd.DataFrame:
    """One row a customer, sorted by customer, as of the end of the day `as_of`.

    `purchases`: one row a purchase; a pandas DataFrame, an Arrow table, a DuckDB relation, or the path of a Parquet
    file (or a pattern such as "log/*.parquet"). Relations and files are read customers by customers, so that a log
    larger than memory is no problem. Purchases of a customer on the same day are one transaction, their amounts summed.
    The first day makes somebody a customer: it counts in `total` only.

    Columns: the entity; `x` repeat transactions (distinct days after the first); `t_x` time from the first to the
    last one, 0 where x == 0; `T` time from the first to `as_of`; `spend` mean amount of a repeat transaction, 0 where
    x == 0; `first` date of the first purchase; `total` all revenue so far. Times are days divided by the days of
    `time_unit` (day 1, week 7, month 30.4375, year 365.25), which the summary carries in `attrs["time_unit"]`.

    `zero` says what a row of amount 0 is: "keep" counts it as a purchase, "drop" removes it before anything else (a
    customer with nothing but such rows is then no customer). `returns` says what a negative amount is: "refuse" an
    error; "net" a return, taken off the amount of its day: where nothing is left that day is no purchase, but its
    amount stays in `total`; "drop" removes such rows.

    `litt=True` adds the column `litt`, the sum of the logarithms of the times between transactions, which `BGCNBD` and
    `MBGCNBD` need to choose k. `recent=13` adds `recent_transactions` and `recent_value`: what the last 13 time units
    up to `as_of` brought, a first purchase included, which `LastPeriod` carries on.

    Raises LtvInputError for rows after `as_of` (a leak), missing keys or dates, negative or non-finite amounts.

    >>> log = pd.DataFrame({
    ...     "customer_id": [7, 7, 7],
    ...     "date": pd.to_datetime(["1997-01-01", "1997-01-15", "1997-01-15"]),
    ...     "amount": [10.0, 3.0, 4.0],
    ... })
    >>> rfm_summary(log, date(1997, 1, 22))[["x", "t_x", "T", "spend", "total"]].values.tolist()
    [[1.0, 2.0, 3.0, 7.0, 17.0]]
    """
    unit = days_per(time_unit)
    if recent is not None and not (np.isfinite(recent) and recent > 0):
        raise LtvInputError(f"recent is {recent}", todo="give a length of time before as_of, in time units")
    summaries: list[pd.DataFrame] = []
    nothing: NothingLeftError | None = None
    for part in parts_by_customer(purchases, entity, date, amount):
        try:
            days = purchase_days(
                part, as_of, entity=entity, date=date, amount=amount, zero=zero, returns=returns
            )
        except NothingLeftError as error:  # of this part of the customers
            nothing = error
            continue
        summaries.append(_summary(days, unit, litt, None if recent is None else recent * unit))
    if nothing is not None and not summaries:
        raise nothing
    summary = summaries[0]
    if len(summaries) > 1:
        summary = pd.concat(summaries, ignore_index=True)
        del summaries
        summary = summary.sort_values(entity, ignore_index=True)
    summary.attrs[ATTRIBUTE] = time_unit
    return summary


def _summary(days: PurchaseDays, unit: float, litt: bool, recent_days: float | None) -> pd.DataFrame:
    first = days.first_day
    x = np.diff(np.append(days.starts, len(days.day))) - 1
    last = days.day[days.starts + x]
    columns = {
        str(days.customers.name): days.customers,
        "x": x,
        "t_x": (last - first) / unit,
        "T": (days.as_of - first) / unit,
        "spend": np.divide(_repeat_sum(days, days.amount), x, out=np.zeros(len(x)), where=x > 0),
        "first": first.astype("datetime64[D]").astype("datetime64[us]"),
        "total": days.total,
    }
    if litt:
        gap = np.diff(days.day, prepend=days.day[:1] - 1) / unit
        columns["litt"] = _repeat_sum(days, np.log(np.where(days.is_repeat, gap, 1.0)))
    if recent_days is not None:
        late = days.day > days.as_of - recent_days
        columns["recent_transactions"] = np.bincount(days.of_row, late, minlength=len(x)).astype(np.int64)
        columns["recent_value"] = np.bincount(days.of_row, np.where(late, days.amount, 0.0), minlength=len(x))
    return pd.DataFrame(columns)


def _repeat_sum(days: PurchaseDays, values: FloatArray) -> FloatArray:
    """Sum over the repeat transactions of every customer."""
    repeats = np.where(days.is_repeat, values, 0.0)
    return np.bincount(days.of_row, repeats, minlength=len(days.customers)).astype(np.float64)
