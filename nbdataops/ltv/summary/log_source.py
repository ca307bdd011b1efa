"""Where a log may lie, and its three columns in DuckDB: customer, day, amount."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from nbdataops.ltv.columns import LtvInputError, require_columns
from nbdataops.ltv.summary.purchase_log import LogRules, no_dates, no_keys

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

ZONED = "TIMESTAMP WITH TIME ZONE"
DATES = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")
FLOATS = ("FLOAT", "DOUBLE")
NUMBERS = (
    *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL"),
    *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
    *FLOATS,
)
KEYS = (*NUMBERS, *DATES, "VARCHAR", "UUID", "BLOB", "BOOLEAN")
"""DuckDB's names of types, without what follows in brackets."""

ROWS_OF_A_BATCH = 100_000


@dataclass(frozen=True, slots=True)
class LogSource:
    """A log that DuckDB can read. names: its columns, as the caller knows them. zone: of its moments, if it is known.

    DuckDB renames columns that differ in case only, so its own names may be others.
    """

    relation: Any
    names: Sequence[str]
    zone: str | None = None

    def columns(self, rules: LogRules) -> Any:
        """A relation of customer (NaN is none), day (infinite is none) and amount (double)."""
        _require(self.names, rules)
        at = [list(self.names).index(name) for name in rules.columns]
        customer, moment, amount = (quoted(self.relation.columns[i]) for i in at)
        of_customer, of_moment, of_amount = (str(self.relation.types[i]).partition("(")[0] for i in at)
        if of_amount not in NUMBERS:
            raise LtvInputError(
                f"{rules.amount} holds {of_amount}, not numbers",
                todo=f"convert {rules.amount} to a numeric column",
            )
        selected = (
            _customer(customer, of_customer, rules.entity),
            _day(moment, of_moment, rules.date, self.zone),
            f"{amount}::double",
        )
        return self.relation.project(", ".join(selected))


def open_log(connection: duckdb.DuckDBPyConnection, purchases: Any, rules: LogRules) -> LogSource:
    """The log for our own connection. A relation of the caller's is read as a stream of Arrow batches."""
    import duckdb
    import pyarrow as pa

    if isinstance(purchases, str | os.PathLike):
        relation = _parquet(connection, os.fspath(purchases))
        return LogSource(relation, relation.columns)
    if isinstance(purchases, duckdb.DuckDBPyRelation):
        _require(purchases.columns, rules)
        needed = purchases.project(", ".join(quoted(name) for name in rules.columns))
        # no zone: that of its moments is the caller's session's, which says nothing about the log
        return LogSource(connection.from_arrow(as_batches(needed)), rules.columns)
    if hasattr(purchases, "scanner"):  # an Arrow dataset
        _require(purchases.schema.names, rules)
        purchases = purchases.scanner(columns=rules.columns).to_reader()
    if not hasattr(purchases, "__arrow_c_stream__"):
        raise LtvInputError(
            f"purchases is a {type(purchases).__name__}",
            todo="give a frame, an Arrow table, a relation (connection.table('orders')) or the path of Parquet",
        )
    if not isinstance(purchases, pa.Table):
        purchases = pa.RecordBatchReader.from_stream(purchases)
    names = purchases.schema.names
    zone = None
    if names.count(rules.date) == 1:
        zone = getattr(purchases.schema.field(rules.date).type, "tz", None)
    return LogSource(connection.from_arrow(purchases), names, zone)


def as_batches(relation: Any) -> pa.RecordBatchReader:
    """The result of a query, one batch after the other: early versions' `__arrow_c_stream__` holds all of it."""
    read = relation.to_arrow_reader if hasattr(relation, "to_arrow_reader") else relation.fetch_arrow_reader
    return read(ROWS_OF_A_BATCH)


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def _require(names: Sequence[str], rules: LogRules) -> None:
    require_columns(pd.DataFrame(columns=list(names)), rules.columns, "purchases")


def _parquet(connection: duckdb.DuckDBPyConnection, path: str) -> Any:
    import duckdb

    pattern = path
    if Path(path).is_dir():
        pattern = f"{glob.escape(path)}/**/*.parquet"
    elif Path(path).exists():
        pattern = glob.escape(path)
    literal = pattern.replace("'", "''")
    try:
        # by name: else the first file alone would decide on the types, and cut off the cents of the others;
        # in SQL: columns in the names of folders are found by themselves
        return connection.sql(f"from read_parquet('{literal}', union_by_name = true)")
    except duckdb.Error as error:
        raise LtvInputError(
            f"purchases cannot be read from {path!r}: {str(error).splitlines()[0]}",
            todo="give the path of a Parquet file, of a folder with some, or a pattern that matches some; "
            "of another kind of file, a relation: duckdb.read_csv(path)",
        ) from error


def _customer(column: str, of: str, name: str) -> str:
    if of not in KEYS:
        raise no_keys(name, of)
    if of in FLOATS:
        return f"case when not isnan({column}) then {column} + 0 end"  # -0.0 is sorted before 0.0
    return column


def _day(column: str, of: str, name: str, zone: str | None) -> str:
    if of == ZONED:
        if zone is None:
            raise LtvInputError(
                f"{name} holds moments without the time zone whose days are meant",
                todo="give a relation with the day of your zone: "
                f"({name} at time zone 'Europe/Berlin')::date as {name}",
            )
        column = _on_the_clock_of(zone, column)
    elif of not in DATES:
        raise no_dates(name, of, f"convert it first: {name}::date")
    elif of != "DATE":
        column = f"{column}::timestamp"
    return f"case when isfinite({column}) then {column}::date end"


def _on_the_clock_of(zone: str, moment: str) -> str:
    """Local time. Arrow knows zones by name and by their offset, DuckDB by name only."""
    offset = re.fullmatch(r"([+-])(\d\d):?(\d\d)", zone)
    if offset:
        sign, hours, minutes = offset.groups()
        return f"(({moment} at time zone 'UTC') {sign} interval '{hours} hours {minutes} minutes')"
    return "({} at time zone '{}')".format(moment, zone.replace("'", "''"))
