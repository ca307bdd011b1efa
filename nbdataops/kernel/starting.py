"""Find the fork server of a key, or start it: one at a time, whatever clients do at once.

A lock stands for a server, from before it is born until it retires: it is taken by the client that starts it and
inherited by the server, which writes its process id there. Who cannot have the lock waits for the socket to appear; who can, starts a server.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from nbdataops.kernel.cold import GivenUpError, NotWarmError
from nbdataops.kernel.runtime_folder import connect
from nbdataops.kernel.server_key import ServerKey
from nbdataops.kernel.server_place import ServerPlace

START_S = 120.0
"""A server that has not loaded everything within this time is given up, and ends itself. Usually it takes 2 to 5 s."""
CANNOT = "no fork server: "
"""How the last line of a log begins whose server could not serve."""
_POLL_S = 0.02
_LOOK_S = 0.1
"""Between looks at whether anybody still waits."""
_LONGEST_LOG = 100_000
PROGRAM = "import sys; from nbdataops.kernel.server import main; sys.exit(main(sys.argv[1:]))"
"""Given by `-c`, so that `__main__` has no file, as in a kernel: some libraries look for that when imported."""


def server_connection(
    folder: Path,
    key: ServerKey,
    environment: Mapping[str, str],
    idle_s: float,
    start_s: float = START_S,
    given_up: threading.Event | None = None,
) -> socket.socket:
    """A connection to the key's server, which is started if need be. Blocks; raises NotWarmError.

    GivenUpError soon after `given_up` is set. A server that was started meanwhile goes on loading, for others.
    """
    given_up = given_up or threading.Event()
    place = ServerPlace(folder, key.name)
    deadline = time.monotonic() + start_s
    while time.monotonic() < deadline:
        if given_up.is_set():
            raise GivenUpError
        connection = connect(place.socket)
        if connection is not None:
            return connection
        lock = _locked(place.lock)
        if lock is None:
            given_up.wait(_POLL_S)
            continue
        try:
            # Between the look and the lock another client may have started one that has retired since, or not.
            connection = connect(place.socket)
            if connection is not None:
                return connection
            _start(place, key, environment, idle_s, lock, deadline, given_up)
        finally:
            os.close(lock)
    raise NotWarmError(f"no fork server within {start_s:.0f} s; its log is {place.log}")


def start_unattended(folder: Path, key: ServerKey, environment: Mapping[str, str], idle_s: float) -> None:
    """Start the key's server for whoever comes next, unless there is one. Waits for nothing.

    Raises NotWarmError when that is to no avail: also when a start has failed shortly before.
    """
    place = ServerPlace(folder, key.name)
    lock = _locked(place.lock)
    if lock is None:
        return  # somebody is at it
    try:
        said = last_line(place.log)
        with contextlib.suppress(OSError):
            if said.startswith(CANNOT) and time.time() - place.log.stat().st_mtime < idle_s:
                raise NotWarmError(said)
        if connect(place.socket) is None:
            process = _spawn(_command(place, key, idle_s, lock), place.log, environment, (lock,))
            process.returncode = 0  # nobody waits for it, and Python need not warn of that
    except OSError as error:
        raise NotWarmError(f"the fork server cannot be started: {error}") from error
    finally:
        os.close(lock)


def _command(
    place: ServerPlace, key: ServerKey, idle_s: float, lock: int, further: tuple[str, ...] = ()
) -> list[str]:
    program = [key.python, *key.flags, "-c", PROGRAM, "--serves", key.purpose.value]
    where = ["--socket", str(place.socket), "--lock", str(lock), "--idle-s", str(idle_s)]
    return [*program, *where, *further, "--preload", *key.preload]


def _locked(path: Path) -> int | None:
    """A descriptor of the locked file, or None when somebody else has it. Raises NotWarmError."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise NotWarmError(f"{path} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):  # else it was removed meanwhile
            os.ftruncate(descriptor, 0)  # no more the number of the server before; the new one writes its own
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError as error:
        os.close(descriptor)
        raise NotWarmError(f"{path} cannot be locked: {error.strerror}") from error
    os.close(descriptor)
    return None


def _start(
    place: ServerPlace,
    key: ServerKey,
    environment: Mapping[str, str],
    idle_s: float,
    lock: int,
    deadline: float,
    given_up: threading.Event,
) -> None:
    """Start a server and wait until it serves. Raises NotWarmError with what it said, or GivenUpError."""
    reading, writing = os.pipe()
    try:
        command = _command(place, key, idle_s, lock, ("--tell", str(writing)))
        # It ends at once: the server is its child.
        _spawn(command, place.log, environment, (lock, writing)).wait()
        os.close(writing)
        writing = -1
        answer = _answer(reading, deadline, given_up)
    except OSError as error:
        raise NotWarmError(f"the fork server cannot be started: {error}") from error
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    if "failed" in answer:
        raise NotWarmError(f"the fork server cannot serve: {answer['failed']}")
    if not answer:
        raise NotWarmError(f"the fork server ended while it was loading: {last_line(place.log)}")


def _spawn(
    command: list[str], log: Path, environment: Mapping[str, str], files: tuple[int, ...]
) -> subprocess.Popen[bytes]:
    """Execute the server outside of this process's tree; what it prints goes to its log, after its predecessor's."""
    with contextlib.suppress(OSError):
        if log.stat().st_size > _LONGEST_LOG:
            log.unlink()
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            env=dict(environment),
            cwd="/",
            start_new_session=True,
            pass_fds=files,
        )
    finally:
        os.close(written)


def _answer(reading: int, deadline: float, given_up: threading.Event) -> dict[str, object]:
    """What the server says about itself; an empty object when it ends without a word."""
    said = b""
    while not said.endswith(b"\n"):
        if given_up.is_set():
            raise GivenUpError
        left = deadline - time.monotonic()
        if left <= 0:
            raise NotWarmError("the fork server takes too long to load")
        if not select.select([reading], [], [], min(left, _LOOK_S))[0]:
            continue
        piece = os.read(reading, 4096)
        if not piece:
            return {}
        said += piece
    with contextlib.suppress(ValueError):
        answer = json.loads(said)
        if isinstance(answer, dict):
            return answer
    return {}


def last_line(log: Path) -> str:
    """The last thing that a server printed; for one that died, the error."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return "it left no log"
    return next((line.strip() for line in reversed(lines) if line.strip()), "its log is empty")
