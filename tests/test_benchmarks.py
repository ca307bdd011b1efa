"""Every benchmark says what it claims and can be run by name; speed itself is nothing that a test asserts."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import benchmarks
import benchmarks.__main__
import benchmarks.ltv
from benchmarks.comparison import Comparison, Duration, Memory, PeerMissingError, compare, table

SUPPORT = {"__init__", "__main__", "comparison"}
SUPPORT_OF_LTV = {"__init__", "customers", "draws", "peers", "turns", "worker"}


def test_every_module_of_the_folder_is_run_by_python_m_benchmarks() -> None:
    modules = {p.stem for p in Path(benchmarks.__file__).parent.glob("*.py")}
    of_ltv = {p.stem for p in Path(benchmarks.ltv.__file__).parent.glob("*.py")}

    assert modules - SUPPORT == set(benchmarks.NAMES)
    assert {f"ltv.{name}" for name in of_ltv - SUPPORT_OF_LTV} == set(benchmarks.ltv.NAMES)


@pytest.mark.parametrize("name", [*benchmarks.NAMES, *benchmarks.ltv.NAMES])
def test_a_benchmark_states_its_claim_and_can_be_run(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")

    assert (module.__doc__ or "").startswith("Claim: ")
    assert callable(module.main)
    assert callable(module.measure)
    assert (1 if name == "ltv.summary" else 3) <= module.ROUNDS


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
