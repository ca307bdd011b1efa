"""A log that may be larger than memory, sorted by DuckDB and handed over in parts.

The log is read once. DuckDB sorts it within its memory limit and keeps the rest in a temporary folder, which is gone
when the last part was handed over; what is summed up, and in which order, is the same code as for a small frame.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import IntArray, LtvInputError, require_rows
from nbdataops.ltv.summary.log_source import as_batches, open_log
from nbdataops.ltv.summary.purchase_log import BoolArray, LogRules, SortedRows, problems

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MEMORY_LIMIT = "1GB"
"""What DuckDB may hold while it sorts; it uses the disk for the rest."""

MOST_THREADS = 8
"""Each thread that reads or sorts holds memory of its own, so that more of them would need a higher limit."""

ROWS_AT_ONCE = 1_000_000
"""Rows of a part, unless a single day of a customer has more."""

NAMED = 5
"""How many customers an error names."""


def sorted_stream(purchases: object, rules: LogRules, memory_limit: str) -> Iterator[SortedRows]:
    """The rows that count, by customer and day. Bad rows are an error at the end, with their number."""
    import duckdb

    found: dict[str, _Problem] = {}
    rows = 0
    with connection_within(memory_limit) as connection:
        log = open_log(connection, purchases, rules).columns(rules)
        try:
            for table in whole_days(as_batches(log.order("1, 2")), ROWS_AT_ONCE):
                rows += table.num_rows
                part = _part(table, rules, found)
                if not found and len(part.customers):
                    yield part
        except duckdb.OutOfMemoryException as error:
            raise LtvInputError(
                f"purchases cannot be sorted within memory_limit={memory_limit!r}",
                todo='give more, e.g. memory_limit="2GB", or set TMPDIR to a folder with more space',
                detail=str(error),
            ) from error
    require_rows(pd.RangeIndex(rows), "purchases")
    for what in found:
        found[what].refuse(what, rows, rules.entity)


def whole_days(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Tables of about `rows` rows of customer, day, ..., sorted by both; a customer's day is never cut."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    count, enough = 0, rows
    for batch in batches:
        for start in range(0, batch.num_rows, rows):
            held.append(batch.slice(start, rows))
            count += held[-1].num_rows
            if count < enough:
                continue
            table = pa.Table.from_batches(held)
            cut = _newest_day(table)
            if cut == 0:  # one day so far: wait for twice as many, so that joining them stays linear
                enough = 2 * count
                continue
            yield table.slice(0, cut)
            held, count, enough = table.slice(cut).to_batches(), count - cut, rows
    if held:
        yield pa.Table.from_batches(held)


@contextmanager
def connection_within(memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory, with a temporary folder for what exceeds `memory_limit`."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="nbdataops-") as spilled:
        config: dict[str, Any] = {
            "memory_limit": memory_limit,
            "temp_directory": spilled,
            "threads": min(os.cpu_count() or 1, MOST_THREADS),
            "preserve_insertion_order": False,
        }
        try:
            connection = duckdb.connect(":memory:", config=config)
        except duckdb.Error as error:
            raise LtvInputError(
                f"memory_limit is {memory_limit!r}", todo='give an amount of memory, e.g. "1GB"'
            ) from error
        with connection:
            # where Python is interactive, DuckDB would print a bar for what takes longer than two seconds
            connection.execute("set enable_progress_bar = false")
            yield connection


class _Problem:
    """Rows that no summary can use: how many, whose, and what to do."""

    def __init__(self, todo: str) -> None:
        self.todo = todo
        self.rows = 0
        self.customers: dict[object, None] = {}

    def add(self, bad: BoolArray, keys: pa.Array) -> None:
        import pyarrow as pa

        self.rows += int(np.count_nonzero(bad))
        if len(self.customers) <= NAMED:
            whose = keys.filter(pa.array(bad)).drop_null().unique().slice(0, NAMED + 1)
            self.customers.update(dict.fromkeys(whose.to_pylist()))

    def refuse(self, what: str, of_rows: int, entity: str) -> None:
        known = list(self.customers)
        names = ", ".join(repr(c) for c in known[:NAMED]) + (", ..." if len(known) > NAMED else "")
        whose = f" ({entity} {names})" if known else ""
        raise LtvInputError(
            f"{what} in {self.rows} row{'' if self.rows == 1 else 's'} of {of_rows}{whose}", todo=self.todo
        )


def _part(table: pa.Table, rules: LogRules, found: dict[str, _Problem]) -> SortedRows:
    """The rows of a table that count; what is wrong with them goes into `found`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = table.column(0).combine_chunks()
    no_customer: BoolArray = keys.is_null().to_numpy(zero_copy_only=False)
    no_day: BoolArray = table.column(1).is_null().to_numpy()
    day = pc.fill_null(table.column(1).cast(pa.int32()), 0).to_numpy().astype(np.int64)
    value = table.column(2).to_numpy().astype(np.float64, copy=False)
    for bad, what, todo in problems(no_customer, no_day, day, value, rules):
        if bad.any():
            found.setdefault(what, _Problem(todo)).add(bad, keys)
    keep = rules.kept(value)
    if not keep.all():
        keys, day, value = keys.filter(pa.array(keep)), day[keep], value[keep]
    starts = _starts(keys)
    of_row = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(day))))
    customers = keys.take(pa.array(starts)).to_pandas()
    return SortedRows(pd.Index(customers, name=rules.entity), of_row, day, value)


def _starts(keys: pa.Array) -> IntArray:
    """Where each customer's rows begin."""
    import pyarrow.compute as pc

    if len(keys) == 0:
        return np.zeros(0, dtype=np.int64)
    new = pc.fill_null(pc.not_equal(keys.slice(1), keys.slice(0, len(keys) - 1)), True)
    return np.append(0, np.flatnonzero(new.to_numpy(zero_copy_only=False)) + 1)


def _newest_day(table: pa.Table) -> int:
    """Where the last customer's last day begins; rows without either are no day, so that they are at the end."""
    import pyarrow.compute as pc

    rows: int = table.num_rows
    newest = [table.column(i)[rows - 1] for i in (0, 1)]
    if not all(value.is_valid for value in newest):
        return rows
    other = pc.or_kleene(*(pc.not_equal(table.column(i), value) for i, value in enumerate(newest)))
    before = np.flatnonzero(pc.fill_null(other, True).to_numpy())
    return int(before[-1]) + 1 if len(before) else 0
