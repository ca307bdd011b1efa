"""The fork server: one thread, one loop over sockets and process descriptors, a fork for every kernel or command.

It holds no asyncio loop, no ZeroMQ context and no thread, so that nothing is lost in a fork. For each process it keeps
a connection (the lease) and a descriptor. The client's end of the lease closes: the process's group is ended. The
process ends: the client is told (`forked_process`). Without any and without questions for `idle_s`, or when what it
has loaded has changed on the disk, the server retires: it takes no more requests, and ends with its last kernel.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from nbdataops.kernel import frames
from nbdataops.kernel.command_request import CommandRequest, own_home
from nbdataops.kernel.door import Door
from nbdataops.kernel.environment_reads import different
from nbdataops.kernel.forked_command import run_command
from nbdataops.kernel.forked_kernel import Request, run
from nbdataops.kernel.forked_process import Forked, Forks
from nbdataops.kernel.preloading import Preloaded
from nbdataops.kernel.purpose import Purpose
from nbdataops.kernel.standby_pool import StandbyPool

LOOK_S = 30.0
"""Between looks at whether the server's own socket is still the one that clients find."""
Refusal = dict[str, Any]
"""Why a client gets nothing from here, and what else it should know: `frames`."""


class ForkServer:
    """See the module. `serve` returns when the server has retired and its last kernel has ended."""

    def __init__(self, path: Path, lock: int, preloaded: Preloaded, idle_s: float) -> None:
        self.preloaded, self.idle_s = preloaded, idle_s
        self._lock = lock
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        for end in (self._woken, self._waker):
            end.setblocking(False)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._signalled)
        self._asked = time.monotonic()
        self.forks = Forks(self._selector, self._let_go)
        self.standbys = StandbyPool(self.forks, self._selector, path.parent, preloaded.ahead)
        self.door = Door(path, self._selector, self._answer)
        self.retired = False

    def serve(self) -> None:
        while not self.retired or self.forks.alive:
            for key, _ in self._selector.select(self._patience()):
                if (
                    self._selector.get_map().get(key.fd) is key
                ):  # an earlier event of this round may have ended it
                    key.data()
            self._look_around(time.monotonic())
        self.door.close()
        signal.set_wakeup_fd(-1)
        self._selector.close()
        self._woken.close()
        self._waker.close()

    def retire(self) -> None:
        """Serve nobody any more; let another server have the place at once."""
        if not self.retired:
            self.retired = True
            self.door.step_aside()
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            os.close(self._lock)
            self._lock = -1
            self.standbys.give_up()

    def stop(self) -> None:
        """Retire, and end the kernels and commands in use, too."""
        self.retire()
        for forked in self.forks.alive.values():
            self.forks.end(forked)

    # ------------------------------------------------------------------ requests
    def _answer(self, connection: socket.socket, receiver: frames.Receiver, frame: dict[str, Any]) -> None:
        self._asked = time.monotonic()
        kept = False
        try:
            match frame.get("do"):
                case "launch":
                    kept = self._launch(connection, receiver.files, frame)
                case "command":
                    kept = self._command(connection, receiver.files, CommandRequest.of(frame))
                case "status":
                    frames.send(connection, self.status())
                case "retire":
                    self.retire()
                    frames.send(connection, self.status())
                case "stop":
                    self.stop()
                    frames.send(connection, self.status())
        except (OSError, KeyError, TypeError, ValueError) as error:
            print(f"a request that cannot be served: {error!r}", flush=True)
            self._retire_if_stale(self._stale() or {})  # a client of a newer version asks in its own way
        finally:
            receiver.close_files()
            if not kept:
                connection.close()

    def _launch(self, connection: socket.socket, files: list[int], frame: dict[str, Any]) -> bool:
        """Fork or give away a kernel; False when the request is refused.

        What this server has loaded is compared with the disk while the kernel is being initialised; the client uses no
        kernel before it has been told that it is fresh.
        """
        request = Request.of(frame)
        refusal = self._refusal(Purpose.KERNELS, request.environment)
        if refusal is None and len(files) != 3:
            refusal = {"why": "no standard streams were handed over"}
        if refusal is not None:
            frames.send(connection, {"refused": refusal})
            return False
        self.standbys.want(int(frame["standbys"]), request)
        kernel = self.standbys.adopt(request, files, connection) if frame["adopt"] else None
        if kernel is None:
            child = self._fork(connection)
            if child is None:
                return False
            if child == 0:
                run(request, files, connection, self.preloaded.ahead)
            kernel = Forked(child, -1, connection, request.cwd, frame.get("sockets"))
            if not self.forks.watch(kernel):
                return False
        refusal = self._stale()
        with contextlib.suppress(OSError):
            frames.send(connection, {"fresh": True} if refusal is None else {"refused": refusal})
        if refusal is not None:
            self.forks.end(kernel)
            self._retire_if_stale(refusal)
        return True

    def _command(self, connection: socket.socket, files: list[int], request: CommandRequest) -> bool:
        """Fork a process that runs a command; False when the request is refused. A command cannot be taken back, so
        it is not begun before what is loaded was compared with the disk."""
        refusal = self._refusal(Purpose.COMMANDS, request.environment)
        if refusal is None and len(files) != len(request.descriptors):
            refusal = {"why": "not all open files were handed over"}
        if refusal is None and request.home != own_home():
            refusal = {
                "why": f"the client runs nbdataops of {request.home}, the fork server that of {own_home()}"
            }
        refusal = refusal or self._stale()
        if refusal is not None:
            frames.send(connection, {"refused": refusal})
            self._retire_if_stale(refusal)
            return False
        child = self._fork(connection)
        if child is None:
            return False
        if child == 0:
            run_command(request, files, connection, self.preloaded.ahead)
        return self.forks.watch(Forked(child, -1, connection, request.cwd, None, command=request.arguments))

    def _fork(self, connection: socket.socket) -> int | None:
        try:
            return self.forks.fork()
        except OSError as error:
            refusal = {"why": f"the fork server cannot fork: {error.strerror}"}
            frames.send(connection, {"refused": refusal})
            return None

    def _refusal(self, wanted: Purpose, environment: dict[str, str]) -> Refusal | None:
        """Why this server does not suit a client; None when it does."""
        if self.retired:
            return {"why": "the fork server is about to end", "stale": True}
        if wanted is not self.preloaded.purpose:
            return {"why": f"this fork server is one for {self.preloaded.purpose.value}"}
        names = different(self.preloaded.names_read, self.preloaded.environment, environment)
        if names:
            why = f"{', '.join(names)} was read when libraries were loaded, and differs"
            return {"why": why, "environment": list(names)}
        return None

    def _stale(self) -> Refusal | None:
        """Whether what this server has loaded is no longer what lies on the disk."""
        try:
            changed = self.preloaded.state.difference()
        except OSError as error:
            return {"why": f"the fork server cannot look at what is installed: {error.strerror}"}
        if changed is None:
            return None
        return {"why": f"{changed} since the fork server loaded it", "stale": True}

    def _retire_if_stale(self, refusal: Refusal) -> None:
        if refusal.get("stale"):
            self.retire()

    # ------------------------------------------------------------------ the server itself
    def status(self) -> dict[str, Any]:
        """What `nbdataops kernel status` shows of this server."""
        in_use = [forked for forked in self.forks.alive.values() if forked.control is None]
        return {
            "pid": os.getpid(),
            "serves": self.preloaded.purpose.value,
            "python": sys.executable,
            "modules": list(self.preloaded.modules),
            "rehearsed": self.preloaded.rehearsed,
            "excluded": self.preloaded.excluded,
            "loaded_in_s": round(self.preloaded.seconds, 3),
            "forks": self.forks.number,
            "adopted": self.standbys.adopted,
            "kernels": [{"pid": f.pid, "cwd": f.cwd, "since": f.since} for f in in_use if f.command is None],
            "commands": [
                {"pid": f.pid, "cwd": f.cwd, "since": f.since, "words": list(f.command)}
                for f in in_use
                if f.command is not None
            ],
            "standbys": self.standbys.ready,
            "watches": self.preloaded.state.is_watched,
            "retired": self.retired,
            "idle_exit_s": self.idle_s,
        }

    def _let_go(self) -> None:
        """In a child: close what it must not have of the server."""
        self._woken.close()
        self._waker.close()
        self.preloaded.state.close()
        if self.door.is_open:
            self.door.close_in_child()
            os.close(self._lock)

    def _patience(self) -> float:
        """Seconds until something is due."""
        now = time.monotonic()
        due = [*self.forks.deadlines, *self.door.deadlines]
        if self.standbys.refill_at is not None:
            due.append(self.standbys.refill_at)
        if self._is_idle():
            due.append(self._idle_since + self.idle_s)
        return max(0.0, min([now + LOOK_S, *due]) - now)

    def _look_around(self, now: float) -> None:
        self.forks.kill_the_late(now)
        self.door.turn_away_the_late(now)
        if not self.retired and (
            not self.door.is_found or (self._is_idle() and now >= self._idle_since + self.idle_s)
        ):
            self.retire()
        if self.standbys.refill_at is not None and now >= self.standbys.refill_at:
            self.standbys.refill()

    def _is_idle(self) -> bool:
        return not self.retired and all(f.control is not None for f in self.forks.alive.values())

    @property
    def _idle_since(self) -> float:
        return max(self._asked, self.forks.last_end)

    def _signalled(self) -> None:
        if signal.SIGTERM in self._woken.recv(4096):
            self.stop()
