"""Snapshots: immutable versions of a table, column by column and month by month.

A table with an event time is kept in partitions, one a month of event time; without one it is a single partition named
`''`. Every partition maps each of its columns to a version (a hash of values, see `versions`) and the file that holds
it. A write stores one file a partition, with only those columns whose version is not there yet, so a new column costs
that column and an appended month costs that month.

What a node would be handed (`handed`) is a list of versions: the declared columns and the key, of the rows whose event
date is not after the cut. It depends on nothing else: not on later rows, not on other columns, not on the table's name.

Rows keep the order in which they were written, within their month. A version covers values in row order; hence
columns from several files can be put side by side, and the order of rows is a part of the key column's version. A
table without a key (a source may have none) has the order of its rows in the version of every column all the same.

Stored values are in their canonical spelling (`versions`): text is `large_string`, every NaN is the same, `-0.0` is
`0.0`. A pandas index is never stored: its columns are dropped unless they are the key or the event time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from nbdataops.errors import Place, StoreError
from nbdataops.store.arrow_files import (
    digest_matches,
    index,
    intact,
    read_columns,
    sha256_of_name,
    write_columns,
)
from nbdataops.store.calendar import as_day, as_days, event_days
from nbdataops.store.handed_over import by_month, checked
from nbdataops.store.snapshot_record import ColumnVersion, Partition, Snapshot
from nbdataops.store.versions import canonical, column_sha256, column_version

__all__ = ["ColumnVersion", "Partition", "Snapshot", "SnapshotStore", "contents", "load", "verify", "whole"]


class SnapshotStore:
    """Writes and reads snapshots under `<root>/snapshots`. Safe for several threads and processes at once."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._indexed: dict[str, dict[str, dict[str, str]]] = {}
        self._cuts: dict[tuple[str, str, date], str] = {}

    def write(
        self,
        table: str,
        data: pa.Table,
        *,
        key: Sequence[str],
        event_time: str | None = None,
        time_zone: str = "UTC",
    ) -> Snapshot:
        """Stores a table and returns its snapshot; the same table again gives the same snapshot and writes nothing.

        StoreError names what cannot be stored: a bad table name, columns that share a name, nested types, a key or
        event time that is not there, rows without event time (counted); or what the disk refused.
        """
        key = (key,) if isinstance(key, str) else tuple(key)
        data = checked(table, data, key, event_time)
        columns = {name: canonical(data.column(i), name) for i, name in enumerate(data.column_names)}
        schema = tuple((name, str(column.type)) for name, column in columns.items())
        parts: list[Partition] = []
        if event_time is None:
            if data.num_rows:
                parts.append(self._write_partition(table, "", columns, None, None))
        else:
            days = event_days(columns[event_time], event_time, time_zone)
            for name, piece, first, last in by_month(columns, days):
                parts.append(self._write_partition(table, name, piece, first, last))
        return Snapshot(table, key, event_time, tuple(parts), schema, time_zone)

    def read(
        self, snapshot: Snapshot, columns: Sequence[str] | None = None, until: date | None = None
    ) -> pa.Table:
        """The declared columns and the key, in the table's order, of the rows whose event date is <= `until`."""
        names = snapshot.declared(columns)
        tables = []
        for partition in snapshot.partitions:
            if _after(partition, until):
                continue
            table = _load_partition(self.root, partition, names)
            if until is not None and _straddles(partition, until):
                table = table.filter(pa.array(self._kept(snapshot, partition, until)))
            tables.append(table)
        return _stack(tables, snapshot, names)

    def handed(
        self, snapshot: Snapshot, columns: Sequence[str] | None, until: date | None
    ) -> tuple[tuple[str, str, str], ...]:
        """`(partition, column, version)` of exactly what a node would be handed, and of nothing else.

        A month that straddles `until` has the versions that its rows up to `until` would have if only they existed.
        Without event time there is no cut: everything is handed.
        """
        names = snapshot.declared(columns)
        found: list[tuple[str, str, str]] = []
        for partition in snapshot.partitions:
            if _after(partition, until):
                continue
            if until is not None and _straddles(partition, until):
                found += [
                    (partition.name, c, v) for c, v in self._cut_versions(snapshot, partition, names, until)
                ]
            else:
                found += [(partition.name, name, partition.column(name).version) for name in names]
        return tuple(found)

    def materialise(
        self, snapshot: Snapshot, columns: Sequence[str] | None = None, until: date | None = None
    ) -> Snapshot:
        """A snapshot that names exactly what `handed` lists, in files a kernel can map: an assignment names this.

        A month that straddles `until` is written as a file of its own, up to `until`. The event time's values are
        only there if they were declared; its name stays, and so do first and last dates.
        """
        names = snapshot.declared(columns)
        kept: list[Partition] = []
        for partition in snapshot.only(set(names)).partitions:
            if _after(partition, until):
                continue
            if until is None or not _straddles(partition, until):
                kept.append(partition)
                continue
            whole = next(p for p in snapshot.partitions if p.name == partition.name)
            days = self._days(snapshot, whole)
            mask = days <= as_days(until)
            table = _load_partition(self.root, partition, names).filter(pa.array(mask))
            pieces = {name: table.column(i) for i, name in enumerate(names)}
            kept.append(
                self._write_partition(
                    snapshot.table, partition.name, pieces, partition.first, as_day(int(days[mask].max()))
                )
            )
        return replace(snapshot.only(set(names)), partitions=tuple(kept))

    def _write_partition(
        self,
        table: str,
        name: str,
        columns: dict[str, pa.ChunkedArray],
        first: date | None,
        last: date | None,
    ) -> Partition:
        versions = {column: column_version(values) for column, values in columns.items()}
        folder = f"snapshots/{xxhash.xxh3_64(f'{table}/{name}'.encode()).hexdigest()}"
        known = self._known(folder)
        new = {c: values for c, values in columns.items() if (c, versions[c]) not in known}
        if new:
            stored = write_columns(self.root / folder, new, versions)
            known.update({(c, versions[c]): stored.file for c in new})
        return Partition(
            name=name,
            rows=len(next(iter(columns.values()))),
            columns=tuple(
                ColumnVersion(
                    name=c,
                    type=str(values.type),
                    version=versions[c],
                    file=f"{folder}/{known[c, versions[c]]}",
                    sha256=sha256_of_name(known[c, versions[c]]),
                )
                for c, values in columns.items()
            ),
            first=first,
            last=last,
        )

    def _known(self, folder: str) -> dict[tuple[str, str], str]:
        """`{(column, version): file}` of a folder, from its listing; only files not seen before are opened."""
        self._indexed[folder] = files = index(self.root / folder, self._indexed.get(folder, {}))
        # Of two files that hold the same column the first by name is taken, in every process.
        return {(c, version): f for f in sorted(files, reverse=True) for c, version in files[f].items()}

    def _days(self, snapshot: Snapshot, partition: Partition) -> npt.NDArray[np.int32]:
        name = snapshot.event_time
        if name is None or all(c.name != name for c in partition.columns):
            raise _uncuttable(snapshot)
        return event_days(_load_partition(self.root, partition, [name]).column(0), name, snapshot.time_zone)

    def _kept(self, snapshot: Snapshot, partition: Partition, until: date) -> npt.NDArray[np.bool_]:
        return self._days(snapshot, partition) <= as_days(until)

    def _cut_versions(
        self, snapshot: Snapshot, partition: Partition, names: list[str], until: date
    ) -> list[tuple[str, str]]:
        if snapshot.event_time is None or snapshot.event_time not in (c.name for c in partition.columns):
            raise _uncuttable(snapshot)
        clock = f"{partition.column(snapshot.event_time).version}@{snapshot.time_zone}"
        keys = {name: (partition.column(name).version, clock, until) for name in names}
        missing = [name for name in names if keys[name] not in self._cuts]
        if missing:
            mask = pa.array(self._kept(snapshot, partition, until))
            table = _load_partition(self.root, partition, missing).filter(mask)
            for i, name in enumerate(missing):
                self._cuts[keys[name]] = column_version(table.column(i))
        return [(name, self._cuts[keys[name]]) for name in names]


def load(root: Path, snapshot: Snapshot, columns: Sequence[str] | None = None) -> pa.Table:
    """A whole snapshot over mapped memory, as inside a kernel: declared columns and the key, in the table's order."""
    names = snapshot.declared(columns)
    return _stack([_load_partition(Path(root), p, names) for p in snapshot.partitions], snapshot, names)


def contents(root: Path, snapshot: Snapshot) -> dict[str, dict[str, str]]:
    """`{partition: {column: SHA-256 of its content}}`, read from the files and held against the recorded versions.

    Equal for equal content, whichever files hold it. StoreError names a file whose content is not what was written.
    """
    found: dict[str, dict[str, str]] = {}
    for partition in snapshot.partitions:
        names = [c.name for c in partition.columns]
        table = _load_partition(Path(root), partition, names)
        for column, values in zip(partition.columns, table.columns, strict=True):
            if column_version(values) != column.version:
                raise StoreError(
                    f"a file of the store is damaged: column {column.name!r} is not what was written",
                    where=Place(file=str(Path(root) / column.file)),
                    todo="delete it and run again: what is missing is computed anew; or restore it from a backup",
                    code="damaged-file",
                )
            found.setdefault(partition.name, {})[column.name] = column_sha256(values)
    return found


def whole(root: Path, snapshot: Snapshot) -> bool:
    """Whether every file of a snapshot is there with the size that it was written with. Reads none of them."""
    return all(intact(Path(root) / c.file) for p in snapshot.partitions for c in p.columns)


def verify(root: Path, snapshot: Snapshot) -> tuple[str, ...]:
    """Files (relative to `root`) that are missing, or whose bytes are not those that were written. Reads all of them."""
    pinned = {(c.file, c.sha256) for p in snapshot.partitions for c in p.columns}
    return tuple(sorted(file for file, sha256 in pinned if not digest_matches(Path(root) / file, sha256)))


def _after(partition: Partition, until: date | None) -> bool:
    return until is not None and partition.first is not None and partition.first > until


def _straddles(partition: Partition, until: date) -> bool:
    return partition.last is not None and partition.last > until


def _load_partition(root: Path, partition: Partition, names: list[str]) -> pa.Table:
    files: dict[str, list[str]] = {}
    for name in names:
        files.setdefault(partition.column(name).file, []).append(name)
    found: dict[str, pa.ChunkedArray] = {}
    for file, held in files.items():
        table = read_columns(root / file, held)
        if table.num_rows != partition.rows:
            raise StoreError(
                f"a file of the store has {table.num_rows} rows where its snapshot has {partition.rows}: {file}",
                todo="the snapshot's record and the store do not belong together",
                code="damaged-file",
            )
        found.update(zip(held, table.columns, strict=True))
    return pa.table([found[name] for name in names], names=names)


def _stack(tables: list[pa.Table], snapshot: Snapshot, names: list[str]) -> pa.Table:
    return pa.concat_tables(tables) if tables else snapshot.arrow_schema().empty_table().select(names)


def _uncuttable(snapshot: Snapshot) -> StoreError:
    return StoreError(
        f"table {snapshot.table!r} cannot be cut again: its event time {snapshot.event_time!r} was not handed over",
        todo="cut the snapshot from which this one was made",
    )
