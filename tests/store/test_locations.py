"""Where a store lies, and writing files whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nbdataops.errors import StoreError
from nbdataops.store.locations import Store, atomic_write


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NBDATAOPS_STORE", raising=False)


def test_the_environment_wins_then_the_declaration_then_the_product(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Store.of(tmp_path).root == tmp_path / ".nbdataops"
    assert Store.of(tmp_path, "../shared").root == tmp_path / "../shared"
    assert Store.of(tmp_path, "/data/store").root == Path("/data/store")
    monkeypatch.setenv("NBDATAOPS_STORE", "/elsewhere")
    assert Store.of(tmp_path, "../shared").root == Path("/elsewhere")
    monkeypatch.setenv("NBDATAOPS_STORE", "near")
    assert Store.of(tmp_path).root == Path.cwd() / "near"


def test_opening_creates_a_folder_that_git_ignores(tmp_path: Path) -> None:
    store = Store.of(tmp_path / "product").open()
    assert (store.root / ".gitignore").read_text() == "*\n"
    (store.root / ".gitignore").write_text("mine\n")
    assert (store.open().root / ".gitignore").read_text() == "mine\n"


def test_every_place_is_within_the_root(tmp_path: Path) -> None:
    store = Store(tmp_path)
    places = [store.ledger_path, store.snapshots, store.runs, store.reports, store.dev, store.quarantine]
    assert {p.parent for p in places} == {tmp_path}
    assert len(set(places)) == 6


def test_a_store_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / ".nbdataops").write_text("a file")
    with pytest.raises(StoreError, match="cannot create the store") as caught:
        Store.of(tmp_path).open()
    assert str(tmp_path / ".nbdataops") in str(caught.value)


def test_a_full_disk_leaves_the_old_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.json"
    atomic_write(target, b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        atomic_write(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_is_synced_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    really = os.fsync

    def watch(handle: int) -> None:
        seen.append(sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith(".tmp")))
        really(handle)

    monkeypatch.setattr(os, "fsync", watch)
    atomic_write(tmp_path / "a.json", b"1")
    assert seen == [[], ["a.json"]]
