"""The client without fixed waits: it is ready with the last message that it must see, and waits for no silence."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from queue import Empty
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from nbdataops.kernel.client import PromptAsyncKernelClient, _wait_for_ready
from tests.kernel.kernels import Running, Servers

Start = Callable[..., Running]


class Channel:
    """Gives these messages, one a call; where None stands, and at the end, nothing comes in time."""

    def __init__(self, *messages: dict[str, Any] | None) -> None:
        self.messages = deque(messages)

    async def get_msg(self, timeout: float) -> dict[str, Any]:
        message = self.messages.popleft() if self.messages else None
        if message is None:
            raise Empty
        return message


class Client:
    """What the wait needs of a client; its requests are named 1, 2, ..."""

    def __init__(self, shell: Channel, iopub: Channel, alive: bool = True) -> None:
        self.shell_channel, self.iopub_channel, self.alive = shell, iopub, alive
        self.asked = 0
        self.understood: list[dict[str, Any]] = []

    def kernel_info(self) -> str:
        self.asked += 1
        return str(self.asked)

    def _handle_kernel_info_reply(self, reply: dict[str, Any]) -> None:
        self.understood.append(reply)

    async def _async_is_alive(self) -> bool:
        return self.alive

    def wait(self, timeout: float | None = None) -> None:
        asyncio.run(_wait_for_ready(self, timeout))  # type: ignore[arg-type]


def said(kind: str, request: str, **content: Any) -> dict[str, Any]:
    return {"msg_type": kind, "parent_header": {"msg_id": request}, "content": content}


def status(request: str, state: str) -> dict[str, Any]:
    return said("status", request, execution_state=state)


def test_it_is_ready_with_the_idle_of_its_own_request_and_reads_no_further() -> None:
    after = said("stream", "later")
    iopub = Channel(status("0", "idle"), status("1", "busy"), status("1", "idle"), after)
    client = Client(Channel(said("kernel_info_reply", "1")), iopub)

    client.wait()

    assert client.asked == 1
    assert client.understood == [said("kernel_info_reply", "1")]
    assert list(iopub.messages) == [after]


def test_it_asks_again_when_the_subscription_came_too_late_for_the_idle() -> None:
    shell = Channel(said("kernel_info_reply", "1"), said("kernel_info_reply", "2"))
    client = Client(shell, Channel(None, status("2", "busy"), status("2", "idle")))

    client.wait()

    assert client.asked == 2


def test_the_reply_to_an_older_request_is_no_answer() -> None:
    shell = Channel(None, said("kernel_info_reply", "1"), said("kernel_info_reply", "2"))
    client = Client(shell, Channel(status("2", "idle")))

    client.wait()

    assert client.understood == [said("kernel_info_reply", "2")]


def test_a_kernel_that_died_is_said_as_ever() -> None:
    with pytest.raises(RuntimeError, match="Kernel died before replying to kernel_info"):
        Client(Channel(), Channel(), alive=False).wait()


def test_a_kernel_that_does_not_answer_in_time_is_said_as_ever() -> None:
    with pytest.raises(RuntimeError, match="Kernel didn't respond in 0 seconds"):
        Client(Channel(), Channel()).wait(timeout=0)


@pytest.mark.kernel
def test_it_takes_the_place_of_the_stock_client_and_of_no_other(start: Start) -> None:
    class Own(BlockingKernelClient):
        """A client's own subclass."""

    assert type(start().client).__name__ == "PromptBlockingKernelClient"
    assert type(start().manager.client()).__name__ == "PromptBlockingKernelClient"
    manager = KernelManager(kernel_name="bare")
    manager.client_factory = Own
    manager.start_kernel()
    try:
        assert type(manager.client()) is Own
    finally:
        manager.shutdown_kernel(now=True)


@pytest.mark.kernel
def test_an_asynchronous_manager_has_an_asynchronous_one(warm: Servers) -> None:
    from jupyter_client.manager import start_new_async_kernel

    async def ready() -> bool:
        manager, client = await start_new_async_kernel(kernel_name="bare")
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
        return isinstance(client, PromptAsyncKernelClient)

    assert asyncio.run(ready())
