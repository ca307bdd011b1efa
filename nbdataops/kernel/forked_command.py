"""What happens in a forked process that runs a command, from the fork to its end. Nothing returns to the server.

The command meets what it would have met in a process of its own: arguments, module search path, standard streams,
signals, folder, environment, limits. It ends as an interpreter does, less the teardown of all modules.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import io
import os
import signal
import socket
import sys
import threading
import types
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from nbdataops.kernel import frames
from nbdataops.kernel.command_request import CommandRequest
from nbdataops.kernel.forked_kernel import Ahead, RefusedError, keep, take_on

CANNOT_FLUSH = 120
"""Exit code of a Python whose standard output cannot be written at its end."""


def run_command(
    request: CommandRequest, files: Sequence[int], lease: socket.socket, ahead: Ahead
) -> NoReturn:
    """Be the process of this command to its end."""
    try:
        os.setsid()
        lease = _take_files(files, request.descriptors, lease)
        sys.path[:] = request.search
        take_on(request, ahead, "nbdataops")
        _be_a_program(request)
        # From here on the client passes Ctrl-C on: until somebody catches it, it waits.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        frames.send(lease, {"started": {"pid": os.getpid()}})
    except RefusedError as refused:
        with contextlib.suppress(OSError):
            frames.send(lease, {"refused": {"why": str(refused)}})
        os._exit(0)
    except OSError:  # the client has gone already
        os._exit(1)
    code = 1
    try:
        keep(lease, ahead.server)
        code = _run(request.call, blocked)
        _end(code, lease)
    finally:  # whatever comes, also between two lines
        os._exit(code & 0xFF)


def _run(call: str, blocked: Iterable[int]) -> int:
    """The exit code; negative when the command ends by that signal. `blocked`: the signals that its caller blocks."""
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        module, _, function = call.partition(":")
        return int(getattr(importlib.import_module(module), function)())
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        with contextlib.suppress(BaseException):
            print(end.code, file=sys.stderr)
        return 1
    except BaseException as error:
        with contextlib.suppress(BaseException):
            sys.excepthook(*sys.exc_info())
        return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1


def _end(code: int, lease: socket.socket) -> NoReturn:
    """End as an interpreter does, and tell the client: by then its output is complete, and its files are closed."""
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are no daemons
    with contextlib.suppress(BaseException):
        import atexit

        atexit._run_exitfuncs()
    with contextlib.suppress(BaseException):
        gc.collect()  # what is closed when it is collected: connections of the ledger, say
    code = _flush(sys.stdout, code)
    with contextlib.suppress(BaseException):
        sys.stderr.flush()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    for number in (0, 1, 2):  # before the memory is given back, which takes a while
        with contextlib.suppress(OSError):
            os.close(number)
    with contextlib.suppress(OSError):
        frames.send(lease, {"exit": code & 0xFF})
    os._exit(code & 0xFF)


def _flush(stream: Any, code: int) -> int:
    """Flush standard output; when that fails, say so and give the exit code as an interpreter does."""
    try:
        if stream is not None and not stream.closed:
            stream.flush()
    except Exception as error:
        where = f"in: {stream!r}" if sys.version_info < (3, 14) else "while flushing sys.stdout:"
        with contextlib.suppress(BaseException):
            print(f"Exception ignored {where}\n{type(error).__name__}: {error}", file=sys.stderr)
        return CANNOT_FLUSH
    return code


def _take_files(files: Sequence[int], numbers: Sequence[int], lease: socket.socket) -> socket.socket:
    """Give the client's files the numbers that they have there; the lease keeps out of their way."""
    above = max(numbers) + 1
    kept = socket.socket(fileno=fcntl.fcntl(lease, fcntl.F_DUPFD_CLOEXEC, above))
    lease.close()
    moved = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, above) for file in files]
    for file in files:
        os.close(file)
    for file, number in zip(moved, numbers, strict=True):
        os.dup2(file, number)
        os.close(file)
    return kept


def _be_a_program(request: CommandRequest) -> None:
    """What the interpreter sets up before it runs a program."""
    sys.argv[:] = request.arguments
    main = types.ModuleType("__main__")
    main.__package__ = request.package
    sys.modules["__main__"] = main
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in request.ignored:
        signal.signal(number, signal.SIG_IGN)
    for name, number, mode in (("stdin", 0, "rb"), ("stdout", 1, "wb"), ("stderr", 2, "wb")):
        before = getattr(sys, f"__{name}__")
        stream = _standard_stream(before, number, mode)
        if mode == "wb":
            before.reconfigure(write_through=True)  # whoever has kept it writes to the same file
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
        _kept.append(before)


_kept: list[Any] = []
"""The server's own streams: collected, they would close what has their number now."""


def _standard_stream(before: io.TextIOWrapper, number: int, mode: str) -> Any:
    """As the interpreter makes it. Encoding, errors and buffering hang on options and variables in which server and
    client are alike."""
    unbuffered = mode == "wb" and before.write_through
    opened: Any = open(number, mode, buffering=0 if unbuffered else -1, closefd=False)  # noqa: SIM115
    (opened if unbuffered else opened.raw).name = before.name
    stream: Any = io.TextIOWrapper(
        opened,
        before.encoding,
        before.errors,
        newline="\n",
        line_buffering=not unbuffered and (number == 2 or opened.isatty()),
        write_through=unbuffered,
    )
    stream.mode = mode[0]
    return stream
