"""What a cohort did at each age: transactions and revenue of every customer by time since the own first purchase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbdataops.ltv.columns import FloatArray, LtvInputError, refuse, weights
from nbdataops.ltv.summary.log_days import purchase_days
from nbdataops.ltv.summary.purchase_log import LogRules, ReturnsRule, ZeroRule
from nbdataops.ltv.time_units import TimeUnit, days_per

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, slots=True)
class CohortAges:
    """Customers x ages, sparse. Age 0 is the first time unit after the first purchase, which itself is left out.

    index: the customers, sorted. T: their age, in time units. transactions, revenue: one row a customer, one column
    an age; time_unit: of both. Customers are seen for different times: `curve` counts whom each age could be observed
    of.
    """

    index: pd.Index
    T: FloatArray
    transactions: csr_array
    revenue: csr_array
    time_unit: TimeUnit

    def curve(self, sample_weight: object = None) -> pd.DataFrame:
        """By `age`: `exposure` (customer-time-units observed), `transactions`, `revenue`, all weighted sums."""
        w = weights(sample_weight, self.index)
        w = np.ones(len(self.index)) if w is None else w
        ages = np.arange(self.transactions.shape[1])
        code, T = pd.factorize(self.T)
        observed = np.clip(T[:, None] - ages, 0.0, 1.0)
        return pd.DataFrame(
            {
                "exposure": np.bincount(code, w, minlength=len(T)) @ observed,
                "transactions": w @ self.transactions,
                "revenue": w @ self.revenue,
            },
            index=pd.Index(ages, name="age"),
        )

    def select(self, customers: Sequence[Any] | NDArray[Any] | pd.Index | pd.Series) -> CohortAges:
        """These customers alone, in the order of `index`: labels of it, or a mask with one bool a customer.

        `ages.select(ages.T <= 26)` are the customers no older than 26 time units. Raises LtvInputError for a customer
        who is not there, and for a mask of another length or index.
        """
        given = pd.Index(customers) if not isinstance(customers, pd.Series) else customers
        if pd.api.types.is_bool_dtype(given.dtype) and len(given):
            same = len(given) == len(self.index)
            if not same or (isinstance(customers, pd.Series) and not customers.index.equals(self.index)):
                raise LtvInputError(
                    f"a mask of {len(given)} for {len(self.index)} customers, or with another index",
                    todo="make it from these ages, e.g. ages.T <= 26",
                )
            mask = np.asarray(given, dtype=bool)
        else:
            labels = pd.Index(given)
            refuse(~labels.isin(self.index), labels, "no such customer", "take labels of ages.index")
            mask = self.index.isin(labels)
        rows = np.flatnonzero(mask)
        return replace(
            self,
            index=self.index[rows],
            T=self.T[rows],
            transactions=self.transactions[rows],
            revenue=self.revenue[rows],
        )


def cohort_ages(
    purchases: object,
    as_of: date,
    *,
    entity: str = "customer_id",
    date: str = "date",
    amount: str = "amount",
    time_unit: TimeUnit = "week",
    zero: ZeroRule = "keep",
    returns: ReturnsRule = "refuse",
) -> CohortAges:
    """Spread a log of purchases over customers and ages, as of the end of the day `as_of`.

    `purchases` and the keywords as in `rfm_summary`, whose rules it follows: distinct days, first day left out,
    rows after `as_of` are an error. What it makes is held in memory. Build it once; refits under other weights are
    then one product of a vector and a sparse matrix.

    >>> log = pd.DataFrame({
    ...     "customer_id": [7, 7, 8],
    ...     "date": pd.to_datetime(["1997-01-01", "1997-01-08", "1997-01-12"]),
    ...     "amount": [10.0, 3.0, 5.0],
    ... })
    >>> cohort_ages(log, pd.Timestamp("1997-01-15")).curve()["exposure"].round(2).tolist()
    [1.43, 1.0]
    """
    from scipy.sparse import csr_array  # late: importing it takes long

    unit = days_per(time_unit)
    days = purchase_days(purchases, LogRules(as_of, entity, date, amount, zero, returns))
    T = (days.as_of - days.first_day) / unit
    repeat = days.is_repeat
    row = days.of_row[repeat]
    age = np.ceil((days.day[repeat] - days.first_day[row]) / unit).astype(np.int64) - 1
    shape = (len(days.customers), max(int(np.ceil(T.max())), 1))
    return CohortAges(
        index=days.customers,
        T=T,
        transactions=csr_array((np.ones(len(row)), (row, age)), shape=shape),
        revenue=csr_array((days.amount[repeat], (row, age)), shape=shape),
        time_unit=time_unit,
    )
