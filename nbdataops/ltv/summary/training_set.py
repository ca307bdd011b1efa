"""Labels of the past: what customers looked like at earlier dates, and what they did next."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import LtvInputError, refuse, require_columns, require_frame, require_rows
from nbdataops.ltv.summary.purchase_days import day_number, days_of, purchase_days
from nbdataops.ltv.summary.rfm import rfm_summary
from nbdataops.ltv.time_units import ATTRIBUTE, TimeUnit, days_per, to_horizon


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
    **options: Any,
) -> pd.DataFrame:
    """Summaries at earlier origins, each with what its customers did in the `horizon` that followed.

    The origins lie 1, 2, ... `origins` horizons before `as_of`, so every label has come true by `as_of` and windows do
    not overlap. One row a customer and origin: the columns of `rfm_summary` as of that origin (further `options` go
    there), `origin`, and the labels `transactions` (distinct days) and `value` (their amounts, 0 for who did
    nothing). Nothing after an origin reaches its features; customers who came later are not in it.

    `purchases`: a pandas DataFrame or an Arrow table with nothing after `as_of`. `horizon`: time units or a timedelta,
    whole days. Raises LtvInputError where an origin lies before the first purchase, with the date that would suffice.

    >>> log = pd.DataFrame({
    ...     "customer_id": [7, 7, 8],
    ...     "date": pd.to_datetime(["2024-01-01", "2024-01-20", "2024-01-25"]),
    ...     "amount": [10.0, 3.0, 5.0],
    ... })
    >>> from datetime import date
    >>> past = training_set(log, date(2024, 1, 31), horizon=2)
    >>> past[["customer_id", "x", "T", "origin", "transactions", "value"]].to_dict("records")[0]["value"]
    3.0
    """
    if isinstance(origins, bool) or int(origins) != origins or origins < 1:
        raise LtvInputError(f"origins is {origins}", todo="give a whole number, 1 or more")
    length = to_horizon(horizon, time_unit) * days_per(time_unit)
    if not np.isfinite(length) or length < 1 or abs(length - round(length)) > 1e-6:
        raise LtvInputError(f"horizon is {length:g} days", todo="give a horizon of whole days, 1 or more")
    step = round(length)
    log = require_frame(purchases, "purchases")
    require_columns(log, (entity, date, amount), "purchases")
    require_rows(log.index, "purchases")
    day, last = days_of(log[date], date), day_number(as_of)
    refuse(day > last, log.index, f"{date} is after as_of {as_of}", "cut the log at as_of first")
    if last - int(origins) * step < day.min():
        enough = as_of + timedelta(days=int(day.min()) - (last - int(origins) * step))
        raise LtvInputError(
            f"the log begins after the earliest origin, {as_of - timedelta(days=int(origins) * step)}",
            todo=f"as_of {enough} would suffice; or take fewer origins or a shorter horizon",
        )
    names: dict[str, Any] = {"entity": entity, "date": date, "amount": amount}
    rules = {name: rule for name, rule in options.items() if name in ("zero", "returns")}
    parts = []
    for k in range(1, int(origins) + 1):
        origin, end = last - k * step, last - (k - 1) * step
        then = as_of - timedelta(days=k * step)
        known = rfm_summary(log[day <= origin], then, **names, time_unit=time_unit, **options)
        ahead = _outcome(log[(day > origin) & (day <= end)], then + timedelta(days=step), names, rules)
        labels = ahead.reindex(known[entity]).fillna(0.0)
        parts.append(
            known.assign(
                origin=pd.Timestamp(then),
                transactions=labels["transactions"].to_numpy(np.int64),
                value=labels["value"].to_numpy(),
            )
        )
    frame = pd.concat(parts, ignore_index=True)
    frame.attrs[ATTRIBUTE] = time_unit
    return frame


def _outcome(rows: pd.DataFrame, until: date, names: dict[str, Any], rules: dict[str, Any]) -> pd.DataFrame:
    """Transactions and value by customer of these rows."""
    if rows.empty:
        return pd.DataFrame({"transactions": [], "value": []}, dtype=np.float64)
    days = purchase_days(rows, until, **names, **rules)
    n = len(days.customers)
    return pd.DataFrame(
        {"transactions": np.bincount(days.of_row, minlength=n).astype(np.float64), "value": days.total},
        index=days.customers,
    )
