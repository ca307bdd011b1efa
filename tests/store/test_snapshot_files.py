"""Snapshots on a disk that fails, and files that were damaged."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from nbdataops.errors import StoreError
from nbdataops.store.snapshots import SnapshotStore, load, verify

from .tables import purchases


def stored(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*") if p.is_file())


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The kernel itself fails a write that would make a file longer: a real error in the middle of writing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    big = pa.table({"id": list(range(100_000))})
    with files_of_at_most(100_000), pytest.raises(StoreError, match="cannot write a table") as caught:
        store.write("t", big, key=["id"])
    assert stored(tmp_path) == []
    assert str(tmp_path) in str(caught.value)
    assert load(tmp_path, store.write("t", big, key=["id"])).equals(big)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_refuses_at_the_last_step_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(StoreError, match=os.strerror(number)) as caught:
            SnapshotStore(tmp_path).write("orders", purchases(), key=["id"])
    assert stored(tmp_path) == []
    assert "NBDATAOPS_STORE" in caught.value.todo


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "snapshots").write_text("in the way")
    with pytest.raises(StoreError, match="snapshots"):
        SnapshotStore(tmp_path).write("orders", purchases(), key=["id"])


def test_what_a_crash_left_behind_is_ignored(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    one = store.write("orders", purchases(), key=["id"])
    folder = (tmp_path / one.partitions[0].columns[0].file).parent
    (folder / ".tmp-1-abc").write_bytes(b"half")
    (folder / "notes.txt").write_bytes(b"x")
    (folder / f"{'0' * 64}-4.arrow").write_bytes(b"junk")
    assert SnapshotStore(tmp_path).write("orders", purchases(), key=["id"]) == one


@pytest.mark.parametrize("damage", ["missing", "short", "empty", "longer"])
def test_a_missing_or_cut_file_is_named_and_written_again(tmp_path: Path, damage: str) -> None:
    store = SnapshotStore(tmp_path)
    snapshot = store.write("orders", purchases(), key=["id"])
    path = tmp_path / snapshot.partitions[0].columns[0].file
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"short": whole[:-9], "empty": b"", "longer": whole + b"x"}[damage])
    with pytest.raises(StoreError, match="missing" if damage == "missing" else "damaged") as caught:
        load(tmp_path, snapshot)
    assert path.name in str(caught.value)
    assert caught.value.reason in ("missing-file", "damaged-file")
    assert verify(tmp_path, snapshot) == (snapshot.partitions[0].columns[0].file,)
    assert store.write("orders", purchases(), key=["id"]) == snapshot
    assert load(tmp_path, snapshot).num_rows == 6


def test_a_flipped_bit_is_found_by_verification(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    snapshot = store.write("orders", purchases(), key=["id"], event_time="at")
    path = tmp_path / snapshot.partitions[1].columns[0].file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert verify(tmp_path, snapshot) == (snapshot.partitions[1].columns[0].file,)


def test_a_record_that_does_not_fit_the_file_is_refused(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    record = store.write("orders", purchases(), key=["id"]).to_dict()
    record["partitions"][0]["rows"] = 7
    with pytest.raises(StoreError, match="has 6 rows where its snapshot has 7"):
        load(tmp_path, type(store.write("orders", purchases(), key=["id"])).from_dict(record))


def _write(root: str) -> str:
    return SnapshotStore(Path(root)).write("orders", purchases(), key=["id"], event_time="at").digest


def test_processes_that_write_the_same_at_once_agree(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        digests = pool.map(_write, [str(tmp_path)] * 4)
    assert len(set(digests)) == 1
    assert len(stored(tmp_path)) == 3
