"""The output streams of forked kernels: as ipykernel's, without its waits where nothing is to be waited for.

ipykernel flushes both streams twice a cell, each time by way of its sending thread and back, and then sleeps, since
"on rare occasions, the flush doesn't seem to make it": output that arrived at descriptor 1 or 2, of a subprocess or
of a library, may still be in the pipe of which a thread reads it. Together that is half of what an empty cell costs.
Here a flush waits until that thread has come to the end of the pipe, and sends only if there is something to send.
What is sent afterwards, such as the idle status, goes by the same thread, and so comes after the output.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import select
import sys
import termios
import threading
import time
from collections.abc import Callable
from typing import Any

from ipykernel.iostream import PIPE_BUFFER_SIZE, OutStream

SETTLE_S = 0.1
"""A flush waits no longer for the end of the pipe: something may write to it without end."""


class PromptOutStream(OutStream):
    """`IPKernelApp.outstream_class` of forked kernels."""

    _fid: Any
    """The pipe's end to read from."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._taking = False
        """From before bytes are taken from the pipe until they are in the buffer."""
        self._due = 0.0
        """Not before this time (`time.monotonic`) does the sending thread's last timer end in a flush."""
        self._sending = False
        """From before the sending thread takes what is in the buffers until all of it is on its way."""
        self._taken = threading.Condition()
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]

    def flush(self) -> None:
        """Send what was written, to the stream or to its descriptor, before this call."""
        if self._should_watch and self._is_master_process():  # type: ignore[no-untyped-call]
            self._settle()
        # In this order: what is no longer in the buffers is being sent, or is on its way.
        if self._buffers or self._sending:
            super().flush()  # type: ignore[no-untyped-call]

    def _flush(self) -> None:
        """Send, in the sending thread: also now and then by itself, and then a flush must wait for it."""
        self._sending = True
        try:
            super()._flush()  # type: ignore[no-untyped-call]
        finally:
            self._sending = False

    def _schedule_flush(self) -> None:
        """Have what was written sent within `flush_interval` seconds, by the last timer if that is yet to come.

        ipykernel sets one for each flush and what is written after it: for each cell that prints, that is. Whenever
        the sending thread wakes up, the interpreter goes to and fro between it and the cell.
        """
        now, interval = time.monotonic(), self.flush_interval
        if not now < self._due <= now + interval:
            self._due = now + interval
            self.pub_thread.schedule(lambda: self._io_loop.call_later(interval, self._flush))

    def _settle(self) -> None:
        if threading.current_thread() is self.watch_fd_thread or self._is_settled():
            return
        deadline = time.monotonic() + SETTLE_S
        with self._taken:
            while not self._is_settled() and (left := deadline - time.monotonic()) > 0:
                self._taken.wait(left)

    def _is_settled(self) -> bool:
        # In this order: what is no longer in the pipe is being taken, or is in the buffer.
        return not unread(self._fid) and not self._taking

    def _watch_pipe_fd(self) -> None:
        """The thread that reads what comes to the descriptor."""
        poll = select.poll()
        poll.register(self._fid, select.POLLIN)
        try:
            while self._should_watch:
                poll.poll()
                self._taking = True
                taken = os.read(self._fid, PIPE_BUFFER_SIZE)
                if taken and self._should_watch:
                    self.write(taken.decode(errors="replace"))
                with self._taken:
                    self._taking = False
                    self._taken.notify_all()
                if not taken:
                    return
                if self._should_watch:
                    os.write(self._original_stdstream_copy, taken)
        except Exception:
            self._exc = sys.exc_info()
            self._taking = False


def wake_directly(thread: Any) -> None:
    """Have ipykernel's sending thread woken by its event loop's own means, in the order of what it is given.

    ipykernel does it by a message on a socket of ZeroMQ, which takes the thread longer to receive than what it is to
    do takes, and keeps the interpreter from the cell.
    """
    loop = thread.io_loop.asyncio_loop

    def schedule(function: Callable[[], object]) -> None:
        if thread.thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop has just been closed
                loop.call_soon_threadsafe(function)
                return
        function()

    thread.schedule = schedule


def pause_for_children(kernel: Any) -> None:
    """Leave out ipykernel's pause after a cell, half a millisecond, until the kernel has forked.

    What is written in its own process needs none, with these streams; what a forked child writes comes to the sending
    thread over a connection, and is still on its way when the child has ended.
    """
    pause, kernel._execute_sleep = kernel._execute_sleep, 0.0
    os.register_at_fork(after_in_parent=lambda: setattr(kernel, "_execute_sleep", pause))


def unread(descriptor: int) -> int:
    """Bytes that wait in a pipe."""
    count = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, count)
    return count[0]
