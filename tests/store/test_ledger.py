"""The ledger: transactions, and files that cannot be trusted."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, exc, insert, select, update

from nbdataops.errors import StoreError
from nbdataops.store.ledger import FORMAT, Ledger, file_system, refuse_network_file_system

METADATA = MetaData()
COUNTER = Table("counter", METADATA, Column("id", Integer, primary_key=True), Column("n", Integer))
PART = Table("part", METADATA, Column("of", ForeignKey("counter.id"), nullable=False))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "ledger.db"


def opened(path: Path) -> Ledger:
    ledger = Ledger(path)
    ledger.create(METADATA)
    return ledger


def test_what_is_committed_is_there_after_opening_again(path: Path) -> None:
    first = opened(path)
    with first.begin() as db:
        db.execute(insert(COUNTER).values(id=1, n=5))
    first.close()
    with opened(path).begin() as db:
        assert db.execute(select(COUNTER.c.n)).scalar() == 5


def test_only_what_must_survive_a_loss_of_power_waits_for_the_disk_and_others_see_both_at_once(
    path: Path,
) -> None:
    ledger, other = opened(path), opened(path)
    waits = {}
    for durable in (True, False):
        with ledger.begin(durable=durable) as db:
            waits[durable] = db.exec_driver_sql("PRAGMA synchronous").scalar()
            db.execute(insert(COUNTER).values(id=int(durable), n=5))

    assert waits == {True: 2, False: 1}, "FULL and NORMAL"
    with other.begin() as db:
        assert len(db.execute(select(COUNTER)).fetchall()) == 2


def test_an_exception_rolls_the_transaction_back(path: Path) -> None:
    ledger = opened(path)
    with pytest.raises(KeyError), ledger.begin() as db:
        db.execute(insert(COUNTER).values(id=1, n=5))
        raise KeyError
    with ledger.begin() as db:
        assert db.execute(select(COUNTER)).fetchall() == []


def test_nothing_is_lost_when_threads_read_and_then_write(path: Path) -> None:
    opened(path).close()
    with opened(path).begin() as db:
        db.execute(insert(COUNTER).values(id=1, n=0))

    def count() -> None:
        ledger = Ledger(path)
        for _ in range(20):
            with ledger.begin() as db:
                n = db.execute(select(COUNTER.c.n)).scalar_one()
                db.execute(update(COUNTER).values(n=n + 1))
        ledger.close()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with opened(path).begin() as db:
        assert db.execute(select(COUNTER.c.n)).scalar() == 80


def test_foreign_keys_hold_and_a_broken_rule_is_an_answer_not_a_failure(path: Path) -> None:
    ledger = opened(path)
    with pytest.raises(exc.IntegrityError), ledger.begin() as db:
        db.execute(insert(PART).values(of=99))


def test_a_lock_that_another_process_keeps_is_a_store_error(path: Path) -> None:
    opened(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    ledger = Ledger(path, busy_timeout_s=0.05)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another process holds"), ledger.begin():
        pass
    other.execute("ROLLBACK")
    other.close()
    with ledger.begin() as db:
        assert db.execute(select(COUNTER)).fetchall() == []


@pytest.mark.parametrize("content", [b"", b"not a database" * 500, "truncated"])
def test_a_damaged_ledger_is_refused_and_left_alone(path: Path, content: bytes | str) -> None:
    ledger = opened(path)
    ledger.close()
    content = path.read_bytes()[:5000] if isinstance(content, str) else content
    path.write_bytes(content)
    with pytest.raises(StoreError, match="ledger cannot be used") as caught:
        opened(path)
    assert "backup" in caught.value.todo
    assert caught.value.reason == "ledger-damaged"
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE ledger_format", "DELETE FROM ledger_format", "UPDATE ledger_format SET version = 'x'"],
)
def test_a_ledger_without_its_format_is_never_made_anew(path: Path, statement: str) -> None:
    opened(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute(statement)
    raw.close()
    with pytest.raises(StoreError, match="cannot be used"):
        Ledger(path)


def test_a_newer_ledger_is_refused(path: Path) -> None:
    opened(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute(f"UPDATE ledger_format SET version = {FORMAT + 2}")
    raw.close()
    with pytest.raises(StoreError, match=f"format {FORMAT + 2}") as caught:
        Ledger(path)
    assert "upgrade" in caught.value.todo


def test_a_full_disk_is_a_store_error_and_what_was_there_stays(path: Path) -> None:
    ledger = opened(path)
    with pytest.raises(StoreError, match="disk of the ledger is full"), ledger.begin() as db:
        db.exec_driver_sql("PRAGMA max_page_count = 1")
        db.execute(insert(COUNTER), [{"n": i} for i in range(20_000)])
    ledger.close()
    with opened(path).begin() as db:
        assert db.execute(select(COUNTER)).fetchall() == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(StoreError, match="cannot create the ledger"):
        Ledger(tmp_path / "store" / "ledger.db")


def test_opening_leaves_no_temporary_files(path: Path) -> None:
    opened(path).close()
    assert [p.name for p in path.parent.iterdir()] == ["ledger.db"]


@pytest.mark.parametrize(
    ("kind", "refused"), [("nfs4", True), ("cifs", True), ("ext4", False), ("tmpfs", False)]
)
def test_a_network_file_system_is_refused(tmp_path: Path, kind: str, refused: bool) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"/dev/sda1 / ext4 rw 0 0\nserver:/x /mnt/my\\040team {kind} rw 0 0\n/dev/sdb /mnt ext4 rw 0 0\n"
    )
    inside, beside = Path("/mnt/my team/store/ledger.db"), Path("/mnt/my team2/ledger.db")
    assert file_system(inside, mounts) == kind
    assert file_system(beside, mounts) == "ext4"
    if refused:
        with pytest.raises(StoreError, match=f"network file system \\({kind}\\)"):
            refuse_network_file_system(inside, mounts)
    else:
        refuse_network_file_system(inside, mounts)
    refuse_network_file_system(inside, tmp_path / "no such table")
