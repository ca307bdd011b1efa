"""jupyter_client's clients without what a kernel does not need: a fixed wait at the start, detours for each message.

The stock `wait_for_ready` ends by reading IOPub until nothing comes for 0.2 s. Here it ends with the message that
ends it anyway: the idle status of this client's own request, which is the last one before it can ask for more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from functools import partial
from queue import Empty
from typing import Any

import zmq
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.client import KernelClient
from jupyter_core.utils import ensure_async, run_sync
from traitlets import Type

from nbdataops.kernel.quick_dates import read_dates_quickly

_WELCOME = "iopub_welcome"
_DRAIN_S = 0.2
"""How long the stock client drains the channel; ours only where a greeting is due that has not come."""
TURN = 50
"""After so many messages everything else gets its turn."""
STOCK = {
    "jupyter_client.asynchronous.client.AsyncKernelClient": "nbdataops.kernel.client.PromptAsyncKernelClient",
    "jupyter_client.blocking.client.BlockingKernelClient": "nbdataops.kernel.client.PromptBlockingKernelClient",
}
"""Only these exact classes are replaced; a client's own subclass is left as it is."""


async def _wait_for_ready(self: KernelClient, timeout: float | None = None) -> None:
    """Wait until the kernel answers and its IOPub channel is connected. Raises RuntimeError as the stock method."""
    deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
    patience = 0.1
    kinds: set[str] = set()
    while True:
        request = self.kernel_info()
        reply = await _until(self.shell_channel, partial(_answers, "kernel_info_reply", request), 1.0)
        if reply is not None:
            # The subscription may not have reached the kernel in time for this idle: then ask again.
            idle = await _until(self.iopub_channel, partial(_is_idle, request), patience, kinds)
            patience = min(2 * patience, 2.0)
            if idle is not None:
                if _WELCOME not in kinds and _welcomes(reply):
                    await _until(
                        self.iopub_channel, lambda message: message["msg_type"] == _WELCOME, _DRAIN_S
                    )
                self._handle_kernel_info_reply(reply)
                return
        if not await self._async_is_alive():
            raise RuntimeError("Kernel died before replying to kernel_info")
        if time.monotonic() > deadline:
            raise RuntimeError(f"Kernel didn't respond in {timeout} seconds")


async def _until(
    channel: Any, wanted: Callable[[dict[str, Any]], bool], timeout_s: float, kinds: set[str] | None = None
) -> dict[str, Any] | None:
    """The first message that is wanted, those before it dropped; None when it does not come in time.

    The types of all that came are added to `kinds`.
    """
    deadline = time.monotonic() + timeout_s
    while (left := deadline - time.monotonic()) > 0:
        try:
            message: dict[str, Any] = await ensure_async(channel.get_msg(timeout=left))
        except Empty:
            return None
        if kinds is not None:
            kinds.add(message["msg_type"])
        if wanted(message):
            return message
    return None


def _welcomes(reply: dict[str, Any]) -> bool:
    """Whether the kernel greets each subscriber (protocol 5.4). The greeting may come after the idle status."""
    version = str(reply["content"].get("protocol_version", "")).split(".")
    return [int(part) for part in version if part.isdecimal()] >= [5, 4]


def _answers(kind: str, request: str, message: dict[str, Any]) -> bool:
    return bool(message["msg_type"] == kind and message["parent_header"].get("msg_id") == request)


def _is_idle(request: str, message: dict[str, Any]) -> bool:
    return _answers("status", request, message) and message["content"]["execution_state"] == "idle"


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

    def ring(self) -> None:
        """Have all who wait look again."""
        for rung in self._waiting:
            if not rung.done():
                with contextlib.suppress(RuntimeError):  # its loop has been closed
                    rung.set_result(None)

    def _has_waiting(self, loop: asyncio.AbstractEventLoop) -> bool:
        return any(rung.get_loop() is loop for rung in self._waiting)


class PromptAsyncKernelClient(AsyncKernelClient):
    shell_channel_class = Type(PromptChannel)
    iopub_channel_class = Type(PromptChannel)
    _async_wait_for_ready = _wait_for_ready
    wait_for_ready = _wait_for_ready


class PromptBlockingKernelClient(BlockingKernelClient):
    _async_wait_for_ready = _wait_for_ready
    wait_for_ready = run_sync(_wait_for_ready)
