"""What fork servers say about themselves, and orders to them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbdataops.kernel import frames
from nbdataops.kernel.cold import NotWarmError
from nbdataops.kernel.leftovers import is_locked, sweep
from nbdataops.kernel.runtime_folder import connect

ANSWER_S = 10.0


def statuses(folder: Path) -> list[dict[str, Any]]:
    """The status of every server of this user that answers; `ForkServer.status` tells what is in it."""
    return list(_ask(folder, "status"))


def stop(folder: Path, *, kernels: bool, timeout_s: float = 30.0) -> list[dict[str, Any]]:
    """End all servers; with `kernels` also the kernels and commands in use, else their servers end with the last one.

    Returns what the servers said before. Waits until those that end at once have ended.
    """
    said = list(_end_those_that_load(folder))  # first: one that begins to listen meanwhile is then asked
    said += _ask(folder, "stop" if kernels else "retire")
    in_use = [s for s in said if s.get("kernels") or s.get("commands")]
    ending = [s["pid"] for s in said if "pid" in s and (kernels or s not in in_use)]
    deadline = time.monotonic() + timeout_s
    for pid in ending:
        _wait_for_end(pid, deadline)
    if folder.is_dir():
        sweep(folder)
    return said


def _ask(folder: Path, order: str) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.sock")):
        try:
            connection = connect(path)
        except NotWarmError as error:
            yield {"socket": path.name, "problem": str(error)}
            continue
        if connection is None:
            continue
        with connection:
            frames.send(connection, {"do": order})
            receiver = frames.Receiver(connection)
            deadline = time.monotonic() + ANSWER_S
            while (answer := receiver.next()) is None and not receiver.ended and time.monotonic() < deadline:
                select.select([connection], [], [], deadline - time.monotonic())
                receiver.pump()
        if answer is None:
            yield {"socket": path.name, "problem": "it does not answer"}
        else:
            yield answer | {"socket": path.name}


def _end_those_that_load(folder: Path) -> Iterator[dict[str, Any]]:
    """End the servers that are not there yet: they hold their lock, have written who they are, and do not listen."""
    for path in sorted(folder.glob("*.lock")):
        with contextlib.suppress(OSError, ValueError):
            pid = int(path.read_text())
            if is_locked(path) and not path.with_suffix(".sock").exists():
                os.kill(pid, signal.SIGTERM)
                yield {"pid": pid, "socket": path.with_suffix(".sock").name}


def _wait_for_end(pid: int, deadline: float) -> None:
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return
    try:
        select.select([process], [], [], max(0.0, deadline - time.monotonic()))
    finally:
        os.close(process)
