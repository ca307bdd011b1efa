"""From the rows of a log to one row per customer and day, in parts of whole customers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import FloatArray, IntArray, LtvInputError
from nbdataops.ltv.summary.log_frame import FrameLog
from nbdataops.ltv.summary.log_stream import MEMORY_LIMIT, sorted_stream
from nbdataops.ltv.summary.purchase_days import PurchaseDays, joined
from nbdataops.ltv.summary.purchase_log import BoolArray, LogRules, SortedRows

ROWS_IN_MEMORY = 2_000_000
"""A frame with more rows than this is sorted by DuckDB, like a log in files."""

NOTHING = 1e-9
"""What returns leave of a day's amounts, as a share of them, that is a rounding error of the sum."""


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


def log_days(purchases: object, rules: LogRules, memory_limit: str = MEMORY_LIMIT) -> Iterator[LogDays]:
    """The days of whole customers, in the order of customers; a small frame at once, anything else in parts.

    Raises LtvInputError for a missing column, key, date or amount, an infinite amount, a negative one unless the rules
    say what it is, for rows after `as_of` (a summary never sees the future), and where nothing is left.
    """
    anything = False
    for days in whole_customers(_merge(rows, rules) for rows in _sorted_rows(purchases, rules, memory_limit)):
        anything = anything or bool(days.bought.any())
        yield days
    if not anything:
        raise LtvInputError(
            "purchases has no rows", todo="the rules for zero amounts and returns left nothing"
        )


def purchase_days(purchases: object, rules: LogRules) -> PurchaseDays:
    """The purchases of all customers at once."""
    return joined([days.purchases() for days in log_days(purchases, rules)])


def whole_customers(parts: Iterable[LogDays]) -> Iterator[LogDays]:
    """The same days; who is last in one part and first in the next is in the next with all of them."""
    before: LogDays | None = None
    for part in parts:
        if before is None:
            before = part
            continue
        if before.customers[-1] == part.customers[0]:
            before, part = _handed_over(before, part)
        if len(before.customers):
            yield before
        before = part
    if before is not None:
        yield before


def _handed_over(before: LogDays, part: LogDays) -> tuple[LogDays, LogDays]:
    """The last customer of `before` is the first one of `part`: all days go there."""
    last = len(before.customers) - 1
    cut = int(np.searchsorted(before.of_row, last))
    return (
        LogDays(
            before.customers[:last],
            before.of_row[:cut],
            before.day[:cut],
            before.amount[:cut],
            before.bought[:cut],
            before.as_of,
        ),
        LogDays(
            part.customers,
            np.concatenate([before.of_row[cut:] - last, part.of_row]),
            np.concatenate([before.day[cut:], part.day]),
            np.concatenate([before.amount[cut:], part.amount]),
            np.concatenate([before.bought[cut:], part.bought]),
            part.as_of,
        ),
    )


def _sorted_rows(purchases: object, rules: LogRules, memory_limit: str) -> Iterator[SortedRows]:
    if not isinstance(purchases, pd.DataFrame):
        yield from sorted_stream(purchases, rules, memory_limit)
        return
    log = FrameLog.of(purchases, rules)
    if len(purchases) <= ROWS_IN_MEMORY:
        yield log.sorted(rules)
        return
    for rows in sorted_stream(log.to_arrow(rules), rules, memory_limit):
        customers = rows.customers.astype(log.key_type)
        yield SortedRows(customers, rows.of_row, rows.day, rows.value)


def _merge(rows: SortedRows, rules: LogRules) -> LogDays:
    """One row per customer and day.

    The amounts of a day are added up from the smallest to the largest, so that the order of the log's rows changes no
    bit of the sum. Where returns eat up a day's amounts, that day is no purchase.
    """
    of_row, day, value = rows.of_row, rows.day, rows.value
    new = np.ones(len(day), dtype=bool)
    new[1:] = (of_row[1:] != of_row[:-1]) | (day[1:] != day[:-1])
    starts = np.flatnonzero(new)
    if len(starts) == len(day):
        return LogDays(rows.customers, of_row, day, value, value >= 0, rules.last_day)
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
    return LogDays(rows.customers, of_row[starts], day[starts], amount, bought, rules.last_day)
