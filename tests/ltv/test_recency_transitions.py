"""Moves between recency states, counted by hand and in bulk."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from nbdataops.ltv import LtvInputError, recency_transitions

from .purchase_logs import AS_OF, random_log


def by_hand(log: pd.DataFrame, as_of: date, states: int, days: int) -> dict[object, tuple[int, np.ndarray]]:
    """Walk through the periods of each customer: final state, and (purchases, silences, value) by state."""
    answer = {}
    for customer, own in log.groupby("customer_id"):
        back = (pd.Timestamp(as_of) - own.date).dt.days // days
        spent = own.amount.groupby(back).sum()
        state, seen = 1, np.zeros((3, states))
        for period in range(int(back.max()) - 1, -1, -1):
            if period in spent.index:
                seen[0, state - 1] += 1
                seen[2, state - 1] += spent[period]
                state = 1
            else:
                seen[1, state - 1] += 1
                state = min(state + 1, states)
        answer[customer] = (state, seen)
    return answer


@pytest.mark.parametrize(("states", "unit", "days"), [(5, "week", 7), (2, "week", 7), (12, "day", 1)])
def test_counts_are_those_of_walking_through_every_period(states: int, unit: str, days: int) -> None:
    log = random_log(600, seed=3)
    seen = recency_transitions(log, AS_OF, states=states, time_unit=unit)
    for i, (customer, (state, counts)) in enumerate(by_hand(log, AS_OF, states, days).items()):
        assert seen.index[i] == customer
        assert seen.state[i] == state
        for matrix, expected in zip(
            (seen.purchases_from, seen.silences_from, seen.value_from), counts, strict=True
        ):
            np.testing.assert_allclose(matrix[[i], :].toarray()[0], expected)


def test_a_period_may_be_several_units_or_less_than_one() -> None:
    log = random_log(600, seed=3)
    one, two = (
        recency_transitions(log, AS_OF, period=2, time_unit="week"),
        recency_transitions(log, AS_OF, period=14, time_unit="day"),
    )
    np.testing.assert_array_equal(one.purchases_from.toarray(), two.purchases_from.toarray())
    for wrong in (
        {"states": 1},
        {"states": 2.5},
        {"states": float("nan")},
        {"period": 0.1},
        {"period": float("nan")},
    ):
        with pytest.raises(LtvInputError):
            recency_transitions(log, AS_OF, time_unit="week", **wrong)
