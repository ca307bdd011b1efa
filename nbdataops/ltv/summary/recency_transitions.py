"""How customers moved between recency states: what a Markov chain is fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import IntArray, LtvInputError
from nbdataops.ltv.summary.log_days import purchase_days
from nbdataops.ltv.summary.purchase_log import LogRules, ReturnsRule, ZeroRule
from nbdataops.ltv.time_units import TimeUnit, days_per

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, slots=True)
class RecencyTransitions:
    """Periods of every customer by the recency state that they began in.

    State s means that the last purchase lies in the s-th period back: 1 bought in the last period; `states` pools all
    longer silences. index: the customers, sorted. state: the state at `as_of`. purchases_from, silences_from,
    value_from: customers x states, sparse: periods with and without a purchase that began in that state, and what was
    spent in them. period: the length of one, in units of time_unit.
    """

    index: pd.Index
    state: IntArray
    purchases_from: csr_array
    silences_from: csr_array
    value_from: csr_array
    states: int
    period: float
    time_unit: TimeUnit


def recency_transitions(
    purchases: object,
    as_of: date,
    *,
    states: int = 12,
    period: float = 1.0,
    entity: str = "customer_id",
    date: str = "date",
    amount: str = "amount",
    time_unit: TimeUnit = "month",
    zero: ZeroRule = "keep",
    returns: ReturnsRule = "refuse",
) -> RecencyTransitions:
    """Count periods with and without a purchase, by recency, as of the end of the day `as_of`.

    Periods of `period` time units end at `as_of` and run backwards; the period of a customer's first purchase counts
    for nothing but the start. `purchases` and the keywords as in `rfm_summary`, whose rules it follows. Raises
    LtvInputError for fewer than two `states` and a period shorter than a day.

    >>> log = pd.DataFrame({
    ...     "customer_id": [7, 7, 8],
    ...     "date": pd.to_datetime(["2024-01-02", "2024-01-20", "2024-01-10"]),
    ...     "amount": [10.0, 3.0, 5.0],
    ... })
    >>> seen = recency_transitions(log, pd.Timestamp("2024-01-28"), states=3, time_unit="week")
    >>> seen.state.tolist(), seen.silences_from.sum(axis=0).tolist()
    ([2, 3], [3.0, 1.0, 0.0])
    """
    from scipy.sparse import csr_array  # late: importing it takes long

    if isinstance(states, bool) or not isinstance(states, int | np.integer) or states < 2:
        raise LtvInputError(f"states is {states!r}", todo="give a whole number, 2 or more")
    length = period * days_per(time_unit)
    if not (np.isfinite(length) and length >= 1):
        raise LtvInputError(f"period is {period} {time_unit}s", todo="a period has at least one day")
    days = purchase_days(purchases, LogRules(as_of, entity, date, amount, zero, returns))
    back = np.floor((days.as_of - days.day) / length).astype(np.int64)  # 0 is the last period
    n, last = len(days.customers), int(states)
    # one row per customer and period with a purchase, oldest first
    new = np.ones(len(back), dtype=bool)
    new[1:] = (days.of_row[1:] != days.of_row[:-1]) | (back[1:] != back[:-1])
    of_active = np.cumsum(new) - 1
    who, when = days.of_row[new], back[new]
    value = np.bincount(of_active, days.amount)
    begins = np.ones(len(who), dtype=bool)
    begins[1:] = who[1:] != who[:-1]
    gap = np.where(begins, 0, _gaps(when))
    again = np.flatnonzero(~begins)
    # a purchase after a gap of g periods comes from state g, after silences in states 1 to g - 1
    from_state = np.minimum(gap[again], last)
    shape = (n, last)
    purchases_from = csr_array((np.ones(len(again)), (who[again], from_state - 1)), shape=shape)
    value_from = csr_array((value[again], (who[again], from_state - 1)), shape=shape)
    ends = np.append(begins[1:], True)
    since = when[ends]  # periods since the last one with a purchase
    rows, columns, counts = _silences(
        np.concatenate([who[again], np.arange(n)]), np.concatenate([gap[again] - 1, since]), last
    )
    return RecencyTransitions(
        index=days.customers,
        state=np.minimum(since + 1, last),
        purchases_from=purchases_from,
        silences_from=csr_array((counts, (rows, columns)), shape=shape),
        value_from=value_from,
        states=last,
        period=period,
        time_unit=time_unit,
    )


def _gaps(when: IntArray) -> IntArray:
    """Periods since the row before."""
    gap = np.zeros(len(when), dtype=np.int64)
    gap[1:] = when[:-1] - when[1:]
    return gap


def _silences(who: IntArray, length: IntArray, states: int) -> tuple[IntArray, IntArray, IntArray]:
    """Silent periods by the state that they began in: a silence of g periods begins once in each of 1 to g."""
    rows, columns, counts = [], [], []
    for state in range(1, states):
        long = np.flatnonzero(length >= state)
        rows.append(who[long])
        columns.append(np.full(len(long), state - 1))
        counts.append(np.ones(len(long)))
    long = np.flatnonzero(length >= states)
    rows.append(who[long])
    columns.append(np.full(len(long), states - 1))
    counts.append((length[long] - states + 1).astype(np.float64))
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(counts)
