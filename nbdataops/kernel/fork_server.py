"""The fork server: one thread, one loop over sockets and process descriptors, a fork for every kernel.

It holds no asyncio loop, no ZeroMQ context and no thread, so that nothing is lost in a fork. For each kernel it keeps
a connection (the lease) and a descriptor of the process. The client's end of the lease closes: the kernel's process
group is ended. The kernel ends: its group is cleared, the client told. Without kernels and questions for `idle_s`,
or when what it has loaded has changed on the disk, the server retires: it takes no more requests, and ends with its
last kernel.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbdataops.kernel import frames
from nbdataops.kernel.environment_reads import different
from nbdataops.kernel.forked_kernel import GRACE_S, Ahead, Request, own_signals, run
from nbdataops.kernel.installed_state import InstalledState
from nbdataops.kernel.leftovers import remove_sockets
from nbdataops.kernel.runtime_folder import same_user

REQUEST_S = 10.0
"""A client that has connected must have said what it wants within this time."""
LOOK_S = 30.0
"""Between looks at whether the server's own socket is still the one that clients find."""


@dataclass(frozen=True, slots=True)
class Preloaded:
    """What this server is, once it has loaded everything."""

    ahead: Ahead
    state: InstalledState
    environment: dict[str, str]
    """The server's own, with which everything was loaded."""
    names_read: frozenset[str]
    """Variables that were read meanwhile."""
    modules: tuple[str, ...]
    excluded: dict[str, str]
    seconds: float


@dataclass
class Kernel:
    """A forked process: `lease` is None once its client has gone, `sockets` where its ZeroMQ sockets lie."""

    pid: int
    process: int
    lease: socket.socket | None
    cwd: str
    sockets: str | None
    since: float = field(default_factory=time.time)
    kill_at: float | None = None


class ForkServer:
    """See the module. `serve` returns when the server has retired and its last kernel has ended."""

    def __init__(self, listener: socket.socket, path: Path, lock: int, preloaded: Preloaded, idle_s: float) -> None:
        self.path, self.preloaded, self.idle_s = path, preloaded, idle_s
        self.kernels: dict[int, Kernel] = {}
        self.forks = 0
        self._listener, self._lock = listener, lock
        self._selector = selectors.DefaultSelector()
        self._receivers: dict[socket.socket, tuple[frames.Receiver, float]] = {}
        self._retired = False
        self._used = time.monotonic()
        self._inode = path.stat().st_ino
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._woken, self._waker = socket.socketpair()
        for end in (self._woken, self._waker):
            end.setblocking(False)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        listener.setblocking(False)
        self._watch(listener, self._accept)
        self._watch(self._woken, self._terminated)

    def serve(self) -> None:
        while not (self._retired and not self.kernels):
            for key, _ in self._selector.select(self._patience()):
                if self._selector.get_map().get(key.fd) is key:  # an earlier event of this round may have ended it
                    key.data()
            self._look_around(time.monotonic())
        self._close()

    def retire(self) -> None:
        """Take no more requests; let another server have the place at once."""
        if self._retired:
            return
        self._retired = True
        self._selector.unregister(self._listener)
        self._listener.close()
        if self._is_ours():
            self.path.unlink(missing_ok=True)
        self._release_lock()

    # ------------------------------------------------------------------ clients
    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:  # no descriptor left: take the spare one, to turn the client away rather than spin
            os.close(self._spare)
            with contextlib.suppress(OSError):
                self._listener.accept()[0].close()
            with contextlib.suppress(OSError):
                self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            return
        if not same_user(connection):
            connection.close()
            return
        self._receivers[connection] = (frames.Receiver(connection), time.monotonic() + REQUEST_S)
        self._watch(connection, lambda: self._hear(connection))

    def _hear(self, connection: socket.socket) -> None:
        receiver, _ = self._receivers[connection]
        try:
            receiver.pump()
            frame = receiver.next()
            if frame is not None:
                self._forget(connection)
                self._answer(connection, receiver, frame)
            elif receiver.ended:
                self._turn_away(connection)
        except (frames.FrameError, OSError, KeyError, TypeError, ValueError) as error:
            print(f"a request that cannot be served: {error!r}", flush=True)
            receiver.close_files()
            self._turn_away(connection)

    def _answer(self, connection: socket.socket, receiver: frames.Receiver, frame: dict[str, Any]) -> None:
        self._used = time.monotonic()
        match frame.get("do"):
            case "launch":
                self._launch(connection, receiver, frame)
                return
            case "status":
                frames.send(connection, self.status())
            case "retire":
                self.retire()
                frames.send(connection, {"kernels": len(self.kernels)})
            case "stop":
                self.retire()
                frames.send(connection, {"kernels": len(self.kernels)})
                for kernel in self.kernels.values():
                    self._end(kernel)
        receiver.close_files()
        connection.close()

    def _turn_away(self, connection: socket.socket) -> None:
        if connection in self._receivers:
            receiver = self._receivers[connection][0]
            self._forget(connection)
            receiver.close_files()
        connection.close()

    def _forget(self, connection: socket.socket) -> None:
        del self._receivers[connection]
        self._selector.unregister(connection)

    # ------------------------------------------------------------------ kernels
    def _launch(self, connection: socket.socket, receiver: frames.Receiver, frame: dict[str, Any]) -> None:
        request, files = Request.of(frame), receiver.files
        refusal = self._refusal(request)
        if refusal is not None or len(files) != 3:
            frames.send(connection, {"refused": refusal or {"why": "no standard streams were handed over"}})
            receiver.close_files()
            connection.close()
            if refusal is not None and refusal.get("stale"):
                self.retire()
            return
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            child = os.fork()
        except OSError as error:
            frames.send(connection, {"refused": {"why": f"the fork server cannot fork: {error.strerror}"}})
            receiver.close_files()
            connection.close()
            return
        if child == 0:
            self._close_in_child()
            run(request, files, connection, self.preloaded.ahead)
        receiver.close_files()
        self._register(child, connection, request.cwd, frame.get("sockets"))

    def _refusal(self, request: Request) -> dict[str, Any] | None:
        if self._retired:
            return {"why": "the fork server is about to end", "stale": True}
        changed = self.preloaded.state.difference()
        if changed is not None:
            return {"why": f"{changed} since the fork server loaded it", "stale": True}
        names = different(self.preloaded.names_read, self.preloaded.environment, request.environment)
        if names:
            why = f"{', '.join(names)} was read when libraries were loaded, and differs"
            return {"why": why, "environment": list(names)}
        return None

    def _register(self, child: int, lease: socket.socket, cwd: str, sockets: str | None) -> None:
        self.forks += 1
        try:
            process = os.pidfd_open(child)
        except OSError:  # no descriptor left: a kernel that cannot be watched must not live
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            lease.close()
            return
        kernel = Kernel(child, process, lease, cwd, sockets)
        self.kernels[child] = kernel
        self._watch(lease, lambda: self._lease_lost(kernel))
        self._watch(process, lambda: self._ended(kernel))

    def _lease_lost(self, kernel: Kernel) -> None:
        """The client's end has closed (it never says anything more on this connection)."""
        assert kernel.lease is not None
        try:
            if kernel.lease.recv(4096, socket.MSG_DONTWAIT):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._selector.unregister(kernel.lease)
        kernel.lease.close()
        kernel.lease = None
        self._end(kernel)

    def _end(self, kernel: Kernel) -> None:
        _signal_group(kernel.pid, signal.SIGTERM)
        kernel.kill_at = time.monotonic() + GRACE_S

    def _ended(self, kernel: Kernel) -> None:
        # As long as it is not reaped its number is its own, so the group is certainly this kernel's.
        _signal_group(kernel.pid, signal.SIGKILL)
        _, status = os.waitpid(kernel.pid, 0)
        self._used = time.monotonic()
        del self.kernels[kernel.pid]
        self._selector.unregister(kernel.process)
        os.close(kernel.process)
        if kernel.lease is None:
            remove_sockets(kernel.sockets)  # its client would have done so
            return
        self._selector.unregister(kernel.lease)
        with contextlib.suppress(OSError):
            frames.send(kernel.lease, {"exit": os.waitstatus_to_exitcode(status)})
        kernel.lease.close()

    # ------------------------------------------------------------------ the server itself
    def status(self) -> dict[str, Any]:
        """What `nbdataops kernel status` shows of this server."""
        loaded = self.preloaded
        return {
            "pid": os.getpid(),
            "python": sys.executable,
            "modules": list(loaded.modules),
            "excluded": loaded.excluded,
            "loaded_in_s": round(loaded.seconds, 3),
            "forks": self.forks,
            "kernels": [{"pid": k.pid, "cwd": k.cwd, "since": k.since} for k in self.kernels.values()],
            "retired": self._retired,
            "idle_exit_s": self.idle_s,
        }

    def _patience(self) -> float:
        """Seconds until something is due."""
        now = time.monotonic()
        due = [k.kill_at for k in self.kernels.values() if k.kill_at is not None]
        due += [deadline for _, deadline in self._receivers.values()]
        if not self.kernels and not self._retired:
            due.append(self._used + self.idle_s)
        return max(0.0, min([now + LOOK_S, *due]) - now)

    def _look_around(self, now: float) -> None:
        for kernel in self.kernels.values():
            if kernel.kill_at is not None and now >= kernel.kill_at:
                _signal_group(kernel.pid, signal.SIGKILL)
                kernel.kill_at = None
        for connection, (_, deadline) in list(self._receivers.items()):
            if now >= deadline:
                self._turn_away(connection)
        if self._retired:
            return
        if not self._is_ours() or (not self.kernels and now >= self._used + self.idle_s):
            self.retire()

    def _terminated(self) -> None:
        """A signal came; the only one that is let through is SIGTERM."""
        numbers = self._woken.recv(4096)
        if signal.SIGTERM in numbers:
            self.retire()
            for kernel in self.kernels.values():
                self._end(kernel)

    def _is_ours(self) -> bool:
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def _release_lock(self) -> None:
        if self._lock >= 0:
            with contextlib.suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_UN)
            os.close(self._lock)
            self._lock = -1

    def _watch(self, what: socket.socket | int, react: Callable[[], None]) -> None:
        self._selector.register(what, selectors.EVENT_READ, react)

    def _close_in_child(self) -> None:
        """Close whatever of the server a kernel must not hold; the number of its own lease is not among it."""
        own_signals()
        self._selector.close()
        self._woken.close()
        self._waker.close()
        os.close(self._spare)
        if not self._retired:
            self._listener.close()
        if self._lock >= 0:
            os.close(self._lock)
        for connection in self._receivers:
            connection.close()
        for kernel in self.kernels.values():
            os.close(kernel.process)
            if kernel.lease is not None:
                kernel.lease.close()

    def _close(self) -> None:
        signal.set_wakeup_fd(-1)
        for connection in list(self._receivers):
            self._turn_away(connection)
        self._selector.close()
        self._woken.close()
        self._waker.close()


def _signal_group(pid: int, number: int) -> None:
    """Signal a kernel's group, or the process alone while it has not made its own group yet."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def listen(path: Path) -> socket.socket:
    """A listening socket at `path` for this user alone; it appears there only when it can be connected to."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.unlink(missing_ok=True)
    mask = os.umask(0o177)
    try:
        listener.bind(str(temporary))
    finally:
        os.umask(mask)
    listener.listen(1024)
    temporary.replace(path)
    return listener


def told(descriptor: int, message: dict[str, Any]) -> None:
    """Tell the client that started this server, through its pipe, and close it."""
    with contextlib.suppress(OSError):
        os.write(descriptor, json.dumps(message).encode() + b"\n")
    os.close(descriptor)
