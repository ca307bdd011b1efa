"""The record of a snapshot: which versions of which columns make a table, and which files hold them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any

import pyarrow as pa
import xxhash

from nbdataops.errors import StoreError, did_you_mean
from nbdataops.store.column_types import parse_type


@dataclass(frozen=True, slots=True)
class ColumnVersion:
    """One column of one partition. `file` is relative to the store root and holds it as column `name`."""

    name: str
    type: str
    version: str
    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Partition:
    """The rows of one month (`name` is `YYYY-MM`), or of a table without event time (`''`)."""

    name: str
    rows: int
    columns: tuple[ColumnVersion, ...]
    first: date | None
    last: date | None

    def column(self, name: str) -> ColumnVersion:
        for column in self.columns:
            if column.name == name:
                return column
        raise StoreError(f"partition {self.name!r} has no column {name!r}")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One immutable version of a table. `schema` gives columns in order, with their Arrow types as text."""

    table: str
    key: tuple[str, ...]
    event_time: str | None
    partitions: tuple[Partition, ...]
    schema: tuple[tuple[str, str], ...]
    time_zone: str = "UTC"

    @property
    def digest(self) -> str:
        """Equal for equal content: key, event time, time zone, columns, partitions; whatever the table's name."""
        content = [
            self.key,
            self.event_time,
            self.time_zone,
            self.schema,
            [[p.name, p.rows, [[c.name, c.version] for c in p.columns]] for p in self.partitions],
        ]
        return xxhash.xxh3_128(json.dumps(content, ensure_ascii=True).encode()).hexdigest()

    @property
    def rows(self) -> int:
        return sum(p.rows for p in self.partitions)

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.schema)

    @property
    def first(self) -> date | None:
        """The earliest event date; None without event time or rows."""
        return min((p.first for p in self.partitions if p.first), default=None)

    @property
    def last(self) -> date | None:
        """The latest event date; None without event time or rows."""
        return max((p.last for p in self.partitions if p.last), default=None)

    def arrow_schema(self) -> pa.Schema:
        """Columns and types as `read` gives them; opens no file."""
        return pa.schema([(name, _type(kind)) for name, kind in self.schema])

    def select(self, columns: Iterable[str] | None) -> Snapshot:
        """The same rows with these columns, the key and the event time, in the table's order. None: all of them."""
        if columns is None:
            return self
        always = {self.event_time} & set(self.column_names) if self.event_time else set()
        return self.only(set(self.declared(columns)) | always)

    def only(self, names: set[Any]) -> Snapshot:
        """The same rows with exactly these columns."""
        return replace(
            self,
            schema=tuple((name, kind) for name, kind in self.schema if name in names),
            partitions=tuple(
                replace(p, columns=tuple(c for c in p.columns if c.name in names)) for p in self.partitions
            ),
        )

    def declared(self, columns: Iterable[str] | None) -> list[str]:
        """Declared columns and the key, in the table's order; None: all. StoreError names an unknown one."""
        if columns is None:
            return list(self.column_names)
        wanted = [columns] if isinstance(columns, str) else list(columns)
        known = set(self.column_names)
        for name in wanted:
            if name not in known:
                raise StoreError(
                    f"table {self.table!r} has no column {name!r}",
                    todo=did_you_mean(str(name), self.column_names),
                    code="unknown-column",
                )
        names = set(wanted) | (set(self.key) & known)
        if not names:
            raise StoreError(
                f"no column of table {self.table!r} is named, and it has no key",
                todo=f"name at least one column; {did_you_mean('', self.column_names)}",
                code="unknown-column",
            )
        return [name for name in self.column_names if name in names]

    def to_dict(self) -> dict[str, Any]:
        return {
            "table": self.table,
            "key": list(self.key),
            "event_time": self.event_time,
            "time_zone": self.time_zone,
            "schema": [list(item) for item in self.schema],
            "partitions": [
                {
                    "name": p.name,
                    "rows": p.rows,
                    "first": p.first.isoformat() if p.first else None,
                    "last": p.last.isoformat() if p.last else None,
                    "columns": [[c.name, c.type, c.version, c.file, c.sha256] for c in p.columns],
                }
                for p in self.partitions
            ],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Snapshot:
        """What `to_dict` gave. StoreError for anything else."""
        try:
            return cls(
                table=data["table"],
                key=tuple(data["key"]),
                event_time=data["event_time"],
                time_zone=data["time_zone"],
                schema=tuple((name, kind) for name, kind in data["schema"]),
                partitions=tuple(
                    Partition(
                        name=p["name"],
                        rows=p["rows"],
                        first=date.fromisoformat(p["first"]) if p["first"] else None,
                        last=date.fromisoformat(p["last"]) if p["last"] else None,
                        columns=tuple(ColumnVersion(*c) for c in p["columns"]),
                    )
                    for p in data["partitions"]
                ),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"a snapshot's record cannot be read: {type(error).__name__}: {error}",
                todo="it was written by another version of nbdataops, or edited by hand",
            ) from error


@lru_cache(maxsize=1024)
def _type(name: str) -> pa.DataType:
    return parse_type(name)
