"""What a process inherits and cannot give to a process that is not its child.

An ordinary kernel is the client's child and inherits all of it. A forked kernel is the server's, so a server serves
only clients whose circumstances are its own: nobody leaves a container, a memory limit or a sandbox by asking for a
kernel. What can be handed over is: see `Handed`.
"""

from __future__ import annotations

import contextlib
import os
import resource
from dataclasses import dataclass
from pathlib import Path

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
    """What a client hands to its kernel: file mode mask, and the limits of open files and of core dumps."""

    umask: int
    files: tuple[int, int]
    core: tuple[int, int]

    @classmethod
    def of_this_process(cls) -> Handed:
        mask = next(
            (line[6:] for line in _read("/proc/self/status").splitlines() if line.startswith("Umask:")),
            "022",
        )
        files, core = resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_CORE)
        return cls(int(mask, 8), files, core)

    def take_on(self) -> None:
        """In the kernel. Raises ValueError or OSError when a limit is above what this process may have."""
        os.umask(self.umask)
        resource.setrlimit(resource.RLIMIT_NOFILE, self.files)
        resource.setrlimit(resource.RLIMIT_CORE, self.core)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
