"""Every benchmark says what it claims and can be run by name; speed itself is nothing that a test asserts."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import benchmarks
from benchmarks.comparison import Comparison, Duration, compare, table

SUPPORT = {"__init__", "__main__", "comparison"}


def test_every_module_of_the_folder_is_run_by_python_m_benchmarks() -> None:
    modules = {p.stem for p in Path(benchmarks.__file__).parent.glob("*.py")}

    assert modules - SUPPORT == set(benchmarks.NAMES)


@pytest.mark.parametrize("name", benchmarks.NAMES)
def test_a_benchmark_states_its_claim_and_can_be_run(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")

    assert (module.__doc__ or "").startswith("Claim: ")
    assert callable(module.main)
    assert callable(module.measure)
    assert module.ROUNDS >= 3


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
