from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from nbdataops.errors import UsageError
from nbdataops.session.assignment import LabelledInput, LabelledOrigin
from nbdataops.session.deposit import DepositedRead
from tests.session.desk import RFM, Desk


@pytest.fixture
def labels(desk: Desk) -> Desk:
    """Two origins of rfm at a horizon of 13 weeks; customer 4 came only before the later one."""
    later = desk.table("rfm", RFM, ["customer_id"])
    earlier = desk.table("rfm", RFM.iloc[:3].assign(x=9), ["customer_id"])
    outcomes = [
        desk.table("outcome", pd.DataFrame(columns), ["customer_id"])
        for columns in (
            {"customer_id": [3, 1], "value": [7.0, 1.5], "transactions": [2.0, 1.0]},
            {"customer_id": [2], "value": [5.0], "transactions": [1.0]},
        )
    ]
    origins = (
        LabelledOrigin(date(1996, 12, 30), date(1997, 3, 31), later.select(["x"]), outcomes[0]),
        LabelledOrigin(date(1996, 9, 30), date(1996, 12, 30), earlier.select(["x"]), outcomes[1]),
    )
    desk.assign(
        labelled=(
            LabelledInput("rfm", ("x",), 13, origins),
            LabelledInput("rfm", ("x",), 39, origins[:1]),
        )
    )
    return desk


def test_rows_of_every_origin_are_joined_with_what_came_true_after_it(labels: Desk) -> None:
    frame = labels.value('stage.labelled("rfm", columns=["x"], horizon=13, origins=2)')

    assert frame.astype({"origin": str}).to_dict("split")["data"] == [
        [1, "1996-12-30", 1, 1.5, 1.0],
        [2, "1996-12-30", 0, 0.0, 0.0],
        [3, "1996-12-30", 2, 7.0, 2.0],
        [4, "1996-12-30", 0, 0.0, 0.0],
        [1, "1996-09-30", 9, 0.0, 0.0],
        [2, "1996-09-30", 9, 5.0, 1.0],
        [3, "1996-09-30", 9, 0.0, 0.0],
    ]
    assert list(frame.columns) == ["customer_id", "origin", "x", "value", "transactions"]
    assert frame["origin"].dtype == "datetime64[us]"


def test_the_horizon_is_that_of_the_stage_if_none_is_named(labels: Desk) -> None:
    assert len(labels.value('stage.labelled("rfm", columns=["x"])')) == 4


def test_origins_without_any_event_give_zeros(labels: Desk) -> None:
    empty = pd.DataFrame({"customer_id": pd.Series([], dtype="int64"), "value": [], "transactions": []})
    origin = LabelledOrigin(
        date(1996, 12, 30), date(1997, 3, 31), labels.rfm, labels.table("outcome", empty, ["customer_id"])
    )
    labels.assign(labelled=(LabelledInput("rfm", None, 39, (origin,)),))

    assert labels.value('stage.labelled("rfm", columns=["x"])')["value"].tolist() == [0.0] * 4


def test_what_was_handed_over_is_on_record(labels: Desk) -> None:
    labels.cell('stage.labelled("rfm", columns=["x"], horizon=13, origins=2)')

    assert labels.record.reads == (DepositedRead("rfm", ("customer_id", "x"), "labelled"),)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ('stage.labelled("rmf", columns=["x"])', "did you mean 'rfm'"),
        ('stage.labelled("rfm", columns=["x"], horizon=26)', "planned: horizon=13, origins=2"),
        ('stage.labelled("rfm", columns=["x"], horizon=13)', "not planned with these arguments"),
        ('stage.labelled("rfm", columns=["cohort"], horizon=39)', "not planned with these arguments"),
    ],
)
def test_labels_that_were_not_planned_are_refused(labels: Desk, call: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        labels.value(call)


def test_a_table_with_several_rows_per_entity_has_no_labels(labels: Desk) -> None:
    origin = LabelledOrigin(date(1996, 12, 30), date(1997, 3, 31), labels.purchases, labels.rfm)
    labels.assign(labelled=(LabelledInput("purchases", None, 39, (origin,)),))

    with pytest.raises(
        UsageError, match="one row per customer_id; the key of 'purchases' is customer_id, date"
    ):
        labels.value('stage.labelled("purchases", columns=["amount"])')


def test_a_column_that_is_called_like_a_label_is_refused(labels: Desk) -> None:
    table = labels.table("rfm", RFM.assign(transactions=1), ["customer_id"])
    origin = LabelledOrigin(date(1996, 12, 30), date(1997, 3, 31), table, labels.rfm)
    labels.assign(labelled=(LabelledInput("rfm", None, 39, (origin,)),))

    with pytest.raises(UsageError, match="adds transactions, which 'rfm' has as well"):
        labels.value('stage.labelled("rfm", columns=["x", "transactions"])')
