"""End jupyter_client's pause of 10 ms after each start and shutdown of a kernel, when it has come to it.

Its `in_pending_state` sleeps "to ensure tests can capture the state before done". Ended early is that very sleep, of
the task that waits in it, and nothing else: a manager of another make goes its own way.
"""

from __future__ import annotations

import asyncio
from types import CoroutineType
from typing import Any

from jupyter_client import manager

_SLEEP = asyncio.sleep.__code__


def skip_pause() -> None:
    """To be called last in what the manager awaits, from its task: its next wait is then the pause."""
    task: Any = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().call_soon(_end_pause, task)


def _end_pause(task: Any) -> None:
    waiting = [] if task.done() else _waiting(task.get_coro())
    if [c.cr_code for c in waiting[-1:]] != [_SLEEP] or not _is_pending_state(waiting[-2:-1]):
        return
    frame = waiting[-1].cr_frame
    local = {} if frame is None else frame.f_locals
    future, timer = local.get("future"), local.get("h")
    if isinstance(future, asyncio.Future) and isinstance(timer, asyncio.TimerHandle) and not future.done():
        timer.cancel()  # it may be due already, and would end what has ended
        future.set_result(None)


def _waiting(coroutine: Any) -> list[CoroutineType[Any, Any, Any]]:
    """A coroutine, the one that it waits for, and so on."""
    found = []
    while isinstance(coroutine, CoroutineType):
        found.append(coroutine)
        coroutine = coroutine.cr_await
    return found


def _is_pending_state(coroutines: list[CoroutineType[Any, Any, Any]]) -> bool:
    codes = [coroutine.cr_code for coroutine in coroutines]
    return [(code.co_filename, code.co_name) for code in codes] == [(manager.__file__, "wrapper")]
