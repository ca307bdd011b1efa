"""Nothing slips between a run and its witness: what changes meanwhile is seen before or after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from nbdataops import second_look
from nbdataops.errors import StoreError
from nbdataops.store.witness import stamp
from tests.cli.settled import CommandLine, same_size
from tests.conftest import Notebook


def between(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """Let a change happen after everything was stamped, and before the second look."""
    clock = SimpleNamespace(time=second_look.time.time, time_ns=second_look.time.time_ns)
    clock.sleep = lambda seconds: change()
    monkeypatch.setattr(second_look, "time", clock)


def test_a_notebook_that_changes_before_the_second_look_leaves_no_witness(
    settled: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate = Notebook(settled.root / "methods" / "rate.ipynb")
    between(monkeypatch, lambda: rate.replace("lower=LOWER", "lower=LOWER + 1"))

    settled.run()

    assert not settled.witness.exists()
    monkeypatch.undo()
    assert settled.run() == {"methods/rate"}
    assert settled.witness.is_file()


def test_a_notebook_that_changed_while_the_run_was_under_way_leaves_no_witness(settled: CommandLine) -> None:
    rate = Notebook(settled.root / "methods" / "rate.ipynb")
    rate.replace("lower=LOWER", "lower=LOWER + 1")

    def edit(job: object) -> None:
        del settled.kernel.before["methods/rate"]
        rate.replace("lower=LOWER + 1", "lower=LOWER + 2")

    settled.kernel.before["methods/rate"] = edit
    assert settled.run() == {"methods/rate"}

    assert settled.exit_code == 0
    assert not settled.witness.exists()
    assert settled.run() == {"methods/rate"}


@pytest.mark.parametrize("name", ["lib/floor.py", "contracts/orders.odcs.yaml", "data/shops/one.csv"])
def test_what_changes_just_after_the_second_look_is_seen_by_the_next_run(
    settled: CommandLine, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    really = second_look._same
    old, new = {"py": ("3", "4"), "yaml": ("minimum: 0", "minimum: 1"), "csv": ("a,1", "b,2")}[
        name.rpartition(".")[2]
    ]

    def look_and_edit(*arguments: object) -> bool:
        same = really(*arguments)  # type: ignore[arg-type]
        same_size(settled.root / name, old, new)
        return same

    monkeypatch.setattr(second_look, "_same", look_and_edit)
    settled.run()
    monkeypatch.undo()

    assert not settled.again()


def test_one_tick_apart_two_changes_have_different_stamps(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for number in range(20):
        path.write_text(f"{number:4}")
        before = stamp(str(path))
        second_look.time.sleep(second_look.TICK_S)  # what the second look waits for
        same_size(path, f"{number:4}", f"{number + 1:4}")
        assert stamp(str(path)) != before


def test_a_file_system_that_keeps_whole_seconds_is_not_trusted_with_fresh_files(
    settled: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def coarse(path: str) -> list[int] | None:
        seen = stamp(path)
        return seen and [time - time % 1_000_000_000 for time in seen[:2]] + seen[2:]

    monkeypatch.setattr(second_look, "stamp", coarse)
    settled.run()
    assert not settled.witness.exists()
    now_ns = second_look.time.time_ns()
    later = SimpleNamespace(
        time=second_look.time.time, sleep=lambda seconds: None, time_ns=lambda: now_ns + 7200 * 10**9
    )
    monkeypatch.setattr(second_look, "time", later)

    settled.run()

    assert settled.witness.is_file()


def test_a_witness_that_cannot_be_written_fails_nothing(
    settled: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise StoreError("cannot write a file: No space left on device")

    monkeypatch.setattr(second_look, "atomic_write", full)

    assert settled.run() == set()
    assert settled.exit_code == 0
    assert not settled.again()
