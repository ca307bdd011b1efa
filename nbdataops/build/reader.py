"""The snapshot store as planning and running see it: versions, schemas, presence."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from nbdataops.build.journal import Output
from nbdataops.build.keys import Versions
from nbdataops.store.snapshots import Snapshot, SnapshotStore, whole


class Reader(Versions, Protocol):
    """What planning needs of a snapshot store."""

    def present(self, output: Output) -> bool: ...


class SnapshotReader:
    """`Reader` over a folder of snapshots."""

    def __init__(self, root: Path) -> None:
        self.store = SnapshotStore(root)

    def handed(
        self, snapshot: Snapshot, columns: tuple[str, ...] | None, until: date | None
    ) -> tuple[tuple[str, str, str], ...]:
        return self.store.handed(snapshot, columns, until)

    def schema(self, snapshot: Snapshot) -> pa.Schema:
        return snapshot.arrow_schema()

    def present(self, output: Output) -> bool:
        """Whether every file of an output is still there, and whole."""
        return all(whole(self.store.root, snapshot) for _, snapshot in (*output.tables, *output.roles))
