"""A store that can only be read, and what is seen of it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from nbdataops.errors import StoreError
from nbdataops.store.ledger import Ledger
from nbdataops.store.locations import Store, atomic_write
from nbdataops.store.read_only import ReadOnlyView, unwritable

TABLES = sa.MetaData()
NOTE = sa.Table("note", TABLES, sa.Column("text", sa.String))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store").open()
    (made.runs / "r1" / "notebooks").mkdir(parents=True)
    (made.runs / "r1" / "notebooks" / "a.ipynb").write_text("executed")
    return made


def notes(ledger: Ledger) -> list[str]:
    with ledger.begin() as db:
        return list(db.execute(sa.select(NOTE.c.text)).scalars())


def write(ledger: Ledger, text: str) -> None:
    with ledger.begin() as db:
        db.execute(NOTE.insert().values(text=text))


def test_what_is_written_to_a_view_does_not_reach_the_store_and_goes_with_it(store: Store) -> None:
    view = ReadOnlyView(store, store.root)
    executed = view.store.runs / "r1" / "notebooks" / "a.ipynb"
    assert executed.read_text() == "executed"

    atomic_write(executed, b"filled")
    atomic_write(view.store.root / "environment.json", b"{}")
    Ledger(view.store.ledger_path).close()
    view.close()

    assert not view.store.root.exists()
    kept = sorted(p.relative_to(store.root).as_posix() for p in store.root.rglob("*") if p.is_file())
    assert kept == [".gitignore", "runs/r1/notebooks/a.ipynb"]
    assert (store.runs / "r1" / "notebooks" / "a.ipynb").read_text() == "executed"


def test_what_a_run_has_committed_so_far_is_seen_though_it_is_in_the_log_only(store: Store) -> None:
    running = Ledger(store.ledger_path)
    running.create(TABLES)
    write(running, "committed")
    with running.begin() as db:
        db.execute(NOTE.insert().values(text="not yet"))
        view = ReadOnlyView(store, store.root)
    seen = Ledger(view.store.ledger_path)

    assert store.ledger_path.with_name("ledger.db-wal").stat().st_size > 0
    assert notes(seen) == ["committed"]
    write(seen, "of the view")
    assert notes(running) == ["committed", "not yet"]


def test_a_ledger_that_changes_while_it_is_copied_is_copied_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(store.ledger_path)
    ledger.create(TABLES)
    writes = iter(["first", "second"])
    copy = shutil.copyfile

    def copied(log: Path, target: Path) -> object:
        """A transaction reaches the ledger itself before its log is copied."""
        if text := next(writes, None):
            write(ledger, text)
            moved(ledger)
        return copy(log, target)

    monkeypatch.setattr(shutil, "copyfile", copied)
    view = ReadOnlyView(store, store.root)

    assert notes(Ledger(view.store.ledger_path)) == ["first", "second"]


def moved(ledger: Ledger) -> None:
    """SQLite moves the log into the ledger."""
    with sqlite3.connect(ledger.path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def test_a_damaged_ledger_is_named_not_its_copy(store: Store) -> None:
    store.ledger_path.write_bytes(b"no database" * 1000)
    view = ReadOnlyView(store, store.root)

    with pytest.raises(StoreError) as caught:
        Ledger(view.store.ledger_path, copy_of=store.ledger_path)

    assert caught.value.where is not None
    assert caught.value.where.file == str(store.ledger_path)


def test_a_store_that_cannot_be_read_is_no_empty_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: object) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", denied)

    with pytest.raises(StoreError, match="cannot read the store: Permission denied"):
        ReadOnlyView(store, store.root)


def test_what_may_not_be_written_is_found_and_of_a_store_to_be_made_the_folder(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    Ledger(store.ledger_path).close()
    assert unwritable(store) is None
    assert unwritable(Store(store.root / "a" / "b")) is None

    monkeypatch.setattr(os, "access", lambda path, mode: path not in (store.ledger_path, store.runs))
    assert unwritable(store) == store.ledger_path
    monkeypatch.setattr(os, "access", lambda path, mode: path != store.root)
    assert unwritable(Store(store.root / "a" / "b")) == store.root
