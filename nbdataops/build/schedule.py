"""Run a graph of tasks in threads, as many at once as there are jobs, each after what feeds it.

Knows nothing of notebooks: a task is an id, and `execute` is called for it when everything before it ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait


def run_in_order(
    order: Sequence[str],
    after: Mapping[str, Sequence[str]],
    execute: Callable[[str], None],
    *,
    jobs: int,
    stop: threading.Event,
) -> None:
    """Call `execute(id)` once for each id of `order`, never before all of `after[id]` have ended.

    Ready tasks start in the order given: with `order` topological by goals, the longest chains that were
    asked for first go first. After `stop` is set no task is started and the call returns when those that run
    have ended. An exception of `execute` is a defect of the caller: it stops everything and is raised.

    >>> done = []
    >>> run_in_order(["b", "a"], {"b": ["a"]}, done.append, jobs=2, stop=threading.Event())
    >>> done
    ['a', 'b']
    """
    waiting = {task: {a for a in after.get(task, ()) if a in set(order)} for task in order}
    running: dict[Future[None], str] = {}
    failure: BaseException | None = None
    with ThreadPoolExecutor(max_workers=max(1, jobs), thread_name_prefix="stage") as pool:
        while (waiting and not stop.is_set() and failure is None) or running:
            if not stop.is_set() and failure is None:
                free = jobs - len(running)
                for task in [t for t in order if t in waiting and not waiting[t]][: max(0, free)]:
                    del waiting[task]
                    running[pool.submit(execute, task)] = task
            if not running:
                break
            # A short timeout only so that a signal handler in the main thread gets its turn.
            done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                task = running.pop(future)
                failure = failure or future.exception()
                for remaining in waiting.values():
                    remaining.discard(task)
    if failure is not None:
        raise failure
