"""Which task starts next, and the loop that runs a graph of tasks in threads. Knows nothing of notebooks.

The rules, in this order:
- a task starts when all before it have ended, and never more than `jobs` run at once;
- one that would not fit into memory waits, unless nothing else runs;
- the longest way to the end goes first, by what tasks took the last time;
- every fourth start belongs to the task that has been ready for longest, and is kept for it until it fits: so a
  task starts at the latest after four starts for itself and four for each one that was ready before it.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import TopologicalSorter

SHARE = 4
"""One start of so many goes to the task that has waited for longest."""


@dataclass(frozen=True, slots=True)
class Task:
    """`seconds` and `peak_bytes` are expectations; a task that takes no memory of its own has 0."""

    id: str
    after: tuple[str, ...] = ()
    seconds: float = 0.0
    peak_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Ready:
    """A task that could start. `way_s`: seconds of the longest way from its start to the end of all; `since`: its
    place in the order in which tasks became ready."""

    task: Task
    way_s: float
    since: int

    @property
    def urgency(self) -> tuple[float, int]:
        """Smaller goes first."""
        return -self.way_s, self.since


def choose(
    ready: Sequence[Ready], *, started: int, running: int, jobs: int, free_bytes: int | None
) -> Ready | None:
    """The task to start now, or None: wait until one ends or memory becomes free. Pure.

    `ready` by urgency; `started` counts all starts so far; `free_bytes` is what no running task will need (None:
    not known, so that memory holds nothing back).

    >>> short, long = Ready(Task("short"), 1.0, 0), Ready(Task("long", peak_bytes=8), 9.0, 1)
    >>> choose([long, short], started=0, running=1, jobs=2, free_bytes=8).task.id
    'long'
    >>> choose([long, short], started=0, running=1, jobs=2, free_bytes=7).task.id
    'short'
    >>> choose([long, short], started=3, running=1, jobs=2, free_bytes=8).task.id
    'short'
    """
    if running >= jobs:
        return None
    return next((r for r in _candidates(ready, started) if _fits(r.task, running, free_bytes)), None)


def _candidates(ready: Sequence[Ready], started: int) -> Sequence[Ready]:
    """Those that may start, the first of them if memory allows."""
    its_turn = ready and started % SHARE == SHARE - 1
    return [min(ready, key=lambda r: r.since)] if its_turn else ready


def _fits(task: Task, running: int, free_bytes: int | None) -> bool:
    return running == 0 or free_bytes is None or task.peak_bytes == 0 or task.peak_bytes <= free_bytes


def ways(tasks: Sequence[Task]) -> dict[str, float]:
    """Seconds of the longest way from the start of each task to the end of all that hangs on it.

    >>> ways([Task("a", (), 1), Task("b", ("a",), 2), Task("c", ("a",), 5)])
    {'c': 5, 'b': 2, 'a': 6}
    """
    after = followers(tasks)
    found: dict[str, float] = {}
    for task in reversed(in_order(tasks)):
        found[task.id] = task.seconds + max((found[f] for f in after[task.id]), default=0)
    return found


def followers(tasks: Sequence[Task]) -> dict[str, list[str]]:
    """By task, those that wait for it. What waits for something that is no task does not wait for that."""
    found: dict[str, list[str]] = {task.id: [] for task in tasks}
    for task in tasks:
        for before in dict.fromkeys(task.after):
            if before in found:
                found[before].append(task.id)
    return found


def in_order(tasks: Sequence[Task]) -> list[Task]:
    """The tasks, each after those it waits for, else as they were given. A cycle is a defect: ValueError.

    >>> [task.id for task in in_order([Task("b", ("a", "elsewhere")), Task("a")])]
    ['a', 'b']
    """
    sorter = TopologicalSorter({task.id: () for task in tasks})
    known = {task.id: task for task in tasks}
    for task in tasks:
        sorter.add(task.id, *(before for before in task.after if before in known))
    return [known[name] for name in sorter.static_order()]


class Schedule:
    """What has ended, what runs, and what is to start next: all but the clock and the threads."""

    def __init__(self, tasks: Sequence[Task], jobs: int) -> None:
        self.jobs = max(1, jobs)
        self.running: dict[str, Task] = {}
        self._ways = ways(tasks)
        self._followers = followers(tasks)
        self._tasks = {task.id: task for task in tasks}
        self._missing = {task.id: len(self._tasks.keys() & set(task.after)) for task in tasks}
        self._ready: list[Ready] = []
        self._started = self._seen = self._heavy = 0
        for task in tasks:
            if not self._missing[task.id]:
                self._becomes_ready(task)

    @property
    def weighs(self) -> bool:
        """Whether what starts next depends on memory."""
        return bool(self.running) and self._heavy > 0

    def start(self, free_bytes: int | None = None) -> Task | None:
        """The next task to run, which then counts as running; None for now when `choose` says so."""
        chosen = choose(
            self._ready,
            started=self._started,
            running=len(self.running),
            jobs=self.jobs,
            free_bytes=free_bytes,
        )
        if chosen is None:
            return None
        del self._ready[bisect.bisect_left(self._ready, chosen.urgency, key=lambda r: r.urgency)]
        self._heavy -= chosen.task.peak_bytes > 0
        self._started += 1
        self.running[chosen.task.id] = chosen.task
        return chosen.task

    def end(self, task_id: str) -> None:
        """A task that ran has ended, however it did."""
        del self.running[task_id]
        for follower in self._followers[task_id]:
            self._missing[follower] -= 1
            if not self._missing[follower]:
                self._becomes_ready(self._tasks[follower])

    def held(self) -> Task | None:
        """After `start` gave None: the task that waits for memory only, if there is one."""
        waits = self._ready and len(self.running) < self.jobs
        return _candidates(self._ready, self._started)[0].task if waits else None

    def _becomes_ready(self, task: Task) -> None:
        entry = Ready(task, self._ways[task.id], self._seen)
        bisect.insort(self._ready, entry, key=lambda r: r.urgency)
        self._heavy += task.peak_bytes > 0
        self._seen += 1


Free = Callable[[Mapping[str, Task]], int | None]
"""Bytes of memory that none of these running tasks will need; None where that is not known."""


def _free(schedule: Schedule, free_bytes: Free) -> int | None:
    """Memory is asked for only when something waits to take some: reading what the machine tells takes a while."""
    return free_bytes(schedule.running) if schedule.weighs else None


def run_tasks(
    tasks: Sequence[Task],
    execute: Callable[[str], None],
    *,
    jobs: int,
    stop: threading.Event,
    free_bytes: Free = lambda running: None,
    on_hold: Callable[[Task], None] = lambda task: None,
) -> None:
    """Call `execute(id)` once for each task, in threads, as a `Schedule` says.

    After `stop` is set no task is started, and the call returns when those that run have ended. `on_hold` is told
    once of each task that waits for memory. An exception of `execute` is a defect of the caller: it stops
    everything and is raised.

    >>> done = []
    >>> run_tasks([Task("b", ("a",)), Task("a")], done.append, jobs=2, stop=threading.Event())
    >>> done
    ['a', 'b']
    """
    schedule = Schedule(tasks, jobs)
    futures: dict[Future[None], str] = {}
    told: set[str] = set()
    failure: BaseException | None = None
    with ThreadPoolExecutor(max_workers=schedule.jobs, thread_name_prefix="stage") as pool:
        while True:
            stopped = stop.is_set() or failure is not None
            while not stopped and (task := schedule.start(_free(schedule, free_bytes))):
                futures[pool.submit(execute, task.id)] = task.id
            if not futures:
                break
            held = None if stopped else schedule.held()
            if held is not None and held.id not in told:
                told.add(held.id)
                on_hold(held)
            # A short timeout: a signal handler in the main thread gets its turn, and memory is asked for again.
            done, _ = wait(futures, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                schedule.end(futures.pop(future))
                failure = failure or future.exception()
    if failure is not None:
        raise failure
