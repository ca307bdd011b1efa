"""When a client is told that its kernel has ended, nothing that the kernel held is held any more."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kernel.kernels import Running, is_alive

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
