"""A killed kernel's end is told when it executes nothing any more; whoever needs its place waits until it has left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from nbdataops.kernel.lease import executes_nothing
from tests.kernel.kernels import Running, Servers, is_alive, wait_for

Start = Callable[..., Running]


@pytest.mark.kernel
def test_a_killed_kernel_executes_nothing_once_its_end_is_told(start: Start, tmp_path: Path) -> None:
    kernel = start()
    kernel.run(
        "import threading\n"
        f"trace = open({str(tmp_path / 'trace')!r}, 'a', buffering=1)\n"
        "def busy():\n"
        "    while True:\n"
        "        trace.write('.\\n')\n"
        "for _ in range(8):\n"
        "    threading.Thread(target=busy, daemon=True).start()"
    )
    assert wait_for(lambda: (tmp_path / "trace").stat().st_size)

    kernel.manager.shutdown_kernel(now=True)

    length = (tmp_path / "trace").stat().st_size
    assert not kernel.manager.has_kernel
    time.sleep(0.2)
    assert (tmp_path / "trace").stat().st_size == length


@pytest.mark.kernel
def test_a_killed_kernel_leaves_nothing(alone: Servers, start: Start) -> None:
    kernel = start()
    pid, before = kernel.pid, psutil.Process().num_fds()
    name = Path(kernel.manager.get_connection_info()["ip"]).name
    kernel.run("held = bytearray(200_000_000)")

    kernel.manager.shutdown_kernel(now=True)
    kernel.close()

    assert psutil.Process().num_fds() < before
    assert wait_for(lambda: not psutil.pid_exists(pid))  # its server has seen to it
    assert wait_for(lambda: not [path for path in alone.folder.iterdir() if path.name.startswith(name)])


@pytest.mark.kernel
def test_a_restarted_kernel_comes_after_the_killed_one_has_left(start: Start) -> None:
    kernel = start()
    first, alive = kernel.pid, []
    kernel.run("held = bytearray(200_000_000)\nheld[::4096] = b'x' * len(held[::4096])")
    launch = kernel.manager.provisioner.launch_kernel  # type: ignore[union-attr]

    async def watched(*given: object, **named: object) -> object:
        alive.append(is_alive(first))
        return await launch(*given, **named)  # type: ignore[arg-type]

    kernel.manager.provisioner.launch_kernel = watched  # type: ignore[union-attr,method-assign,assignment]
    kernel.manager.restart_kernel(now=True)

    assert alive == [False]
    assert kernel.pid != first


def test_a_process_executes_until_each_of_its_threads_is_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        assert not executes_nothing(process.pid)

        process.send_signal(signal.SIGKILL)

        assert wait_for(lambda: executes_nothing(process.pid))  # it has not been waited for: a zombie
    assert not executes_nothing(process.pid)  # nothing is to be seen: others must tell
    assert not executes_nothing(os.getpid())
