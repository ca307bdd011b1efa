"""What a process inherits and cannot give to a process that is not its child.

An ordinary kernel is the client's child and inherits all of it. A forked kernel is the server's, so a server serves
only clients whose circumstances are its own: nobody leaves a container, a memory limit or a sandbox by asking for a
kernel. What can be handed over is: see `Handed`.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STATUS = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp",
           "Seccomp_filters")  # fmt: skip
_LIMITS = ("AS", "CPU", "DATA", "FSIZE", "MEMLOCK", "MSGQUEUE", "NICE", "NPROC", "RSS", "RTPRIO", "RTTIME",
           "SIGPENDING", "STACK")  # fmt: skip


def circumstances() -> tuple[tuple[str, str], ...]:
    """Credentials, capabilities, control groups, namespaces, root, processors, limits and priority of this process."""
    found = {
        "affinity": repr(sorted(os.sched_getaffinity(0))),
        "nice": str(os.getpriority(os.PRIO_PROCESS, 0)),
    }
    for line in _read("/proc/self/status").splitlines():
        name, _, value = line.partition(":")
        if name in _STATUS:
            found[name] = value.strip()
    found["cgroup"] = _read("/proc/self/cgroup")
    found["oom"] = _read("/proc/self/oom_score_adj").strip()
    for link in ("root", "ns/cgroup", "ns/ipc", "ns/mnt", "ns/net", "ns/pid", "ns/time", "ns/user", "ns/uts"):
        with contextlib.suppress(OSError):
            found[link] = str(Path(f"/proc/self/{link}").readlink())
    for name in _LIMITS:
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is not None:
            found[f"limit {name}"] = repr(resource.getrlimit(number))
    return tuple(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class Handed:
    """What a client hands to its kernel: file mode mask, limits of open files and of core dumps, and which signals
    are ignored (as after `nohup`) or blocked."""

    umask: int
    files: tuple[int, int]
    core: tuple[int, int]
    ignored: tuple[int, ...] = ()
    blocked: tuple[int, ...] = ()

    @classmethod
    def of_this_process(cls) -> Handed:
        mask = next(
            (line[6:] for line in _read("/proc/self/status").splitlines() if line.startswith("Umask:")),
            "022",
        )
        files, core = resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_CORE)
        blocked = tuple(sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))))
        return cls(int(mask, 8), files, core, tuple(n for n in _passed_on() if _is_ignored(n)), blocked)

    @classmethod
    def of(cls, frame: dict[str, Any]) -> Handed:
        """Raises KeyError, TypeError or ValueError for a frame that lacks something."""
        return cls(int(frame["umask"]), *(tuple(frame[n]) for n in ("files", "core", "ignored", "blocked")))

    def take_on(self) -> None:
        """In the kernel. Raises ValueError or OSError when a limit is above what this process may have."""
        os.umask(self.umask)
        resource.setrlimit(resource.RLIMIT_NOFILE, self.files)
        resource.setrlimit(resource.RLIMIT_CORE, self.core)
        signals_at_rest()
        for number in self.ignored:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, self.blocked)


def signals_at_rest() -> None:
    """Ignore and block no signal, whatever this process has inherited: its parent's wishes are not its kernels'."""
    for number in filter(_is_ignored, _passed_on()):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _passed_on() -> list[int]:
    """Signals whose being ignored a process passes on to a kernel. SIGINT is ipykernel's; Python ignores SIGPIPE and
    SIGXFSZ for itself and `subprocess` does not pass that on."""
    own = {signal.SIGKILL, signal.SIGSTOP, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ}
    return sorted(map(int, signal.valid_signals() - own))


def _is_ignored(number: int) -> bool:
    return signal.getsignal(number) is signal.SIG_IGN


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
