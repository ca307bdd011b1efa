"""What a server does about the processes that it has forked."""

from __future__ import annotations

import os
import selectors
import socket
import sys
from pathlib import Path

import pytest

from nbdataops.kernel import frames
from nbdataops.kernel.forked_process import Forked, Forks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="process descriptors are Linux's")


@pytest.mark.parametrize("done", [True, False], ids=["with its exit code", "without"])
def test_a_client_that_goes_without_the_exit_code_leaves_its_addresses_to_be_removed(
    tmp_path: Path, done: bool
) -> None:
    """With the code it may be using them again: for the kernel of a restart."""
    selector = selectors.DefaultSelector()
    forks = Forks(selector, lambda: None)
    lease, client = socket.socketpair()
    waits, ends = os.pipe()
    child = forks.fork()
    if child == 0:
        os.setsid()
        os.close(ends)
        client.close()
        os.read(waits, 1)
        os._exit(0)
    address = tmp_path / "k-1"
    address.touch()
    forks.watch(Forked(child, -1, lease, "", str(tmp_path / "k")))

    if done:
        frames.send(client, {"done": True})
    client.close()
    while forks.alive:
        for key, _ in selector.select():
            key.data()
        if ends >= 0 and forks.alive[child].lease is None:
            os.close(ends)
            ends = -1

    assert address.exists() == done
    os.close(waits)
    selector.close()
