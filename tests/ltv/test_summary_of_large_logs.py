"""Relations, files and rules: the same summary however the log comes, and however large it is."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nbdataops.ltv import LtvInputError, rfm_summary
from nbdataops.ltv.summary import log_stream

AS_OF = date(2024, 6, 30)


def random_log(rows: int = 3000, seed: int = 0, returns: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    amount = np.round(rng.gamma(2, 10, rows), 2) * np.where(rng.random(rows) < 0.05, 0.0, 1.0)
    if returns:
        amount = np.where(rng.random(rows) < 0.1, -amount, amount)
    return pd.DataFrame(
        {
            "customer_id": rng.integers(0, rows // 4, rows),
            "date": pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 540, rows), unit="D"),
            "amount": amount,
        }
    )


@pytest.fixture(params=[10**9, 200], ids=["one part", "many parts"])
def size_of_parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(log_stream, "ROWS_AT_ONCE", request.param)
    return int(request.param)


@pytest.mark.parametrize(
    "options", [{}, {"zero": "drop"}, {"litt": True, "recent": 13}, {"time_unit": "month"}]
)
def test_a_relation_a_file_and_an_arrow_table_are_summarised_like_a_frame(
    size_of_parts: int, options: dict[str, object], tmp_path: Path
) -> None:
    log = random_log()
    expected = rfm_summary(log, AS_OF, **options)
    log.to_parquet(tmp_path / "a.parquet")
    relation = duckdb.connect().from_df(log)
    decimal = relation.project("customer_id, date::date as date, amount::decimal(12, 2) as amount")
    for same in (
        pa.Table.from_pandas(log),
        relation,
        decimal,
        tmp_path / "a.parquet",
        str(tmp_path / "*.parquet"),
    ):
        pd.testing.assert_frame_equal(rfm_summary(same, AS_OF, **options), expected)
        assert rfm_summary(same, AS_OF, **options).attrs == expected.attrs


def test_names_of_columns_may_hold_anything(size_of_parts: int) -> None:
    log = random_log().rename(columns={"customer_id": 'the "id"', "amount": "a; drop"})
    relation = duckdb.connect().from_df(log)
    names = {"entity": 'the "id"', "amount": "a; drop"}
    pd.testing.assert_frame_equal(rfm_summary(relation, AS_OF, **names), rfm_summary(log, AS_OF, **names))


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        ("select null as customer_id, date, amount from log limit 1", "customer_id is missing"),
        ("select customer_id, null::date as date, amount from log limit 1", "date is missing"),
        ("select customer_id, date, null as amount from log limit 1", "amount is missing"),
        ("select customer_id, date, -1.0 as amount from log limit 1", "amount is negative"),
        ("select customer_id, date '2024-07-01' as date, amount from log limit 1", "date is after as_of"),
    ],
)
def test_a_bad_row_is_found_in_whatever_part_it_lies(size_of_parts: int, spoil: str, what: str) -> None:
    connection = duckdb.connect()
    connection.register("log", random_log())
    relation = connection.sql(
        f"select customer_id, date::timestamp as date, amount from log union all ({spoil})"
    )
    with pytest.raises(LtvInputError, match=what):
        rfm_summary(relation, AS_OF)


def test_what_is_no_log_is_refused_with_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(LtvInputError, match="cannot be read"):
        rfm_summary(tmp_path / "none.parquet", AS_OF)
    (tmp_path / "text.parquet").write_text("no")
    with pytest.raises(LtvInputError, match="cannot be read"):
        rfm_summary(tmp_path / "text.parquet", AS_OF)
    with pytest.raises(LtvInputError, match="purchases is a DuckDBPyConnection"):
        rfm_summary(duckdb.connect(), AS_OF)
    with pytest.raises(LtvInputError, match="no column 'customer_id'"):
        rfm_summary(duckdb.sql("select 1 as customer"), AS_OF)
    with pytest.raises(LtvInputError, match="no rows"):
        rfm_summary(
            duckdb.sql("select 1 as customer_id, date '2024-01-01' as date, 1.0 as amount limit 0"), AS_OF
        )


def test_a_return_comes_off_its_day_and_a_day_without_a_rest_is_no_purchase() -> None:
    log = pd.DataFrame(
        {
            "customer_id": [1, 1, 1, 1, 1, 2, 2],
            "date": pd.to_datetime(
                [
                    "2024-01-01",
                    "2024-01-08",
                    "2024-01-08",
                    "2024-01-15",
                    "2024-01-15",
                    "2024-02-01",
                    "2024-02-01",
                ]
            ),
            "amount": [10.0, 8.0, -3.0, 4.0, -6.0, 5.0, -5.0],
        }
    )
    summary = rfm_summary(log, AS_OF, returns="net")
    assert summary[["customer_id", "x", "t_x", "spend", "total"]].values.tolist() == [[1, 1, 1.0, 5.0, 13.0]]
    dropped = rfm_summary(log, AS_OF, returns="drop")
    assert dropped[["customer_id", "x", "t_x", "spend", "total"]].values.tolist() == [
        [1, 2, 2.0, 6.0, 22.0],
        [2, 0, 0.0, 0.0, 5.0],
    ]
    with pytest.raises(LtvInputError, match="amount is negative") as caught:
        rfm_summary(log, AS_OF)
    assert 'returns="net"' in caught.value.todo
    with pytest.raises(LtvInputError, match="no rows"):
        rfm_summary(log[log.customer_id == 2], AS_OF, returns="net")
    with pytest.raises(LtvInputError, match="returns is 'nett'"):
        rfm_summary(log, AS_OF, returns="nett")


@pytest.mark.parametrize("returns", ["net", "drop"])
def test_returns_do_the_same_in_a_relation(size_of_parts: int, returns: str) -> None:
    log = random_log(returns=True)
    pd.testing.assert_frame_equal(
        rfm_summary(duckdb.connect().from_df(log), AS_OF, returns=returns),
        rfm_summary(log, AS_OF, returns=returns),
    )


def test_litt_is_the_sum_of_the_logarithms_of_the_gaps() -> None:
    log = random_log()
    summary = rfm_summary(log, AS_OF, litt=True).set_index("customer_id")
    for customer, own in log.groupby("customer_id"):
        days = own.date.drop_duplicates().sort_values()
        gaps = days.diff().dropna() / pd.Timedelta(weeks=1)
        assert summary.litt[customer] == pytest.approx(float(np.log(gaps).sum()))


def test_recent_counts_the_last_time_units_up_to_as_of() -> None:
    log = random_log()
    summary = rfm_summary(log, AS_OF, recent=13).set_index("customer_id")
    late = log[log.date > pd.Timestamp(AS_OF) - pd.Timedelta(weeks=13)]
    value = late.groupby("customer_id").amount.sum().reindex(summary.index, fill_value=0)
    transactions = late.groupby("customer_id").date.nunique().reindex(summary.index, fill_value=0)
    np.testing.assert_allclose(summary.recent_value, value)
    np.testing.assert_array_equal(summary.recent_transactions, transactions)
    for wrong in (0, -1, float("inf"), float("nan")):
        with pytest.raises(LtvInputError, match="recent"):
            rfm_summary(log, AS_OF, recent=wrong)
