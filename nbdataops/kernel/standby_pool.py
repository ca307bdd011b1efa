"""A server's standby kernels: how many are wanted, forked one after the other, given away when one suits."""

from __future__ import annotations

import os
import selectors
import socket
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from nbdataops.kernel import frames
from nbdataops.kernel.client_kind import ClientKind
from nbdataops.kernel.forked_kernel import Ahead, Request
from nbdataops.kernel.forked_process import Forked, Forks
from nbdataops.kernel.standby import Standby, run_standby

REFILL_S = 0.1
"""After a kernel was given away, before the next standby is forked: the kernel in use comes first."""


KINDS = 2
"""Of clients that standbys are kept for: those of the last ones, JupyterLab and papermill in turns, say."""
AGAIN_S = 60.0
"""Before it is tried again to make a standby for a kind for which there could be none."""


class StandbyPool:
    """See the module."""

    def __init__(self, forks: Forks, selector: selectors.BaseSelector, folder: Path, ahead: Ahead) -> None:
        self.adopted = 0
        self.refill_at: float | None = None
        """When the next one is due; None when none is."""
        self._forks, self._selector, self._folder, self._ahead = forks, selector, folder, ahead
        self._names: frozenset[str] = frozenset()
        """Variables that were read while a standby was initialised."""
        self._wanted: dict[ClientKind, int] = {}
        """How many, by the kinds of the last clients, the last one first."""
        self._hopeless: dict[ClientKind, float] = {}
        """Kinds for which there could be none, and until when."""

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
        kind = self._kind(request)
        if kind is not None:
            others = [(known, wanted) for known, wanted in self._wanted.items() if known != kind]
            self._wanted = dict([(kind, number), *others][:KINDS])
        self._make_room()

    def give_up(self) -> None:
        """End them all; no more are forked."""
        self._wanted = {}
        self.refill_at = None
        for standby in self.all:
            self._forks.end(standby)

    def refill(self) -> None:
        """Fork one standby; the next one when it is ready."""
        self.refill_at = None
        kind = self._missing()
        if kind is None:
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
            run_standby(theirs, prefix, kind, self._ahead)
        theirs.close()
        forked = Forked(
            child, -1, None, "", prefix, control=ours, receiver=frames.Receiver(ours), made_for=kind
        )
        if self._forks.watch(forked):
            self._selector.register(ours, selectors.EVENT_READ, lambda: self._speaks(forked))
        else:
            ours.close()

    def adopt(self, request: Request, files: Sequence[int], connection: socket.socket) -> Forked | None:
        """Give a standby away, if one suits."""
        kind = self._kind(request)
        ready = [(f, f.standby) for f in self.all if f.standby is not None and f.made_for == kind]
        forked = next((forked for forked, standby in ready if standby.may_have(request)), None)
        if kind is None or forked is None:
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

    def _kind(self, request: Request) -> ClientKind | None:
        return ClientKind.of(request.further, request.environment, self._names)

    def _missing(self) -> ClientKind | None:
        """The kind of which a standby is to be made next."""
        now = time.monotonic()
        made = [forked.made_for for forked in self.all]
        for kind, number in self._wanted.items():
            if made.count(kind) < number and self._hopeless.get(kind, now) <= now:
                return kind
        return None

    def _make_room(self) -> None:
        """End those that are for none of the last kinds of clients; have others made."""
        for forked in self.all:
            if forked.made_for not in self._wanted:
                self._forks.end(forked)
        # Not later than is due already: clients that come one after the other must not put it off for ever.
        if self.refill_at is None and self._missing() is not None:
            self.refill_at = time.monotonic() + REFILL_S

    def _speaks(self, forked: Forked) -> None:
        assert forked.receiver is not None
        assert forked.control is not None
        forked.receiver.pump()
        frame = forked.receiver.next() or {}
        if "standby" in frame:
            forked.standby = Standby.of(frame["standby"])
            self._learn(forked.standby.names_read)
            self._make_room()
        elif forked.receiver.ended or "unusable" in frame:
            self._selector.unregister(forked.control)
            if "unusable" in frame and forked.made_for is not None:
                print(f"no standbys: {frame['unusable']}", flush=True)
                self._learn(frozenset(frame["names_read"]))
                self._hopeless[forked.made_for] = time.monotonic() + AGAIN_S
                self._forks.end(forked)
                self._make_room()

    def _learn(self, names: frozenset[str]) -> None:
        """More variables matter than were known: of the clients so far they are taken to be the server's own."""
        if names <= self._names:
            return
        self._names |= names

        def known(kind: ClientKind) -> ClientKind:
            return kind.knowing(self._names, os.environ)

        self._wanted = {known(kind): number for kind, number in self._wanted.items()}
        self._hopeless = {known(kind): until for kind, until in self._hopeless.items()}
        for forked in self.all:
            if forked.made_for is not None:
                forked.made_for = known(forked.made_for)
