"""What is killed around a warm kernel leaves no orphan, and the next kernel comes all the same."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from nbdataops.kernel.lease import UNKNOWN_EXIT
from nbdataops.kernel.leftovers import _is_dead, sweep
from nbdataops.kernel.status import statuses
from tests.kernel.kernels import PATIENCE_S, Running, Servers, is_alive, wait_for

pytestmark = pytest.mark.kernel
Start = Callable[..., Running]


def test_kernels_outlive_a_server_that_is_killed_and_the_next_one_comes_from_another(
    alone: Servers, start: Start, server: int
) -> None:
    kernel = start()
    kernel.run("x = 41")
    os.kill(server, signal.SIGKILL)
    assert wait_for(lambda: not is_alive(server))

    other = start()

    assert kernel.manager.is_alive()
    assert kernel.run("print(x + 1)").out == "42\n"
    assert [s["pid"] for s in statuses(alone.folder)] != [server]
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=PATIENCE_S)
    assert kernel.run("print('x' in globals())").out == "False\n"
    assert other.run("print(1)").out == "1\n"


def test_the_end_of_a_kernel_is_seen_without_its_server(start: Start, server: int) -> None:
    kernel = start()
    process = kernel.manager.provisioner.process  # type: ignore[union-attr]
    os.kill(server, signal.SIGKILL)

    kernel.client.execute("import os\nos._exit(3)")

    assert process.wait(PATIENCE_S) == UNKNOWN_EXIT
    assert not kernel.manager.is_alive()


def test_a_kernel_ends_when_its_server_and_then_its_client_are_gone(start: Start, server: int) -> None:
    kernel = start()
    child = int(kernel.run("import subprocess\nprint(subprocess.Popen(['sleep', '600']).pid)").out)
    kernel.client.execute("while True: pass")
    os.kill(server, signal.SIGKILL)

    kernel.manager.provisioner.process.close()  # type: ignore[union-attr]  # as the end of the client does

    assert wait_for(lambda: not is_alive(kernel.pid) and not is_alive(child))
    kernel.manager.provisioner.process = None  # type: ignore[union-attr]


def test_standbys_end_with_a_server_that_is_killed(alone: Servers, server: int) -> None:
    standby = wait_for(lambda: statuses(alone.folder)[0]["standbys"])[0]

    os.kill(server, signal.SIGKILL)

    assert wait_for(lambda: not is_alive(standby))


def test_what_a_killed_server_and_its_kernels_left_is_removed_by_the_next(
    alone: Servers, start: Start, server: int
) -> None:
    kernel = start()
    os.kill(server, signal.SIGKILL)
    os.kill(kernel.pid, signal.SIGKILL)
    assert wait_for(lambda: not alone.processes())
    left = {p.name for p in alone.folder.iterdir() if p.name.startswith("k")}
    assert left
    # A process that has ended may be closing its files yet.
    assert wait_for(lambda: all(_is_dead(alone.folder / name) for name in left if "-" in name))
    kernel.manager.provisioner.process = None  # type: ignore[union-attr]  # its client is gone, too

    start()

    assert left & {p.name for p in alone.folder.iterdir()} == set()


def test_what_a_standby_left_that_was_killed_before_it_had_sockets_is_removed(tmp_path: Path) -> None:
    for name in ("kdead.json", "klive.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "kfresh.json").touch()  # being written
    (tmp_path / "kold.json").touch()
    os.utime(tmp_path / "kold.json", (0, 0))

    with (tmp_path / "klive.json").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        sweep(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"klive.json", "kfresh.json"}


def test_a_server_that_is_killed_while_it_loads_costs_one_cold_start(
    alone: Servers, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    killer = threading.Thread(
        target=lambda: os.kill(wait_for(lambda: alone.servers())[0].pid, signal.SIGKILL)
    )
    killer.start()

    kernel = start(expect_warm=False)

    killer.join()
    assert kernel.run("print(1)").out == "1\n"
    assert "ended while it was loading" in str(kernel.cold_reason)
    assert start().cold_reason is None


def test_a_client_that_is_killed_while_its_server_loads_leaves_a_server_for_the_next(
    alone: Servers, start: Start
) -> None:
    code = (
        "from jupyter_client.manager import KernelManager\nKernelManager(kernel_name='bare').start_kernel()"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
    client = subprocess.Popen([sys.executable, "-c", code], env=environment)
    [loading] = wait_for(alone.servers)
    session = os.getsid(loading.pid)
    client.kill()
    client.wait()

    kernel = start()

    assert os.getsid(psutil.Process(kernel.pid).ppid()) == session
    assert [s["kernels"][0]["pid"] for s in statuses(alone.folder)] == [kernel.pid]
