from __future__ import annotations

from datetime import date, datetime

import pandas as pd
import pyarrow as pa
import pytest

from nbdataops.errors import StageError, UsageError
from nbdataops.session.deposit import DepositedRead
from nbdataops.session.scope import Scope
from tests.session.desk import Desk


def rows(desk: Desk, text: str, **frames: object) -> list[tuple[object, ...]]:
    arguments = "".join(f", {name}={name}" for name in frames)
    frame = desk.value(f"stage.sql({text!r}{arguments})", **frames)
    return list(frame.itertuples(index=False, name=None))


def test_scope_and_parameters_are_bound_as_what_they_are(desk: Desk) -> None:
    text = """select customer_id, count(*) as n from purchases
              where date > $as_of - interval 59 day and date >= $start and amount >= $least and note in $names
              group by 1 order by 1"""

    assert rows(desk, text) == [(3, 1)]
    assert rows(desk, "select $horizon + 1, $as_of, $start - 1") == [
        (40, pd.Timestamp("1997-03-31"), pd.Timestamp("1997-01-31"))
    ]


def test_a_value_is_bound_and_never_pasted(desk: Desk) -> None:
    desk.assign(parameters={"name": "x' or 1=1 --"})

    assert rows(desk, "select count(*) from rfm where region = $name") == [(0,)]


def test_parameters_in_comments_and_text_are_no_parameters(desk: Desk) -> None:
    assert rows(desk, "select '$nobody' as a -- $nobody\n /* $nobody */") == [("$nobody",)]


def test_until_is_bound_where_the_stage_has_one_and_explained_elsewhere(desk: Desk) -> None:
    with pytest.raises(UsageError, match=r"stage\.until exists only"):
        rows(desk, "select $until")
    desk.assign(scope=Scope(date(1997, 3, 31), 39, date(1997, 12, 29)))

    assert rows(desk, "select $until") == [(pd.Timestamp("1997-12-29"),)]


def test_frames_are_passed_by_name_whatever_they_are(desk: Desk) -> None:
    promo = pd.DataFrame({"customer_id": [1, 3], "share": [0.5, 0.1]})
    text = "select sum(amount * share) from purchases join promo using (customer_id)"

    assert rows(desk, text, promo=promo)[0][0] == pytest.approx(15.6)
    assert rows(desk, text, promo=promo.set_index("customer_id"))[0][0] == pytest.approx(15.6)
    assert rows(desk, text, promo=pa.Table.from_pandas(promo))[0][0] == pytest.approx(15.6)


def test_a_frame_of_the_surrounding_scope_is_not_seen(desk: Desk) -> None:
    with pytest.raises(UsageError, match=r"reads 'promo'.*\n.*stage\.sql\(\.\.\., promo=frame\)"):
        desk.cell('import pandas as pd\npromo = pd.DataFrame({"a": [1]})\nstage.sql("select * from promo")')


@pytest.mark.parametrize(
    "text",
    [
        "select * from read_csv('{file}')",
        "select * from '{file}'",
        "select * from read_text('{file}')",
        "select * from glob('/*')",
    ],
)
def test_no_file_can_be_read(desk: Desk, text: str) -> None:
    file = desk.folder / "secret.csv"
    file.write_text("a\n1\n")

    with pytest.raises(UsageError):
        rows(desk, text.format(file=file))


@pytest.mark.parametrize(
    "text",
    [
        "create table t as select 1",
        "copy (select 1) to '/tmp/x'",
        "attach '/tmp/x'",
        "set threads = 4",
        "select 1; select 2",
        "",
        "install httpfs",
        "pragma version",
    ],
)
def test_nothing_but_a_single_select_is_executed(desk: Desk, text: str) -> None:
    with pytest.raises(UsageError, match="single SELECT"):
        rows(desk, text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("select * from purchase", "did you mean 'purchases'"),
        ("select amuont from purchases", "amuont"),
        ("select * form purchases", "syntax error"),
        ("select $asof", "did you mean 'as_of'"),
        ("select ?", "without a name"),
        ("select $1", "without a name"),
    ],
)
def test_a_query_that_cannot_be_meant_says_what_would_do(desk: Desk, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        rows(desk, text)


def test_a_row_that_cannot_be_computed_is_the_stage_failing(desk: Desk) -> None:
    with pytest.raises(StageError, match="Could not convert string 'a'"):
        rows(desk, "select note::int from purchases")


def test_a_frame_may_not_take_the_name_of_a_table(desk: Desk) -> None:
    with pytest.raises(UsageError, match="also a table of the product"):
        rows(desk, "select 1", rfm=pd.DataFrame({"a": [1]}))


def test_names_given_by_with_are_no_tables(desk: Desk) -> None:
    text = "with late as (select * from purchases where date > $start), n as (select count(*) as c from late) select c from n"

    assert rows(desk, text) == [(3,)]


def test_table_names_are_found_in_any_case_as_duckdb_has_it(desk: Desk) -> None:
    assert rows(desk, "select count(*) from Purchases join RFM using (customer_id)") == [(6,)]
    assert {read.table for read in desk.record.reads} == {"purchases", "rfm"}


def test_results_are_of_the_types_that_read_gives(desk: Desk) -> None:
    frame = desk.value(
        "stage.sql('select date_trunc($$month$$, date) as month, sum(customer_id) as n, sum(amount) as amount, "
        "max(date) as last, count(*) as rows, 1.5::decimal(9,2) as price from purchases group by 1 order by 1')"
    )

    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        "month": "datetime64[us]",
        "n": "int64",
        "amount": "float64",
        "last": "datetime64[us]",
        "rows": "int64",
        "price": "float64",
    }
    assert frame.amount.tolist() == [16.0, 22.0, 3.0]


def test_a_result_may_be_had_as_arrow_and_as_a_relation_that_outlives_the_call(desk: Desk) -> None:
    table = desk.value('stage.sql("select x from rfm order by x", into="arrow")')
    relation = desk.value('stage.sql("select x from rfm", into="duckdb")')

    assert table.to_pydict() == {"x": [0, 0, 1, 2]}
    assert relation.aggregate("sum(x)").fetchall() == [(3,)]


def test_instants_are_shown_in_the_time_zone_of_the_metric(desk: Desk) -> None:
    desk.assign(scope=Scope(date(1997, 3, 31), 39, None, "week", "America/New_York"))
    times = pa.table({"id": [1], "moment": pa.array([datetime(1997, 1, 1, 3)], pa.timestamp("us", tz="UTC"))})
    desk.assign(inputs={"t": desk.store.write("t", times, key=["id"])})

    assert rows(desk, "select moment::date from t") == [(pd.Timestamp("1996-12-31"),)]


def test_what_sql_read_is_on_record_and_only_that(desk: Desk) -> None:
    desk.cell('stage.sql("select count(*) from rfm")')

    assert desk.record.reads == (DepositedRead("rfm", ("customer_id", "x", "cohort", "region"), "sql"),)


def test_a_text_is_asked_for(desk: Desk) -> None:
    with pytest.raises(UsageError, match="needs a text"):
        desk.value("stage.sql(3)")
