"""Memory that is free on this machine, and memory that a process and its children take. Linux tells both by files.

Elsewhere nothing is known (None), and memory holds nothing back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

EVERY_S = 0.25
AT_MOST_EVERY_S = 0.05
"""Between two looks at moments that matter: a look takes milliseconds, a cell may take less."""
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


def tree_bytes(pid: int, proc: Path = PROC) -> tuple[int, int] | None:
    """(bytes now, bytes at least at the peak) of a process and all that it started; None when it is gone.

    Counted is resident memory that no other process holds, too: a forked kernel shares its libraries with the fork
    server and with other kernels. The peak is that of the process itself and what its children take now; who asks now
    and then keeps the largest.
    """
    own = _alone(pid, proc)
    if own is None:
        return None
    children = sum(taken[0] for c in _descendants(pid, proc) if (taken := _alone(c, proc)) is not None)
    return own[0] + children, own[1] + children


def _alone(pid: int, proc: Path) -> tuple[int, int] | None:
    status = _fields(proc / str(pid) / "status")
    if "VmRSS" not in status:
        return None
    rollup = _fields(proc / str(pid) / "smaps_rollup")
    shared = rollup.get("Shared_Clean", 0) + rollup.get("Shared_Dirty", 0)
    now = max(0, status["VmRSS"] - shared)
    return now, max(now, status.get("VmHWM", 0) - shared)


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

    `pid` gives None until the process is there. `look` may also be called at moments that matter.
    """

    def __init__(self, pid: Callable[[], int | None], tell: Callable[[int, int], None]) -> None:
        self._pid, self._tell = pid, tell
        self._peak = 0
        self._looked = float("-inf")
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def __enter__(self) -> MemoryWatch:
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(EVERY_S):
            self.look()

    def look(self, *, surely: bool = False) -> None:
        if not surely and time.monotonic() - self._looked < AT_MOST_EVERY_S:
            return
        self._looked = time.monotonic()
        pid = self._pid()
        taken = tree_bytes(pid) if pid is not None else None
        if taken is None:
            return
        with self._lock:
            self._peak = max(self._peak, *taken)
            self._tell(taken[0], self._peak)


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
