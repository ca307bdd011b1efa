from __future__ import annotations

import sys

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nbdataops.errors import UsageError
from nbdataops.session.deposit import DepositedRead
from tests.session.desk import Desk


def test_the_key_comes_first_and_then_the_columns_as_asked(desk: Desk) -> None:
    frame = desk.value('stage.read("purchases", columns=["note", "date", "amount"])')

    assert list(frame.columns) == ["customer_id", "date", "note", "amount"]


def test_no_columns_is_the_key_and_none_is_all_of_them(desk: Desk) -> None:
    assert list(desk.value('stage.read("rfm", columns=[])').columns) == ["customer_id"]
    assert list(desk.value('stage.read("rfm")').columns) == ["customer_id", "x", "cohort", "region"]


def test_the_event_time_comes_only_when_asked_for(desk: Desk) -> None:
    visits = desk.store.write(
        "visits",
        pa.table({"id": [1], "at": pa.array([0], pa.timestamp("us")), "n": [3]}),
        key=["id"],
        event_time="at",
    )
    desk.assign(inputs={"visits": visits})

    assert list(desk.value('stage.read("visits", columns=["n"])').columns) == ["id", "n"]
    assert list(desk.value('stage.read("visits", columns=["n", "at"])').columns) == ["id", "n", "at"]


def test_dates_are_datetimes_at_midnight_so_that_arithmetic_works(desk: Desk) -> None:
    frame = desk.value('stage.read("purchases", columns=["date"])')

    assert frame["date"].dtype == "datetime64[us]"
    assert (pd.Timestamp("1997-03-31") - frame["date"]).dt.days.tolist()[:1] == [89]


def test_decimals_are_numbers_in_pandas(desk: Desk) -> None:
    decimals = pa.table(
        {
            "id": [1, 2],
            "cents": pa.array([1, None], pa.decimal128(38, 0)),
            "price": pa.array(["1.50", "2.25"]).cast(pa.decimal128(9, 2)),
            "huge": pa.array(["9" * 30, "1"]).cast(pa.decimal128(38, 0)),
        }
    )
    desk.assign(inputs={"t": desk.store.write("t", decimals, key=["id"])})

    frame = desk.value('stage.read("t")')

    assert frame["price"].tolist() == [1.5, 2.25]
    assert frame["cents"].tolist()[0] == 1
    assert np.isnan(frame["cents"].tolist()[1])
    assert frame["huge"].tolist() == [1e30, 1.0]


@pytest.mark.parametrize("column", ["amount", "customer_id"])
def test_a_frame_may_be_written_to_and_the_store_does_not_see_it(desk: Desk, column: str) -> None:
    made = desk.cell(
        f'frame = stage.read("purchases", columns=["amount"])[["{column}"]]\n'
        f'frame["{column}"].to_numpy(copy=False)\n'
        f'frame.loc[0, "{column}"] = 999'
    )

    assert made["frame"].loc[0, column] == 999
    assert 999 not in desk.value('stage.read("purchases", columns=["amount"])')[column].tolist()


def test_a_table_may_be_had_as_arrow_and_as_a_relation(desk: Desk) -> None:
    table = desk.value('stage.read("rfm", columns=["x"], into="arrow")')
    relation = desk.value('stage.read("rfm", columns=["x"], into="duckdb")')

    assert table.to_pydict() == {"customer_id": [1, 2, 3, 4], "x": [1, 0, 2, 0]}
    assert isinstance(relation, duckdb.DuckDBPyRelation)
    assert relation.filter("x > 0").order("x").fetchall() == [(1, 1), (3, 2)]


def test_a_missing_polars_is_named_with_its_extra(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)

    with pytest.raises(UsageError, match=r"nbdataops\[polars\]"):
        desk.value('stage.read("rfm", columns=["x"], into="polars")')


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ('stage.read("purchase")', r"stage\.read\('purchase'\) was not found when the notebook was planned"),
        ('stage.read("purchase")', "did you mean 'purchases'"),
        ('stage.read("rfm", columns=["cohrt"])', "did you mean 'cohort'"),
        ('stage.read("rfm", columns="cohort")', r"columns=\['cohort'\]"),
        ('stage.read("rfm", into="panda")', "did you mean 'pandas'"),
    ],
)
def test_a_read_that_cannot_be_meant_says_what_would_do(desk: Desk, call: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        desk.value(call)


def test_a_column_that_was_not_handed_over_cannot_be_read(desk: Desk) -> None:
    desk.assign(inputs={"rfm": desk.rfm.select(["x"])})

    with pytest.raises(UsageError, match="has no column 'cohort' that this notebook declares"):
        desk.value('stage.read("rfm", columns=["x", "cohort"])')


def test_every_read_is_on_record_once_with_what_was_handed_over(desk: Desk) -> None:
    desk.cell('for _ in range(2):\n    stage.read("rfm", columns=["x"])\nstage.read("rfm", columns=[])')

    assert desk.record.reads == (
        DepositedRead("rfm", ("customer_id", "x"), "read"),
        DepositedRead("rfm", ("customer_id",), "read"),
    )


def test_a_notebook_that_fails_leaves_its_record(desk: Desk) -> None:
    with pytest.raises(ZeroDivisionError):
        desk.cell('stage.read("rfm", columns=["x"])\n1 / 0')

    assert [read.table for read in desk.record.reads] == ["rfm"]


def test_a_table_without_rows_has_its_columns(desk: Desk) -> None:
    empty = pa.table({"id": pa.array([], pa.int64()), "day": pa.array([], pa.date32())})
    desk.assign(inputs={"t": desk.store.write("t", empty, key=["id"], event_time="day")})

    frame = desk.value('stage.read("t")')

    assert (list(frame.columns), len(frame)) == (["id", "day"], 0)
    assert desk.value('stage.sql("select count(*) as n from t")').n.tolist() == [0]
