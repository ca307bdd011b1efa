"""A store that cannot be written, or is damaged, is told as such; nothing of it is published or lost. No kernels."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from nbdataops.errors import (
    ExitCode,
    StoreError,
)
from nbdataops.workspace import Product

Open = Callable[[], Product]


def test_a_full_disk_is_infrastructure_and_publishes_nothing(
    blank: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbdataops.store.snapshots import SnapshotStore

    write = SnapshotStore.write

    def full(self: SnapshotStore, table: str, *args: object, **more: object) -> object:
        if table == "customers":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, table, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(SnapshotStore, "write", full)
    product = opened()
    report = product.build(["methods/rate"])

    failed = report.execution.failures[0]
    assert failed.error is not None
    assert "No space left" in failed.error.what
    assert "disk full" in failed.error.todo
    assert report.exit_code is ExitCode.INFRASTRUCTURE
    assert product.journal.results() == ()
    monkeypatch.undo()
    assert opened().build(["methods/rate"]).exit_code is ExitCode.OK


def test_a_store_that_cannot_be_written_names_the_path(blank: Path, opened: Open) -> None:
    (blank / ".nbdataops").write_text("a file where the folder should be")

    with pytest.raises(StoreError) as refused:
        opened().run()

    assert ".nbdataops" in str(refused.value)
    assert refused.value.exit_code is ExitCode.INFRASTRUCTURE


def test_a_damaged_ledger_is_refused_and_left_alone(blank: Path, opened: Open) -> None:
    opened().run()

    path = blank / ".nbdataops" / "ledger.db"
    content = path.read_bytes()
    path.write_bytes(b"this is no database" + content[19:])
    for beside in path.parent.glob("ledger.db-*"):
        beside.unlink()

    with pytest.raises(StoreError):
        opened().run()

    assert path.read_bytes()[:19] == b"this is no database"


def test_truncated_files_are_made_again(blank: Path, opened: Open) -> None:
    before = opened().run()
    for path in (blank / ".nbdataops" / "snapshots").rglob("*.arrow"):
        path.write_bytes(path.read_bytes()[:60])

    after = opened().run()

    assert after.exit_code is ExitCode.OK
    assert after.candidate.digest == before.candidate.digest


def test_bytes_that_flipped_are_found_before_anything_is_released(blank: Path, opened: Open) -> None:
    opened().run()
    for path in (blank / ".nbdataops" / "snapshots").rglob("*.arrow"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(bytes(data))

    released = opened().release()

    assert released.exit_code is ExitCode.REFUSED
    assert any("damaged" in reason for reason in released.decision.reasons)
