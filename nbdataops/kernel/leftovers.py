"""Files that processes which were killed left in the runtime folder, and their removal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from pathlib import Path

_WRITTEN_S = 60.0
CHANNELS = 5
"""Sockets of a kernel: shell, IOPub, stdin, heartbeat, control; ZeroMQ's ipc names end in `-1` to `-5`."""


def remove_sockets(prefix: str | None) -> None:
    """Remove a dead kernel's sockets, `prefix`-1 to `prefix`-5, and a standby's connection file."""
    if prefix is None:
        return
    for end in (*(f"-{number}" for number in range(1, CHANNELS + 1)), ".json"):
        with contextlib.suppress(OSError):
            Path(f"{prefix}{end}").unlink()


def sweep(folder: Path) -> None:
    """Remove the sockets and locks that nobody holds any more. Never raises."""
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            if path.suffix == ".lock":
                _remove_if_unlocked(path)
            elif (
                path.suffix == ".sock" and "-" in path.stem and _is_dead(path)
            ):  # of a server that had retired
                path.unlink(missing_ok=True)
            elif path.name.startswith("k") and path.is_socket() and _is_dead(path):
                path.unlink(missing_ok=True)
                path.with_name(f"{path.name.partition('-')[0]}.json").unlink(missing_ok=True)
            elif path.name.startswith("k") and path.suffix == ".json" and _is_nobodys(path):
                path.unlink(missing_ok=True)


def _is_nobodys(file: Path) -> bool:
    """Whether the standby kernel that wrote this connection file is no more: killed before it had bound its sockets.

    It holds a lock before it writes: where there was something, and then no lock, there is nobody. (A process id may be
    another's by now, or a zombie's.)
    """
    before = file.stat()
    return not is_locked(file) and (before.st_size > 0 or time.time() - before.st_mtime > _WRITTEN_S)


def _is_dead(path: Path) -> bool:
    """Whether nobody listens at a socket. A kernel that has not bound it yet has no such file."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        try:
            sock.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return False


def is_locked(path: Path) -> bool:
    """Whether a server, or a client that starts one, holds this lock. Raises OSError when there is none."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _remove_if_unlocked(path: Path) -> None:
    """Remove a lock that no server holds, with the socket and the log beside it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for beside in (path.with_suffix(".sock"), path.with_suffix(".log"), path):
                beside.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
