"""Claim: a stage that declares 2 of 10 columns of a million rows reads them faster from a snapshot than from Parquet.

A snapshot's files are Arrow over mapped memory, so that reading is next to nothing until values are used. Both sides
therefore also add the values up: what is compared is the time until they are in hand. Parquet is as pyarrow writes it
by default. Files are in the system's cache for both, as the output of the stage before usually is. A table with event
time is kept in one partition a month; Parquet stays one file.
"""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.comparison import Comparison, compare, script
from nbdataops.store.snapshots import SnapshotStore, load

ROUNDS = 15
ROWS = 1_000_000
DAYS = 730
COLUMNS = ["id", "amount"]


def purchases(rows: int) -> pa.Table:
    """10 columns: 3 of whole numbers, 4 of floats, 1 of dates, 2 of text."""
    random = np.random.default_rng(0)
    first = date(2024, 1, 1)
    days = np.array([first + timedelta(days=n) for n in range(DAYS)], dtype="datetime64[D]")
    return pa.table(
        {
            "id": np.arange(rows),
            "customer": random.integers(0, rows // 10, rows),
            "quantity": random.integers(1, 9, rows),
            "amount": random.gamma(2.0, 20.0, rows),
            "discount": random.random(rows),
            "tax": random.random(rows),
            "cost": random.gamma(2.0, 12.0, rows),
            "date": days[np.sort(random.integers(0, DAYS, rows))],
            "country": np.array(["DE", "FR", "IT", "PL"])[random.integers(0, 4, rows)],
            "basket": [f"basket-{n:06d}" for n in random.integers(0, rows // 2, rows)],
        }
    )


def total(table: pa.Table) -> tuple[float, ...]:
    """Uses every value of every column."""
    return tuple(pc.sum(table.column(name)).as_py() for name in COLUMNS)


def measure(rounds: int) -> list[Comparison]:
    data = purchases(ROWS)
    found = []
    with tempfile.TemporaryDirectory() as name:
        root, file = Path(name), Path(name) / "purchases.parquet"
        pq.write_table(data, file)
        store = SnapshotStore(root)
        whole = store.write("whole", data, key=["id"])
        monthly = store.write("monthly", data, key=["id"], event_time="date")
        expected = total(data)
        for what, snapshot in (("one partition", whole), (f"{len(monthly.partitions)} partitions", monthly)):
            read = total(load(root, snapshot, COLUMNS))
            if not np.allclose(read, expected):
                raise SystemExit(f"the snapshot holds {read} where {expected} was written")
            found.append(
                compare(
                    f"snapshot, 2 of 10 columns, {what}",
                    lambda number, snapshot=snapshot: total(load(root, snapshot, COLUMNS)),  # type: ignore[misc]
                    "Parquet by pyarrow",
                    lambda number: total(pq.read_table(file, columns=COLUMNS)),
                    rounds,
                )
            )
    return found


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
