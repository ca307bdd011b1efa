"""Why a kernel starts cold, and the record of it that `nbdataops kernel status` shows."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "cold-starts.jsonl"
KEPT = 50
"""How many cold starts are remembered; the file is cut to them when it has grown to twice as many."""


class NotWarmError(Exception):
    """A kernel cannot be had from a fork server; `str()` is the reason, in words. An ordinary one is started."""


class GivenUpError(Exception):
    """Who asked for a kernel wants none any more; none is started, not an ordinary one either."""


@dataclass(frozen=True, slots=True)
class ColdStart:
    """One kernel that was started the ordinary way: when (seconds since the epoch), where, and why."""

    at: float
    reason: str
    cwd: str
    client: int
    """Process id of the client that asked."""


def record(folder: Path, reason: str, cwd: str) -> None:
    """Note a cold start. Never raises: a full disk must not keep a kernel from starting."""
    line = json.dumps(asdict(ColdStart(time.time(), reason, cwd, os.getpid()))) + "\n"
    with contextlib.suppress(OSError):
        path = folder / FILE
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
        if path.stat().st_size > 2 * KEPT * 400:
            _shorten(path)


def recorded(folder: Path) -> tuple[ColdStart, ...]:
    """The last cold starts, oldest first. Lines that cannot be read are left out."""
    try:
        lines = (folder / FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    found = []
    for line in lines[-KEPT:]:
        with contextlib.suppress(ValueError, TypeError):
            found.append(ColdStart(**json.loads(line)))
    return tuple(found)


def _shorten(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)[-KEPT:]
    temporary = path.with_name(f"{FILE}.{os.getpid()}")
    temporary.write_bytes(b"".join(lines))
    temporary.chmod(0o600)
    temporary.replace(path)
