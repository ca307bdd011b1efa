"""Every benchmark says what it claims and can be run by name; speed itself is nothing that a test asserts."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import benchmarks
import benchmarks.__main__
import benchmarks.execution
import benchmarks.ltv
from benchmarks.comparison import (
    Added,
    Comparison,
    Duration,
    Memory,
    PeerMissingError,
    asked,
    compare,
    measured,
    table,
)
from benchmarks.figures import Figures

SUPPORT = {"__init__", "__main__", "comparison", "figures", "installed_copy", "peer_environments"}
SUPPORT_OF_EXECUTION = {"__init__", "one_notebook", "outputs", "phases", "sides", "six_stages", "worker"}
SUPPORT_OF_LTV = {"__init__", "customers", "draws", "peers", "turns", "worker"}


def test_every_module_of_the_folder_is_run_by_python_m_benchmarks() -> None:
    modules = {p.stem for p in Path(benchmarks.__file__).parent.glob("*.py")}
    of_ltv = {p.stem for p in Path(benchmarks.ltv.__file__).parent.glob("*.py")}
    of_execution = {p.stem for p in Path(benchmarks.execution.__file__).parent.glob("*.py")}

    assert modules - SUPPORT == set(benchmarks.NAMES)
    assert {f"execution.{name}" for name in of_execution - SUPPORT_OF_EXECUTION} | {"no_op_run"} == set(
        benchmarks.execution.NAMES
    )
    assert {f"ltv.{name}" for name in of_ltv - SUPPORT_OF_LTV} == set(benchmarks.ltv.NAMES)


@pytest.mark.parametrize(
    "name", sorted({*benchmarks.NAMES, *benchmarks.execution.NAMES, *benchmarks.ltv.NAMES})
)
def test_a_benchmark_states_its_claim_and_can_be_run(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")

    assert (module.__doc__ or "").startswith("Claim: ")
    assert callable(module.main)
    assert callable(module.measure)
    least = 1 if name == "ltv.summary" else 7 if name in benchmarks.execution.NAMES else 3
    assert least <= module.ROUNDS


def test_the_two_ways_run_in_turns_and_each_goes_first_as_often_as_the_other() -> None:
    ran: list[tuple[str, int]] = []

    compare("a", lambda n: ran.append(("a", n)), "b", lambda n: ran.append(("b", n)), rounds=2)

    assert ran == [("a", 0), ("b", 0), ("b", 1), ("a", 1)]


def test_the_table_shows_medians_and_their_ratio() -> None:
    ours = tuple(Duration(wall_s, 0.1) for wall_s in (0.2, 0.1, 9.0))
    other = tuple(Duration(wall_s, 0.4) for wall_s in (0.8, 0.8, 0.9))

    shown = table([Comparison("ours", "a peer", ours, other)])

    assert shown.splitlines()[-1].split()[3:] == [
        "3",
        "200.00",
        "800.00",
        "0.25",
        "0.25",
        "4.0",
        "times",
        "as",
        "fast",
    ]


def test_the_table_says_what_was_asked_for_and_what_missed_it() -> None:
    faster = (Duration(0.1, 0.1),)
    slower = (Duration(0.3, 0.3),)
    small, large = Memory(peak_mb=100, before_mb=50), Memory(peak_mb=300, before_mb=50)

    met = Comparison("ours", "a peer", faster, slower, 1 / 2, small, large, asked_mb=300)
    missed = Comparison("ours", "a peer", faster, slower, 1 / 20, large, small, asked_mb=100)
    met_line, missed_line = table([met, missed]).splitlines()[-2:]

    assert met_line.endswith(
        "100 (50)  300 (50)  3.0 times as fast, asked at least 2, asked at most 300 MB"
    ) or (
        "3.0 times as fast, asked at least 2, asked at most 300 MB" in met_line and "MISSED" not in met_line
    )
    assert "asked at least 20: MISSED, asked at most 100 MB: MISSED" in missed_line


@pytest.mark.parametrize(
    ("limit", "found", "wanted"),
    [
        (1 / 15, "2.5 times as fast", "at least 15"),
        (0.8, "0.4 times the time", "at most 0.8"),
        (1.3, "0.4 times the time", "at most 1.3"),
        (None, "2.5 times as fast", ""),
    ],
)
def test_what_was_measured_is_told_in_the_words_of_what_was_asked_for(
    limit: float | None, found: str, wanted: str
) -> None:
    row = Comparison("a stage", "a peer", (Duration(0.2),), (Duration(0.5),), limit)

    assert (measured(row), asked(row)) == (found, wanted)


def test_memory_stands_beside_seconds_in_the_table_and_in_the_words() -> None:
    warm, cold = tuple(map(Added, (40.0, 41.0, 42.0))), tuple(map(Added, (160.0, 164.0, 168.0)))

    (line,) = table([Comparison("a further kernel", "a cold one", warm, cold, asked=0.2)]).splitlines()[2:]

    assert "41.0 MB     164.0 MB   0.25" in line
    assert line.endswith("0.25 times the memory, asked at most 0.2: MISSED")


def test_figures_of_one_benchmark_take_the_place_of_its_own_and_leave_the_others(tmp_path: Path) -> None:
    before = Comparison("a stage", "a peer", (Duration(0.1),), (Duration(2.0),), asked=1 / 15)
    now = Comparison("a stage", "a peer", (Duration(0.2),), (Duration(2.0),), asked=1 / 15)
    memory = Comparison("a further kernel", "a cold one", (Added(40.0),), (Added(160.0),))
    file = tmp_path / "figures.json"

    Figures.read(file).with_rows("stage", [before]).with_rows("memory", [memory]).write(file)
    Figures.read(file).with_rows("stage", [now]).write(file)

    rows = Figures.read(file).rows
    assert rows["memory"] == (memory,)
    assert [c.ours for c in rows["stage"]] == [now.ours]
    assert rows["stage"][0].asked == pytest.approx(1 / 15, abs=1e-6)


def test_rounds_are_added_to_those_of_the_same_comparison(tmp_path: Path) -> None:
    def row(what: str, seconds: float) -> Comparison:
        return Comparison(what, "a peer", (Duration(seconds),), (Duration(2.0),), asked=1 / 15)

    file = tmp_path / "figures.json"
    Figures.read(file).with_rows("partitions", [row("8 partitions", 0.5)]).write(file)
    for seconds in (0.1, 0.2, 0.3):
        Figures.read(file).with_rounds("partitions", [row("200 partitions", seconds)]).write(file)

    [found] = Figures.read(file).rows["partitions"]
    assert (found.what, [d.wall_s for d in found.ours], len(found.other)) == (
        "200 partitions",
        [0.1, 0.2, 0.3],
        3,
    )
    elsewhere = Figures({"processor": "an abacus"}, {"partitions": (found,)})
    assert (
        len(elsewhere.with_rounds("partitions", [row("200 partitions", 1.0)]).rows["partitions"][0].ours) == 1
    )


def test_figures_of_another_machine_are_not_mixed_with_those_of_this_one() -> None:
    row = Comparison("a stage", "a peer", (Duration(0.1),), (Duration(2.0),))
    elsewhere = Figures({"processor": "an abacus"}, {"memory": (row,)})

    assert set(elsewhere.with_rows("stage", [row]).rows) == {"stage"}


def test_what_was_measured_is_shown_although_a_later_benchmark_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(rounds: int) -> list[Comparison]:
        return [Comparison(f"{rounds} rounds", "a peer", (Duration(0.1, 0.1),), (Duration(0.3, 0.3),))]

    def end(rounds: int) -> list[Comparison]:
        raise SystemExit("another optimum")

    def skip(rounds: int) -> list[Comparison]:
        raise PeerMissingError("not here")

    steps = {"no_op_run": measure, "refits": skip, "snapshot_read": end}
    for name, step in steps.items():
        monkeypatch.setattr(importlib.import_module(f"benchmarks.{name}"), "measure", step)
    monkeypatch.setattr("sys.argv", ["benchmarks", *steps, "--rounds", "7"])

    with pytest.raises(SystemExit, match="another optimum"):
        benchmarks.__main__.main()

    shown = capsys.readouterr()
    assert "7 rounds" in shown.out
    assert "refits SKIPPED: not here" in shown.err


def test_each_benchmark_saves_its_figures_before_a_later_one_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def measure(rounds: int) -> list[Comparison]:
        return [Comparison("a stage", "a peer", (Duration(0.1),) * rounds, (Duration(0.3),) * rounds)]

    def end(rounds: int) -> list[Comparison]:
        raise SystemExit("another optimum")

    for name, step in {"no_op_run": measure, "snapshot_read": end}.items():
        monkeypatch.setattr(importlib.import_module(f"benchmarks.{name}"), "measure", step)
    file = tmp_path / "figures.json"
    monkeypatch.setattr(
        "sys.argv", ["benchmarks", "no_op_run", "snapshot_read", "--rounds", "2", "--save", str(file)]
    )

    with pytest.raises(SystemExit, match="another optimum"):
        benchmarks.__main__.main()

    assert {name: len(rows[0].ours) for name, rows in Figures.read(file).rows.items()} == {"no_op_run": 2}
