"""A server's standby kernels: how many are wanted, forked one after the other, given away when one suits."""

from __future__ import annotations

import selectors
import socket
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from nbdataops.kernel import frames
from nbdataops.kernel.forked_kernel import Ahead, Request
from nbdataops.kernel.forked_process import Forked, Forks
from nbdataops.kernel.standby import Expected, Standby, run_standby

REFILL_S = 0.1
"""After a kernel was given away, before the next standby is forked: the kernel in use comes first."""


class StandbyPool:
    """See the module."""

    def __init__(self, forks: Forks, selector: selectors.BaseSelector, folder: Path, ahead: Ahead) -> None:
        self.adopted = 0
        self.refill_at: float | None = None
        """When the next one is due; None when none is."""
        self._forks, self._selector, self._folder, self._ahead = forks, selector, folder, ahead
        self._number, self._expected = 0, Expected((), {})
        """How many standbys are wanted, and for which client: one as the last."""

    @property
    def all(self) -> list[Forked]:
        """Those that have not been given away, ready or not."""
        alive = self._forks.alive.values()
        return [forked for forked in alive if forked.control is not None and forked.kill_at is None]

    @property
    def ready(self) -> list[int]:
        """Process ids of those that can be given away."""
        return [forked.pid for forked in self.all if forked.standby is not None]

    def want(self, number: int, request: Request) -> None:
        """As many as a client says, for clients like it."""
        self._number, self._expected = number, Expected.of(request)
        self._refill_soon()

    def give_up(self) -> None:
        """End them all; no more are forked."""
        self._number = 0
        self.refill_at = None
        for standby in self.all:
            self._forks.end(standby)

    def refill(self) -> None:
        """Fork one standby; the next one when it is ready."""
        self.refill_at = None
        if not self._missing():
            return
        prefix, expected = str(self._folder / f"k{uuid.uuid4().hex[:12]}"), self._expected
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
            run_standby(theirs, prefix, expected, self._ahead)
        theirs.close()
        forked = Forked(child, -1, None, "", prefix, control=ours, receiver=frames.Receiver(ours))
        if self._forks.watch(forked):
            self._selector.register(ours, selectors.EVENT_READ, lambda: self._speaks(forked, expected))
        else:
            ours.close()

    def adopt(self, request: Request, files: Sequence[int], connection: socket.socket) -> Forked | None:
        """Give a standby away, if one suits; else those that suit no client like this one make room."""
        ready = [(forked, forked.standby) for forked in self.all if forked.standby is not None]
        forked = next((forked for forked, standby in ready if standby.suits(request)), None)
        if forked is None:
            for unfit, standby in ready:
                self._end_if_unfit(unfit, standby)
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

    def _end_if_unfit(self, forked: Forked, standby: Standby) -> None:
        if not standby.is_for(self._expected):
            self._forks.end(forked)
            self._refill_soon()

    def _missing(self) -> bool:
        return self._number > len(self.all)

    def _refill_soon(self) -> None:
        if self._missing():
            self.refill_at = time.monotonic() + REFILL_S

    def _speaks(self, forked: Forked, expected: Expected) -> None:
        assert forked.receiver is not None
        assert forked.control is not None
        forked.receiver.pump()
        frame = forked.receiver.next() or {}
        if "standby" in frame:
            forked.standby = Standby.of(frame["standby"], expected)
            self._end_if_unfit(forked, forked.standby)  # another client has come meanwhile
            self._refill_soon()
        elif forked.receiver.ended or "unusable" in frame:
            if "unusable" in frame:
                print(f"no standbys: {frame['unusable']}", flush=True)
            self._selector.unregister(forked.control)
