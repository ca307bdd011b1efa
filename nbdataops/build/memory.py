"""Memory that is free on this machine, and memory that a process and its children take. Linux tells both by files.

Elsewhere nothing is known (None), and memory holds nothing back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

FIRST_S = 0.05
EVERY_S = 0.25
SHARE = 20
"""A look takes 10 ms for 200 MB: at most one part of so many of the time is spent on looking."""
PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")


def available_bytes(proc: Path = PROC, cgroups: Path = CGROUPS) -> int | None:
    """What can be taken without swapping: of the machine, and of the control group that this process may be in."""
    machine = _fields(proc / "meminfo").get("MemAvailable")
    found = [a for a in (machine, *_of_groups(proc, cgroups)) if a is not None]
    return min(found, default=None)


def _of_groups(proc: Path, cgroups: Path) -> Iterator[int]:
    """What is left of every limit above this process: its group's and those of the groups around it."""
    for line in _lines(proc / "self" / "cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        root = cgroups / "memory" if controllers else cgroups
        limit, used, cache = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            if controllers
            else ("memory.max", "memory.current", "inactive_file")
        )
        # In a container the path may be that of the host, and the root of the tree is the container's own group.
        inner = root / path.lstrip("/")
        for group in (inner, *(p for p in inner.parents if p == root or root in p.parents)):
            most, taken = _number(group / limit), _number(group / used)
            if most is not None and taken is not None:
                yield max(0, most - taken + _counters(group / "memory.stat").get(cache, 0))


class Taken(NamedTuple):
    """Bytes of a process and all that it started: now, and at least at the peak.

    Counted is resident memory that no other process holds, too: a forked kernel shares its libraries with the fork
    server and with other kernels. The peak is that of the process itself and what its children take now; who asks now
    and then keeps the largest.
    """

    now: int
    peak: int


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a process: `shared` with others that hold it, too, and what its children take, in bytes."""

    own: Taken
    shared: int
    children: int

    @property
    def taken(self) -> Taken:
        return Taken(*(n + self.children for n in self.own))


def look(pid: int, proc: Path = PROC) -> Look | None:
    """Look at all memory of a process and its children; None when it is gone. Takes 10 ms for 200 MB."""
    shared = _shared(pid, proc)
    own = _alone(pid, shared, proc)
    if own is None:
        return None
    children = (_alone(child, _shared(child, proc), proc) for child in _descendants(pid, proc))
    return Look(own, shared, sum(taken.now for taken in children if taken is not None))


def glance(pid: int, before: Look, proc: Path = PROC) -> Look | None:
    """The same as far as it is told at once: what is shared, and the children, are as they were."""
    own = _alone(pid, before.shared, proc)
    return replace(before, own=own) if own is not None else None


def _shared(pid: int, proc: Path) -> int:
    rollup = _fields(proc / str(pid) / "smaps_rollup")
    return rollup.get("Shared_Clean", 0) + rollup.get("Shared_Dirty", 0)


def _alone(pid: int, shared: int, proc: Path) -> Taken | None:
    status = _fields(proc / str(pid) / "status")
    if "VmRSS" not in status:
        return None
    now = max(0, status["VmRSS"] - shared)
    return Taken(now, max(now, status.get("VmHWM", 0) - shared))


def _descendants(pid: int, proc: Path) -> Iterator[int]:
    waiting, seen = [pid], {pid}
    while waiting:
        for listed in (proc / str(waiting.pop()) / "task").glob("*/children"):
            for child in map(int, " ".join(_lines(listed)).split()):
                if child not in seen:
                    seen.add(child)
                    waiting.append(child)
                    yield child


class MemoryWatch:
    """Looks at a process now and then while the block runs, and tells what it takes: `tell(now, peak)` in bytes.

    `pid` gives None until the process is there.
    """

    def __init__(self, pid: Callable[[], int | None], tell: Callable[[int, int], None]) -> None:
        self._pid, self._tell = pid, tell
        self._peak = 0
        self._seen: Look | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def __enter__(self) -> MemoryWatch:
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()

    def note(self, *, last: bool = False) -> None:
        """At a moment that matters: what is told at once. At the `last` one somebody must have looked."""
        pid = self._pid()
        if pid is None:
            return
        if self._seen is not None:
            self._saw(glance(pid, self._seen))
        elif last:
            self._saw(look(pid))

    def _watch(self) -> None:
        """The first look is early, for stages that take no time, and goes on beside their first cells."""
        pause = FIRST_S
        while not self._ended.wait(pause):
            pid = self._pid()
            if pid is not None:
                began = time.monotonic()
                self._saw(look(pid))
                pause = max(EVERY_S, SHARE * (time.monotonic() - began))

    def _saw(self, seen: Look | None) -> None:
        if seen is None:
            return
        with self._lock:
            self._seen = seen
            self._peak = max(self._peak, *seen.taken)
            self._tell(seen.taken.now, self._peak)


def _fields(path: Path) -> dict[str, int]:
    """Lines like `VmRSS:   1024 kB`, in bytes."""
    found = {}
    for line in _lines(path):
        name, _, rest = line.partition(":")
        number, _, unit = rest.strip().partition(" ")
        if unit == "kB" and number.isdecimal():
            found[name] = int(number) * 1024
    return found


def _counters(path: Path) -> dict[str, int]:
    """Lines like `inactive_file 4096`."""
    pairs = (line.split(" ") for line in _lines(path))
    return {p[0]: int(p[1]) for p in pairs if len(p) == 2 and p[1].isdecimal()}


def _number(path: Path) -> int | None:
    text = "".join(_lines(path)).strip()
    return int(text) if text.isdecimal() else None  # "max" is no limit


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
