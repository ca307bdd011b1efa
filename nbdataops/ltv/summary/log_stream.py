"""A log that may be larger than memory, sorted by DuckDB and handed over in parts that hold whole customers.

The log is read once. DuckDB sorts it within its memory limit and keeps the rest in a temporary folder, which is gone
when the last part was handed over; what is summed up, and in which order, is the same code as for a small table.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import IntArray, LtvInputError, require_columns, require_rows
from nbdataops.ltv.summary.purchase_log import BoolArray, LogRules, SortedRows, problems

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

ROWS_AT_ONCE = 1_000_000
"""Rows of a part, unless a single customer has more."""

MOST_THREADS = 8
"""Each thread that reads or sorts holds memory of its own, so that more of them would need a higher limit."""

DATES = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")
ZONED = "TIMESTAMP WITH TIME ZONE"
NUMBERS = (
    *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL"),
    *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
)


def sorted_stream(
    purchases: object, last: int, as_of: date, rules: LogRules, memory_limit: str
) -> Iterator[SortedRows]:
    """The rows that count, in the order of customers and days. Bad rows are an error at the end, with their number."""
    import duckdb
    import pyarrow as pa

    found: dict[str, _Problem] = {}
    rows = 0
    with _connection(memory_limit) as connection:
        log = _read(connection, purchases, rules)
        try:
            reader = pa.RecordBatchReader.from_stream(
                log.project(_selected(log, purchases, rules)).order("1, 2")
            )
            for table in whole_customers(reader, ROWS_AT_ONCE):
                rows += table.num_rows
                part = _part(table, last, as_of, rules, found)
                if not found and len(part.customers):
                    yield part
        except duckdb.OutOfMemoryException as error:
            raise LtvInputError(
                f"purchases cannot be sorted within memory_limit={memory_limit!r}",
                todo='give more, e.g. memory_limit="2GB"',
                detail=str(error),
            ) from error
    require_rows(pd.RangeIndex(rows), "purchases")
    for what in found:
        found[what].refuse(what, rows, rules.entity)


def whole_customers(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Tables of about `rows` rows; all rows of a customer, who is in the first column, in one of them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    held: list[pa.RecordBatch] = []
    count, enough = 0, rows
    for batch in batches:
        for start in range(0, batch.num_rows, rows):
            held.append(batch.slice(start, rows))
            count += held[-1].num_rows
            if count < enough:
                continue
            table = pa.Table.from_batches(held)
            customers = table.column(0)
            newest = customers[count - 1]
            cut = pc.index(customers, newest).as_py() if newest.is_valid else count - customers.null_count
            if cut == 0:  # one customer so far: wait for twice as many, so that joining them stays linear
                enough = 2 * count
                continue
            yield table.slice(0, cut)
            held, count, enough = table.slice(cut).to_batches(), count - cut, rows
    if held:
        yield pa.Table.from_batches(held)


class _Problem:
    """Rows that no summary can use: how many, whose, and what to do."""

    def __init__(self, todo: str) -> None:
        self.todo = todo
        self.rows = 0
        self.customers: list[object] = []

    def refuse(self, what: str, of_rows: int, entity: str) -> None:
        known = [c for c in self.customers if not pd.isna(c)]  # type: ignore[call-overload]
        names = ", ".join(repr(c) for c in known[:5]) + (", ..." if len(known) > 5 else "")
        whose = f" ({entity} {names})" if known else ""
        raise LtvInputError(
            f"{what} in {self.rows} row{'' if self.rows == 1 else 's'} of {of_rows}{whose}", todo=self.todo
        )


def _part(table: pa.Table, last: int, as_of: date, rules: LogRules, found: dict[str, _Problem]) -> SortedRows:
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = table.column(0).combine_chunks()
    no_customer: BoolArray = keys.is_null().to_numpy(zero_copy_only=False)
    no_day: BoolArray = table.column(1).is_null().to_numpy()
    day = pc.fill_null(table.column(1).cast(pa.int32()), 0).to_numpy().astype(np.int64)
    value = table.column(2).to_numpy().astype(np.float64, copy=False)
    for bad, what, todo in problems(no_customer, no_day, day, value, last, as_of, rules):
        count = int(np.count_nonzero(bad))
        if count:
            problem = found.setdefault(what, _Problem(todo))
            problem.rows += count
            if len(problem.customers) < 6:
                problem.customers += keys.filter(pa.array(bad)).unique().slice(0, 6).to_pylist()
    keep = rules.kept(value)
    if not keep.all():
        keys, day, value = keys.filter(pa.array(keep)), day[keep], value[keep]
    starts = _starts(keys)
    of_row = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(day))))
    customers = pd.Index(keys.take(pa.array(starts)).to_pandas(), name=rules.entity)
    return SortedRows(customers, of_row, day, value)


def _starts(keys: pa.Array) -> IntArray:
    """Where each customer's rows begin."""
    import pyarrow.compute as pc

    if len(keys) == 0:
        return np.zeros(0, dtype=np.int64)
    new = pc.fill_null(pc.not_equal(keys.slice(1), keys.slice(0, len(keys) - 1)), True)
    return np.append(0, np.flatnonzero(new.to_numpy(zero_copy_only=False)) + 1)


@contextmanager
def _connection(memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
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
            yield connection


def _read(connection: duckdb.DuckDBPyConnection, purchases: Any, rules: LogRules) -> Any:
    """The log as a relation of our own connection. A relation of the caller's is read as a stream of Arrow batches."""
    import duckdb
    import pyarrow as pa

    if isinstance(purchases, str | Path):
        return _require_columns(_parquet(connection, purchases), rules)
    if isinstance(purchases, duckdb.DuckDBPyRelation):
        _require_columns(purchases, rules)
        purchases = purchases.project(", ".join(_quoted(name) for name in rules.columns))
    elif hasattr(purchases, "scanner"):  # an Arrow dataset
        require_columns(pd.DataFrame(columns=purchases.schema.names), rules.columns, "purchases")
        purchases = purchases.scanner(columns=rules.columns).to_reader()
    if not hasattr(purchases, "__arrow_c_stream__"):
        raise LtvInputError(
            f"purchases is a {type(purchases).__name__}",
            todo="give a pandas DataFrame, an Arrow table, a relation (connection.table('orders')) or a path",
        )
    if not isinstance(purchases, pa.Table):
        purchases = pa.RecordBatchReader.from_stream(purchases)
    return _require_columns(connection.from_arrow(purchases), rules)


def _parquet(connection: duckdb.DuckDBPyConnection, path: str | Path) -> Any:
    import duckdb

    try:
        return connection.read_parquet(f"{path}/**/*.parquet" if Path(path).is_dir() else str(path))
    except duckdb.Error as error:
        raise LtvInputError(
            f"purchases cannot be read from {str(path)!r}: {str(error).splitlines()[0]}",
            todo="give the path of a Parquet file, of a folder with some, or a pattern that matches some",
        ) from error


def _require_columns(relation: Any, rules: LogRules) -> Any:
    require_columns(pd.DataFrame(columns=list(relation.columns)), rules.columns, "purchases")
    return relation


def _selected(log: Any, purchases: object, rules: LogRules) -> str:
    """The columns for DuckDB: customer (NaN is none), day (infinite is none), amount as a double."""
    types = dict(zip(log.columns, (str(t) for t in log.types), strict=True))
    customer, moment, amount = (_quoted(name) for name in rules.columns)
    of_customer, of_moment, of_amount = (types[name] for name in rules.columns)
    if of_amount.partition("(")[0] not in NUMBERS:
        raise LtvInputError(
            f"{rules.amount} holds {of_amount}, not numbers",
            todo=f"convert {rules.amount} to a numeric column",
        )
    if of_moment == ZONED:
        moment = f"({moment} at time zone '{_zone(purchases, rules.date)}')"
    elif of_moment not in DATES:
        raise LtvInputError(
            f"{rules.date} holds {of_moment}, not dates", todo=f"convert it first: {rules.date}::date"
        )
    elif of_moment != "DATE":
        moment = f"{moment}::timestamp"
    if of_customer in ("FLOAT", "DOUBLE"):
        customer = f"case when not isnan({customer}) then {customer} end"
    elif of_customer == "UUID" or of_customer.startswith("ENUM"):
        customer = f"{customer}::varchar"
    return f"{customer}, case when isfinite({moment}) then {moment}::date end, {amount}::double"


def _zone(purchases: object, name: str) -> str:
    """The zone on whose clock a day is read: Arrow says it, DuckDB and Parquet know moments only."""
    import duckdb

    schema: Any
    schema = (
        getattr(purchases, "schema", None) if not isinstance(purchases, duckdb.DuckDBPyRelation) else None
    )
    zone = getattr(schema.field(name).type, "tz", None) if hasattr(schema, "field") else None
    if zone is None:
        raise LtvInputError(
            f"{name} holds moments without the time zone whose days are meant",
            todo=f"give a relation with the day of your zone: ({name} at time zone 'Europe/Berlin')::date as {name}",
        )
    return str(zone).replace("'", "''")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
