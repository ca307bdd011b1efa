from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from nbdataops.errors import NbdataopsError, OutputError, UsageError
from nbdataops.session.deposit import DepositedTable
from tests.session.desk import PURCHASES, Desk


def test_a_table_is_deposited_with_its_key_and_event_time(desk: Desk) -> None:
    shown = desk.value(
        'stage.write("purchases", day, key=["customer_id", "date"], event_time="date")', day=PURCHASES
    )

    written = desk.record.tables["purchases"]
    assert written == DepositedTable("tables/purchases.arrow", ("customer_id", "date"), "date", 6)
    assert desk.file(written.file).to_dict("list") == PURCHASES.where(PURCHASES.notna(), None).to_dict("list")
    assert repr(shown) == (
        "purchases: 6 rows, one per customer_id, date; columns customer_id, date, amount, note"
    )


def test_the_key_may_be_the_index_of_the_frame(desk: Desk) -> None:
    desk.cell('stage.write("t", f, key="k")', f=pd.DataFrame({"v": [1]}, index=pd.Index([5], name="k")))

    assert desk.file(desk.record.tables["t"].file).to_dict("list") == {"k": [5], "v": [1]}


def test_an_arrow_result_of_sql_can_be_written(desk: Desk) -> None:
    desk.cell(
        'stage.write("t", stage.sql("select x, count(*) as n from rfm group by 1", into="arrow"), key="x")'
    )

    assert desk.record.tables["t"].rows == 3


@pytest.mark.parametrize(
    ("frame", "call", "says"),
    [
        ({"a": [1]}, 'key="b"', "no column 'b', its key"),
        ({"amuont": [1], "k": [1]}, 'key="k", event_time="amount"', "did you mean 'amuont'"),
        (
            {"k": [1, 1, 2, 2, 2]},
            'key="k"',
            r"2 values of its key \(k\) are there more than once, 3 rows too many",
        ),
        ({"k": list(range(9)) * 2}, 'key="k"', r"e\.g\. \(0\), \(1\), \(2\), \(3\), \(4\)\n"),
        ({"k": [1, None]}, 'key="k"', "1 of 2 rows have no k"),
        ({"k": ["a", None]}, 'key="k"', "1 of 2 rows have no k"),
        ({"k": [1, 1], "l": [1, 1]}, 'key=["k", "l"]', r"\(1, 1\)"),
        ({"k": [1], "t": ["1997-01-01"]}, 'key="k", event_time="t"', "must be a date or a timestamp"),
        ({"k": [1], "t": [pd.NaT]}, 'key="k", event_time="t"', "1 of 1 rows have no t, its event_time"),
    ],
)
def test_a_table_that_breaks_its_declaration_is_refused_with_counts(
    desk: Desk, frame: dict[str, list[object]], call: str, says: str
) -> None:
    with pytest.raises(OutputError, match=says):
        desk.cell(f'stage.write("t", frame, {call})', frame=pd.DataFrame(frame))
    assert desk.record.tables == {}


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ('stage.write("t", frame, key="k", by="country")', "not supported in this version"),
        ('stage.write("../t", frame, key="k")', "cannot be a table's name"),
        ('stage.write("t", frame, key=[])', "needs a key"),
        (
            'stage.write("t", frame, key="k")\nstage.write("t", frame, key="k")',
            "was written twice in this run",
        ),
    ],
)
def test_a_call_that_cannot_be_meant_is_refused(desk: Desk, call: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        desk.cell(call, frame=pd.DataFrame({"k": [1]}))


def test_interactively_a_cell_may_write_again(desk: Desk) -> None:
    desk.assign(mode="interactive")
    desk.cell('stage.write("t", f, key="k")\nstage.write("t", f, key="k")', f=pa.table({"k": [1, 2]}))

    assert desk.record.tables["t"].rows == 2


def test_a_table_without_rows_is_a_table(desk: Desk) -> None:
    desk.cell('stage.write("t", f, key="k")', f=pa.table({"k": pa.array([], pa.int64())}))

    assert desk.record.tables["t"].rows == 0


def test_nothing_is_deposited_where_the_disk_says_no(desk: Desk) -> None:
    (desk.folder / "deposit").write_text("in the way")

    with pytest.raises(NbdataopsError, match="cannot be written") as caught:
        desk.cell('stage.write("t", f, key="k")', f=pa.table({"k": [1]}))
    assert caught.value.code == "store"
