"""Where clients come in: a listening socket, and connections that have not said yet what they want."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbdataops.kernel import frames
from nbdataops.kernel.runtime_folder import same_user

REQUEST_S = 10.0
"""A client that has connected must have said what it wants within this time."""
Answer = Callable[[socket.socket, frames.Receiver, dict[str, Any]], None]
"""Takes over a connection with its first frame, and closes what it does not keep."""


class Door:
    """Accepts connections of this user and hands each on with its first frame. Closed, it accepts no more."""

    def __init__(self, path: Path, selector: selectors.BaseSelector, answer: Answer) -> None:
        self.path = path
        self._listener = _listen(path)
        self._inode = path.stat().st_ino
        self._selector, self._answer = selector, answer
        self._waiting: dict[socket.socket, tuple[frames.Receiver, float]] = {}
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self.is_open = True
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    @property
    def is_found(self) -> bool:
        """Whether clients still find this socket, and not another or none, at its path."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    @property
    def deadlines(self) -> list[float]:
        return [deadline for _, deadline in self._waiting.values()]

    def turn_away_the_late(self, now: float) -> None:
        for connection, (_, deadline) in list(self._waiting.items()):
            if now >= deadline:
                self._turn_away(connection)

    def close(self) -> None:
        """Take the socket away, if it is still this one."""
        if self.is_open:
            self.is_open = False
            self._selector.unregister(self._listener)
            self._listener.close()
            self._close_spare()
            if self.is_found:
                self.path.unlink(missing_ok=True)

    def step_aside(self) -> None:
        """Leave the place to another server, and be found beside it by who asks for all: `status` and `stop`."""
        if not self.is_found:
            self.close()
            return
        beside = self.path.with_name(f"{self.path.stem}-{os.getpid()}.sock")
        try:
            self.path.rename(beside)
        except OSError:
            self.close()
        else:
            self.path = beside

    def close_in_child(self) -> None:
        """Close the descriptors, and nothing else: the selector and the file are the server's."""
        self._close_spare()
        self._listener.close()
        for connection, (receiver, _) in self._waiting.items():
            receiver.close_files()
            connection.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        except (
            OSError
        ):  # no descriptor is left: take the spare one and turn the client away, rather than spin
            self._close_spare()
            with contextlib.suppress(OSError):
                self._listener.accept()[0].close()
            with contextlib.suppress(OSError):
                self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            return
        if not same_user(connection):
            connection.close()
            return
        self._waiting[connection] = (frames.Receiver(connection), time.monotonic() + REQUEST_S)
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._hear(connection))

    def _close_spare(self) -> None:
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1

    def _hear(self, connection: socket.socket) -> None:
        receiver, _ = self._waiting[connection]
        try:
            receiver.pump()
            frame = receiver.next()
        except frames.FrameError as error:
            print(f"a request that is none: {error}", flush=True)
            self._turn_away(connection)
            return
        if frame is not None:
            del self._waiting[connection]
            self._selector.unregister(connection)
            self._answer(connection, receiver, frame)
        elif receiver.ended:
            self._turn_away(connection)

    def _turn_away(self, connection: socket.socket) -> None:
        receiver, _ = self._waiting.pop(connection)
        self._selector.unregister(connection)
        receiver.close_files()
        connection.close()


def _listen(path: Path) -> socket.socket:
    """A listening socket at `path` for this user alone; it appears there only when it can be connected to."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.unlink(missing_ok=True)
    mask = os.umask(0o177)
    try:
        listener.bind(str(temporary))
    finally:
        os.umask(mask)
    listener.listen(1024)
    listener.setblocking(False)
    temporary.replace(path)
    return listener
