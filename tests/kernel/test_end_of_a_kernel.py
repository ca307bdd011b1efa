"""When a client is told that its kernel has ended, nothing that the kernel held is held any more."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.kernel.kernels import Running, Servers, is_alive, wait_for

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("now", [False, True])
def test_a_kernel_that_has_ended_holds_no_lock(
    start: Callable[..., Running], tmp_path: Path, now: bool
) -> None:
    kernel = start()
    kernel.run(
        "import fcntl, os\n"
        f"file = os.open({str(tmp_path / 'locked')!r}, os.O_RDWR | os.O_CREAT)\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "much = bytearray(200_000_000)\nmuch[::4096] = b'x' * len(much[::4096])"  # takes its time to be given back
    )
    pid = kernel.pid

    kernel.manager.shutdown_kernel(now=now)

    assert not is_alive(pid)
    with (tmp_path / "locked").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_kernel_whose_server_is_gone_tells_its_exit_code_itself(
    alone: Servers, start: Callable[..., Running], server: int
) -> None:
    kernel = start()
    os.kill(server, signal.SIGKILL)
    assert wait_for(lambda: not psutil.pid_exists(server) or not is_alive(server))

    kernel.client.execute("import threading, os, sys; quit(keep_kernel=False)")
    process = kernel.manager.provisioner.process  # type: ignore[union-attr]

    assert process.wait(10) == 0
