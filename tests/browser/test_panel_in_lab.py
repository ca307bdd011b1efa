"""The panel in a real JupyterLab, worked by keyboard, and as an untrusted notebook shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest

from nbdataops.report.panel_data import panel_data
from nbdataops.report.panel_html import panel_html, panel_text
from tests.browser.conftest import Pages
from tests.browser.jupyter_lab import Lab, open_notebook, run_all, run_last
from tests.report import samples

pytestmark = pytest.mark.browser

DATA = panel_data(samples.study(), "methods/bg_nbd")
BUILD = """import json
from IPython.display import display
from nbdataops.lab.panel import ValidationPanel
panel = ValidationPanel(json.load(open("panel.json")))
display(panel)"""
SHOW = 'print("kernel sees", panel.selected)'


def write(lab: Lab, name: str, *cells: Any) -> None:
    (lab.root / "panel.json").write_text(json.dumps(DATA))
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells), metadata=spec), lab.root / name)


@pytest.fixture(scope="module")
def live(browser: Any, lab: Lab) -> Iterator[Any]:
    """A notebook that has just made the panel in its kernel."""
    pages = Pages(browser)
    page = pages.open()
    write(lab, "live.ipynb", nbformat.v4.new_code_cell(BUILD), nbformat.v4.new_code_cell(SHOW))
    open_notebook(page, lab, "live.ipynb")
    run_all(page)
    page.locator("section.nbd").wait_for(timeout=60_000)
    yield page
    pages.close()


def test_the_panel_is_worked_by_keyboard_and_the_kernel_sees_the_choice(live: Any) -> None:
    page, panel = live, live.locator("section.nbd")
    chips = panel.get_by_role("radio")
    assert chips.all_inner_texts()[0] == "✗ Holdout: fail"
    chips.first.focus()
    page.keyboard.press("ArrowRight")
    assert chips.nth(1).get_attribute("aria-checked") == "true"
    assert chips.nth(1).evaluate("e => e === document.activeElement")
    assert "Do other methods say the same?" in panel.locator(".detail").inner_text()
    assert panel.get_by_role("status").inner_text() == "Method against method: fail"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert chips.last.get_attribute("aria-checked") == "true"

    select = panel.get_by_label("Compare with")
    assert select.input_value() == "methods/cohort"
    select.focus()
    page.keyboard.type("naive")
    assert select.input_value() == "methods/naive"
    assert select.evaluate("e => e === document.activeElement")
    assert page.locator(".jp-CodeCell").count() == 2, "a key meant for the panel reached the notebook"
    assert "naive" in panel.get_by_role("status").inner_text()
    run_last(page).get_by_text("kernel sees methods/naive").wait_for()

    pictures = panel.get_by_role("img")
    assert pictures.count() == 2
    assert "bg_nbd against other methods: pareto_nbd" in (pictures.first.get_attribute("aria-label") or "")
    assert page.outside == []


def test_the_panel_follows_the_dark_theme(live: Any) -> None:
    page = live
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.locator(".lm-Menu-itemLabel", has_text="Theme").first.click()
    page.locator(".lm-Menu-itemLabel", has_text="JupyterLab Dark").last.click()
    page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
    dark = "e => { const c = getComputedStyle(e).backgroundColor.match(/\\d+/g).map(Number); return c[0] + c[1] + c[2] < 200; }"
    page.wait_for_function(f"() => ({dark})(document.querySelector('section.nbd'))")


def test_an_untrusted_notebook_shows_the_static_panel(page: Any, lab: Lab) -> None:
    view = {
        "application/vnd.jupyter.widget-view+json": {
            "model_id": "gone",
            "version_major": 2,
            "version_minor": 1,
        }
    }
    output = nbformat.v4.new_output(
        "display_data", {**view, "text/html": panel_html(DATA), "text/plain": panel_text(DATA)}
    )
    write(lab, "untrusted.ipynb", nbformat.v4.new_code_cell(BUILD, outputs=[output], execution_count=1))
    open_notebook(page, lab, "untrusted.ipynb")
    shown = page.locator(".jp-RenderedHTMLCommon", has_text="unverified")
    shown.wait_for()
    drawn = "() => [...document.querySelectorAll('.nbdataops-panel img')].filter((i) => i.naturalWidth > 200).length === 2"
    page.wait_for_function(drawn)
    assert "Method against method: fail" in shown.inner_text()
    assert page.locator("section.nbd").count() == 0
