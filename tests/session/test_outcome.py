from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbdataops.errors import OutputError, UsageError
from nbdataops.session.scope import Scope
from tests.session.desk import METRIC, Desk, answer


def publish(desk: Desk, given: Any, **changes: Any) -> Any:
    if changes:
        desk.assign(**changes)
    return desk.value("stage.outcome(given)", given=given)


def test_who_is_missing_did_nothing(desk: Desk) -> None:
    shown = publish(desk, answer().iloc[[2, 0]])

    assert desk.record.outcome is not None
    assert desk.file(desk.record.outcome.file).to_dict("list") == {
        "customer_id": [1, 2, 3, 4],
        "value": [30.0, 0.0, 6.0, 0.0],
        "transactions": [2.0, 0.0, 3.0, 0.0],
    }
    assert "2 of 4 (50%) did something" in repr(shown)


def test_who_came_after_as_of_is_counted_and_left_out(desk: Desk) -> None:
    shown = publish(desk, answer(customer_id=[1, 2, 3, 99]))

    assert desk.record.outcome is not None
    assert (desk.record.outcome.rows, desk.record.outcome.unknown, shown.unknown) == (4, 1, 1)
    assert "1 customer_id are not of the population at as_of (acquired later) and were left out" in repr(
        shown
    )
    assert desk.file(desk.record.outcome.file).customer_id.tolist() == [1, 2, 3, 4]


def test_an_outcome_says_which_window_it_is_of(desk: Desk) -> None:
    scope = Scope(date(1997, 3, 31), 39, date(1997, 12, 29), "week")
    shown = publish(desk, answer(), scope=scope)

    assert "revenue after 1997-03-31 up to 1997-12-29" in repr(shown)
    assert desk.value("stage.until") == date(1997, 12, 29)


def test_nothing_at_all_may_have_happened(desk: Desk) -> None:
    shown = publish(desk, answer().iloc[:0])

    assert shown.total == 0
    assert desk.record.outcome is not None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (pd.concat([answer(), answer()]), "4 customer_id are there more than once"),
        (answer(customer_id=[1, 2, 3, None]), "1 of 4 rows have no customer_id"),
        (answer(customer_id=list("abcd")), "its keys are text, the population's whole numbers"),
        (answer(customer_id=[91, 92, 93, 94]), "not one of 4 customer_id is in the population"),
        (answer(value=np.nan), "value is no number"),
        (answer(value=np.inf), "value is infinite"),
        (answer(value=[-1.0, 0, 0, 0]), "settles_after"),
        (answer(transactions=[-1.0, 0, 0, 0]), "transactions is negative"),
        (answer(value=["1", "2", "3", "4"]), "value is text"),
        (answer().drop(columns="value"), "got no column 'value'"),
        (answer(lower=0.0, upper=1.0), "got a column 'lower'"),
    ],
)
def test_a_wrong_outcome_is_refused_with_what_is_wrong(desk: Desk, given: Any, says: str) -> None:
    with pytest.raises(OutputError) as caught:
        publish(desk, given)

    assert says in str(caught.value)
    assert desk.record.outcome is None


@pytest.mark.parametrize("metric", [{**METRIC, "settle_days": 30}, {**METRIC, "value": "margin"}])
def test_a_value_may_be_negative_where_returns_are_declared(desk: Desk, metric: dict[str, Any]) -> None:
    shown = publish(desk, answer(value=[-1.0, 0, 0, 0]), metric=metric)

    assert shown.total == -1


def test_there_is_one_outcome_a_run(desk: Desk) -> None:
    publish(desk, answer())

    with pytest.raises(UsageError, match="twice"):
        publish(desk, answer())
