"""Of jupyter_client's waits one is ended early: the pause after a start or a shutdown, and no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from jupyter_client.manager import in_pending_state

from nbdataops.kernel.pending_state import skip_pause

PATIENCE_S = 10.0
PAUSE_S = 0.01


class Manager:
    """What a manager has that `in_pending_state` looks at."""

    owns_kernel = True

    def __init__(self, last: Callable[[], Awaitable[None]]) -> None:
        self._attempted_start, self._ready, self._last = True, None, last

    @in_pending_state
    async def start(self) -> str:
        await self._last()
        return "started"


async def ends(work: Callable[[], Awaitable[Any]], patience_s: float = 0.05) -> bool:
    """Whether it comes to an end in a world where a pause takes an hour."""
    loop = asyncio.get_running_loop()
    later = loop.call_later

    def slowly(delay: float, *rest: Any, **more: Any) -> asyncio.TimerHandle:
        return later(3600 if delay == PAUSE_S else delay, *rest, **more)

    loop.call_later = slowly  # type: ignore[method-assign, assignment]
    task = asyncio.ensure_future(work())
    done, _ = await asyncio.wait([task], timeout=patience_s)
    if not done:
        task.cancel()
    return bool(done)


def test_the_pause_at_the_end_is_ended() -> None:
    async def last() -> None:
        skip_pause()

    assert asyncio.run(ends(Manager(last).start, PATIENCE_S))


def test_without_a_word_it_is_not() -> None:
    async def last() -> None:
        pass

    assert not asyncio.run(ends(Manager(last).start))


def test_another_wait_of_the_same_length_is_not_ended() -> None:
    async def last() -> None:
        skip_pause()
        await asyncio.sleep(PAUSE_S)

    async def no_manager() -> None:
        skip_pause()
        await asyncio.sleep(PAUSE_S)

    assert not asyncio.run(ends(Manager(last).start))
    assert not asyncio.run(ends(no_manager))


def test_a_pause_that_is_over_already_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """The machine was busy: its timer is due when it is to be ended."""

    async def started() -> list[Any]:
        loop, said = asyncio.get_running_loop(), []
        loop.set_exception_handler(lambda _, context: said.append(context))
        later, now = loop.call_later, loop.time

        def and_time_flies(*what: Any, **more: Any) -> asyncio.TimerHandle:
            timer = later(*what, **more)
            loop.time = lambda: now() + 3600  # type: ignore[method-assign]
            return timer

        async def last() -> None:
            skip_pause()
            loop.call_later = and_time_flies  # type: ignore[method-assign, assignment]

        assert await Manager(last).start() == "started"
        return said

    assert asyncio.run(started()) == []
