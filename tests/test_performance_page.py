"""docs/performance.md shows what was measured, as it is in benchmarks/execution/figures.json, and nothing else."""

from __future__ import annotations

import html
import importlib.util
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

from benchmarks.comparison import Added, Comparison, Duration
from benchmarks.execution import NAMES
from benchmarks.execution.phases import PARTS
from benchmarks.figures import Figures

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def performance() -> ModuleType:
    """docs/img/performance.py, which makes the page."""
    spec = importlib.util.spec_from_file_location("performance", ROOT / "docs" / "img" / "performance.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def figures(performance: ModuleType) -> Figures:
    return Figures.read(performance.FIGURES)


def test_every_benchmark_has_figures_and_no_other_name_has(figures: Figures) -> None:
    assert sorted(figures.rows) == sorted(NAMES)


def test_what_was_asked_is_answered_by_seven_rounds_at_least(figures: Figures) -> None:
    rounds = {
        f"{name}: {row.what}, against {row.against}": min(len(row.ours), len(row.other))
        for name, rows in figures.rows.items()
        for row in rows
        if row.asked is not None
    }

    assert rounds
    assert {what: n for what, n in rounds.items() if n < 7} == {}


def test_the_page_holds_the_table_that_the_figures_make(performance: ModuleType, figures: Figures) -> None:
    page = performance.PAGE.read_text(encoding="utf-8")

    assert performance.section(figures) in page
    assert performance.with_section(page, performance.section(figures)) == page


def test_the_picture_is_drawn_from_the_same_figures(performance: ModuleType, figures: Figures) -> None:
    picture = performance.PICTURE.read_text(encoding="utf-8")

    assert picture == performance.draw(figures.rows[performance.OF_PICTURE])
    assert ElementTree.fromstring(picture).tag.endswith("svg")


def test_the_picture_tells_every_part_of_a_stage_before_and_after(performance: ModuleType) -> None:
    rows = [
        Comparison(f"a stage's {part}", "a peer", (Duration(0.01 * n),), (Duration(0.1 * n),))
        for n, part in enumerate(PARTS, 1)
    ]

    drawn = html.unescape(performance.draw(rows))

    assert all(f"{part}: {100 * n} ms before, {10 * n} ms after" in drawn for n, part in enumerate(PARTS, 1))
    assert "2.80 s" in drawn
    assert "10 times enlarged" in drawn


def test_the_page_says_what_was_missed(performance: ModuleType) -> None:
    row = Comparison("a stage", "a peer", (Duration(0.5),), (Duration(2.0),), asked=1 / 15)

    assert performance.cells(row) == (
        "a stage", "a peer", "at least 15", "4.0 times as fast: **missed**", "500 ms", "2 s",
    )  # fmt: skip


def test_amounts_have_their_unit_and_three_digits(performance: ModuleType) -> None:
    seconds = [performance.amount((Duration(s),)) for s in (0.0123, 16.24, 1234.5)]

    assert seconds == ["12.3 ms", "16.2 s", "1234 s"]
    assert performance.amount((Added(41.08),)) == "41.1 MB"


def test_other_versions_of_the_peer_are_named(performance: ModuleType) -> None:
    pinned = dict(line.split("==") for line in performance.REQUIREMENTS.read_text().split())

    assert performance.versions(pinned).endswith("the same for stock papermill")
    assert performance.versions(pinned | {"papermill": "9.9"}).endswith(
        f"papermill 9.9, pyarrow {pinned['pyarrow']}, scikit-learn {pinned['scikit-learn']}; "
        f"stock papermill with papermill {pinned['papermill']}"
    )
