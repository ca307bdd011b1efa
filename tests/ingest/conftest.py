"""A product folder with one source, and its ingestion in one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from nbdataops.ingest.delivery import Format
from nbdataops.ingest.source import SourceState, ingest
from nbdataops.store.locations import Store
from nbdataops.store.snapshots import SnapshotStore, load

settings.register_profile("store", deadline=None)
settings.load_profile("store")

TODAY = date(1998, 1, 1)

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
"""


@dataclass(frozen=True)
class Source:
    root: Path
    name: str = "orders"
    path: str = "orders.csv"
    contract: str | None = None
    event_time: str | None = None
    format: Format | None = None
    key: tuple[str, ...] | None = None
    complete_to: date | None = None


@dataclass(frozen=True)
class Desk:
    """Where a delivery is put down and taken in."""

    root: Path

    @property
    def store(self) -> SnapshotStore:
        return SnapshotStore(self.locations.root)

    @property
    def locations(self) -> Store:
        return Store(self.root / "store")

    def put(self, data: str | bytes, name: str = "orders.csv") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def agree(self, properties: str, rest: str = "", name: str = "orders.odcs.yaml") -> str:
        """Writes a contract from the lines of its properties; gives its name."""
        lines = "".join(f"      - {line}\n" for line in properties.strip().splitlines())
        (self.root / name).write_text(CONTRACT + lines + rest)
        return name

    def take(self, previous: SourceState | None = None, today: date = TODAY, **declared: Any) -> SourceState:
        source = Source(self.root, **declared)
        return ingest(source, self.store, self.locations, today=today, previous=previous)

    def rows(self, state: SourceState) -> list[dict[str, Any]]:
        return load(self.store.root, state.snapshot).to_pylist()

    def files(self) -> set[str]:
        return {str(p.relative_to(self.root)) for p in (self.root / "store").rglob("*") if p.is_file()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def results() -> Callable[[SourceState], dict[str, tuple[str, int, int | None]]]:
    """`{rule: (state, evaluated, bad)}` of a source."""

    def of(state: SourceState) -> dict[str, tuple[str, int, int | None]]:
        assert state.contract is not None
        return {r.id: (r.state, r.evaluated, r.bad) for r in state.contract.rules}

    return of
