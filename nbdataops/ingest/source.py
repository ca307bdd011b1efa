"""Ingest a source: files in, a snapshot and what is known about it out; what did not change is not read again.

A delivery is unchanged when its declaration and contract are, and every file has the same path, size and times (of
change as well as of modification, since the latter can be set back); or, if only the times differ, the same bytes. A source without a declared key and whose contract names no
primary key has the key `()`: no row number is invented, and the order of rows is a part of every column's version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from nbdataops.errors import Place, SourceError, SpecError, StoreError, did_you_mean
from nbdataops.ingest.contract import ContractResult, accepts, aged, refusal
from nbdataops.ingest.contract_model import DataContract, SchemaObject
from nbdataops.ingest.delivery import DeliveredFile, Format, digest, find_files, unchanged
from nbdataops.ingest.files import read_source
from nbdataops.ingest.inspection import Inspected, inspect
from nbdataops.ingest.odcs import load_contract
from nbdataops.ingest.quarantine import split, write_quarantine
from nbdataops.store.locations import Store
from nbdataops.store.snapshots import Snapshot, SnapshotStore

# Part of every declaration's fingerprint: raise it when the same files would be read differently.
_READING = 1


class DeclaredSource(Protocol):
    """What ingestion needs to know of a source; `product.spec.SourceSpec` is one."""

    @property
    def name(self) -> str: ...
    @property
    def root(self) -> Path: ...
    @property
    def path(self) -> str: ...
    @property
    def contract(self) -> str | None: ...
    @property
    def event_time(self) -> str | None: ...
    @property
    def format(self) -> Format | None: ...
    @property
    def key(self) -> Sequence[str] | None: ...
    @property
    def complete_to(self) -> date | None: ...


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source as it was ingested.

    `first` and `complete_to` are dates of events (`complete_to` as declared, else the last event). `files` are (path,
    size, times of modification and of change in ns, SHA-256). `may_leak`: without event time, a past origin sees what was not known then.
    `inferred` names columns whose type nobody declared. `declared` is a fingerprint of declaration and contract.
    """

    name: str
    snapshot: Snapshot
    first: date | None
    complete_to: date | None
    contract: ContractResult | None
    files: tuple[tuple[str, int, int, int, str], ...]
    may_leak: bool
    declared: str = ""
    inferred: tuple[str, ...] = ()
    quarantine: Snapshot | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "snapshot": self.snapshot.to_dict(),
            "first": self.first.isoformat() if self.first else None,
            "complete_to": self.complete_to.isoformat() if self.complete_to else None,
            "contract": self.contract.to_dict() if self.contract else None,
            "files": [list(file) for file in self.files],
            "may_leak": self.may_leak,
            "declared": self.declared,
            "inferred": list(self.inferred),
            "quarantine": self.quarantine.to_dict() if self.quarantine else None,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SourceState:
        return cls(
            name=data["name"],
            snapshot=Snapshot.from_dict(data["snapshot"]),
            first=date.fromisoformat(data["first"]) if data["first"] else None,
            complete_to=date.fromisoformat(data["complete_to"]) if data["complete_to"] else None,
            contract=ContractResult.from_dict(data["contract"]) if data["contract"] else None,
            files=tuple(tuple(file) for file in data["files"]),
            may_leak=data["may_leak"],
            declared=data["declared"],
            inferred=tuple(data["inferred"]),
            quarantine=Snapshot.from_dict(data["quarantine"]) if data["quarantine"] else None,
        )


def ingest(
    source: DeclaredSource,
    store: SnapshotStore,
    locations: Store,
    *,
    time_zone: str = "UTC",
    today: date,
    previous: SourceState | None = None,
) -> SourceState:
    """Read, check and store a source, or return what `previous` says if nothing changed.

    SpecError: no such file, or a contract that cannot be checked. SourceError: a delivery that cannot be read or is
    refused by its contract; nothing is stored then. StoreError: the disk.
    """
    contract, table = _contract(source)
    files, kind = find_files(source.name, source.root, source.path, source.format)
    declared = _fingerprint(source, contract, kind, time_zone)
    reusable = previous if previous and previous.declared == declared and _stored(previous, store) else None
    times = [(file.name, file.size, file.mtime_ns, file.ctime_ns) for file in files]
    if reusable and [file[:-1] for file in reusable.files] == times:
        return _again(reusable, source, contract, table, today)
    seen = tuple((*known, digest(file)) for known, file in zip(times, files, strict=True))
    if reusable and [(f[0], f[-1]) for f in reusable.files] == [(f[0], f[-1]) for f in seen]:
        return _again(replace(reusable, files=seen), source, contract, table, today)
    return _fresh(source, store, locations, contract, table, files, kind, seen, declared, time_zone, today)


def _fresh(
    source: DeclaredSource,
    store: SnapshotStore,
    locations: Store,
    contract: DataContract | None,
    table: SchemaObject | None,
    files: tuple[DeliveredFile, ...],
    kind: Format,
    seen: tuple[tuple[str, int, int, int, str], ...],
    declared: str,
    time_zone: str,
    today: date,
) -> SourceState:
    delivered = read_source(files, kind)
    unchanged(files)
    key = tuple(source.key or ())
    inspected = inspect(delivered, table, key=key, as_text=kind == "csv", time_zone=time_zone, today=today)
    result = _result(source, contract, inspected)
    if not result.accepted:
        raise refusal(result, contract, _named(source, files))
    clean, quarantine = inspected.typed, None
    if inspected.set_aside:
        clean = split(inspected.typed, inspected.set_aside)
        if not clean.num_rows:
            raise SourceError(
                f"every row of source {source.name!r} would go to quarantine; nothing was ingested",
                where=Place(file=_named(source, files)),
                todo="mend the delivery, or the rule that no row keeps",
                code="contract",
            )
        quarantine = write_quarantine(source.name, delivered, inspected.set_aside, locations)
    chosen = key or (table.primary_key if table else ())
    snapshot = _store(source, store, clean, chosen, time_zone, files)
    return SourceState(
        name=source.name,
        snapshot=snapshot,
        first=snapshot.first,
        complete_to=source.complete_to or snapshot.last,
        contract=result if contract else None,
        files=seen,
        may_leak=source.event_time is None,
        declared=declared,
        inferred=inspected.inferred,
        quarantine=quarantine,
    )


def _contract(source: DeclaredSource) -> tuple[DataContract | None, SchemaObject | None]:
    if source.contract is None:
        return None, None
    path = source.root / source.contract
    if not path.is_file():
        near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise SpecError(
            f"source {source.name!r}: there is no contract file {source.contract!r}",
            where=Place(file=source.contract),
            todo=did_you_mean(path.name, near),
        )
    contract = load_contract(path, source.contract)
    return contract, contract.object_for(source.name)


def _fingerprint(source: DeclaredSource, contract: DataContract | None, kind: Format, time_zone: str) -> str:
    parts = [_READING, source.path, kind, source.event_time, list(source.key or ()), time_zone]
    return hashlib.sha256(json.dumps([*parts, contract.digest if contract else None]).encode()).hexdigest()


def _stored(state: SourceState, store: SnapshotStore) -> bool:
    files = {column.file for part in state.snapshot.partitions for column in part.columns}
    return all((store.root / file).is_file() for file in files)


def _again(
    state: SourceState,
    source: DeclaredSource,
    contract: DataContract | None,
    table: SchemaObject | None,
    today: date,
) -> SourceState:
    """The same delivery on another day: it may have become stale."""
    state = replace(state, complete_to=source.complete_to or state.snapshot.last)
    if state.contract is None or table is None:
        return state
    result = aged(state.contract, table, today)
    if not result.accepted:
        raise refusal(result, contract, source.path)
    return replace(state, contract=result)


def _result(source: DeclaredSource, contract: DataContract | None, inspected: Inspected) -> ContractResult:
    rows = inspected.typed.num_rows
    return ContractResult(
        contract_digest=contract.digest if contract else "",
        source=source.name,
        rows=rows,
        rules=inspected.rules,
        accepted=accepts(rows, inspected.rules),
        quarantined=len(inspected.set_aside),
    )


def _store(
    source: DeclaredSource,
    store: SnapshotStore,
    table: pa.Table,
    key: tuple[str, ...],
    time_zone: str,
    files: tuple[DeliveredFile, ...],
) -> Snapshot:
    if source.event_time is not None and source.event_time not in table.column_names:
        raise SourceError(
            f"the event time of source {source.name!r} is {source.event_time!r}, which was not delivered",
            where=Place(file=_named(source, files)),
            todo=did_you_mean(source.event_time, table.column_names),
            code="schema",
        )
    try:
        return store.write(source.name, table, key=key, event_time=source.event_time, time_zone=time_zone)
    except StoreError as error:
        if error.reason != "table":
            raise
        raise SourceError(
            f"source {source.name!r} cannot be stored: {error.what}",
            where=Place(file=_named(source, files)),
            todo=error.todo,
            code="schema",
        ) from error


def _named(source: DeclaredSource, files: tuple[DeliveredFile, ...]) -> str:
    return files[0].name if len(files) == 1 else source.path
