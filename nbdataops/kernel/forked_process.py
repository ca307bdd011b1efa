"""A forked process as its server keeps it."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from dataclasses import dataclass, field

from nbdataops.kernel import frames
from nbdataops.kernel.standby import Standby


@dataclass
class Kernel:
    """A forked process. `lease` is None when its client has gone, and while it has none (a standby)."""

    pid: int
    process: int
    lease: socket.socket | None
    cwd: str
    sockets: str | None
    """Where its ZeroMQ sockets lie: the path without `-1` to `-5`."""
    since: float = field(default_factory=time.time)
    kill_at: float | None = None
    control: socket.socket | None = None
    """The server's end of a standby's connection."""
    receiver: frames.Receiver | None = None
    standby: Standby | None = None
    """Set while it is ready to be adopted."""


def signal_group(pid: int, number: int) -> None:
    """Signal a kernel's group, or the process alone while it has not made its own group yet."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
