"""Commands that a fork server runs end as an ordinary one does when they are cancelled, and leave nothing."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from nbdataops.kernel.status import statuses
from nbdataops.workspace import open_product
from tests.cli.warm_commands import Commands, nbdataops
from tests.conftest import Notebook
from tests.kernel.conftest import servers
from tests.kernel.kernels import is_alive, wait_for

__all__ = ["nbdataops", "servers"]
pytestmark = pytest.mark.kernel


@pytest.fixture
def sleeping(blank: Path) -> Path:
    """A product with a view that goes on for ever."""
    read = 'from nbdataops import stage\nstage.read("orders", columns=["amount"])'
    Notebook.write(blank / "views" / "sleeps.ipynb", [read, "import time\ntime.sleep(600)"])
    return blank


@pytest.fixture
def begun(
    nbdataops: Commands, sleeping: Path
) -> Iterator[Callable[..., tuple[subprocess.Popen[str], list[int]]]]:
    """Start a build that goes on for ever; (the client, all processes of the command) when its kernel is there."""
    started: list[subprocess.Popen[str]] = []

    def begin(**how: Any) -> tuple[subprocess.Popen[str], list[int]]:
        process = nbdataops.start("build", "views/sleeps", cwd=sleeping, **how)
        started.append(process)

        def executes() -> bool:
            events = [json.loads(line) for p in sleeping.rglob("events.jsonl") for line in p.open()]
            return any(e["event"] == "cell" and e["node"].startswith("views/sleeps") for e in events)

        assert wait_for(executes)
        said = statuses(nbdataops.servers.folder)
        in_use = [k for s in said for kind in ("commands", "kernels") for k in s.get(kind, ())]
        pids = [k["pid"] for k in in_use if k["cwd"] == str(sleeping)]
        assert len(pids) == 2, "the command and its kernel"
        children = [child.pid for pid in pids for child in psutil.Process(pid).children(recursive=True)]
        return process, pids + children

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_cancelled_run_ends_with_its_code_and_leaves_nothing(
    begun: Callable[..., Any], number: int, code: int
) -> None:
    process, pids = begun()

    process.send_signal(number)
    said = process.communicate(timeout=120)[1]

    assert process.returncode == code
    assert "was cancelled" in said
    assert wait_for(lambda: not any(map(is_alive, pids)))


def test_ctrl_c_at_a_terminal_cancels_a_run_that_shows_live_progress(begun: Callable[..., Any]) -> None:
    terminal, inside = os.openpty()
    shown = bytearray()

    def read() -> None:
        try:
            while piece := os.read(terminal, 4096):
                shown.extend(piece)
        except OSError:  # the other end was closed
            pass

    threading.Thread(target=read, daemon=True).start()
    process, pids = begun(
        stdin=inside, stdout=inside, stderr=inside, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(inside)
    assert wait_for(lambda: b"now:" in shown)

    os.write(terminal, b"\x03")

    assert process.wait(120) == 130
    assert wait_for(lambda: b"was cancelled" in shown)
    assert wait_for(lambda: not any(map(is_alive, pids)))
    os.close(terminal)


def test_a_run_whose_terminal_is_closed_ends_as_cancelled(begun: Callable[..., Any], sleeping: Path) -> None:
    terminal, inside = os.openpty()
    process, pids = begun(
        stdin=inside, stdout=inside, stderr=inside, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(inside)

    os.close(terminal)

    assert process.wait(120) == 129
    assert wait_for(lambda: not any(map(is_alive, pids)))
    status = open_product(sleeping).status()
    assert (status.runs[0]["state"], {n["state"] for n in status.nodes}) == ("cancelled", {"cancelled"})


def test_nothing_is_left_of_a_run_whose_client_is_killed(
    begun: Callable[..., Any], nbdataops: Commands, sleeping: Path
) -> None:
    process, pids = begun()

    process.kill()
    process.wait()

    assert wait_for(lambda: not any(map(is_alive, pids)))
    again = nbdataops("build", "methods/rate", cwd=sleeping)
    assert again.returncode == 0, again.stderr
