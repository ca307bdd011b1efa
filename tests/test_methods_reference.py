"""docs/methods.md is a contract: every method with its verbs and its source of intervals, and code that runs."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from nbdataops import ltv
from nbdataops.ltv.estimator import Estimator
from nbdataops.ltv.reference import references

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
METHODS = {
    name: value
    for name in ltv.__all__
    if inspect.isclass(value := getattr(ltv, name)) and issubclass(value, Estimator)
}
VERBS = ("expected_transactions", "expected_spend", "expected_periods", "probability_alive", "lifetime_value")


def rows(head: str) -> list[list[str]]:
    """The cells of all tables whose first line begins so."""
    found = re.findall(rf"^{re.escape(head)}[^\n]*\n\|(?:---\|)+\n((?:\|.*\n)+)", TEXT, re.M)
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for body in found for line in body.splitlines()
    ]


def methods_in(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def test_every_method_has_a_line_that_says_when_to_trust_it_and_no_other_name_has() -> None:
    described = [name for row in rows("| method | believes |") for name in methods_in(row[0])]

    assert sorted(described) == sorted(METHODS)
    assert all(len(row) == 4 and all(row) for row in rows("| method | believes |"))


def test_the_table_of_verbs_holds_what_the_classes_offer() -> None:
    written = {
        name: {verb for verb in methods_in(row[2]) if verb in VERBS}
        for row in rows("| methods | read |")
        for name in methods_in(row[0])
    }

    assert written == {
        name: {verb for verb in VERBS if hasattr(method, verb)} for name, method in METHODS.items()
    }


@pytest.mark.parametrize("name", METHODS)
def test_the_stated_source_of_intervals_is_that_of_the_class(name: str) -> None:
    (says,) = [row[3] for row in rows("| methods | read |") if name in methods_in(row[0])]
    parameters = inspect.signature(METHODS[name].__init__).parameters

    assert ("refits" in says) == ("refits" in parameters), says
    if "interval" in says:
        verbs = [getattr(METHODS[name], verb) for verb in VERBS if hasattr(METHODS[name], verb)]
        assert all("interval" in inspect.signature(verb).parameters for verb in verbs)


def test_the_code_of_the_page_runs_from_the_folder_of_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"^```python\n(.*?)^```", TEXT, re.M | re.S)
    made: dict[str, Any] = {}

    for block in blocks:
        exec(compile(block, "docs/methods.md", "exec"), made)

    assert list(made["value"].columns) == ["value", "lower", "upper"]
    too_much, misses = re.findall(
        r"promises (\d+) percent too much; the regression misses by (\d+) percent", TEXT
    )[0]
    assert round(100 * made["error"]["GammaGamma"]) == int(too_much)
    assert round(100 * abs(made["error"]["LogSpend"])) == int(misses)


def test_the_number_of_published_results_is_that_of_the_table() -> None:
    assert f"recomputes {len(references())} numbers" in TEXT


def test_the_picture_shows_every_method_of_the_demo() -> None:
    picture = (ROOT / "docs" / "img" / "methods.svg").read_text(encoding="utf-8")
    methods = {path.stem for path in (ROOT / "notebooks" / "cdnow" / "methods").glob("*.ipynb")}

    assert "![" in TEXT
    assert "](img/methods.svg)" in TEXT
    assert {name for name in methods if f">{name}</text>" not in picture} == set()


def test_nothing_on_the_page_waits_to_be_written() -> None:
    assert "MARK" not in TEXT
    assert "TODO" not in TEXT
