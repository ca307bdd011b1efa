"""What a command's client hands over: all that a child process would have inherited from it."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import asdict, dataclass
from typing import Any

import nbdataops
from nbdataops.kernel.circumstances import Handed
from nbdataops.kernel.cold import NotWarmError

MOST_FILES = 16
"""Open files that one request can carry (`frames.Receiver`)."""


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """A command to run in a forked process: `call` is `module:function`, which returns the exit code."""

    call: str
    arguments: tuple[str, ...]
    """`sys.argv`."""
    search: tuple[str, ...]
    """`sys.path`: its first entry is the program's folder, or the client's."""
    executable: str
    """`sys.executable`: one interpreter may have several names."""
    package: str | None
    """The client's `__main__.__package__`: with it click tells `python -m nbdataops` from `nbdataops`."""
    home: str
    """Where the client's nbdataops lies: a server that has another one must not serve it."""
    environment: dict[str, str]
    cwd: str
    handed: Handed
    ignored: tuple[int, ...]
    """Signals that the client was told to ignore (`nohup`)."""
    descriptors: tuple[int, ...]
    """The client's numbers of the files that come along; the first three are the standard streams."""

    @classmethod
    def of_this_process(cls, call: str) -> CommandRequest:
        """Raises NotWarmError when this process has something that cannot be handed over."""
        try:
            cwd = os.getcwd()  # noqa: PTH109 - as a child would see it
        except OSError as error:
            raise NotWarmError(f"the current folder is gone: {error.strerror}") from error
        main: Any = sys.modules["__main__"]
        return cls(
            call,
            tuple(sys.argv),
            tuple(sys.path),
            sys.executable,
            main.__package__,
            own_home(),
            dict(os.environ),
            cwd,
            Handed.of_this_process(),
            tuple(n for n in signal.valid_signals() if signal.getsignal(n) is signal.SIG_IGN),
            _inherited(),
        )

    @classmethod
    def of(cls, frame: dict[str, Any]) -> CommandRequest:
        """Raises KeyError, TypeError or ValueError for a frame that lacks something."""
        package = frame["package"]
        return cls(
            str(frame["call"]),
            tuple(map(str, frame["arguments"])),
            tuple(map(str, frame["search"])),
            str(frame["executable"]),
            None if package is None else str(package),
            str(frame["home"]),
            dict(frame["environment"]),
            str(frame["cwd"]),
            Handed.of(frame["handed"]),
            tuple(map(int, frame["ignored"])),
            tuple(map(int, frame["descriptors"])),
        )

    def to_frame(self) -> dict[str, Any]:
        return asdict(self)


def own_home() -> str:
    """The folder of the package nbdataops that this process has imported."""
    return os.path.dirname(os.path.abspath(str(nbdataops.__file__)))  # noqa: PTH100, PTH120


def _inherited() -> tuple[int, ...]:
    """Descriptors that a child would inherit: the standard streams, and what a shell has opened (`<(...)`)."""
    found = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            if os.get_inheritable(int(name)):
                found.append(int(name))
        except OSError:  # that of the listing itself
            continue
    found.sort()
    if found[:3] != [0, 1, 2]:
        raise NotWarmError("a standard stream is closed")
    if len(found) > MOST_FILES:
        raise NotWarmError(f"{len(found)} open files would be inherited; {MOST_FILES} can be handed over")
    return tuple(found)
