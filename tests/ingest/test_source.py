"""Ingestion as a whole: what is stored, what is not read again, and what a failing disk leaves."""

from __future__ import annotations

import gzip
import json
import os
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nbdataops.errors import ExitCode, SourceError, SpecError, StoreError
from nbdataops.ingest import source as source_module
from nbdataops.ingest.source import SourceState

from .conftest import Desk

DATA = "id,at,amount\n1,1997-01-05,9.5\n2,1997-02-01,3\n1,1997-02-28,7.75\n"
CONTRACT = "{name: id, logicalType: integer, required: true}\n{name: at, logicalType: date}\n{name: amount, logicalType: number}"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of files that were really read."""
    seen: list[str] = []
    really = source_module.read_source

    def watched(files, kind):  # type: ignore[no-untyped-def]
        seen.extend(file.name for file in files)
        return really(files, kind)

    monkeypatch.setattr(source_module, "read_source", watched)
    return seen


def test_a_source_becomes_a_snapshot_by_month_with_its_dates(desk: Desk) -> None:
    desk.put(DATA)
    state = desk.take(contract=desk.agree(CONTRACT), event_time="at")
    assert [p.name for p in state.snapshot.partitions] == ["1997-01", "1997-02"]
    assert (state.first, state.complete_to, state.may_leak) == (date(1997, 1, 5), date(1997, 2, 28), False)
    assert state.snapshot.key == ()
    assert desk.take(
        contract="orders.odcs.yaml", event_time="at", complete_to=date(1997, 3, 31)
    ).complete_to == date(1997, 3, 31)


def test_a_source_without_event_time_may_leak(desk: Desk) -> None:
    desk.put(DATA)
    state = desk.take()
    assert (state.may_leak, state.first, state.complete_to) == (True, None, None)


def test_the_same_data_in_any_packing_is_the_same_snapshot(desk: Desk) -> None:
    desk.put(DATA)
    contract = desk.agree(CONTRACT)
    plain = desk.take(contract=contract, event_time="at").snapshot
    desk.put(gzip.compress(DATA.replace("\n", "\r\n").encode()), "packed.csv.gz")
    assert desk.take(path="packed.csv.gz", contract=contract, event_time="at").snapshot == plain
    dates = [date(1997, 1, 5), date(1997, 2, 1), date(1997, 2, 28)]
    table = pa.table({"id": [1, 2, 1], "at": dates, "amount": [9.5, 3.0, 7.75]})
    pq.write_table(table, desk.root / "orders.parquet")
    assert desk.take(path="orders.parquet", contract=contract, event_time="at").snapshot == plain


def test_what_did_not_change_is_not_read_again(desk: Desk, reads: list[str]) -> None:
    path = desk.put(DATA)
    contract = desk.agree(CONTRACT)
    first = desk.take(contract=contract, event_time="at")
    remembered = SourceState.from_dict(json.loads(json.dumps(first.to_dict())))
    assert remembered == first
    assert desk.take(contract=contract, event_time="at", previous=remembered) == first
    os.utime(path, ns=(1, 1))
    touched = desk.take(contract=contract, event_time="at", previous=remembered)
    assert (touched.snapshot, touched.files[0][2]) == (first.snapshot, 1)
    (desk.root / contract).write_text("# a comment\n" + (desk.root / contract).read_text())
    assert desk.take(contract=contract, event_time="at", previous=remembered).snapshot == first.snapshot
    assert reads == ["orders.csv"]


@pytest.mark.parametrize("change", ["content", "contract", "declaration", "store", "new file"])
def test_what_changed_is_read_again(desk: Desk, reads: list[str], change: str) -> None:
    desk.put(DATA, "in/1.csv")
    contract = desk.agree(CONTRACT)
    first = desk.take(path="in", contract=contract, event_time="at")
    event_time: str | None = "at"
    if change == "content":
        desk.put(DATA.replace("9.5", "8.5"), "in/1.csv")
    elif change == "contract":
        contract = desk.agree(CONTRACT.replace("required: true", "required: false"))
    elif change == "declaration":
        event_time = None
    elif change == "store":
        (desk.root / "store" / first.snapshot.partitions[0].columns[0].file).unlink()
    else:
        desk.put(DATA, "in/2.csv")
    again = desk.take(path="in", contract=contract, event_time=event_time, previous=first)
    assert reads[1:] == (["in/1.csv", "in/2.csv"] if change == "new file" else ["in/1.csv"])
    assert (again.snapshot == first.snapshot) == (change in ("contract", "store"))
    assert desk.rows(again)


def test_other_bytes_of_the_same_size_are_seen_though_the_time_was_set_back(
    desk: Desk, reads: list[str]
) -> None:
    path = desk.put(DATA)
    before = path.stat()
    first = desk.take(event_time="at")
    path.write_text(DATA.replace("9.5", "8.5"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    again = desk.take(event_time="at", previous=first)

    assert path.stat().st_size == before.st_size
    assert again.snapshot != first.snapshot
    assert reads == ["orders.csv", "orders.csv"]


def test_a_file_that_changes_while_it_is_read_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.put(DATA)
    really = source_module.read_source

    def slow(files, kind):  # type: ignore[no-untyped-def]
        found = really(files, kind)
        desk.put(DATA + "3,1997-03-01,1\n")
        return found

    monkeypatch.setattr(source_module, "read_source", slow)
    with pytest.raises(SourceError, match="changed while it was read"):
        desk.take()
    assert desk.files() == set()


def test_a_declared_key_tells_rows_apart(desk: Desk) -> None:
    desk.put(DATA)
    with pytest.raises(SourceError, match="breaks 1 rule") as caught:
        desk.take(key=("id",))
    assert "key: 1 of 3 rows break it: no two rows share id [id=1]" in caught.value.detail
    assert desk.take(key=("id", "at")).snapshot.key == ("id", "at")
    desk.put("id,at\n1,x\n,y\n")
    with pytest.raises(SourceError, match="breaks 1 rule"):
        desk.take(key=("id",))
    with pytest.raises(SourceError, match="the key names column 'ID'"):
        desk.take(key=("ID",))


def test_the_event_time_must_be_a_delivered_date_in_every_row(desk: Desk) -> None:
    desk.put(DATA)
    with pytest.raises(SourceError, match="event time of source 'orders' is 'att'") as caught:
        desk.take(event_time="att")
    assert "did you mean 'at'" in caught.value.todo
    with pytest.raises(SourceError, match="'id' has type int64; it must be a date"):
        desk.take(event_time="id")
    desk.put(DATA + "5,,1\n6,,1\n")
    with pytest.raises(SourceError, match="'at' is null in 2 of 5 rows") as caught:
        desk.take(event_time="at")
    assert caught.value.exit_code is ExitCode.REFUSED
    assert desk.files() == set()


def test_a_missing_contract_is_named(desk: Desk) -> None:
    desk.put(DATA)
    desk.agree(CONTRACT)
    with pytest.raises(SpecError, match="no contract file") as caught:
        desk.take(contract="order.odcs.yaml")
    assert "did you mean 'orders.odcs.yaml'" in caught.value.todo


def test_a_full_disk_leaves_nothing_and_the_next_try_works(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.put(DATA)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="No space left"):
            desk.take()
    assert desk.files() == set()
    assert len(desk.rows(desk.take())) == 3


def test_a_store_that_cannot_be_written_is_named(desk: Desk) -> None:
    desk.put(DATA)
    (desk.root / "store").write_text("a file")
    with pytest.raises(StoreError, match="store") as caught:
        desk.take()
    assert caught.value.exit_code is ExitCode.INFRASTRUCTURE


def test_a_file_that_cannot_be_opened_is_named(desk: Desk) -> None:
    path = desk.put(DATA)
    link = path.with_name("link.csv")
    link.symlink_to("link.csv")
    with pytest.raises((SpecError, SourceError), match="link"):
        desk.take(path="link.csv")


def test_a_source_outside_of_the_product_is_recorded_by_its_whole_path(
    desk: Desk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere: Path = tmp_path_factory.mktemp("elsewhere") / "x.csv"
    elsewhere.write_text("a\n1\n")
    assert desk.take(path=str(elsewhere)).files[0][0] == str(elsewhere)
