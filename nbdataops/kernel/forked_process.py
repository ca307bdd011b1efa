"""The processes that a server has forked: made, watched until they end, and ended when their client goes away."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from nbdataops.kernel import frames
from nbdataops.kernel.client_kind import ClientKind
from nbdataops.kernel.forked_kernel import GRACE_S, own_signals
from nbdataops.kernel.leftovers import remove_sockets
from nbdataops.kernel.standby import Standby


@dataclass
class Forked:
    """A kernel, or a command. `lease` is None when its client has gone, and while it has none (a standby)."""

    pid: int
    process: int
    lease: socket.socket | None
    cwd: str
    sockets: str | None
    """Where a kernel's ZeroMQ sockets lie: the path without `-1` to `-5`."""
    since: float = field(default_factory=time.time)
    kill_at: float | None = None
    control: socket.socket | None = None
    """The server's end of a standby's connection."""
    receiver: frames.Receiver | None = None
    standby: Standby | None = None
    """Set while it is ready to be adopted."""
    made_for: ClientKind | None = None
    """Of a standby: the kind of client that may have it."""
    command: tuple[str, ...] | None = None
    """The words of a command; None for a kernel."""
    released: bool = False
    """The client has the exit code, and goes: that is no loss of the lease."""


class Forks:
    """All processes that were forked and have not ended. `let_go` closes what else the server has open, in a child."""

    def __init__(self, selector: selectors.BaseSelector, let_go: Callable[[], None]) -> None:
        self.alive: dict[int, Forked] = {}
        self.number = 0
        """Of all forks so far."""
        self.last_end = time.monotonic()
        self._selector, self._let_go = selector, let_go

    def fork(self) -> int:
        """Fork; in the child nothing of the server is open any more. Raises OSError."""
        sys.stdout.flush()
        sys.stderr.flush()
        # A child that is told to end at once would pass that on to the server: through the socket that wakes it up,
        # which both have until the child has closed it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            child = os.fork()
        except OSError:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            raise
        if child == 0:
            own_signals()
            self._selector.close()
            self._let_go()
            for forked in self.alive.values():
                os.close(forked.process)
                for held in (forked.lease, forked.control):
                    if held is not None:
                        held.close()
        else:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            self.number += 1
        return child

    def watch(self, forked: Forked) -> bool:
        """Watch a forked process; False when it cannot be watched, in which case it is ended."""
        try:
            forked.process = os.pidfd_open(forked.pid)
        except OSError:  # no descriptor is left
            os.kill(forked.pid, signal.SIGKILL)
            os.waitpid(forked.pid, 0)
            return False
        self.alive[forked.pid] = forked
        self._selector.register(forked.process, selectors.EVENT_READ, lambda: self._ended(forked))
        if forked.lease is not None:
            self.watch_lease(forked)
        return True

    def watch_lease(self, forked: Forked) -> None:
        assert forked.lease is not None
        self._selector.register(forked.lease, selectors.EVENT_READ, lambda: self._lease_speaks(forked))

    def end(self, forked: Forked) -> None:
        """Ask its group to end, and see to it later (`kill_the_late`)."""
        signal_group(forked.pid, signal.SIGTERM)
        forked.kill_at = time.monotonic() + GRACE_S

    @property
    def deadlines(self) -> list[float]:
        return [forked.kill_at for forked in self.alive.values() if forked.kill_at is not None]

    def kill_the_late(self, now: float) -> None:
        for forked in self.alive.values():
            if forked.kill_at is not None and now >= forked.kill_at:
                signal_group(forked.pid, signal.SIGKILL)
                forked.kill_at = None

    def _lease_speaks(self, forked: Forked) -> None:
        """The client's end has closed; before, a client says at most that it has the exit code."""
        assert forked.lease is not None
        try:
            if forked.lease.recv(4096, socket.MSG_DONTWAIT):
                forked.released = True
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._selector.unregister(forked.lease)
        forked.lease.close()
        forked.lease = None
        if not forked.released:
            self.end(forked)

    def _ended(self, forked: Forked) -> None:
        if forked.command is None or (forked.lease is None and not forked.released):
            # As long as it is not reaped its number is its own, so the group is certainly this kernel's. What a command
            # that ended by itself has left running is meant to run on, as with an ordinary one.
            signal_group(forked.pid, signal.SIGKILL)
        _, status = os.waitpid(forked.pid, 0)
        self.last_end = time.monotonic()
        del self.alive[forked.pid]
        self._selector.unregister(forked.process)
        os.close(forked.process)
        if forked.control is not None:
            with contextlib.suppress(KeyError):
                self._selector.unregister(forked.control)
            forked.control.close()
        if forked.lease is None:
            if not forked.released:
                remove_sockets(forked.sockets)  # a client would have done so
            return
        self._selector.unregister(forked.lease)
        with contextlib.suppress(OSError):
            frames.send(forked.lease, {"exit": os.waitstatus_to_exitcode(status)})
        forked.lease.close()


def signal_group(pid: int, number: int) -> None:
    """Signal a process's group, or the process alone while it has not made its own group yet."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
