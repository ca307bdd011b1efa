from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from nbdataops.lab import inline
from nbdataops.lab.panel import ValidationPanel
from nbdataops.report.panel_data import panel_data
from tests.report import samples
from tests.report.pages import Page

DATA = panel_data(samples.study(), "methods/bg_nbd")
STATIC = Path(inline.__file__).parent / "static"


def test_a_panel_shows_html_and_text_beside_the_widget() -> None:
    data, _ = ValidationPanel(DATA)._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert Page(data["text/html"]).live() == []
    assert "unverified" in data["text/plain"]


def test_a_panel_compares_first_with_another_family() -> None:
    assert ValidationPanel(DATA).selected == "methods/cohort"


def test_a_page_cannot_select_what_is_no_method() -> None:
    panel = ValidationPanel(DATA, selected="methods/naive")
    panel.selected = "<script>"
    assert panel.selected == "methods/cohort"


def test_a_panel_of_one_method_alone_selects_nothing() -> None:
    assert ValidationPanel(panel_data({}, "methods/a")).selected == ""


def test_only_aggregates_and_the_choice_travel_to_the_page() -> None:
    own = {
        k
        for k in ValidationPanel(DATA).get_state()
        if not k.startswith(("_", "layout", "tabbable", "tooltip"))
    }
    assert own == {"data", "selected"}


def test_the_script_stands_alone_and_stays_small() -> None:
    script = (STATIC / "panel.js").read_text(encoding="utf-8")
    assert len(script.encode()) < 12_000
    assert re.findall(r"\bimport\b|https?://(?!www\.w3\.org)|innerHTML|eval\(", script) == []
    assert "recorded" not in script
    assert "url(" not in (STATIC / "panel.css").read_text(encoding="utf-8")


def test_the_script_and_the_report_know_the_same_verdicts() -> None:
    from nbdataops.report.words import LABEL_GLYPHS, VERDICT_GLYPHS

    script = (STATIC / "panel.js").read_text(encoding="utf-8")
    for known in (VERDICT_GLYPHS, LABEL_GLYPHS):
        for word, glyph in known.items():
            assert f'{word}: "{glyph}"' in script


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    from IPython import display

    shown: list[Any] = []
    monkeypatch.setattr(display, "display", shown.append)
    return shown


def test_without_a_kernel_the_static_panel_is_shown(displayed: list[Any]) -> None:
    inline.show_panel(DATA)
    assert set(displayed[0]._repr_mimebundle_()) == {"text/html", "text/plain"}


def test_in_a_kernel_the_widget_is_shown(displayed: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inline, "_has_kernel", lambda: True)
    inline.show_panel(DATA)
    assert isinstance(displayed[0], ValidationPanel)


def test_a_widget_that_cannot_be_made_falls_back_to_the_static_panel(
    displayed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no comm")

    monkeypatch.setattr(inline, "_has_kernel", lambda: True)
    monkeypatch.setattr("nbdataops.lab.panel.ValidationPanel", broken)
    inline.show_panel(DATA)
    assert "text/html" in displayed[0]._repr_mimebundle_()
