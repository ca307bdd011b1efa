"""A real JupyterLab on the loopback, and what a person does in it. A smoke test of a notebook reads:

def test_a_method_notebook_shows_its_panel(page, lab):
    shutil.copytree(product, lab.root / "cdnow")
    open_notebook(page, lab, "cdnow/methods/bg_nbd.ipynb")
    run_all(page)
    panel = page.locator("section.nbd")
    panel.wait_for(timeout=120_000)
    panel.get_by_role("radio").first.press("ArrowRight")
    assert page.outside == []
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOKEN = "a-token-of-the-browser-tests"


@dataclass(frozen=True, slots=True)
class Lab:
    """A running server: `root` is the folder it shows, `env` what its processes see."""

    url: str
    root: Path
    env: Mapping[str, str]

    def trust(self, notebook: str) -> None:
        """Sign a notebook for this server's user, as the runner does."""
        subprocess.run([sys.executable, "-m", "jupyter", "trust", str(self.root / notebook)], env=dict(self.env), check=True,
                       capture_output=True)  # fmt: skip


@contextmanager
def running(root: Path, home: Path) -> Iterator[Lab]:
    """Start JupyterLab with a home of its own, and end exactly the processes that were started."""
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(
        '{"fetchNews": "false", "checkForUpdates": false}'
    )
    env = {
        **os.environ,
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0",
        f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={root}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    server = subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield Lab(_address(server), root, env)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(10)


def _address(server: subprocess.Popen[str]) -> str:
    """The address that the server says it listens at; its further output is read away by a thread."""
    said: list[str] = []
    assert server.stderr is not None
    for line in server.stderr:
        said.append(line)
        if "http://127.0.0.1:" in line:
            threading.Thread(
                target=lambda stream: [None for _ in stream], args=(server.stderr,), daemon=True
            ).start()
            return "http://127.0.0.1:" + line.split("http://127.0.0.1:")[1].split("/")[0]
    raise AssertionError("JupyterLab did not start:\n" + "".join(said))


def open_notebook(page: Any, lab: Lab, path: str) -> None:
    """Open a notebook (path below `lab.root`) and wait until its kernel is idle."""
    page.goto(f"{lab.url}/lab/tree/{path}?token={TOKEN}&reset")
    page.wait_for_selector(".jp-Notebook", timeout=60_000)
    page.wait_for_function("() => document.querySelector('#jupyterlab-splash') === null", timeout=60_000)
    # The status bar knows of the kernel when it has answered; the notebook's own indicator says idle before that.
    page.wait_for_selector("#jp-main-statusbar >> text=/\\| Idle$/", timeout=60_000)


def run_all(page: Any) -> None:
    """Run > Run All Cells. Wait for what should appear."""
    page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell").first.click()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def run_last(page: Any) -> Any:
    """Run the last cell alone; returns its output area."""
    cell = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell").last
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    return cell.locator(".jp-OutputArea-output")
