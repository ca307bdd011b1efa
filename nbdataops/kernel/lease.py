"""A client's hold on a forked kernel, in the shape of `subprocess.Popen`.

While the connection is open the kernel lives; the server tells over it how the kernel ended. When the server is no
longer there to say so, a descriptor of the kernel's process tells that it ended, and the kernel itself has said, unless
it was killed, with which code.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import socket
import subprocess
import time
import weakref
from typing import IO, Any

from nbdataops.kernel import frames

UNKNOWN_EXIT = 255
"""Exit code of a kernel whose end nobody has seen: its server had been killed before."""
_WORD_S = 2.0
"""How long the server's word about a kernel's end is waited for after the end."""

_held: weakref.WeakSet[Lease] = weakref.WeakSet()


class Lease:
    """`pid` is None until the kernel is ready."""

    stdin: IO[bytes] | None = None

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.pid: int | None = None
        self.returncode: int | None = None
        self.stdout: IO[bytes] | None = None
        self.stderr: IO[bytes] | None = None
        self._receiver = frames.Receiver(connection)
        self._process = -1
        self._own_word = UNKNOWN_EXIT
        """The exit code, as far as the kernel itself has said it: the server may be gone, or slow."""
        self._ended_at: float | None = None
        connection.setblocking(True)
        _held.add(self)

    # ------------------------------------------------------------------ the beginning
    async def launched(self, timeout_s: float) -> dict[str, Any]:
        """What has been said about the request: `ready` and `fresh`, or `refused`, or `exit`. Less: nothing came."""
        said: dict[str, Any] = {}
        deadline = time.monotonic() + timeout_s
        while not ({"ready", "fresh"} <= said.keys() or {"refused", "exit"} & said.keys()):
            frame = self._frame()
            if frame is not None:
                said |= frame
                continue
            left = deadline - time.monotonic()
            if self._receiver.ended or left <= 0:
                break
            await readable([self.connection.fileno()], left)
        return said

    @property
    def was_closed(self) -> bool:
        """Whether the other end has closed the connection."""
        return self._receiver.ended

    def begin(self, pid: int) -> None:
        """The kernel is ready: watch its process."""
        self.pid = pid
        with contextlib.suppress(OSError):  # it may have ended already, which the server will say
            self._process = os.pidfd_open(pid)

    def close(self) -> None:
        """Give the kernel up: its server ends it."""
        _held.discard(self)
        self.connection.close()
        if self._process >= 0:
            os.close(self._process)
            self._process = -1

    # ------------------------------------------------------------------ as subprocess.Popen
    def poll(self) -> int | None:
        """The exit code, or None while the kernel lives. Never waits."""
        if self.returncode is not None:
            return self.returncode
        while (frame := self._frame()) is not None:
            if "ending" in frame:
                self._own_word = int(frame["ending"])
            if "exit" in frame:
                # So that the server tells this from the client's end: its addresses may be another's in a moment.
                with contextlib.suppress(OSError):
                    frames.send(self.connection, {"done": True})
                return self._end(int(frame["exit"]))
        if self._receiver.ended:
            return self._end(self._own_word)
        if self._process >= 0 and _is_readable(self._process):
            self._ended_at = self._ended_at or time.monotonic()
            if time.monotonic() - self._ended_at > _WORD_S:
                return self._end(self._own_word)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end. Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                assert timeout is not None
                raise subprocess.TimeoutExpired("nbdataops kernel", timeout)
            select.select(self._signs(), [], [], self._patience(left))
        return code

    async def ended(self, timeout_s: float) -> bool:
        """Wait for the end without blocking the loop; False when it has not come in time."""
        deadline = time.monotonic() + timeout_s
        while self.poll() is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            await readable(self._signs(), self._patience(left))
        return True

    def send_signal(self, number: int) -> None:
        if self.poll() is None and self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    # ------------------------------------------------------------------ inside
    def _frame(self) -> dict[str, Any] | None:
        try:
            self._receiver.pump()
        except frames.FrameError:
            self._receiver.ended = True
        return self._receiver.next()

    def _end(self, code: int) -> int:
        self.returncode = code
        self.close()
        return code

    def _signs(self) -> list[int]:
        """What becomes readable when there is news. Once the process has ended only the server's word is awaited."""
        signs = [self.connection.fileno()]
        if self._process >= 0 and self._ended_at is None:
            signs.append(self._process)
        return signs

    def _patience(self, left: float | None) -> float | None:
        if self._ended_at is None:
            return left
        return min(_WORD_S, _WORD_S if left is None else left)


async def readable(descriptors: list[int], timeout_s: float | None) -> None:
    """Return when one of the descriptors is readable, or after the time. Several may wait for the same one."""
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    own = [os.dup(descriptor) for descriptor in descriptors]
    try:
        for descriptor in own:
            loop.add_reader(descriptor, event.set)
        with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
            await asyncio.wait_for(event.wait(), timeout_s)
    finally:
        for descriptor in own:
            loop.remove_reader(descriptor)
            os.close(descriptor)


def _is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _let_go_in_child() -> None:
    """A forked copy of the client must not keep the client's kernels alive."""
    for lease in list(_held):
        lease.returncode = UNKNOWN_EXIT
        lease.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)
