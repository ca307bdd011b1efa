"""Logs that DuckDB sorts and hands over in parts: nothing is lost at borders, memory is bounded, errors count rows."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from nbdataops.ltv import LtvInputError, cohort_ages, recency_transitions, rfm_summary, training_set
from nbdataops.ltv.summary import log_stream

from .purchase_logs import AS_OF, large, random_log

ROOT = Path(__file__).parent.parent.parent


PEAK = """
import sys
from benchmarks.ltv.worker import peak_mb
from nbdataops.ltv import rfm_summary
from tests.ltv.purchase_logs import AS_OF
summary = rfm_summary(sys.argv[1], AS_OF, memory_limit="200MB")
print(len(summary), peak_mb())
"""


def parquet_log(folder: Path, rows: int, customers: int) -> Path:
    """Written by DuckDB, in no order: sixteen months before AS_OF, amounts in cents."""
    file = folder / "log.parquet"
    duckdb.sql(
        f"""copy (
            select (hash(i) % {customers})::bigint as customer_id,
                timestamp '2024-06-30 23:00' - interval 1 minute * (hash(i + {rows}) % 700000)::bigint as date,
                (hash(i + 2 * {rows}) % 10000)::bigint / 100.0 as amount
            from range({rows}) t(i)
        ) to '{file}'"""
    )
    return file


def bytes_seen_in(folder: Path, patch: pytest.MonkeyPatch) -> list[int]:
    """Size of all files in the folder, each time that a part is handed over."""
    seen: list[int] = []
    whole_days = log_stream.whole_days

    def watched(batches: object, rows: int) -> Iterator[object]:
        for table in whole_days(batches, rows):  # type: ignore[arg-type]
            seen.append(sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()))
            yield table

    patch.setattr(log_stream, "whole_days", watched)
    return seen


def test_a_log_beyond_the_memory_limit_is_sorted_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, disk = parquet_log(tmp_path, 1_000_000, 100_000), tmp_path / "disk"
    expected = rfm_summary(pd.read_parquet(file), AS_OF)
    disk.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    monkeypatch.setattr(log_stream, "ROWS_AT_ONCE", 300_000)
    monkeypatch.setattr(log_stream, "MOST_THREADS", 1)  # each needs some of so little memory
    seen = bytes_seen_in(disk, monkeypatch)
    found = rfm_summary(file, AS_OF, memory_limit="25MB")
    assert max(seen) > 1_000_000
    assert list(disk.iterdir()) == []
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from /proc")
def test_ten_million_rows_are_summarised_in_a_process_of_less_than_800_mb(tmp_path: Path) -> None:
    """Reading the same file into a frame and sorting that takes 1.5 GB; the summary is 56 MB. Nothing is printed."""
    file = parquet_log(tmp_path, 10_000_000, 1_000_000)
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(file)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    customers, peak_mb = done.stdout.split()
    assert int(customers) > 990_000
    assert float(peak_mb) < 800


def test_too_little_memory_says_so() -> None:
    log = duckdb.sql(
        "select i as customer_id, date '2024-01-01' as date, 1.0 as amount from range(500000) t(i)"
    )
    with pytest.raises(LtvInputError, match="cannot be sorted within memory_limit='1MB'") as caught:
        rfm_summary(log, AS_OF, memory_limit="1MB")
    assert 'memory_limit="2GB"' in caught.value.todo
    assert "TMPDIR" in caught.value.todo
    for wrong in ("much", None, 1000):
        with pytest.raises(LtvInputError, match=f"memory_limit is {wrong!r}"):
            rfm_summary(log, AS_OF, memory_limit=wrong)  # type: ignore[arg-type]


def test_a_customer_with_more_rows_than_a_part_stays_one() -> None:
    """Guests are one customer in many logs: years of them, and thousands of rows on one day."""
    log = random_log(400)
    guests = pd.DataFrame(
        {"customer_id": 50, "date": pd.date_range("2023-01-01", periods=300), "amount": 0.1}
    )
    crowd = guests[:1].loc[np.zeros(100, dtype=int)]
    log = pd.concat([log, guests, crowd], ignore_index=True)
    expected = rfm_summary(log, AS_OF)
    assert expected.loc[expected["customer_id"] == 50, "x"].item() >= 299
    for rows_at_once in (1, 7, 64):
        with large(rows_at_once):
            pd.testing.assert_frame_equal(rfm_summary(log, AS_OF), expected, check_exact=True)


@pytest.mark.parametrize("returns", ["net", "drop"])
def test_other_summaries_read_large_logs_too(returns: str) -> None:
    log = random_log(800, returns=True)
    relation = duckdb.from_df(log)

    def all_of(source: object) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        options = {"returns": returns}
        ages, moves = cohort_ages(source, AS_OF, **options), recency_transitions(source, AS_OF, **options)
        matrices = (
            moves.purchases_from,
            moves.silences_from,
            moves.value_from,
            ages.transactions,
            ages.revenue,
        )
        return (
            training_set(source, AS_OF, 13, origins=3, litt=True, recent=4, **options),
            pd.DataFrame({"state": moves.state}, index=moves.index).assign(T=ages.T),
            pd.concat([pd.DataFrame(matrix.toarray()) for matrix in matrices], axis=1),
        )

    expected = all_of(log)
    with large(100):
        found = all_of(relation)
    for one, other in zip(found, expected, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


BAD_ROWS = {
    "select null as customer_id, date, amount from log": "customer_id is missing",
    "select customer_id, null::date as date, amount from log": "date is missing",
    "select customer_id, date, null as amount from log": "amount is missing",
    "select customer_id, date, 'nan'::double as amount from log": "amount is missing",
    "select customer_id, date, -1.0 as amount from log": "amount is negative",
    "select customer_id, date '2024-07-01' as date, amount from log": "date is after as_of 2024-06-30",
}


@pytest.mark.parametrize(("spoil", "what"), BAD_ROWS.items(), ids=list(BAD_ROWS.values()))
@pytest.mark.parametrize("rows_at_once", [64, 10**9])
def test_a_bad_row_is_found_in_whatever_part_it_lies(spoil: str, what: str, rows_at_once: int) -> None:
    connection = duckdb.connect()
    connection.register("log", random_log(500).sort_values("customer_id", ascending=False))
    good = "select customer_id, date::timestamp as date, amount from log"
    with large(rows_at_once):
        with pytest.raises(LtvInputError, match=f"{what} in 1 row of 501"):
            rfm_summary(connection.sql(f"{good} union all ({spoil} limit 1)"), AS_OF)
        with pytest.raises(LtvInputError, match=f"{what} in 500 rows of 1000"):
            rfm_summary(connection.sql(f"{good} union all ({spoil})"), AS_OF)


def test_an_error_names_five_customers_once_each() -> None:
    log = random_log(500)
    log.loc[log["customer_id"] < 3, "amount"] = np.nan
    rows = int(log["amount"].isna().sum())
    relation = duckdb.from_df(log)
    with large(2), pytest.raises(LtvInputError, match=rf"in {rows} rows of 500 \(customer_id 0, 1, 2\)"):
        rfm_summary(relation, AS_OF)
    nobody = relation.project("null::bigint as customer_id, date, 1 as amount")
    with pytest.raises(LtvInputError, match="customer_id is missing in 500 rows of 500\n"):
        rfm_summary(nobody, AS_OF)
    log.loc[log["customer_id"] < 20, "amount"] = np.nan
    with large(2), pytest.raises(LtvInputError, match=r"\(customer_id 0, 1, 2, 3, 4, \.\.\.\)"):
        rfm_summary(duckdb.from_df(log), AS_OF)


def test_a_large_frame_names_rows_like_a_small_one() -> None:
    log = random_log(500)
    log.loc[[7, 11], "date"] = pd.Timestamp(AS_OF + timedelta(days=1))
    for rows_at_once in (None, 100):
        with pytest.raises(LtvInputError, match=r"date is after as_of 2024-06-30 in 2 rows of 500 \(7, 11\)"):
            if rows_at_once is None:
                rfm_summary(log, AS_OF)
            else:
                with large(rows_at_once):
                    rfm_summary(log, AS_OF)


def test_nothing_left_is_no_summary() -> None:
    empty = "select 1 as customer_id, date '2024-01-01' as date, {} as amount {}"
    for query, options in (
        (empty.format("1.0", "limit 0"), {}),
        (empty.format("0.0", ""), {"zero": "drop"}),
        (empty.format("-1.0", ""), {"returns": "net"}),
        (empty.format("-1.0", ""), {"returns": "drop"}),
    ):
        with pytest.raises(LtvInputError, match="purchases has no rows"):
            rfm_summary(duckdb.sql(query), AS_OF, **options)
