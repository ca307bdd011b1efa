"""What happens in a forked process until it is a kernel, and at its end. Nothing here returns to the server."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, Protocol

from nbdataops.kernel import frames
from nbdataops.kernel.asked_twice import answer_once
from nbdataops.kernel.circumstances import Handed
from nbdataops.kernel.third_party import Installed

COMM = "nbdataops-kern"
GRACE_S = 2.0
"""Between SIGTERM and SIGKILL when a lease is lost."""


class RefusedError(Exception):
    """This kernel cannot serve the request; the client starts an ordinary one. `str()` says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks a kernel to be."""

    connection_file: str
    further: tuple[str, ...]
    """Arguments of ipykernel beside the connection file."""
    executable: str
    """`sys.executable`: one interpreter may have several names."""
    environment: dict[str, str]
    cwd: str
    handed: Handed

    @classmethod
    def of(cls, frame: dict[str, Any]) -> Request:
        """Raises KeyError, TypeError or ValueError for a frame that lacks something."""
        return cls(
            str(frame["connection_file"]),
            tuple(map(str, frame["further"])),
            str(frame["executable"]),
            dict(frame["environment"]),
            str(frame["cwd"]),
            Handed.of(frame["handed"]),
        )

    def to_frame(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Ahead:
    """What the server did ahead of the fork, as far as a kernel must know it."""

    installed: Installed
    can_be_hidden: frozenset[str]
    added_variables: dict[str, str]
    server: int
    """The server's process id."""
    folders: tuple[tuple[str, str], ...] = ()
    """(module, name) of what holds the folder that was the current one when it was imported."""
    executables: tuple[tuple[str, str], ...] = ()
    """(module, name) of what holds the server's `sys.executable`, that itself too."""


def run(request: Request, files: list[int], lease: socket.socket, ahead: Ahead) -> NoReturn:
    """Be the kernel of this request to its end."""

    def prepare() -> Any:
        os.setsid()
        for standard, handed in enumerate(files):
            os.dup2(handed, standard)
            os.close(handed)
        own_signals()
        take_on(request, ahead, COMM, [request.cwd])
        return start_application(["-f", request.connection_file, *request.further])

    def ready(application: Any) -> None:
        frames.send(lease, {"ready": {"pid": os.getpid(), "connection": None}})
        keep(lease, ahead.server)

    live(prepare, ready, lease)


def live(prepare: Callable[[], Any], ready: Callable[[Any], None], lease: socket.socket | None) -> NoReturn:
    """Prepare an application, say that it is ready, run it, and end as an interpreter does, less its teardown.

    The teardown of all modules costs hundreds of ms and does nothing that `atexit` and the flushes have not done.
    """
    code = 1
    try:
        application = prepare()
        ready(application)
        application.start()
        code = 0
    except RefusedError as refused:
        if lease is not None:
            with contextlib.suppress(OSError):
                frames.send(lease, {"refused": {"why": str(refused)}})
        os._exit(0)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        with contextlib.suppress(BaseException):
            sys.__excepthook__(*sys.exc_info())
    finally:
        _end(code)


class Surroundings(Protocol):
    """What a forked process takes over from its client."""

    @property
    def cwd(self) -> str: ...
    @property
    def executable(self) -> str: ...
    @property
    def environment(self) -> dict[str, str]: ...
    @property
    def handed(self) -> Handed: ...


def take_on(request: Surroundings, ahead: Ahead, called: str, searched: Sequence[str] = ()) -> None:
    """Folder, interpreter's name, environment, time zone, limits, signals and randomness of the request.

    Raises RefusedError.

    `called` is what `ps -o comm` shows: 15 bytes at most. In the folders `searched` modules are looked for before all
    that is in `sys.path`.
    """
    try:
        os.chdir(request.cwd)
        request.handed.take_on()
    except (OSError, ValueError) as error:
        raise RefusedError(f"{request.cwd}: {error}") from error
    _refuse_what_is_hidden(request.cwd, searched, ahead)
    take_environment(request.environment, ahead)
    for module, name in ahead.folders:
        kept = getattr(sys.modules[module], name)
        setattr(sys.modules[module], name, type(kept)(request.cwd))
    for module, name in ahead.executables:
        in_bytes = isinstance(getattr(sys.modules[module], name), bytes)
        called_by = os.fsencode(request.executable) if in_bytes else request.executable
        setattr(sys.modules[module], name, called_by)
    _fresh_state()
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(called)


def take_environment(environment: Mapping[str, str], ahead: Ahead) -> None:
    """Variables and time zone of a client, and what libraries have added when they were imported."""
    os.environ.clear()
    os.environ.update(environment)
    for name, value in ahead.added_variables.items():
        os.environ.setdefault(name, value)
    time.tzset()


def start_application(
    arguments: Sequence[str], before_code: Callable[[Any], None] = lambda application: None
) -> Any:
    """An initialised ipykernel application, its sockets bound.

    `before_code` is called with it before it executes anything of the user's: before the files of configuration, whose
    places are known by then, and before extensions, startup files and what options say.
    """
    from ipykernel.kernelapp import IPKernelApp

    from nbdataops.kernel.plain_cells import skip_plain_cells
    from nbdataops.kernel.prompt_stream import pause_for_children, wake_directly
    from nbdataops.kernel.quick_dates import read_dates_quickly

    be_called_with(arguments)
    application: Any = IPKernelApp.instance()
    application.parent_handle = 1  # no poller for the parent's death: the lease tells
    application.outstream_class = "nbdataops.kernel.prompt_stream.PromptOutStream"
    for execute in ("load_config_file", "init_gui_pylab"):  # the latter is the first of three
        setattr(
            application, execute, _after(partial(before_code, application), getattr(application, execute))
        )
    application.init_iopub = partial(_bound_without_limit, application.init_iopub)
    application.initialize(list(arguments))
    if application.outstream_class.startswith("nbdataops."):  # else the user's configuration names another
        pause_for_children(application.kernel)
    wake_directly(application.iopub_thread)
    if application.log.level < application.log_level:
        # Else what is said of every message is written out in full, to be dropped by the one handler there is.
        application.log.setLevel(application.log_level)
    read_dates_quickly(application.session)
    if application.shell is not None:
        skip_plain_cells(application.shell)
        answer_once(application.shell)
    _forget_editable()
    return application


def _bound_without_limit(init_iopub: Callable[[Any], None], context: Any) -> None:
    """Make the socket of outputs, which drops none: ZeroMQ drops what comes after a thousand that nobody has taken yet.

    Over TCP the system's own buffers put that off; those of Unix sockets hold a few hundred.
    """
    import zmq

    context.setsockopt(zmq.SNDHWM, 0)
    try:
        init_iopub(context)
    finally:
        del context.sockopts[zmq.SNDHWM]


def _after(first: Callable[[], None], then: Callable[..., Any]) -> Callable[..., Any]:
    def both(*given: Any, **named: Any) -> Any:
        first()
        return then(*given, **named)

    return both


def be_called_with(arguments: Sequence[str]) -> None:
    """Make `sys.argv` and `sys.orig_argv` those of a kernel that was started with `-m ipykernel_launcher`."""
    launcher = importlib.util.find_spec("ipykernel_launcher")
    sys.argv = [str(launcher.origin) if launcher else "ipykernel_launcher", *arguments]
    at = next((n for n, word in enumerate(sys.orig_argv) if word in ("-c", "-m")), 1)
    sys.orig_argv = [sys.executable, *sys.orig_argv[1:at], "-m", "ipykernel_launcher", *arguments]


def own_signals() -> None:
    """The signals of an ordinary kernel at rest; ipykernel takes SIGINT while a cell runs."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


_lease: socket.socket | None = None
"""This process's own, once it is a kernel or a command."""


def keep(lease: socket.socket, server: int) -> None:
    """Watch the lease in a thread: end this kernel's process group when client and server are both gone.

    While the server lives it does that itself, whatever this process is busy with.
    """
    global _lease
    _lease = lease
    os.register_at_fork(after_in_child=lease.close)  # a child of the kernel must not hold its lease

    def watch() -> None:
        import select

        poll = select.poll()
        poll.register(lease, select.POLLIN)
        while True:
            poll.poll()
            if os.getppid() != server:
                os.killpg(0, signal.SIGKILL)
            threading.Event().wait(GRACE_S)  # the server is at it

    thread = threading.Thread(target=watch, name="lease", daemon=True)
    thread.pydev_do_not_trace = True  # type: ignore[attr-defined]  # a debugger must not stop it
    thread.start()


def _refuse_what_is_hidden(cwd: str, searched: Sequence[str], ahead: Ahead) -> None:
    """A project's own `numpy.py` comes before the installed one; a process that has loaded the other would miss it."""
    for folder in dict.fromkeys([*searched, *ahead.installed.before(sys.path)]):
        hides = ahead.installed.hidden_by(folder, ahead.can_be_hidden)
        if hides is not None:
            raise RefusedError(f"{hides} in {folder} hides a module that the fork server has loaded")
    if "matplotlib" in sys.modules and Path(cwd, "matplotlibrc").exists():
        raise RefusedError(f"{cwd} has a matplotlibrc of its own")


def _fresh_state() -> None:
    """What must not be equal in two kernels: random states, keys, cached places, the time of the start."""
    import logging
    import tempfile

    tempfile.tempdir = None
    # What logging counts from: seconds, and nanoseconds since Python 3.13.
    began: Any = logging._startTime  # type: ignore[attr-defined]
    logging._startTime = time.time_ns() if isinstance(began, int) else time.time()  # type: ignore[attr-defined]
    if "numpy.random" in sys.modules:
        sys.modules[
            "numpy"
        ].random.seed()  # its global state; Python's own `random` reseeds itself after a fork
    for path in [p for p, finder in sys.path_importer_cache.items() if finder is None]:
        del sys.path_importer_cache[path]  # was no folder when the server looked
    process = sys.modules.get("multiprocessing.process")
    if process is not None:
        process.current_process().authkey = os.urandom(32)
    _forget_editable()


def _forget_editable() -> None:
    """What is loaded of nbdataops, if it is installed in editable mode: the kernel's code imports it as it is then."""
    if "nbdataops" in sys.modules and not _nbdataops_is_installed():
        for name in [n for n in sys.modules if n.partition(".")[0] == "nbdataops"]:
            del sys.modules[name]


def _nbdataops_is_installed() -> bool:
    return Installed.of_this_interpreter().owns(str(sys.modules["nbdataops"].__file__))


def _end(code: int) -> NoReturn:
    """End, and say with which code, in case that nobody can tell when all is free: memory, open files, their locks."""
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are no daemons
    with contextlib.suppress(BaseException):
        import atexit

        atexit._run_exitfuncs()
    for stream in (sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(BaseException):
            if stream is not None:
                stream.flush()
    if _lease is not None:
        with contextlib.suppress(OSError):
            frames.send(_lease, {"ending": code & 0xFF})
    os._exit(code & 0xFF)
