"""A server's standby kernels: how many are wanted, forked one after the other, given away when one suits."""

from __future__ import annotations

import selectors
import socket
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from nbdataops.kernel import frames
from nbdataops.kernel.forked_kernel import Ahead, Request
from nbdataops.kernel.forked_process import Forked, Forks
from nbdataops.kernel.standby import Standby, run_standby

REFILL_S = 0.1
"""After a kernel was given away, before the next standby is forked: the kernel in use comes first."""


class StandbyPool:
    """See the module. `environment` is the server's own."""

    def __init__(
        self,
        forks: Forks,
        selector: selectors.BaseSelector,
        folder: Path,
        ahead: Ahead,
        environment: Mapping[str, str],
    ) -> None:
        self.adopted = 0
        self.refill_at: float | None = None
        """When the next one is due; None when none is."""
        self._forks, self._selector, self._folder = forks, selector, folder
        self._ahead, self._environment = ahead, environment
        self._wanted: tuple[int, tuple[str, ...]] = (0, ())
        """How many standbys, and with which further arguments: as the last client said."""

    @property
    def all(self) -> list[Forked]:
        """Those that have not been given away, ready or not."""
        return [forked for forked in self._forks.alive.values() if forked.control is not None]

    @property
    def ready(self) -> list[int]:
        """Process ids of those that can be given away."""
        return [forked.pid for forked in self.all if forked.standby is not None]

    def want(self, number: int, further: tuple[str, ...]) -> None:
        """As many as a client says, ready for its further arguments."""
        self._wanted = (number, further)
        self._refill_soon()

    def give_up(self) -> None:
        """End them all; no more are forked."""
        self._wanted = (0, ())
        self.refill_at = None
        for standby in self.all:
            self._forks.end(standby)

    def refill(self) -> None:
        """Fork one standby; the next one when it is ready."""
        self.refill_at = None
        if not self._missing():
            return
        prefix = str(self._folder / f"k{uuid.uuid4().hex[:12]}")
        ours = theirs = None
        try:
            ours, theirs = socket.socketpair()
            child = self._forks.fork()
        except OSError as error:
            print(f"no standby can be forked: {error}", flush=True)
            for end in (ours, theirs):
                if end is not None:
                    end.close()
            return
        if child == 0:
            ours.close()
            run_standby(theirs, prefix, self._wanted[1], self._ahead)
        theirs.close()
        forked = Forked(child, -1, None, "", prefix, control=ours, receiver=frames.Receiver(ours))
        if self._forks.watch(forked):
            self._selector.register(ours, selectors.EVENT_READ, lambda: self._speaks(forked))
        else:
            ours.close()

    def adopt(self, request: Request, files: Sequence[int], connection: socket.socket) -> Forked | None:
        """Give a standby away, if one suits."""
        for forked in self.all:
            if forked.standby is not None and forked.standby.suits(request, self._environment):
                break
        else:
            return None
        assert forked.control is not None
        try:
            frames.send(forked.control, request.to_frame(), [*files, connection.fileno()])
        except OSError:  # it has just died
            return None
        self._selector.unregister(forked.control)
        forked.control.close()
        forked.control = forked.receiver = forked.standby = None
        forked.lease, forked.cwd, forked.since = connection, request.cwd, time.time()
        self._forks.watch_lease(forked)
        self.refill_at = time.monotonic() + REFILL_S
        self.adopted += 1
        return forked

    def _missing(self) -> bool:
        return self._wanted[0] > len(self.all)

    def _refill_soon(self) -> None:
        if self._missing():
            self.refill_at = time.monotonic() + REFILL_S

    def _speaks(self, forked: Forked) -> None:
        assert forked.receiver is not None
        assert forked.control is not None
        forked.receiver.pump()
        frame = forked.receiver.next() or {}
        if "standby" in frame:
            forked.standby = Standby.of(frame["standby"])
            self._refill_soon()
        elif forked.receiver.ended or "unusable" in frame:
            if "unusable" in frame:
                print(f"no standbys: {frame['unusable']}", flush=True)
            self._selector.unregister(forked.control)
