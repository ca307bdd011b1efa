"""A client's channel to a kernel that takes what has come without waking anything, and waits in one turn of the loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from queue import Empty
from typing import Any

import zmq
from jupyter_client.channels import AsyncZMQSocketChannel

from nbdataops.kernel.quick_dates import read_dates_quickly

TURN = 50
"""After so many messages everything else gets its turn."""


class PromptChannel(AsyncZMQSocketChannel):
    """Takes what is there already without waking anything, else waits in one step (`Bell`).

    A kernel's messages come in bursts of two or three. The stock channel polls for each, and then receives it: a
    dozen turns of the event loop a cell, which are most of what a client does for a short one.
    """

    _direct: zmq.Socket[bytes] | None = None
    """The same socket, without asyncio."""
    _bell: Bell | None = None
    _in_a_row = 0

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:  # type: ignore[override]
        """The next message. Raises Empty if none comes within `timeout` seconds."""
        if self._bell is None:
            self._bell = Bell(self._socket())
            read_dates_quickly(self.session)
        self._in_a_row += 1
        if self._in_a_row % TURN == 0:
            # A kernel that never stops talking must not keep timeouts from their turn. Before a message is taken:
            # who is cancelled here must not have one in hand, which would be lost.
            await asyncio.sleep(0)
            if self._bell is None:
                raise asyncio.CancelledError  # by `close`
        parts = await self._bell.next(timeout)
        return self.session.deserialize(self.session.feed_identities(parts)[1])

    async def msg_ready(self) -> bool:  # type: ignore[override]
        """Whether a message has come."""
        has_come = await super().msg_ready()
        if self._bell is not None:
            self._bell.ring()
        return has_come

    def send(self, msg: dict[str, Any]) -> None:
        """Send a message; the stock channel does so without asyncio, too."""
        self.session.send(self._socket(), msg)
        if self._bell is not None:
            self._bell.ring()

    def _socket(self) -> zmq.Socket[bytes]:
        assert self.socket is not None
        if self._direct is None:
            self._direct = zmq.Socket.shadow(self.socket)
        return self._direct

    def close(self) -> None:
        """Close the socket."""
        super().close()
        if self._bell is not None:
            self._bell.close()
            self._bell = None
        self._direct = None

    stop = close


class Bell:
    """Waiting for a socket as ZeroMQ has it: look, wait until its descriptor is readable, look again.

    Whatever is done with the socket meanwhile may take that signal away, and must ring. (pyzmq's own way takes three
    turns of the loop for what takes one here.)
    """

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket
        self._file = os.fdopen(os.dup(socket.FD), "rb", buffering=0)
        self._waiting: set[asyncio.Future[None]] = set()

    async def next(self, timeout: float | None) -> list[bytes]:
        """The parts of the next message. Raises Empty if none comes within `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (parts := self._at_once()) is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise Empty
            await self._rings(left)
            if self._file.closed:
                raise asyncio.CancelledError  # by `close`, when this had been rung already
        self.ring()
        return parts

    def ring(self) -> None:
        """Have all who wait look again."""
        for rung in self._waiting:
            if not rung.done():
                with contextlib.suppress(RuntimeError):  # its loop has been closed
                    rung.set_result(None)

    def close(self) -> None:
        """Close the descriptor; whoever waits is cancelled, as by pyzmq."""
        for rung in self._waiting:
            with contextlib.suppress(RuntimeError):  # its loop has been closed
                rung.get_loop().remove_reader(self._file)
                rung.cancel()
        self._file.close()

    def _at_once(self) -> list[bytes] | None:
        try:
            return self._socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None

    async def _rings(self, timeout: float | None) -> None:
        """Return when there may be a message, or after the time."""
        loop = asyncio.get_running_loop()
        rung: asyncio.Future[None] = loop.create_future()
        timer = None if timeout is None else loop.call_later(timeout, self.ring)
        if not self._has_waiting(loop):
            loop.add_reader(self._file, self.ring)
        self._waiting.add(rung)
        try:
            await rung
        finally:
            self._waiting.discard(rung)
            if not self._has_waiting(loop) and not self._file.closed:
                loop.remove_reader(self._file)
            if timer is not None:
                timer.cancel()

    def _has_waiting(self, loop: asyncio.AbstractEventLoop) -> bool:
        return any(rung.get_loop() is loop for rung in self._waiting)
