"""Many kernels, eight at a time: none fails, and nothing grows or is left."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from nbdataops.kernel.status import statuses
from tests.kernel.kernels import Running, Servers, descriptors, wait_for

pytestmark = pytest.mark.kernel
Start = Callable[..., Running]


def settled(alone: Servers) -> bool:
    """Whether no kernel is in use and one standby is ready."""
    [server] = statuses(alone.folder)
    return not server["kernels"] and len(server["standbys"]) == 1


def memory(pid: int) -> int:
    """Bytes that are resident. (Its share of what it has in common with kernels moves as these come and go.)"""
    return int(psutil.Process(pid).memory_info().rss)


@pytest.mark.parametrize(
    "number", [40, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(3000)])]
)
def test_kernels_eight_at_a_time(alone: Servers, start: Start, number: int) -> None:
    start().close()
    [server] = [s["pid"] for s in statuses(alone.folder)]

    def one(n: int) -> bool:
        kernel = start()
        right = kernel.run(f"print({n} * 2)").out == f"{2 * n}\n"
        if n % 2:
            kernel.manager.shutdown_kernel()
        kernel.close()
        return right

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(16)))  # up to here it grows into its place
        assert wait_for(lambda: settled(alone))
        before, files, mine = memory(server), descriptors(server), descriptors(os.getpid())
        assert all(pool.map(one, range(number)))
    assert wait_for(lambda: settled(alone))

    assert descriptors(server) == files
    assert descriptors(os.getpid()) <= mine, "the client's own"
    assert memory(server) <= 1.05 * before
    assert [p.pid for p in psutil.Process(server).children()] == statuses(alone.folder)[0]["standbys"]
    assert len([p for p in alone.folder.iterdir() if p.name.startswith("k")]) == 5  # the standby's
