"""From a log of purchases to the summary (x, t_x, T, spend) that every model reads."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import FloatArray, IntArray
from nbdataops.ltv.summary.purchase_days import PurchaseDays, TimeUnit, ZeroRule, days_per, purchase_days


def rfm_summary(
    purchases: object,
    as_of: date,
    *,
    entity: str = "customer_id",
    date: str = "date",
    amount: str = "amount",
    time_unit: TimeUnit = "week",
    zero: ZeroRule = "keep",
) -> pd.DataFrame:
    """One row a customer, sorted by customer, as of the end of the day `as_of`.

    `purchases`: pandas DataFrame or Arrow table with one row a purchase. Purchases of a customer on the same day are
    one transaction, their amounts summed. The first day makes somebody a customer: it counts in `total` only.

    Columns: the entity; `x` repeat transactions (distinct days after the first); `t_x` time from the first to the
    last one, 0 where x == 0; `T` time from the first to `as_of`; `spend` mean amount of a repeat transaction, 0 where
    x == 0; `first` date of the first purchase; `total` all revenue so far. Times are days divided by the days of
    `time_unit` (day 1, week 7, month 30.4375, year 365.25).

    `zero` says what a row of amount 0 is: "keep" counts it as a purchase, "drop" removes it before anything else (a
    customer with nothing but such rows is then no customer).

    Raises LtvInputError for rows after `as_of` (a leak), missing keys or dates, negative or non-finite amounts.

    >>> log = pd.DataFrame({
    ...     "customer_id": [7, 7, 7],
    ...     "date": pd.to_datetime(["1997-01-01", "1997-01-15", "1997-01-15"]),
    ...     "amount": [10.0, 3.0, 4.0],
    ... })
    >>> rfm_summary(log, date(1997, 1, 22))[["x", "t_x", "T", "spend", "total"]].values.tolist()
    [[1.0, 2.0, 3.0, 7.0, 17.0]]
    """
    days = purchase_days(purchases, as_of, entity=entity, date=date, amount=amount, zero=zero)
    unit = days_per(time_unit)
    first = days.first_day
    x = np.diff(np.append(days.starts, len(days.day))) - 1
    last = days.day[days.starts + x]
    total = np.add.reduceat(days.amount, days.starts)
    return pd.DataFrame(
        {
            entity: days.customers,
            "x": x,
            "t_x": (last - first) / unit,
            "T": (days.as_of - first) / unit,
            "spend": _mean_repeat_amount(days, x),
            "first": first.astype("datetime64[D]").astype("datetime64[us]"),
            "total": total,
        }
    )


def _mean_repeat_amount(days: PurchaseDays, x: IntArray) -> FloatArray:
    repeats = np.bincount(days.of_row, np.where(days.is_repeat, days.amount, 0.0), minlength=len(x))
    return np.divide(repeats, x, out=np.zeros(len(x)), where=x > 0)
