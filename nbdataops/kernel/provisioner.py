"""The kernel provisioner `nbdataops-warm`: jupyter_client asks it for a kernel, it asks a fork server.

Whatever keeps a kernel from being warm, from another operating system to a full disk, starts an ordinary kernel of
the same kernelspec, and is recorded (`nbdataops kernel status`).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.localinterfaces import localhost
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Bool, Enum, Float, Int, List, Unicode

from nbdataops.kernel import cold, frames
from nbdataops.kernel.cold import NotWarmError
from nbdataops.kernel.switch import off_reason

if TYPE_CHECKING:
    from nbdataops.kernel.lease import Lease

READY_S = 60.0
"""A forked kernel that is not ready within this time is given up. Usually it takes 0.1 s."""
OPEN_FILES = 64
"""What an ordinary kernel has open at least while it starts (ipykernel 6 and 7, Linux)."""
_KNOWN_ARGUMENTS = {"env", "cwd", "stdin", "stdout", "stderr", "independent", "kernel_id", "extra_arguments"}


class WarmProvisioner(LocalProvisioner):
    """Forked kernels, or ordinary ones with a reason (`cold_reason`)."""

    preload = List(Unicode(), help="Third-party modules that the fork server imports ahead of need.").tag(
        config=True
    )
    transport = Enum(["ipc", "tcp"], "ipc", help="`ipc`: Unix sockets, where the client has not chosen.").tag(
        config=True
    )
    prompt_client = Bool(True, help="Replace jupyter_client's stock client by one without fixed waits.").tag(
        config=True
    )
    standby = Int(1, min=0, help="Kernels that are kept initialised ahead of need.").tag(config=True)
    idle_s = Float(600.0, help="Seconds without kernels after which a fork server ends.").tag(config=True)

    cold_reason: str | None = None
    """Why the last kernel was started the ordinary way; None when it was forked."""
    process: Any = None
    _lease: Lease | None = None
    """The same as `process` while the kernel is a forked one."""
    _launches = 0
    _given_up: threading.Event
    _is_ending = False
    """The kernel has been asked to end."""
    _sockets: str | None = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._given_up = threading.Event()

    def give_up(self) -> None:
        """Have a launch that still waits for its fork server raise GivenUpError; may be called by any thread."""
        self._given_up.set()

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        if self.parent is not None and off_reason() is None:
            if self._launches == 0 and self.transport == "ipc":
                self._use_unix_sockets()
            if self.prompt_client:
                self._use_prompt_client()
        prepared: dict[str, Any] = await super().pre_launch(**kwargs)
        return prepared

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        self._launches += 1
        self._is_ending = False
        _check_open_files()
        try:
            await self._launch_warm(cmd, kwargs)
            self.cold_reason = None
        except NotWarmError as why:
            self._note(str(why), kwargs)
            return await super().launch_kernel(cmd, **kwargs)
        return self.connection_info

    async def poll(self) -> int | None:
        if self._is_ending and self._lease is not None:
            await self._lease.ended(1.0)  # jupyter_client looks in steps of 0.1 s: the end is told at once
        code: int | None = await super().poll()
        return code

    async def wait(self) -> int | None:
        lease = self._lease
        if lease is None:
            return await super().wait()
        while not await lease.ended(3600.0):
            pass
        self._forget(lease)
        return lease.returncode

    async def kill(self, restart: bool = False) -> None:
        await super().kill(restart=restart)
        if self._lease is not None:
            await self._lease.ended(5.0)  # else jupyter_client looks at once, and next in 0.1 s

    async def post_launch(self, **kwargs: Any) -> None:
        await super().post_launch(**kwargs)
        self._skip_pause()

    async def cleanup(self, restart: bool = False) -> None:
        await super().cleanup(restart=restart)
        self._skip_pause()

    async def shutdown_requested(self, restart: bool = False) -> None:
        self._is_ending = True

    async def get_provisioner_info(self) -> dict[str, Any]:
        info: dict[str, Any] = await super().get_provisioner_info()
        return info | {"cold_reason": self.cold_reason}

    # ------------------------------------------------------------------ warm
    async def _launch_warm(self, cmd: list[str], kwargs: dict[str, Any]) -> None:
        """Set `process`, `pid` and what belongs to them. Raises NotWarmError."""
        why = off_reason()
        if why is not None:
            raise NotWarmError(why)
        if kwargs.get("independent"):
            raise NotWarmError("the client asks for a kernel that outlives it")
        unknown = sorted(set(kwargs) - _KNOWN_ARGUMENTS)
        if unknown:
            raise NotWarmError(f"the client starts the process with {', '.join(unknown)}")
        from nbdataops.kernel.server_key import KernelCommand, ServerKey

        command = KernelCommand.of(cmd)
        further: tuple[str, ...] = ()
        refused: dict[str, Any] | None = {}
        # Twice: a server may end just now, or find that something was installed; and once for each set of variables.
        for attempt in range(4):
            key = ServerKey.of(command, self.preload, kwargs["env"], further)
            refused = await self._ask(key, command, kwargs)
            if refused is None:
                return
            if "environment" in refused and not set(refused["environment"]) <= set(further):
                further = tuple(sorted({*further, *refused["environment"]}))
            elif not refused.get("stale") or attempt > 1:
                break
        raise NotWarmError(str((refused or {}).get("why")))

    async def _ask(self, key: Any, command: Any, kwargs: dict[str, Any]) -> dict[str, Any] | None:
        """Ask the server of this key for a kernel; None when there is one, else the refusal. Raises NotWarmError."""
        from nbdataops.kernel.lease import Lease
        from nbdataops.kernel.runtime_folder import connect, runtime_folder
        from nbdataops.kernel.server_place import ServerPlace
        from nbdataops.kernel.starting import server_connection

        folder = runtime_folder()
        environment = {name: value for name, value in kwargs["env"].items() if name != "JPY_PARENT_PID"}
        connection = connect(ServerPlace(folder, key.name).socket)
        if connection is None:
            connection = await self._wait_for(
                partial(server_connection, folder, key, environment, self.idle_s)
            )
        lease = Lease(connection)
        try:
            with _standard_streams(lease, kwargs) as files:
                frames.send(connection, self._request(command, environment, kwargs), files)
            said = await lease.launched(READY_S)
            if {"ready", "fresh"} <= said.keys():
                self._hold(lease, said["ready"], kwargs)
                return None
        except OSError as error:
            said = {"refused": {"why": f"the fork server cannot be asked: {error}", "stale": True}}
        except BaseException:
            lease.close()
            raise
        lease.close()
        if "refused" in said:
            refused: dict[str, Any] = said["refused"]
            return refused
        if "exit" in said:
            return {"why": f"the forked kernel ended before it was ready ({said['exit']})"}
        # One that is about to end hangs up, and another takes its place; one that hangs would only be waited for again.
        return {"why": "the fork server did not answer", "stale": lease.was_closed}

    async def _wait_for(self, connect: Callable[..., socket.socket]) -> socket.socket:
        """What `connect(given_up=...)` gives, from a thread that keeps nobody from ending.

        (One of `asyncio.to_thread` is waited for when the interpreter ends: Ctrl-C would seem to do nothing.)
        """
        loop, found = asyncio.get_running_loop(), asyncio.Event()
        given_up, result = self._given_up, Future[socket.socket]()

        def work() -> None:
            try:
                result.set_result(connect(given_up=given_up))
            except BaseException as error:
                result.set_exception(error)
            with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits any more
                loop.call_soon_threadsafe(found.set)

        threading.Thread(target=work, name="fork server", daemon=True).start()
        try:
            await found.wait()
        except BaseException:
            given_up.set()
            self._given_up = threading.Event()
            raise
        return result.result()

    def _request(self, command: Any, environment: dict[str, str], kwargs: dict[str, Any]) -> dict[str, Any]:
        from nbdataops.kernel.circumstances import Handed
        from nbdataops.kernel.forked_kernel import Request

        request = Request(
            str(command.connection_file),
            command.further,
            command.executable,
            environment | {"JPY_PARENT_PID": str(os.getpid())},
            str(Path(kwargs.get("cwd") or ".").absolute()),  # nbconvert gives a relative one
            Handed.of_this_process(),
        )
        return request.to_frame() | {
            "do": "launch",
            "sockets": self._sockets,
            "standbys": self.standby,
            "adopt": self._may_adopt,
        }

    @property
    def _may_adopt(self) -> bool:
        """A standby has addresses and a key of its own: not for a restart, nor for TCP or encrypted channels."""
        info = self.connection_info
        return self._launches == 1 and info.get("transport") == "ipc" and "curve_publickey" not in info

    def _hold(self, lease: Lease, ready: dict[str, Any], kwargs: dict[str, Any]) -> None:
        lease.begin(ready["pid"])
        self.process = self._lease = lease
        self.pid = self.pgid = lease.pid
        self.cwd = kwargs.get("cwd") or Path.cwd()
        if ready["connection"] is not None:
            self.connection_info = ready["connection"] | {"key": ready["connection"]["key"].encode()}
            self._sockets = ready["connection"]["ip"]

    def _forget(self, lease: Lease) -> None:
        for stream in (lease.stdout, lease.stderr):
            if stream is not None:
                stream.close()
        self.process = self._lease = None

    # ------------------------------------------------------------------ the client's side
    def _use_unix_sockets(self) -> None:
        """Unix sockets in the runtime folder instead of TCP ports, if the client has left everything as it is."""
        manager: Any = self.parent
        given = any(getattr(manager, f"{c}_port") for c in ("shell", "iopub", "stdin", "hb", "control"))
        if manager.transport != "tcp" or given or manager.ip not in ("", localhost(), "localhost"):
            return
        with contextlib.suppress(NotWarmError, OSError):
            from nbdataops.kernel.runtime_folder import runtime_folder

            prefix = runtime_folder() / f"k{uuid.uuid4().hex[:12]}"
            _try_socket(prefix)
            self._sockets = str(prefix)
            manager.cache_ports = False
            manager.transport = "ipc"
            manager.ip = self._sockets

    def _use_prompt_client(self) -> None:
        from nbdataops.kernel.client import STOCK

        manager: Any = self.parent
        current = manager.client_factory
        prompt = STOCK.get(f"{current.__module__}.{current.__qualname__}")
        if prompt is not None:
            manager.client_class = prompt

    def _skip_pause(self) -> None:
        if self.prompt_client and off_reason() is None:
            from nbdataops.kernel.pending_state import skip_pause

            skip_pause()

    def _note(self, why: str, kwargs: dict[str, Any]) -> None:
        self.cold_reason = why
        self.log.info("This kernel starts cold: %s", why)
        if sys.platform == "linux":
            from nbdataops.kernel.runtime_folder import runtime_folder

            with contextlib.suppress(NotWarmError):
                cold.record(runtime_folder(), why, str(kwargs.get("cwd") or Path.cwd()))


def _check_open_files() -> None:
    """Raises OSError where no kernel could live, forked or not: ipykernel hangs or aborts, and its client waits."""
    if os.name != "posix":
        return
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < OPEN_FILES:  # -1: as many as it likes
        why = f"a kernel needs {OPEN_FILES} open files; this process may have {soft} (ulimit -n)"
        raise OSError(errno.EMFILE, why)


def _try_socket(path: Path) -> None:
    """Raises OSError when no Unix socket can be made there: the disk is full, say."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(str(path))
    path.unlink()


@contextlib.contextmanager
def _standard_streams(lease: Any, kwargs: dict[str, Any]) -> Iterator[list[int]]:
    """The three descriptors to hand over, as subprocess.Popen would understand the client's arguments."""
    opened: list[int] = []

    def null() -> int:
        opened.append(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC))
        return opened[-1]

    def output(name: str, standard: int) -> int:
        wanted = kwargs.get(name)
        if wanted is None:
            try:
                os.fstat(standard)
            except OSError:
                return null()
            return standard
        if wanted == subprocess.DEVNULL:
            return null()
        if wanted == subprocess.PIPE:
            reading, writing = os.pipe()
            opened.append(writing)
            setattr(lease, name, os.fdopen(reading, "rb"))
            return writing
        return wanted if isinstance(wanted, int) else int(wanted.fileno())

    try:
        out = output("stdout", 1)
        error = out if kwargs.get("stderr") == subprocess.STDOUT else output("stderr", 2)
        # jupyter_client gives an ordinary kernel a pipe and closes it: nothing to read either way.
        yield [null(), out, error]
    finally:
        for descriptor in opened:
            os.close(descriptor)
