"""The pictures of README.md, taken in a real browser of the demo's own run: `make pictures`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, find_chromium
from tests.browser.jupyter_lab import open_notebook, run_all, running

ROOT = Path(__file__).parents[2]
PRODUCT = ROOT / "notebooks" / "cdnow"
TARGET = ROOT / "docs" / "img"


def main() -> None:
    """Write docs/img/report.png and docs/img/panel.png."""
    TARGET.mkdir(parents=True, exist_ok=True)
    report = sorted((PRODUCT / ".nbdataops" / "reports").glob("*/report.html"))[-1]
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        page = chromium.new_page(viewport={"width": 1120, "height": 1000})
        page.goto(report.as_uri())
        page.screenshot(path=TARGET / "report.png")
        root, home = Path(folder) / "root", Path(folder) / "home"
        root.mkdir()
        home.mkdir()
        shutil.copytree(PRODUCT, root / "cdnow")
        with running(root, home) as lab:
            page = chromium.new_page(viewport={"width": 1280, "height": 1400})
            open_notebook(page, lab, "cdnow/methods/bg_nbd.ipynb")
            run_all(page)
            panel = page.locator("section.nbd")
            panel.wait_for(timeout=180_000)
            panel.scroll_into_view_if_needed()
            panel.screenshot(path=TARGET / "panel.png")
        chromium.close()


if __name__ == "__main__":
    main()
