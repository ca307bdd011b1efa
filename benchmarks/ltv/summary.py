"""Claim: `rfm_summary` reads a Parquet log of 100 million rows and 10 million customers within 4 GB.

The floor is DuckDB with the same memory limit, threads and temporary folder, which groups the same file by customer
and day, then by customer, and hands the result over as the same pandas frame. Its sums of a day depend in their last
bits on who comes first; ours do not. Both must find the same customers, transactions, times and revenue.

A process of its own writes the log, in chunks, ordered by time as a shop writes it: three years, amounts in cents, few
customers with thousands of rows and many with some. Each side is a fresh process; its peak (VmHWM) counts everything:
Python, imports, DuckDB, and the frame of the summary itself (7 columns of 8 bytes a customer).

`python -m benchmarks.ltv.summary --rows 10000000` takes a smaller log. The disk holds the log and what is sorted
outside of memory, about 50 bytes a row, in the system's temporary folder (`TMPDIR`).
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.comparison import Comparison, Duration, Memory, PeerMissingError, show
from benchmarks.ltv.worker import peak_mb

if TYPE_CHECKING:
    import pandas as pd

ROOT = Path(__file__).parent.parent.parent
ROUNDS = 1
ROWS = 100_000_000
ROWS_A_CUSTOMER = 10
MOST_MB = 4000.0
DISK_A_ROW = 50
CHUNK = 1_000_000
SEED = 20240501
DAYS = 3 * 365
AS_OF = date(2023, 12, 31)

BY_SQL = """
with days as (
    select customer_id, date::date as day, sum(amount) as amount
    from read_parquet('{file}') group by customer_id, day
)
select
    customer_id,
    count(*) - 1 as x,
    (max(day) - min(day)) / 7 as t_x,
    (date '{as_of}' - min(day)) / 7 as T,
    coalesce((sum(amount) - arg_min(amount, day)) / nullif(count(*) - 1, 0), 0) as spend,
    min(day)::timestamp as first,
    sum(amount) as total
from days group by customer_id order by customer_id
"""


def measure(rounds: int, rows: int = ROWS) -> list[Comparison]:
    with tempfile.TemporaryDirectory(prefix="log-") as folder:
        free = shutil.disk_usage(folder).free
        if free < DISK_A_ROW * rows:
            raise PeerMissingError(f"{folder} has {free / 1e9:.0f} GB, needed {DISK_A_ROW * rows / 1e9:.0f}")
        file = Path(folder) / "log.parquet"
        _process("write", file, rows)
        done: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
        for number in range(rounds):
            for side in SIDES if number % 2 == 0 else reversed(SIDES):
                done[side].append(json.loads(_process(side, file, rows)))
    found, same = done["ours"][0]["found"], done["floor"][0]["found"]
    if not all(math.isclose(value, same[name], rel_tol=1e-9) for name, value in found.items()):
        raise SystemExit(f"no comparison, the summaries differ: ours {found}, DuckDB {same}")
    return [
        Comparison(
            f"rfm_summary, {rows:,} rows, {found['customers']:,} customers",
            "DuckDB by SQL",
            tuple(Duration(**each["took"]) for each in done["ours"]),
            tuple(Duration(**each["took"]) for each in done["floor"]),
            ours_memory=_most(done["ours"]),
            other_memory=_most(done["floor"]),
            asked_mb=MOST_MB,
        )
    ]


def write(file: Path, rows: int) -> None:
    """A log of so many purchases, in chunks, so that no process ever holds it."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    sizes = [min(CHUNK, rows - start) for start in range(0, rows, CHUNK)]
    streams = np.random.SeedSequence(SEED).spawn(len(sizes))
    borders = np.linspace(0, DAYS * 86_400_000_000, len(sizes) + 1).astype(np.int64)  # in microseconds
    start = np.datetime64(AS_OF, "us") - np.timedelta64(DAYS - 1, "D")
    writer = None
    for k, (stream, size) in enumerate(zip(streams, sizes, strict=True)):
        rng = np.random.default_rng(stream)
        moments = np.sort(rng.integers(borders[k], borders[k + 1], size))
        table = pa.table(
            {
                "customer_id": (rows / ROWS_A_CUSTOMER * rng.random(size) ** 2).astype(np.int64),
                "date": start + moments.astype("timedelta64[us]"),
                "amount": np.round(rng.gamma(2.0, 20.0, size), 2),
            }
        )
        writer = writer or pq.ParquetWriter(file, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def ours(file: Path) -> pd.DataFrame:
    from nbdataops.ltv import rfm_summary

    return rfm_summary(file, AS_OF)


def floor(file: Path) -> pd.DataFrame:
    from nbdataops.ltv.summary.log_stream import MEMORY_LIMIT, connection_within

    with connection_within(MEMORY_LIMIT) as connection:
        summary: pd.DataFrame = connection.sql(BY_SQL.format(file=file, as_of=AS_OF)).df()
    return summary


SIDES: dict[str, Callable[[Path], pd.DataFrame]] = {"ours": ours, "floor": floor}


def report(side: Callable[[Path], pd.DataFrame], file: Path) -> dict[str, Any]:
    """One side, done once in this process: seconds, memory, and what it found."""
    importlib.import_module("nbdataops.ltv")
    before_mb, cpu, wall = peak_mb(), time.process_time(), time.perf_counter()
    summary = side(file)
    took = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    memory = {"peak_mb": peak_mb(), "before_mb": before_mb}
    sums = {name: float(summary[name].sum()) for name in ("x", "t_x", "T", "spend", "total")}
    return {"took": took, "memory": memory, "found": {"customers": len(summary), **sums}}


def _most(done: list[dict[str, Any]]) -> Memory:
    return max((Memory(**each["memory"]) for each in done), key=lambda memory: memory.peak_mb)


def _process(do: str, file: Path, rows: int) -> str:
    """What a process that does this, and nothing else, prints."""
    command = ["-m", "benchmarks.ltv.summary", "--do", do, "--file", str(file), "--rows", str(rows)]
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    parser.add_argument("--rows", type=int, default=ROWS, help="default: %(default)s")
    parser.add_argument("--do", choices=("write", *SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.do is None:
        show(measure(given.rounds, given.rows))
    elif given.do == "write":
        write(given.file, given.rows)
    else:
        print(json.dumps(report(SIDES[given.do], given.file)))


if __name__ == "__main__":
    main()
