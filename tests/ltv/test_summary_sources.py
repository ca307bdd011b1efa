"""The same summary to the last bit, wherever the log comes from and in whatever order; or an error that teaches."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbdataops.ltv import LtvInputError, rfm_summary

from .purchase_logs import AS_OF, large, random_log, sources

LOG = pd.DataFrame(
    {
        "customer_id": [1, 2, 1, 2, 1],
        "date": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-02-01", "2024-03-01", "2024-02-01"]),
        "amount": [1.53, 2.29, 3.01, 4.0, 5.1],
    }
)


@pytest.mark.parametrize("rows_at_once", [1_100, 1_000_000])
@pytest.mark.parametrize(
    "options", [{}, {"returns": "net"}, {"zero": "drop", "returns": "drop"}, {"litt": True, "recent": 13}]
)
def test_every_source_gives_the_summary_of_the_frame(
    rows_at_once: int, options: dict[str, object], tmp_path: Path
) -> None:
    log = random_log(returns="returns" in options)
    expected = rfm_summary(log, AS_OF, **options)
    with large(rows_at_once):
        for kind, source in {**sources(log, tmp_path), "large frame": log}.items():
            found = rfm_summary(source, AS_OF, **options)
            pd.testing.assert_frame_equal(found, expected, check_exact=True, obj=kind)
            assert found.attrs == expected.attrs


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(-3000, 30_000)), min_size=1, max_size=60
    ),
    seed=st.integers(0, 2**31),
    rows_at_once=st.integers(1, 20),
)
def test_no_bit_depends_on_order_source_or_parts(rows, seed: int, rows_at_once: int, tmp_path: Path) -> None:
    """Cents add up to other doubles in another order; a customer may be cut into many parts."""
    rows = [*rows, (9, 0, 100)]  # somebody bought
    log = pd.DataFrame(rows, columns=["customer_id", "day", "cents"])
    log["date"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(log["day"], unit="D")
    log["amount"] = log["cents"] / 100
    expected = rfm_summary(log, AS_OF, returns="net", litt=True, recent=23)
    shuffled = log.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(
        rfm_summary(shuffled, AS_OF, returns="net", litt=True, recent=23), expected, check_exact=True
    )
    shuffled.to_parquet(tmp_path / "log.parquet")
    with large(rows_at_once):
        found = rfm_summary(tmp_path / "log.parquet", AS_OF, returns="net", litt=True, recent=23)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_a_day_adds_up_the_same_in_whatever_order_its_rows_come() -> None:
    assert (0.1 + 0.2) + 0.3 != (0.3 + 0.2) + 0.1
    first = LOG[:1].assign(amount=1.0)
    spends = set()
    for amounts in itertools.permutations([0.1, 0.2, 0.3]):
        same_day = pd.DataFrame({"customer_id": 1, "date": pd.Timestamp("2024-02-01"), "amount": amounts})
        log = pd.concat([same_day, first])
        for source in (log, pa.Table.from_pandas(log)):
            spends.add(rfm_summary(source, AS_OF)["spend"].item())
    assert len(spends) == 1


KEYS: dict[str, Callable[[int], object]] = {
    "text": lambda k: f"Kundin {k} ö",
    "bytes": lambda k: bytes([k]),
    "decimals that no double tells apart": lambda k: Decimal(2**60 + k),
    "truth values": lambda k: k == 2,
    "days": lambda k: date(2020, 1, k),
}


@pytest.mark.parametrize("key", KEYS.values(), ids=list(KEYS))
def test_customers_may_be_of_any_kind_that_can_be_sorted(key: Callable[[int], object]) -> None:
    log = LOG.assign(customer_id=[key(k) for k in LOG["customer_id"]])
    expected = rfm_summary(LOG, AS_OF).assign(customer_id=[key(1), key(2)])
    small = rfm_summary(log, AS_OF)
    pd.testing.assert_frame_equal(small, expected)
    with large(2):
        pd.testing.assert_frame_equal(rfm_summary(log, AS_OF), small)
        table = rfm_summary(pa.Table.from_pandas(log), AS_OF)
    numbers = ["x", "t_x", "T", "spend", "total"]
    pd.testing.assert_frame_equal(table[numbers], small[numbers], check_exact=True)
    assert (
        pd.Series(table["customer_id"]).astype(object).tolist()
        == pd.Series(pd.Index(small["customer_id"]))
        .astype(table["customer_id"].dtype)
        .astype(object)
        .tolist()
    )


@pytest.mark.parametrize(
    "dtype", ["int32", "uint64", "Int64", "float32", "string", "object", "int64[pyarrow]"]
)
def test_customers_keep_the_type_of_the_frame_however_large_it_is(dtype: str) -> None:
    log = LOG.astype({"customer_id": dtype})
    small = rfm_summary(log, AS_OF)
    assert small["customer_id"].dtype == log["customer_id"].dtype
    with large(2):
        pd.testing.assert_frame_equal(rfm_summary(log, AS_OF), small)


@pytest.mark.parametrize("values", [["z", "a"], [30, 4]])
def test_categories_are_sorted_by_their_values(values: list[object]) -> None:
    first, second = values
    column = pd.Categorical([values[k - 1] for k in LOG["customer_id"]], categories=[*values, *values[:0]])
    log = LOG.assign(customer_id=column)
    expected = rfm_summary(log.astype({"customer_id": log["customer_id"].cat.categories.dtype}), AS_OF)
    assert expected["customer_id"].tolist() == [second, first]
    pd.testing.assert_frame_equal(rfm_summary(log, AS_OF), expected)
    with large(2):
        pd.testing.assert_frame_equal(rfm_summary(log, AS_OF), expected)
    pd.testing.assert_frame_equal(rfm_summary(pa.Table.from_pandas(log), AS_OF), expected)


def test_identifiers_are_texts(tmp_path: Path) -> None:
    known = {
        1: uuid.UUID(int=0xF5 << 120),
        2: uuid.UUID(int=7),
    }  # sorted as texts, not by the sign of a number
    log = LOG.assign(customer_id=[known[k] for k in LOG["customer_id"]])
    as_text = rfm_summary(LOG.assign(customer_id=[str(known[k]) for k in LOG["customer_id"]]), AS_OF)
    relation = duckdb.from_df(log.astype({"customer_id": str}))
    as_uuid = relation.project("customer_id::uuid as customer_id, date, amount")
    as_uuid.write_parquet(str(tmp_path / "log.parquet"))
    for source in (log, as_uuid, tmp_path / "log.parquet"):
        pd.testing.assert_frame_equal(rfm_summary(source, AS_OF), as_text)
    with large(2):
        pd.testing.assert_frame_equal(rfm_summary(log, AS_OF), as_text)


def test_no_customer_is_minus_zero() -> None:
    log = LOG.assign(customer_id=[0.0, 1.0, -0.0, 1.0, -0.0], date=LOG["date"][::-1].to_numpy())
    expected = rfm_summary(log.assign(customer_id=log["customer_id"].abs()), AS_OF)
    for turned in (log, log[::-1]):
        for source in (turned, pa.Table.from_pandas(turned)):
            found = rfm_summary(source, AS_OF)
            pd.testing.assert_frame_equal(found, expected)
            assert not np.signbit(found["customer_id"]).any()


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ([1, "2", 1, "2", 1], "holds int and str"),
        ([[1], [2], [1], [2], [1]], "holds list"),
        ([1, 2.5, 1, 2.5, 1], "holds float and int"),
        ([{"a": 1}] * 5, "holds dict"),
    ],
)
def test_customers_of_several_kinds_are_refused(keys: list[object], what: str) -> None:
    log = LOG.assign(customer_id=pd.Series(keys, dtype=object))
    for rows_at_once in (None, 2):
        with pytest.raises(LtvInputError, match=f"customer_id {what}") as caught:
            if rows_at_once is None:
                rfm_summary(log, AS_OF)
            else:
                with large(rows_at_once):
                    rfm_summary(log, AS_OF)
        assert "convert all of customer_id" in caught.value.todo
    with pytest.raises(LtvInputError, match="customer_id holds STRUCT"):
        rfm_summary(pa.Table.from_pandas(LOG.assign(customer_id=[{"a": 1}] * 5)), AS_OF)


def test_decimals_are_the_nearest_doubles_from_every_source(tmp_path: Path) -> None:
    cents = np.random.default_rng(0).integers(0, 10**9, 300)
    log = random_log(300).assign(amount=cents / 100)
    exact = log.assign(amount=[Decimal(int(c)).scaleb(-2) for c in cents])
    table = pa.Table.from_pandas(exact, preserve_index=False)
    table.to_pandas(types_mapper=pd.ArrowDtype).to_parquet(tmp_path / "log.parquet")
    expected = rfm_summary(log, AS_OF)
    for source in (
        exact,
        table,
        table.to_pandas(types_mapper=pd.ArrowDtype).astype({"customer_id": "int64"}),
        duckdb.from_arrow(table),
        tmp_path / "log.parquet",
    ):
        pd.testing.assert_frame_equal(rfm_summary(source, AS_OF), expected, check_exact=True)
    missing = exact.assign(amount=[None, *exact["amount"][1:]])
    with pytest.raises(LtvInputError, match=r"amount is missing in 1 row of 300 \(0\)"):
        rfm_summary(missing, AS_OF)


@pytest.mark.parametrize(
    "zone", ["America/New_York", "Asia/Kolkata", "UTC", timezone(timedelta(hours=-3, minutes=-30))], ids=str
)
def test_a_day_is_read_on_the_clock_of_its_column(zone: object, tmp_path: Path) -> None:
    clock = pd.to_datetime(
        [
            "2024-01-01 00:00",
            "2024-01-01 23:59:59",
            "2024-03-10 01:30",
            "2024-03-10 23:30",
            "2024-02-29 12:00",
        ],
        format="ISO8601",
    )
    log = LOG.assign(date=clock)
    expected = rfm_summary(log, AS_OF)
    zoned = log.assign(date=log["date"].dt.tz_localize(zone))
    table = pa.Table.from_pandas(zoned)
    for source in (zoned, table, table.to_reader(), table.to_pandas(types_mapper=pd.ArrowDtype)):
        found = rfm_summary(source, AS_OF).astype({"customer_id": "int64"})
        pd.testing.assert_frame_equal(found, expected)
    with large(2):
        pd.testing.assert_frame_equal(rfm_summary(zoned, AS_OF), expected)


def test_moments_without_their_zone_are_refused_and_the_advice_works(tmp_path: Path) -> None:
    zoned = LOG.assign(date=LOG["date"].dt.tz_localize("Asia/Tokyo"))  # the day before, in UTC
    zoned.to_parquet(tmp_path / "log.parquet")
    connection = duckdb.connect()
    for source in (tmp_path / "log.parquet", connection.read_parquet(str(tmp_path / "log.parquet"))):
        with pytest.raises(LtvInputError, match="date holds moments without the time zone") as caught:
            rfm_summary(source, AS_OF)
    advice = caught.value.todo.partition(": ")[2].replace("Europe/Berlin", "Asia/Tokyo")
    relation = connection.read_parquet(str(tmp_path / "log.parquet")).project(
        f"customer_id, amount, {advice}"
    )
    pd.testing.assert_frame_equal(rfm_summary(relation, AS_OF), rfm_summary(LOG, AS_OF))


def test_moments_of_several_zones_are_refused() -> None:
    zones = (UTC, timezone(timedelta(hours=2)))
    moments = [datetime(2024, 1, 1, tzinfo=zones[k % 2]) for k in range(len(LOG))]
    log = LOG.assign(date=pd.Series(moments, dtype=object))
    with pytest.raises(LtvInputError, match="several time zones"):
        rfm_summary(log, AS_OF)
    with large(2), pytest.raises(LtvInputError, match="several time zones"):
        rfm_summary(log, AS_OF)


def test_days_before_1970_are_days() -> None:
    early = ["1969-12-31 13:00", "1960-01-02", "1969-02-01", "1960-03-01 23:59:59", "1969-02-01 00:01"]
    log = LOG.assign(date=pd.to_datetime(early, format="ISO8601"))
    found = rfm_summary(log, date(1970, 1, 1), time_unit="day")
    assert found[["x", "t_x", "T"]].values.tolist() == [[1, 333, 334], [1, 59, 3652]]
    pd.testing.assert_frame_equal(
        rfm_summary(pa.Table.from_pandas(log), date(1970, 1, 1), time_unit="day"), found
    )


def test_names_of_columns_may_hold_anything_and_differ_in_case_only() -> None:
    names = {"customer_id": 'the "id"', "amount": "a; drop"}
    log = LOG.rename(columns=names).assign(Date=pd.Timestamp("2030-01-01"), **{'THE "ID"': 5})
    log = log[[*log.columns[::-1]]]
    expected = rfm_summary(LOG, AS_OF).rename(columns=names)
    table = pa.Table.from_pandas(log)
    options = {"entity": names["customer_id"], "amount": names["amount"]}
    for source in (log, table, table.to_reader()):
        pd.testing.assert_frame_equal(rfm_summary(source, AS_OF, **options), expected)
    relation = duckdb.from_df(LOG.rename(columns=names))
    pd.testing.assert_frame_equal(rfm_summary(relation, AS_OF, **options), expected)


def test_a_customer_may_not_be_named_like_a_column_of_the_summary() -> None:
    for name in ("x", "n", "total"):
        with pytest.raises(LtvInputError, match=f"entity is named '{name}'"):
            rfm_summary(LOG.rename(columns={"customer_id": name}), AS_OF, entity=name)


def test_files_of_one_log_may_hold_other_types_and_are_read_to_the_cent(tmp_path: Path) -> None:
    """A month of round amounts is written as whole numbers; it must not round those of other months."""
    old = LOG[:2].assign(amount=[1, 2], date=LOG["date"].dt.date)
    old.to_parquet(tmp_path / "a.parquet")
    LOG[2:].to_parquet(tmp_path / "b.parquet")
    expected = rfm_summary(pd.concat([LOG[:2].assign(amount=[1.0, 2.0]), LOG[2:]]), AS_OF)
    pd.testing.assert_frame_equal(rfm_summary(tmp_path, AS_OF), expected)
    LOG.drop(columns="amount").to_parquet(tmp_path / "c.parquet")
    with pytest.raises(LtvInputError, match="amount is missing in 5 rows of 10"):
        rfm_summary(tmp_path, AS_OF)


def test_a_folder_may_be_cut_by_a_column(tmp_path: Path) -> None:
    for day, part in LOG.groupby("date"):
        (tmp_path / f"date={day:%Y-%m-%d}").mkdir()
        part.drop(columns="date").to_parquet(tmp_path / f"date={day:%Y-%m-%d}" / "part.parquet")
    pd.testing.assert_frame_equal(rfm_summary(tmp_path, AS_OF), rfm_summary(LOG, AS_OF))


def test_names_of_files_and_folders_are_no_patterns(tmp_path: Path) -> None:
    folder = tmp_path / "customers' log [2024]"
    folder.mkdir()
    LOG.to_parquet(folder / "part*.parquet")
    LOG.to_parquet(folder / "part*2.parquet")
    expected = rfm_summary(LOG, AS_OF)
    pd.testing.assert_frame_equal(rfm_summary(folder / "part*.parquet", AS_OF), expected)
    assert rfm_summary(folder, AS_OF)["total"].sum() == pytest.approx(2 * expected["total"].sum())


def test_what_is_no_log_is_refused_with_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(LtvInputError, match=r"cannot be read from '.*none.parquet'.*No files found"):
        rfm_summary(tmp_path / "none.parquet", AS_OF)
    (tmp_path / "log.csv").write_text("customer_id,date,amount\n1,2024-01-01,2\n")
    with pytest.raises(LtvInputError, match="cannot be read") as caught:
        rfm_summary(tmp_path / "log.csv", AS_OF)
    assert "duckdb.read_csv(path)" in caught.value.todo
    assert len(rfm_summary(duckdb.read_csv(tmp_path / "log.csv"), AS_OF)) == 1
    with pytest.raises(LtvInputError, match="cannot be read"):
        rfm_summary(tmp_path, AS_OF)  # a folder without Parquet
    for nothing in (duckdb.connect(), None, {}, 5):
        with pytest.raises(LtvInputError, match=f"purchases is a {type(nothing).__name__}") as caught:
            rfm_summary(nothing, AS_OF)
        assert "a relation" in caught.value.todo


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ("1 as customer", "no column 'customer_id'"),
        ("1 as customer_id, '2024-01-01' as date, 1.0 as amount", "date holds VARCHAR, not dates"),
        ("1 as customer_id, date '2024-01-01' as date, true as amount", "amount holds BOOLEAN, not numbers"),
        ("1 as customer_id, date '2024-01-01' as date, '5' as amount", "amount holds VARCHAR, not numbers"),
        ("[1] as customer_id, date '2024-01-01' as date, 5 as amount", "customer_id holds INTEGER.*no keys"),
        ("1 as customer_id, 'infinity'::date as date, 1.0 as amount", "date is missing in 1 row of 1"),
        ("'nan'::double as customer_id, date '2024-01-01' as date, 1 as amount", "customer_id is missing"),
        ("1 as customer_id, date '2024-01-01' as date, 'inf'::float as amount", "amount is infinite"),
    ],
)
def test_wrong_columns_of_a_relation_are_refused(columns: str, what: str) -> None:
    with pytest.raises(LtvInputError, match=what):
        rfm_summary(duckdb.sql(f"select {columns}"), AS_OF)


def test_an_error_of_the_callers_own_query_is_not_hidden() -> None:
    failing = duckdb.sql(
        "select 1 as customer_id, date '2024-01-01' as date, error('boom')::double as amount"
    )
    with pytest.raises(Exception, match="boom"):
        rfm_summary(failing, AS_OF)
