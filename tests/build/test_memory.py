"""What Linux tells of memory, read from files like its own; and of a process of ours."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nbdataops.build.memory import MemoryWatch, Taken, available_bytes, glance, look

MB = 2**20
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def taken(pid: int, proc: Path = Path("/proc")) -> Taken | None:
    seen = look(pid, proc)
    return seen.taken if seen is not None else None


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    put(tmp_path / "proc" / "meminfo", "MemTotal:  8000 kB\nMemAvailable:    4000 kB\nHugePages_Total:  0\n")
    return tmp_path / "proc"


def test_what_the_machine_has_left_is_available(proc: Path, tmp_path: Path) -> None:
    assert available_bytes(proc, tmp_path / "none") == 4000 * 1024
    assert available_bytes(tmp_path / "none", tmp_path / "none") is None


@pytest.mark.parametrize("inside", ["job/step", ""])
def test_a_control_group_and_those_around_it_limit_it(proc: Path, tmp_path: Path, inside: str) -> None:
    groups = tmp_path / "groups"
    put(proc / "self" / "cgroup", "0::/job/step\n")
    put(groups / inside / "memory.max", "3000000\n")
    put(groups / inside / "memory.current", "2500000\n")
    put(groups / inside / "memory.stat", "anon 1\ninactive_file 100000\n")

    assert available_bytes(proc, groups) == 600_000

    put(groups / inside / "memory.max", "max\n")
    assert available_bytes(proc, groups) == 4000 * 1024


def test_a_control_group_of_the_first_version_limits_it(proc: Path, tmp_path: Path) -> None:
    groups = tmp_path / "groups"
    put(proc / "self" / "cgroup", "5:cpu,memory:/job\n3:pids:/job\n")
    put(groups / "memory" / "job" / "memory.limit_in_bytes", "3000000\n")
    put(groups / "memory" / "job" / "memory.usage_in_bytes", "2900000\n")
    put(groups / "memory" / "job" / "memory.stat", "total_inactive_file 50000\n")

    assert available_bytes(proc, groups) == 150_000


def test_a_process_takes_what_its_children_take_too(proc: Path) -> None:
    put(proc / "7" / "status", "Name:\tx\nVmHWM:\t    90 kB\nVmRSS:\t    50 kB\n")
    put(proc / "7" / "task" / "7" / "children", "8 ")
    put(proc / "7" / "task" / "71" / "children", "9 ")
    put(proc / "8" / "status", "VmHWM:\t 30 kB\nVmRSS:\t 20 kB\n")
    put(proc / "8" / "task" / "8" / "children", "10 ")
    put(proc / "9" / "status", "VmRSS:\t 3 kB\n")
    put(proc / "10" / "status", "VmRSS:\t 1 kB\n")

    assert taken(7, proc) == (74 * 1024, 114 * 1024)

    put(proc / "7" / "smaps_rollup", "5588-7ffc [rollup]\nShared_Clean:  10 kB\nShared_Dirty:  30 kB\n")
    assert taken(7, proc) == (34 * 1024, 74 * 1024), "what a forked kernel shares with others is not its own"
    assert taken(11, proc) is None


def test_at_a_glance_what_is_shared_and_the_children_are_as_they_were(proc: Path) -> None:
    put(proc / "7" / "status", "VmHWM:\t 90 kB\nVmRSS:\t 50 kB\n")
    put(proc / "7" / "smaps_rollup", "Shared_Clean:  10 kB\n")
    put(proc / "7" / "task" / "7" / "children", "8 ")
    put(proc / "8" / "status", "VmRSS:\t 3 kB\n")
    before = look(7, proc)
    assert before is not None
    put(proc / "7" / "status", "VmHWM:\t 200 kB\nVmRSS:\t 60 kB\n")
    put(proc / "7" / "smaps_rollup", "Shared_Clean:  11 kB\n")
    put(proc / "8" / "status", "VmRSS:\t 4 kB\n")

    after = glance(7, before, proc)

    assert after is not None
    assert after.taken == Taken(53 * 1024, 193 * 1024)
    assert glance(11, before, proc) is None


@linux
def test_the_peak_of_a_process_is_known_after_it_let_go_of_the_memory() -> None:
    code = f"x = b'1' * {80 * MB}; del x; print('done', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seen = taken(process.pid)
        process.communicate("\n")

    assert seen is not None
    assert seen.peak > 80 * MB
    assert seen.now < seen.peak


@linux
def test_a_watch_keeps_the_largest_and_knows_nothing_of_who_is_not_there() -> None:
    told: list[tuple[int, int]] = []

    with MemoryWatch(os.getpid, lambda now, peak: told.append((now, peak))) as watch:
        watch.note(last=True)
        watch.note()
    with MemoryWatch(lambda: None, lambda now, peak: told.clear()) as watch:
        watch.note(last=True)

    assert len(told) >= 2
    assert told[-1][1] == max(peak for _, peak in told)
    assert all(now <= peak for now, peak in told)


@linux
def test_a_watch_looks_by_itself() -> None:
    looked = threading.Event()

    with MemoryWatch(os.getpid, lambda now, peak: looked.set()):
        assert looked.wait(60)
