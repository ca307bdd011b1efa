"""From a table as somebody hands it over to pieces that can be stored: checked, in canonical spelling, by month."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import date
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nbdataops.errors import StoreError, did_you_mean
from nbdataops.store.calendar import as_day, month_name, months

_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_UNNAMED_INDEX = re.compile(r"__index_level_\d+__")


def checked(table: str, data: pa.Table, key: tuple[str, ...], event_time: str | None) -> pa.Table:
    if not _TABLE.fullmatch(table):
        raise StoreError(
            f"{table!r} cannot be a table's name",
            todo="use letters, digits and _, not starting with a digit, at most 100 characters",
            code="table",
        )
    data = _without_index(data, key, event_time)
    names = data.column_names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise StoreError(
            f"table {table!r} has more than one column named {', '.join(map(repr, twice))}",
            todo="rename or drop one of them",
            code="table",
        )
    if not names:
        raise StoreError(f"table {table!r} has no columns", code="table", todo="write at least one column")
    for role, name in [("key", k) for k in key] + ([("event time", event_time)] if event_time else []):
        if name not in names:
            raise StoreError(
                f"table {table!r} has no column {name!r}, which is declared as its {role}",
                todo=did_you_mean(name, names),
                code="table",
            )
    return data


def _without_index(data: pa.Table, key: tuple[str, ...], event_time: str | None) -> pa.Table:
    metadata = data.schema.metadata or {}
    index_columns: set[str] = set()
    if b"pandas" in metadata:
        described = json.loads(metadata[b"pandas"])
        index_columns = {c for c in described.get("index_columns", []) if isinstance(c, str)}
    kept = [
        i
        for i, name in enumerate(data.column_names)
        if name in key or name == event_time or not (name in index_columns or _UNNAMED_INDEX.fullmatch(name))
    ]
    return data.select(kept).replace_schema_metadata(None)


def by_month(
    columns: dict[str, pa.ChunkedArray], days: npt.NDArray[np.int32]
) -> Iterable[tuple[str, dict[str, pa.ChunkedArray], date, date]]:
    """Rows by month, in the order in which they came: (month, columns, first day, last day)."""
    if not len(days):
        return
    month = months(days)
    if (np.diff(month) < 0).any():
        order = np.argsort(month, kind="stable")
        month, days = month[order], days[order]
        positions = pa.array(order)
        columns = {name: pc.take(values, positions) for name, values in columns.items()}
    starts = np.flatnonzero(np.r_[True, np.diff(month) != 0])
    bounds = [*starts.tolist(), len(month)]
    for start, end in pairwise(bounds):
        piece = {name: values.slice(start, end - start) for name, values in columns.items()}
        span = days[start:end]
        yield month_name(int(month[start])), piece, as_day(int(span.min())), as_day(int(span.max()))
