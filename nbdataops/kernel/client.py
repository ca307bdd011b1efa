"""jupyter_client's clients without what a kernel does not need: a fixed wait at the start, detours for each message
(`prompt_channel`).

The stock `wait_for_ready` ends by reading IOPub until nothing comes for 0.2 s. Here it ends with the message that
ends it anyway: the idle status of this client's own request, which is the last one before it can ask for more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from queue import Empty
from typing import Any

import zmq
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.client import KernelClient
from jupyter_client.connect import ConnectionFileMixin
from jupyter_core.utils import ensure_async, run_sync
from traitlets import Type

from nbdataops.kernel.prompt_channel import PromptChannel

_WELCOME = "iopub_welcome"
_DRAIN_S = 0.2
"""How long the stock client drains the channel; ours only where a greeting is due that has not come."""
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


def _connect_iopub(self: Any, identity: bytes | None = None) -> Any:
    """The socket of outputs, which takes all that comes, without Python, and keeps it until it is read.

    An ordinary kernel's socket drops what comes after a thousand messages that are not taken; so it seldom has them.
    """
    options = self.context.sockopts
    given = options.get(zmq.RCVHWM)
    options[zmq.RCVHWM] = 0
    try:
        return ConnectionFileMixin.connect_iopub(self, identity)
    finally:
        if given is None:
            del options[zmq.RCVHWM]
        else:
            options[zmq.RCVHWM] = given


class PromptAsyncKernelClient(AsyncKernelClient):
    connect_iopub = _connect_iopub
    shell_channel_class = Type(PromptChannel)
    iopub_channel_class = Type(PromptChannel)
    _async_wait_for_ready = _wait_for_ready
    wait_for_ready = _wait_for_ready


class PromptBlockingKernelClient(BlockingKernelClient):
    connect_iopub = _connect_iopub
    _async_wait_for_ready = _wait_for_ready
    wait_for_ready = run_sync(_wait_for_ready)
