"""The report as a person opens it: from a file, without a network."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from nbdataops.report.html import write_report
from nbdataops.report.notebooks import fill_validate, notebook_html
from nbdataops.report.view import ReportView
from tests.browser.conftest import Pages
from tests.report import samples

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("report")
    view = ReportView.from_run(samples.run(), samples.study(), samples.contracts(), samples.stages(), samples.candidate(), samples.notebooks())  # fmt: skip
    write_report(made, view)
    place = {
        "output_type": "display_data",
        "metadata": {"nbdataops": {"validate": True}},
        "data": {"text/plain": "later"},
    }
    cell = {
        "cell_type": "code",
        "metadata": {},
        "execution_count": 1,
        "source": "stage.validate()",
        "outputs": [place],
    }
    notebook = fill_validate(
        {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]},
        samples.study(),
        "methods/bg_nbd",
    )
    (made / "notebook.html").write_text(
        notebook_html(notebook, title="bg_nbd", back="report.html"), encoding="utf-8"
    )
    return made


def colours(page: Any) -> int:
    from PIL import Image

    return len(Image.open(io.BytesIO(page.screenshot())).convert("RGB").getcolors(1 << 24) or [])


def brightness(page: Any) -> int:
    from PIL import Image

    return sum(Image.open(io.BytesIO(page.screenshot())).convert("RGB").getpixel((3, 3)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_is_whole_without_a_network_in_light_and_dark(
    folder: Path, pages: Pages, scheme: str
) -> None:
    page = pages.open(offline=True, color_scheme=scheme)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    address = (folder / "report.html").as_uri()
    page.goto(address)
    assert page.locator(".figure").is_visible()
    assert "742,318" in page.locator(".figure").inner_text()
    assert "unverified" in page.locator(".stamp").first.inner_text()
    assert asked == [address]
    assert (page.outside, page.errors) == ([], [])
    assert colours(page) > 100
    assert (brightness(page) > 600) == (scheme == "light")


def test_the_theme_can_be_chosen_and_the_table_filtered_without_a_script(folder: Path, pages: Pages) -> None:
    page = pages.open(java_script_enabled=False, color_scheme="light")
    page.goto((folder / "report.html").as_uri())
    page.locator("#theme-dark").focus()
    page.keyboard.press("Space")
    assert brightness(page) < 200
    rows = page.locator("#evidence tbody tr")
    page.locator("#verdict-inconclusive").focus()
    page.keyboard.press("Space")
    assert rows.locator("visible=true").count() == page.locator("tr[data-v=inconclusive]").count()
    page.locator("#required").focus()
    page.keyboard.press("Space")
    assert rows.locator("visible=true").count() == page.locator("tr[data-v=inconclusive][data-r]").count()


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_sticks_out_at_the_side(folder: Path, pages: Pages, width: int) -> None:
    page = pages.open()
    page.set_viewport_size({"width": width, "height": 800})
    page.goto((folder / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_paper_is_white_and_shows_what_folds_away_on_a_screen(folder: Path, pages: Pages) -> None:
    page = pages.open(color_scheme="dark")
    page.goto((folder / "report.html").as_uri())
    page.emulate_media(media="print")
    assert brightness(page) == 3 * 255
    assert not page.locator("nav").is_visible()
    assert page.locator("tr[data-v][data-r]").first.is_visible()
    assert page.locator("#evidence tr[data-v]:not([data-r])").locator("visible=true").count() == 0


def test_an_executed_notebook_opens_offline_with_its_panel_and_leads_back(folder: Path, pages: Pages) -> None:
    page = pages.open(offline=True)
    page.goto((folder / "notebook.html").as_uri())
    drawn = "() => [...document.images].every((i) => i.complete && i.naturalWidth > 200) && document.images.length"
    assert page.wait_for_function(drawn).json_value() == 2
    assert (page.outside, page.errors) == ([], [])
    page.get_by_role("link", name="Back to the report").click()
    page.locator(".figure").wait_for()
