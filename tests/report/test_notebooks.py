"""Executed notebooks as pages: offline, without scripts, with the panel where `stage.validate()` was."""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest

from nbdataops.report.notebooks import clean, fill_validate, notebook_html
from tests.report import samples
from tests.report.pages import Page

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def code(*outputs: dict[str, Any], source: str = "pass") -> dict[str, Any]:
    return {
        "cell_type": "code",
        "metadata": {},
        "execution_count": 1,
        "source": source,
        "outputs": list(outputs),
    }


def shown(metadata: dict[str, Any] | None = None, **data: str) -> dict[str, Any]:
    kinds = {"html": "text/html", "plain": "text/plain", "png": "image/png", "svg": "image/svg+xml",
             "js": "application/javascript", "widget": "application/vnd.jupyter.widget-view+json", "latex": "text/latex",
             "markdown": "text/markdown"}  # fmt: skip
    return {
        "output_type": "display_data",
        "metadata": metadata or {},
        "data": {kinds[k]: v for k, v in data.items()},
    }


def markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"widgets": {"x": {}}}, "cells": list(cells)}


def page(*cells: dict[str, Any], **more: str) -> Page:
    return Page(notebook_html(notebook(*cells), **{"title": "bg_nbd", **more}))


PLACEHOLDER = shown({"nbdataops": {"validate": True}}, plain="the report fills this in")


def test_the_place_of_validate_is_filled_with_the_panel_and_nothing_else_changes() -> None:
    before = notebook(code(shown(html="<p>mine</p>")), code(PLACEHOLDER), code())
    kept = copy.deepcopy(before)
    after = fill_validate(before, samples.study(), "methods/bg_nbd")
    assert before == kept
    assert after["cells"][0] == before["cells"][0]
    filled = after["cells"][1]["outputs"][0]
    assert "unverified" in filled["data"]["text/html"]
    assert filled["data"]["text/plain"].startswith("bg_nbd: study unverified")
    assert filled["metadata"]["nbdataops"] == {"validate": True, "filled": True}


def test_filling_again_with_another_study_replaces_the_panel() -> None:
    once = fill_validate(notebook(code(PLACEHOLDER)), samples.study(), "methods/bg_nbd")
    twice = fill_validate(once, {**samples.study(), "label": "validated"}, "methods/bg_nbd")
    assert twice["cells"][0]["outputs"][0]["data"]["text/plain"].startswith("bg_nbd: study validated")


def test_the_panel_survives_the_export_with_its_pictures() -> None:
    made = page(*fill_validate(notebook(code(PLACEHOLDER)), samples.study(), "methods/bg_nbd")["cells"])
    assert len([s for s in made.values("src") if s.startswith("data:image/svg+xml;base64,")]) == 2
    assert "Did past predictions come true?" in made.text
    assert made.live() == []


def test_the_page_of_a_notebook_runs_and_loads_nothing() -> None:
    made = page(markdown("# BG/NBD\n\nA *model*, `code`, [a paper](https://example.org/p).\n\n| a |\n|---|\n| 1 |"),
                code({"output_type": "stream", "name": "stdout", "text": "fitted <b>\n"}, shown(png=PIXEL), source="fit()"),
                back="../report.html")  # fmt: skip
    assert made.live() == []
    assert "fitted <b>" in made.text
    assert {"h1", "em", "code", "table", "img"} <= made.tags()
    assert made.values("href")[0] == "../report.html"
    assert "https://example.org/p" in made.values("href")
    policies = [a["content"] for _, a in made.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies[0].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "poison",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<img src='https://evil.example/x.png'>",
        "<iframe src='https://evil.example'></iframe>",
        "<a href='javascript:alert(1)'>x</a>",
        "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
        "<style>@import 'https://evil.example/x.css'</style>",
        "<p style='background: url(https://evil.example/x); position: fixed'>x</p>",
        "<svg><script>alert(1)</script></svg>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "<form action='https://evil.example'><input></form>",
        "<link rel=stylesheet href='https://evil.example/x.css'>",
        "<base href='https://evil.example/'>",
        "</main></body><script>alert(1)</script>",
    ],
)
def test_nothing_that_a_notebook_says_comes_alive(poison: str) -> None:
    raw = {
        "cell_type": "raw",
        "metadata": {"raw_mimetype": "text/html", "format": "text/html"},
        "source": poison,
    }
    error = {"output_type": "error", "ename": poison, "evalue": poison, "traceback": [poison]}
    made = page(markdown(poison), raw, code(shown(html=poison), shown(markdown=poison), shown(latex=poison), shown(plain=poison),
                shown(svg=f"<svg xmlns='http://www.w3.org/2000/svg'>{poison}</svg>"), error, source=poison),
                title=poison, subtitle=poison, back="javascript:alert(1)")  # fmt: skip
    assert made.live() == []
    assert [h for h in made.values("href") if not h.startswith(("#", "https://"))] == []


def test_a_widget_is_shown_by_its_static_version_and_a_script_is_left_out() -> None:
    made = page(
        code(
            shown(widget='{"model_id": "x"}', html="<p>static version</p>", plain="Widget()"),
            shown(js="alert(1)"),
        )
    )
    assert "static version" in made.text
    assert "model_id" not in made.text
    assert "alert(1)" not in made.text


def test_an_svg_output_becomes_an_image() -> None:
    made = page(code(shown(svg="<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")))
    source = next(s for s in made.values("src") if "svg" in s)
    assert b"<svg" in base64.b64decode(source.split("base64,")[1])


def test_equal_cells_of_two_notebooks_are_shown_alike_and_each_with_its_own_output() -> None:
    first, second = (page(code(shown(html=f"<p>{n}</p>"), source="fit() < 1")).text for n in ("one", "two"))
    assert "fit() < 1" in first
    assert first.replace("one", "two") == second


def test_sources_given_as_lines_are_joined() -> None:
    cell = code(source="")
    cell["source"] = ["a = 1\n", "b = 2\n"]
    assert "b = 2" in page(cell).text


def test_cleaning_keeps_tables_and_images_that_carry_their_bytes() -> None:
    kept = f'<table class="dataframe"><tbody><tr><th scope="col">x</th></tr></tbody></table><img alt="p" src="data:image/png;base64,{PIXEL}">'
    assert clean(kept) == kept


def test_cleaning_twice_changes_nothing_more() -> None:
    once = clean("<p>a<script>x</script><b onclick=y>c</b> & d</p>")
    assert clean(once) == once == "<p>a<b>c</b> &amp; d</p>"
