"""Days with a purchase: the ground of every summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import FloatArray, IntArray
from nbdataops.ltv.summary.purchase_log import BoolArray


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


def joined(parts: Sequence[PurchaseDays]) -> PurchaseDays:
    """Parts of a log, each of other customers and sorted like the customers, as one."""
    if len(parts) == 1:
        return parts[0]
    customers = np.cumsum([0, *(len(part.customers) for part in parts[:-1])])
    rows = np.cumsum([0, *(len(part.day) for part in parts[:-1])])
    return PurchaseDays(
        customers=parts[0].customers.append([part.customers for part in parts[1:]]),
        of_row=np.concatenate([part.of_row + n for part, n in zip(parts, customers, strict=True)]),
        day=np.concatenate([part.day for part in parts]),
        amount=np.concatenate([part.amount for part in parts]),
        starts=np.concatenate([part.starts + n for part, n in zip(parts, rows, strict=True)]),
        total=np.concatenate([part.total for part in parts]),
        as_of=parts[0].as_of,
    )
