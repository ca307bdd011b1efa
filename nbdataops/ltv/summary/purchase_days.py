"""From a log of purchases to one row per customer and day: the ground of every summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import FloatArray, IntArray, LtvInputError
from nbdataops.ltv.summary.purchase_log import BoolArray, LogRules, SortedRows, day_number, sorted_rows

MEMORY_LIMIT = "1GB"
"""What DuckDB may hold while it sorts a log that is no small table; it uses the disk for the rest."""

NOTHING = 1e-9
"""What returns leave of a day's amounts, as a share of them, that is a rounding error of the sum."""


@dataclass(frozen=True, slots=True)
class PurchaseDays:
    """Days with a purchase, sorted by customer and day.

    customers: index of the customers, sorted. of_row, day, amount: of every distinct customer-day (the customer's
    position, days since 1970-01-01, summed amount). starts: where each customer's rows begin. total: all amounts of a
    customer, those of days that returns undid included. as_of: its day number.
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
    def is_repeat(self) -> BoolArray:
        """True for every row but each customer's first day."""
        repeat = np.ones(len(self.day), dtype=bool)
        repeat[self.starts] = False
        return repeat


@dataclass(frozen=True, slots=True)
class LogDays:
    """Days of the log, sorted by customer and day: `bought` is False where returns left nothing of the day."""

    customers: pd.Index
    of_row: IntArray
    day: IntArray
    amount: FloatArray
    bought: BoolArray
    as_of: int

    def until(self, as_of: int) -> LogDays:
        """What was known at the end of the day `as_of`."""
        keep = self.day <= as_of
        return LogDays(
            self.customers, self.of_row[keep], self.day[keep], self.amount[keep], self.bought[keep], as_of
        )

    def purchases(self) -> PurchaseDays:
        """The days with a purchase, of customers who have one."""
        of_row, day, amount = self.of_row, self.day, self.amount
        total = np.bincount(of_row, amount, minlength=len(self.customers)).astype(np.float64)
        if not self.bought.all():
            of_row, day, amount = of_row[self.bought], day[self.bought], amount[self.bought]
        customers = self.customers
        is_customer = np.bincount(of_row, minlength=len(customers)) > 0
        if not is_customer.all():
            customers, total = customers[is_customer], total[is_customer]
            of_row = (np.cumsum(is_customer) - 1)[of_row]
        starts = np.searchsorted(of_row, np.arange(len(customers)))
        return PurchaseDays(customers, of_row, day, amount, starts, total, self.as_of)


def log_days(
    purchases: object, as_of: date, rules: LogRules, memory_limit: str = MEMORY_LIMIT
) -> Iterator[LogDays]:
    """Merge the rows of one customer on one day, customers by customers; see `sorted_rows` for what is refused."""
    last = day_number(as_of)
    customers = 0
    for rows in sorted_rows(purchases, as_of, rules, memory_limit):
        days = _merge(rows, last)
        customers += int(days.bought.any())
        yield days
    if not customers:
        raise LtvInputError(
            "purchases has no rows", todo="the rules for zero amounts and returns left nothing"
        )


def purchase_days(purchases: object, as_of: date, rules: LogRules) -> PurchaseDays:
    """The purchases of all customers at once."""
    return _joined([days.purchases() for days in log_days(purchases, as_of, rules)])


def _merge(rows: SortedRows, last: int) -> LogDays:
    """One row per customer and day.

    The amounts of a day are added up from the smallest to the largest, so that the order of the log's rows changes no
    bit of the sum. Where returns eat up a day's amounts, that day is no purchase.
    """
    of_row, day, value = rows.of_row, rows.day, rows.value
    new = np.ones(len(day), dtype=bool)
    new[1:] = (of_row[1:] != of_row[:-1]) | (day[1:] != day[:-1])
    starts = np.flatnonzero(new)
    if len(starts) == len(day):
        return LogDays(rows.customers, of_row, day, value, value >= 0, last)
    of_day = np.cumsum(new) - 1
    several = np.flatnonzero((np.diff(np.append(starts, len(day))) > 1)[of_day])
    value = value.copy()
    value[several] = value[several[np.lexsort((value[several], of_day[several]))]]
    amount = np.bincount(of_day, value, minlength=len(starts)).astype(np.float64)
    bought = np.ones(len(starts), dtype=bool)
    if (value < 0).any():
        returned = np.bincount(of_day, value < 0, minlength=len(starts)) > 0
        size = np.bincount(of_day, np.abs(value), minlength=len(starts))
        amount[returned & (np.abs(amount) <= NOTHING * size)] = 0.0
        bought = (amount > 0) | ~returned
    return LogDays(rows.customers, of_row[starts], day[starts], amount, bought, last)


def _joined(parts: Sequence[PurchaseDays]) -> PurchaseDays:
    if len(parts) == 1:
        return parts[0]
    before = np.cumsum([0, *(len(part.customers) for part in parts)])
    rows = np.cumsum([0, *(len(part.day) for part in parts)])
    return PurchaseDays(
        customers=parts[0].customers.append([part.customers for part in parts[1:]]),
        of_row=np.concatenate([part.of_row + n for part, n in zip(parts, before, strict=False)]),
        day=np.concatenate([part.day for part in parts]),
        amount=np.concatenate([part.amount for part in parts]),
        starts=np.concatenate([part.starts + n for part, n in zip(parts, rows, strict=False)]),
        total=np.concatenate([part.total for part in parts]),
        as_of=parts[0].as_of,
    )
