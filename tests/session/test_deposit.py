from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from nbdataops.errors import StoreError
from nbdataops.session.deposit import (
    Deposit,
    DepositedEstimate,
    DepositedOutcome,
    DepositedRead,
    DepositedTable,
    DepositRecord,
    read_deposit,
)


def full(deposit: Deposit) -> DepositRecord:
    file = deposit.put("estimate", pa.table({"a": [1]}))
    return DepositRecord(
        tables={"t": DepositedTable(file, ("a",), None, 1)},
        estimate=DepositedEstimate(file, "naive", "entity", ("transactions",), False),
        outcome=DepositedOutcome(file, 1, 2),
        evidence=({"name": "e", "bad": 1, "of": 2},),
        reads=(DepositedRead("rfm", ("customer_id", "x"), "read"),),
        validated=True,
    )


def test_what_a_deposit_says_is_read_back_equal(tmp_path: Path) -> None:
    deposit = Deposit(tmp_path / "deposit")
    record = full(deposit)

    deposit.update(record)

    assert read_deposit(tmp_path / "deposit") == record == deposit.record


def test_a_notebook_that_left_nothing_has_an_empty_record(tmp_path: Path) -> None:
    assert read_deposit(tmp_path / "never") == DepositRecord()


def test_no_temporary_files_stay(tmp_path: Path) -> None:
    deposit = Deposit(tmp_path)
    deposit.update(full(deposit))

    assert sorted(p.name for p in tmp_path.iterdir()) == ["deposit.json", "estimate.arrow"]


@pytest.mark.parametrize("content", ["{", "[]", '{"tables": {}}', '{"tables": {"t": {"key": []}}}'])
def test_a_damaged_record_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "deposit.json").write_text(content)

    with pytest.raises(StoreError, match="cannot be read"):
        read_deposit(tmp_path)


@pytest.mark.parametrize("file", ["../outside.arrow", "gone.arrow", "/etc/passwd"])
def test_a_record_that_names_a_file_elsewhere_is_refused(tmp_path: Path, file: str) -> None:
    (tmp_path / "outside.arrow").touch()
    deposit = Deposit(tmp_path / "deposit")
    deposit.update(DepositRecord(outcome=DepositedOutcome(file, 1, 0)))

    with pytest.raises(StoreError, match="not there"):
        read_deposit(tmp_path / "deposit")


def test_a_run_begins_with_nothing_and_an_interactive_kernel_where_the_last_one_ended(tmp_path: Path) -> None:
    first = Deposit(tmp_path)
    first.update(replace(DepositRecord(), validated=True))

    assert not Deposit(tmp_path).record.validated
    assert Deposit(tmp_path, resume=True).record.validated


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreError, match=r"deposit\.json cannot be written"):
        Deposit(tmp_path / "file").update(DepositRecord())
    with pytest.raises(StoreError, match=r"t\.arrow cannot be written"):
        Deposit(tmp_path / "file").put("t", pa.table({"a": [1]}))


def test_the_shape_of_the_file_is_the_documented_one(tmp_path: Path) -> None:
    deposit = Deposit(tmp_path)
    deposit.update(full(deposit))

    written = json.loads((tmp_path / "deposit.json").read_text())

    assert set(written) == {"tables", "estimate", "outcome", "evidence", "reads", "validated"}
    assert written["tables"] == {"t": {"file": "estimate.arrow", "key": ["a"], "event_time": None, "rows": 1}}
