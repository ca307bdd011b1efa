"""An analyst opens a method of the reference product in JupyterLab, runs it, and looks at how it stands."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.browser.jupyter_lab import Lab, open_notebook, run_all

pytestmark = [pytest.mark.browser, pytest.mark.kernel, pytest.mark.timeout(1500)]


def test_a_method_notebook_shows_how_its_estimate_stands(
    page: Any, lab: Lab, cdnow_run: tuple[Path, dict[str, Any]]
) -> None:
    shutil.copytree(cdnow_run[0], lab.root / "cdnow")
    open_notebook(page, lab, "cdnow/methods/bg_nbd.ipynb")

    run_all(page)
    panel = page.locator("section.nbd")
    panel.wait_for(timeout=180_000)

    told = panel.inner_text()
    assert "bg_nbd" in told
    for other in ("pareto_nbd", "cohort", "gradient_boosting", "naive"):
        assert other in told
    assert "unverified" in told

    first = panel.get_by_role("radio").first
    first.focus()
    page.keyboard.press("ArrowRight")
    assert panel.get_by_role("radio").nth(1).get_attribute("aria-checked") == "true"

    selector = panel.get_by_role("combobox")
    before = panel.inner_text()
    selector.select_option(label="naive")
    page.wait_for_function("before => document.querySelector('section.nbd').innerText !== before", arg=before)
    assert page.outside == []
    errors = page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr'] .ansi-red-fg")
    assert errors.count() == 0
