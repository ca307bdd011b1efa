"""A kernel that is initialised ahead of need, on sockets and a key of its own, and adopted when a client comes.

It is made for a kind of client (`ClientKind`), and executes nothing of a client's: where the kernel would begin with
the user's own code (startup files, configuration, options that execute or import something), there is no standby.
Everybody whom none suits gets a fresh fork, as does a restart, which must keep its addresses.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from nbdataops.kernel import frames
from nbdataops.kernel.client_kind import ClientKind
from nbdataops.kernel.environment_reads import INLINE_BACKEND, watched
from nbdataops.kernel.forked_kernel import (
    COMM,
    Ahead,
    RefusedError,
    Request,
    be_called_with,
    keep,
    live,
    own_signals,
    start_application,
    take_environment,
    take_on,
)
from nbdataops.kernel.leftovers import CHANNELS

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
_CONFIGURATIONS = ("ipython_config", "ipython_kernel_config")


@dataclass(frozen=True, slots=True)
class Standby:
    """What a standby kernel says about itself when it is ready."""

    names_read: frozenset[str]
    absent: tuple[str, ...]
    """Files of configuration that were not there."""
    empty: tuple[str, ...]
    """Folders of startup files that held none."""

    @classmethod
    def of(cls, said: dict[str, Any]) -> Standby:
        return cls(frozenset(said["names_read"]), tuple(said["absent"]), tuple(said["empty"]))

    def may_have(self, request: Request) -> bool:
        """Whether a client of its kind may have it. Raises OSError."""
        # Its threads run already, and block no signals.
        return not request.handed.blocked and _own_code(self.absent, self.empty) is None


class _UnusableError(Exception):
    """There can be no standby kernel here; `str()` says why."""


def run_standby(control: socket.socket, prefix: str, kind: ClientKind, ahead: Ahead) -> NoReturn:
    """Be initialised, say so, wait to be adopted, be a kernel. Ends at once when the server does."""

    def prepare() -> Any:
        os.setsid()
        _die_with_parent(signal.SIGKILL)
        if os.getppid() != ahead.server:
            os._exit(0)
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        os.close(null)
        own_signals()
        take_environment(kind.environment(os.environ), ahead)
        said: dict[str, Any] = {}

        def before_code(application: Any) -> None:
            said["absent"], said["empty"] = _profile_paths(application)
            why = _own_code(said["absent"], said["empty"])
            if why is not None or application.loaded_config_files:
                raise _UnusableError(why or "IPython has read a configuration")

        try:
            with _connection_file(prefix) as file, watched() as names:
                application = start_application(["-f", str(file), *kind.further], before_code)
        except _UnusableError as why:
            frames.send(control, {"unusable": str(why), "names_read": sorted(names)})
            os._exit(0)
        frames.send(control, {"standby": said | {"names_read": sorted(names)}})
        return application

    def ready(application: Any) -> None:
        from tornado.ioloop import IOLoop

        receiver = frames.Receiver(control)

        def hear(*_: Any) -> None:
            receiver.pump()
            frame = receiver.next()
            if frame is not None:
                IOLoop.current().remove_handler(control.fileno())
                control.close()
                _adopt(application, Request.of(frame), receiver.files, ahead)
            elif receiver.ended:
                os._exit(0)

        IOLoop.current().add_handler(control.fileno(), hear, IOLoop.READ)

    live(prepare, ready, None)


def _adopt(application: Any, request: Request, files: Sequence[int], ahead: Ahead) -> None:
    """Become the kernel of a request: `files` are the three standard streams and the lease."""
    *streams, held = files
    lease = socket.socket(fileno=held)
    try:
        take_on(request, ahead, COMM, [request.cwd])
    except RefusedError as refused:
        with contextlib.suppress(OSError):
            frames.send(lease, {"refused": {"why": str(refused)}})
        os._exit(0)
    _die_with_parent(0)
    os.dup2(streams[0], 0)
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        # ipykernel reads descriptors 1 and 2 through pipes and passes on to this copy of what they were.
        os.dup2(streams[number], getattr(stream, "_original_stdstream_copy", None) or number)
    for descriptor in streams:
        os.close(descriptor)
    shell = application.shell
    shell.init_environment()
    os.environ["MPLBACKEND"] = os.environ.get("MPLBACKEND") or INLINE_BACKEND
    shell.starting_dir = request.cwd
    shell.user_ns["_dh"][:] = [type(before)(request.cwd) for before in shell.user_ns["_dh"][:1]]
    if session := os.environ.get("JPY_SESSION_NAME"):
        shell.user_ns["__session__"] = session
    application.connection_file = request.connection_file
    be_called_with(["-f", request.connection_file, *request.further])
    frames.send(lease, {"ready": {"pid": os.getpid(), "connection": _connection(application)}})
    keep(lease, ahead.server)


def _connection(application: Any) -> dict[str, Any]:
    """Addresses and key, as the client must know them."""
    info: dict[str, Any] = application.get_connection_info()
    return info | {"key": info["key"].decode()}


@contextlib.contextmanager
def _connection_file(prefix: str) -> Iterator[Path]:
    """A connection file with a fresh key and Unix sockets `prefix`-1 to `prefix`-5, until a kernel has read it."""
    names = ("shell", "iopub", "stdin", "control", "hb")
    content: dict[str, Any] = {f"{name}_port": number for number, name in enumerate(names, 1)}
    assert len(content) == CHANNELS
    content |= {
        "transport": "ipc",
        "ip": prefix,
        "key": secrets.token_hex(32),
        "signature_scheme": "hmac-sha256",
    }
    path = Path(f"{prefix}.json")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # before anything is in it: `sweep` removes what nobody holds
        os.write(descriptor, json.dumps(content).encode())
        yield path
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _profile_paths(application: Any) -> tuple[list[str], list[str]]:
    """The configuration files and the startup folders that the initialisation looked for."""
    folders = [str(folder) for folder in application.config_file_paths]
    absent = [f"{f}/{name}{end}" for f in folders for name in _CONFIGURATIONS for end in (".py", ".json")]
    return absent, [str(application.profile_dir.startup_dir), *(f"{folder}/startup" for folder in folders)]


def _own_code(absent: Sequence[str], empty: Sequence[str]) -> str | None:
    """What there is of the user's own in an IPython profile, in words. Raises OSError."""
    for path in absent:
        if Path(path).exists():
            return f"IPython is configured by {path}"
    for folder in empty:
        if _startup_files(folder):
            return f"{folder} has files that IPython executes"
    return None


def _startup_files(folder: str) -> list[Path]:
    try:
        return [path for path in Path(folder).iterdir() if path.suffix in {".py", ".ipy"}]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _die_with_parent(number: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_SET_PARENT_DEATH_SIGNAL, number)
