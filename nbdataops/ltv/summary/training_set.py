"""Labels of the past: what customers looked like at earlier dates, and what they did next."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import IntArray, LtvInputError
from nbdataops.ltv.summary.log_days import LogDays, log_days
from nbdataops.ltv.summary.log_stream import MEMORY_LIMIT
from nbdataops.ltv.summary.purchase_log import LogRules, ReturnsRule, ZeroRule
from nbdataops.ltv.summary.rfm import RESERVED, SummaryColumns, as_one_frame, require_free_name
from nbdataops.ltv.time_units import TimeUnit, days_per, to_horizon

LABELS = ("origin", "transactions", "value")


def training_set(
    purchases: object,
    as_of: date,
    horizon: object,
    *,
    origins: int = 1,
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
    """Summaries at earlier origins, each with what its customers did in the `horizon` that followed.

    The origins lie 1, 2, ... `origins` horizons before `as_of`, so every label has come true by `as_of` and windows do
    not overlap. One row a customer and origin, latest origin first: the columns of `rfm_summary` as of that origin,
    `origin`, and the labels `transactions` (days with a purchase after the origin, up to one horizon after it) and
    `value` (their amounts, as in `spend`; both 0 for who did nothing). Nothing after an origin reaches its features;
    customers who came later are not in it.

    `purchases` and the keywords as in `rfm_summary`, with nothing after `as_of`. `horizon`: time units or a timedelta,
    whole days. Raises LtvInputError where an origin lies before the first purchase, with the date that would suffice.

    >>> log = pd.DataFrame({
    ...     "customer_id": [7, 7, 8],
    ...     "date": pd.to_datetime(["2024-01-01", "2024-01-20", "2024-01-25"]),
    ...     "amount": [10.0, 3.0, 5.0],
    ... })
    >>> from datetime import date
    >>> past = training_set(log, date(2024, 1, 31), horizon=2)
    >>> past[["customer_id", "x", "origin", "transactions", "value"]].astype({"origin": str}).values.tolist()
    [[7, 0, '2024-01-17', 1, 3.0]]
    """
    if isinstance(origins, bool) or not isinstance(origins, int | np.integer) or origins < 1:
        raise LtvInputError(f"origins is {origins!r}", todo="give a whole number, 1 or more")
    columns = SummaryColumns(time_unit, litt, recent)
    rules = LogRules(as_of, entity, date, amount, zero, returns)
    step, last = _whole_days(horizon, time_unit), rules.last_day
    ends = last - step * np.arange(origins)
    require_free_name(entity, (*RESERVED, *LABELS))
    by_origin: list[list[pd.DataFrame]] = [[] for _ in ends]
    begin = last
    for days in log_days(purchases, rules, memory_limit):
        begin = min(begin, int(days.day[days.bought].min(initial=last)))
        for parts, end in zip(by_origin, ends.tolist(), strict=True):
            parts.append(_labelled(days, columns, end - step, end))
    _require_history(begin, last, int(ends[-1]) - step)
    return as_one_frame([part for parts in by_origin for part in parts], time_unit, recent)


def _labelled(days: LogDays, columns: SummaryColumns, origin: int, end: int) -> pd.DataFrame:
    """The summary at the end of the day `origin` from what was known then, and what came until the end of `end`."""
    summary = columns.summary(days.until(origin))
    then = days.bought & (days.day > origin) & (days.day <= end)
    n = len(days.customers)
    known = days.customers.get_indexer(pd.Index(summary.iloc[:, 0]))
    transactions: IntArray = np.bincount(days.of_row[then], minlength=n)
    value = np.bincount(days.of_row[then], days.amount[then], minlength=n)
    return summary.assign(
        origin=pd.Timestamp(np.datetime64(origin, "D")).as_unit("us"),
        transactions=transactions[known].astype(np.int64),
        value=value[known].astype(np.float64),
    )


def _whole_days(horizon: object, time_unit: TimeUnit) -> int:
    length = to_horizon(horizon, time_unit) * days_per(time_unit)
    if not np.isfinite(length) or length < 1 or abs(length - round(length)) > 1e-6:
        near = f", e.g. timedelta(days={max(1, round(length))})" if np.isfinite(length) else ""
        raise LtvInputError(
            f"horizon is {length:g} days",
            todo=f"labels are counted over whole days, 1 or more: give them{near}",
        )
    return round(length)


def _require_history(begin: int, last: int, earliest: int) -> None:
    """Raise if the log begins after the earliest origin."""
    if begin > earliest:
        first, origin, enough = (
            np.datetime64(day, "D") for day in (begin, earliest, last + begin - earliest)
        )
        raise LtvInputError(
            f"the log begins on {first}, after the earliest origin, {origin}",
            todo=f"as_of {enough} would suffice; or take fewer origins or a shorter horizon",
        )
