"""`stage.write`: publishes a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nbdataops.errors import OutputError, UsageError, did_you_mean
from nbdataops.session.current import Session
from nbdataops.session.deposit import DepositedTable
from nbdataops.session.frames import to_arrow

if TYPE_CHECKING:
    import pyarrow as pa

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


@dataclass(frozen=True, slots=True)
class Written:
    """What was published; its text is what a cell shows."""

    table: str
    rows: int
    columns: tuple[str, ...]
    key: tuple[str, ...]

    def __repr__(self) -> str:
        return f"{self.table}: {self.rows:,} rows, one per {', '.join(self.key)}; columns {', '.join(self.columns)}"


def write(
    session: Session, name: str, frame: Any, key: str | Sequence[str], event_time: str | None, by: Any
) -> Written:
    """Checks key and event time and puts the table into the deposit. OutputError counts what is wrong with it."""
    if by is not None:
        raise UsageError("stage.write(by=...) is not supported in this version", todo="leave it out")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a table's name",
            todo="use letters, digits and _, not starting with a digit, at most 100 characters",
        )
    record = session.deposit.record
    session.once(name in record.tables, f"table {name!r} was written", "write it once, at the end")
    keys = (key,) if isinstance(key, str) else tuple(key)
    if not keys:
        raise UsageError(f"table {name!r} needs a key", todo="key= names the columns that make a row unique")
    table = to_arrow(frame, f"stage.write({name!r})")
    for role, column in [*(("key", k) for k in keys), *([("event_time", event_time)] if event_time else [])]:
        if column not in table.column_names:
            raise OutputError(
                f"table {name!r} has no column {column!r}, its {role}",
                todo=did_you_mean(str(column), table.column_names),
            )
    _check_key(name, table, keys)
    if event_time is not None:
        _check_event_time(name, table, event_time)
    file = session.deposit.put(f"tables/{name}", table)
    one = DepositedTable(file=file, key=keys, event_time=event_time, rows=table.num_rows)
    session.deposit.update(replace(record, tables={**record.tables, name: one}))
    return Written(name, table.num_rows, tuple(table.column_names), keys)


def _check_key(name: str, table: pa.Table, keys: tuple[str, ...]) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    for key in keys:
        column = table.column(key)
        missing = column.null_count
        if pa.types.is_floating(column.type):
            missing = pc.sum(pc.is_null(column, nan_is_null=True)).as_py() or 0
        if missing:
            raise OutputError(
                f"table {name!r}: {missing:,} of {table.num_rows:,} rows have no {key}",
                todo="a key has no gaps: drop these rows, or fill it",
            )
    counts = table.select(list(keys)).group_by(list(keys)).aggregate([([], "count_all")])
    twice = counts.filter(pc.greater(counts.column("count_all"), 1))
    if twice.num_rows:
        surplus = table.num_rows - counts.num_rows
        raise OutputError(
            f"table {name!r}: {twice.num_rows:,} values of its key ({', '.join(keys)}) are there more than once, "
            f"{surplus:,} rows too many, e.g. {_examples(twice, keys)}",
            todo="aggregate to one row per key, or name more columns in key=",
        )


def _check_event_time(name: str, table: pa.Table, event_time: str) -> None:
    import pyarrow as pa

    column = table.column(event_time)
    if not (pa.types.is_date(column.type) or pa.types.is_timestamp(column.type)):
        raise OutputError(
            f"table {name!r}: its event_time {event_time!r} is {column.type}, and must be a date or a timestamp",
            todo=f"pd.to_datetime(frame[{event_time!r}])",
        )
    if column.null_count:
        raise OutputError(
            f"table {name!r}: {column.null_count:,} of {table.num_rows:,} rows have no {event_time}, its event_time",
            todo="a row without a time cannot be cut at an origin: drop it, or date it",
        )


def _examples(twice: pa.Table, keys: tuple[str, ...]) -> str:
    rows = twice.slice(0, 5).select(list(keys)).to_pylist()
    return ", ".join("(" + ", ".join(str(v) for v in row.values()) + ")" for row in rows)
