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
import os
import selectors
import signal
import socket
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from nbdataops.kernel import frames
from nbdataops.kernel.door import Door
from nbdataops.kernel.environment_reads import different
from nbdataops.kernel.forked_kernel import GRACE_S, Request, own_signals, run
from nbdataops.kernel.forked_process import Kernel, signal_group
from nbdataops.kernel.leftovers import remove_sockets
from nbdataops.kernel.preloading import Preloaded
from nbdataops.kernel.standby import Standby, run_standby

LOOK_S = 30.0
"""Between looks at whether the server's own socket is still the one that clients find."""
REFILL_S = 0.1
"""After a kernel was given away, before the next standby is forked: the kernel in use comes first."""


class ForkServer:
    """See the module. `serve` returns when the server has retired and its last kernel has ended."""

    def __init__(self, path: Path, lock: int, preloaded: Preloaded, idle_s: float) -> None:
        self.preloaded, self.idle_s = preloaded, idle_s
        self.kernels: dict[int, Kernel] = {}
        self.forks = self.adopted = 0
        self._folder, self._lock = path.parent, lock
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        for end in (self._woken, self._waker):
            end.setblocking(False)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._signalled)
        self._used = time.monotonic()
        self._wanted: tuple[int, tuple[str, ...]] = (0, ())
        """How many standbys, and with which further arguments: as the last client said."""
        self._refill_at: float | None = None
        self.door = Door(path, self._selector, self._answer)

    def serve(self) -> None:
        while self.door.is_open or self.kernels:
            for key, _ in self._selector.select(self._patience()):
                if (
                    self._selector.get_map().get(key.fd) is key
                ):  # an earlier event of this round may have ended it
                    key.data()
            self._look_around(time.monotonic())
        signal.set_wakeup_fd(-1)
        self._selector.close()
        self._woken.close()
        self._waker.close()

    def retire(self) -> None:
        """Take no more requests; let another server have the place at once."""
        if self.door.is_open:
            self.door.close()
            self._refill_at = None
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            os.close(self._lock)
            self._lock = -1
            for standby in self._standbys():
                self._end(standby)

    def stop(self) -> None:
        """Retire, and end the kernels in use, too."""
        self.retire()
        for kernel in self.kernels.values():
            self._end(kernel)

    # ------------------------------------------------------------------ requests
    def _answer(self, connection: socket.socket, receiver: frames.Receiver, frame: dict[str, Any]) -> None:
        self._used = time.monotonic()
        kept = False
        try:
            match frame.get("do"):
                case "launch":
                    kept = self._launch(connection, receiver.files, frame)
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
        finally:
            receiver.close_files()
            if not kept:
                connection.close()

    def _launch(self, connection: socket.socket, files: list[int], frame: dict[str, Any]) -> bool:
        """Fork or give away a kernel; False when the request is refused."""
        request = Request.of(frame)
        refusal = (
            self._refusal(request) if len(files) == 3 else {"why": "no standard streams were handed over"}
        )
        if refusal is None:
            self._wanted = (int(frame["standbys"]), request.further)
            if self._standbys_missing():
                self._refill_at = time.monotonic() + REFILL_S
            if frame["adopt"] and (adopted := self._adopt(request, files, connection)) is not None:
                self._vouch(adopted)
                return True
            try:
                child = self._fork()
            except OSError as error:
                refusal = {"why": f"the fork server cannot fork: {error.strerror}"}
        if refusal is not None:
            frames.send(connection, {"refused": refusal})
            return False
        if child == 0:
            run(request, files, connection, self.preloaded.ahead)
        kernel = Kernel(child, -1, connection, request.cwd, frame.get("sockets"))
        if not self._register(kernel):
            return False
        self._vouch(kernel)
        return True

    def _vouch(self, kernel: Kernel) -> None:
        """Look whether what this server has loaded is what lies on the disk, and tell the kernel's client.

        After the fork, since the kernel is being initialised meanwhile; the client uses no kernel before it has been
        told that it is fresh.
        """
        assert kernel.lease is not None
        refusal: dict[str, Any] | None = None
        try:
            changed = self.preloaded.state.difference()
            if changed is not None:
                refusal = {"why": f"{changed} since the fork server loaded it", "stale": True}
        except OSError as error:
            refusal = {"why": f"the fork server cannot look at what is installed: {error.strerror}"}
        with contextlib.suppress(OSError):
            frames.send(kernel.lease, {"fresh": True} if refusal is None else {"refused": refusal})
        if refusal is not None:
            self._end(kernel)
            if refusal.get("stale"):
                self.retire()

    def _refusal(self, request: Request) -> dict[str, Any] | None:
        if not self.door.is_open:
            return {"why": "the fork server is about to end", "stale": True}
        names = different(self.preloaded.names_read, self.preloaded.environment, request.environment)
        if names:
            why = f"{', '.join(names)} was read when libraries were loaded, and differs"
            return {"why": why, "environment": list(names)}
        return None

    def _fork(self) -> int:
        """Fork; in the child nothing of the server is open any more. Raises OSError."""
        sys.stdout.flush()
        sys.stderr.flush()
        # A child that is told to end at once would pass that on to the server: through the socket that wakes it up,
        # which both have until the child has closed it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            child = os.fork()
        except OSError:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            raise
        if child == 0:
            own_signals()
            self._selector.close()
            self._woken.close()
            self._waker.close()
            if self.door.is_open:
                self.door.close_in_child()
                os.close(self._lock)
            for kernel in self.kernels.values():
                os.close(kernel.process)
                for held in (kernel.lease, kernel.control):
                    if held is not None:
                        held.close()
        else:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            self.forks += 1
        return child

    def _register(self, kernel: Kernel) -> bool:
        """Watch a forked process; False when it cannot be watched, in which case it is ended."""
        try:
            kernel.process = os.pidfd_open(kernel.pid)
        except OSError:  # no descriptor is left
            os.kill(kernel.pid, signal.SIGKILL)
            os.waitpid(kernel.pid, 0)
            return False
        self.kernels[kernel.pid] = kernel
        self._selector.register(kernel.process, selectors.EVENT_READ, lambda: self._ended(kernel))
        if kernel.lease is not None:
            self._selector.register(kernel.lease, selectors.EVENT_READ, lambda: self._lease_lost(kernel))
        return True

    # ------------------------------------------------------------------ standbys
    def _standbys(self) -> list[Kernel]:
        return [kernel for kernel in self.kernels.values() if kernel.control is not None]

    def _standbys_missing(self) -> bool:
        return self._wanted[0] > len(self._standbys())

    def _refill(self) -> None:
        """Fork one standby; the next one when it is ready."""
        self._refill_at = None
        if not self._standbys_missing():
            return
        prefix = str(self._folder / f"k{uuid.uuid4().hex[:12]}")
        ours = theirs = None
        try:
            ours, theirs = socket.socketpair()
            child = self._fork()
        except OSError as error:
            print(f"no standby can be forked: {error}", flush=True)
            for end in (ours, theirs):
                if end is not None:
                    end.close()
            return
        if child == 0:
            ours.close()
            run_standby(theirs, prefix, self._wanted[1], self.preloaded.ahead)
        theirs.close()
        kernel = Kernel(child, -1, None, "", prefix, control=ours, receiver=frames.Receiver(ours))
        if self._register(kernel):
            self._selector.register(ours, selectors.EVENT_READ, lambda: self._standby_speaks(kernel))
        else:
            ours.close()

    def _standby_speaks(self, kernel: Kernel) -> None:
        assert kernel.receiver is not None
        assert kernel.control is not None
        kernel.receiver.pump()
        frame = kernel.receiver.next() or {}
        if "standby" in frame:
            kernel.standby = Standby.of(frame["standby"])
            if self._standbys_missing():
                self._refill_at = time.monotonic() + REFILL_S
        elif kernel.receiver.ended or "unusable" in frame:
            if "unusable" in frame:
                print(f"no standbys: {frame['unusable']}", flush=True)
            self._selector.unregister(kernel.control)

    def _adopt(self, request: Request, files: list[int], connection: socket.socket) -> Kernel | None:
        """Give a standby away, if one suits."""
        for kernel in self._standbys():
            if kernel.standby is not None and kernel.standby.suits(request, self.preloaded.environment):
                break
        else:
            return None
        assert kernel.control is not None
        try:
            frames.send(kernel.control, request.to_frame(), [*files, connection.fileno()])
        except OSError:  # it has just died
            return None
        self._selector.unregister(kernel.control)
        kernel.control.close()
        kernel.control = kernel.receiver = kernel.standby = None
        kernel.lease, kernel.cwd, kernel.since = connection, request.cwd, time.time()
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._lease_lost(kernel))
        self._refill_at = time.monotonic() + REFILL_S
        self.adopted += 1
        return kernel

    # ------------------------------------------------------------------ ends
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
        signal_group(kernel.pid, signal.SIGTERM)
        kernel.kill_at = time.monotonic() + GRACE_S

    def _ended(self, kernel: Kernel) -> None:
        # As long as it is not reaped its number is its own, so the group is certainly this kernel's.
        signal_group(kernel.pid, signal.SIGKILL)
        _, status = os.waitpid(kernel.pid, 0)
        self._used = time.monotonic()
        del self.kernels[kernel.pid]
        self._selector.unregister(kernel.process)
        os.close(kernel.process)
        if kernel.control is not None:
            with contextlib.suppress(KeyError):
                self._selector.unregister(kernel.control)
            kernel.control.close()
        if kernel.lease is None:
            remove_sockets(kernel.sockets)  # a client would have done so
            return
        self._selector.unregister(kernel.lease)
        with contextlib.suppress(OSError):
            frames.send(kernel.lease, {"exit": os.waitstatus_to_exitcode(status)})
        kernel.lease.close()

    # ------------------------------------------------------------------ the server itself
    def status(self) -> dict[str, Any]:
        """What `nbdataops kernel status` shows of this server."""
        in_use = [kernel for kernel in self.kernels.values() if kernel.control is None]
        return {
            "pid": os.getpid(),
            "python": sys.executable,
            "modules": list(self.preloaded.modules),
            "rehearsed": self.preloaded.rehearsed,
            "excluded": self.preloaded.excluded,
            "loaded_in_s": round(self.preloaded.seconds, 3),
            "forks": self.forks,
            "adopted": self.adopted,
            "kernels": [{"pid": k.pid, "cwd": k.cwd, "since": k.since} for k in in_use],
            "standbys": [k.pid for k in self._standbys() if k.standby is not None],
            "retired": not self.door.is_open,
            "idle_exit_s": self.idle_s,
        }

    def _patience(self) -> float:
        """Seconds until something is due."""
        now = time.monotonic()
        due = [kernel.kill_at for kernel in self.kernels.values() if kernel.kill_at is not None]
        due += self.door.deadlines
        if self._refill_at is not None:
            due.append(self._refill_at)
        if self._is_idle():
            due.append(self._used + self.idle_s)
        return max(0.0, min([now + LOOK_S, *due]) - now)

    def _look_around(self, now: float) -> None:
        for kernel in self.kernels.values():
            if kernel.kill_at is not None and now >= kernel.kill_at:
                signal_group(kernel.pid, signal.SIGKILL)
                kernel.kill_at = None
        self.door.turn_away_the_late(now)
        if self.door.is_open and (
            not self.door.is_found or (self._is_idle() and now >= self._used + self.idle_s)
        ):
            self.retire()
        if self._refill_at is not None and now >= self._refill_at:
            self._refill()

    def _is_idle(self) -> bool:
        return self.door.is_open and len(self._standbys()) == len(self.kernels)

    def _signalled(self) -> None:
        if signal.SIGTERM in self._woken.recv(4096):
            self.stop()
