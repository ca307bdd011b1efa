"""A client's hold on a command that runs in a forked process: waits for its end, and passes signals on.

The client stands for the command: what a terminal or a scheduler sends to it reaches the command's processes, it stops
and goes on with them, and ends as they end. When it is killed its connection closes, and the server ends them.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from nbdataops.kernel import frames
from nbdataops.kernel.command_request import CommandRequest

LOST = 255
"""Exit code of a command whose end nobody has told: it and its server were killed."""
_FROM_TERMINALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
"""A terminal sends them to all processes of a job; so they go to the command's group, others to the command alone."""
_PASSED_ON = (*_FROM_TERMINALS, signal.SIGTERM, signal.SIGTSTP, signal.SIGCONT)
_WORD_MS = 2000
"""How long the word about an end is waited for after the end."""


class _Signals:
    """Signals that come meanwhile are collected instead of acted on; what the client ignores stays ignored."""

    def __enter__(self) -> _Signals:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._theirs.fileno(), warn_on_full_buffer=False)
        self._before = {n: signal.getsignal(n) for n in _PASSED_ON}
        for number, handler in self._before.items():
            # A command that catches what it was told to ignore (a run does) must be given it here, too.
            if handler is not signal.SIG_IGN or number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._ours.close()
        self._theirs.close()

    def fileno(self) -> int:
        return self._ours.fileno()

    def taken(self) -> Iterator[int]:
        with contextlib.suppress(BlockingIOError):
            yield from self._ours.recv(4096)


@dataclass
class CommandLease:
    """One command, asked for over a connection to a server."""

    connection: socket.socket
    refused: dict[str, Any] | None = None
    """Why nothing was begun; None when the command ran."""
    _pid: int = 0
    _process: int = -1
    _waiting: list[int] = field(default_factory=list)
    """Signals that came before the command was there to take them."""

    def run(self, request: CommandRequest) -> int:
        """Have the command run, and wait for its end. The exit code; negative: the number of the signal that ended it.

        When it was `refused`, nothing has happened, and signals that came meanwhile are sent again to this process.
        """
        self.connection.setblocking(True)  # with a time limit it would wait where it must only look
        try:
            with _Signals() as signals:
                code = self._run(request, signals)
        finally:
            self.connection.close()
            if self._process >= 0:
                os.close(self._process)
        if self.refused is not None:
            for number in self._waiting:
                os.kill(os.getpid(), number)
        return code

    def _run(self, request: CommandRequest, signals: _Signals) -> int:
        receiver = frames.Receiver(self.connection)
        try:
            frames.send(self.connection, request.to_frame() | {"do": "command"}, request.descriptors)
        except OSError as error:
            self.refused = {"why": f"the fork server cannot be asked: {error}", "stale": True}
            return LOST
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        poll.register(signals, select.POLLIN)
        patience: int | None = None
        while True:
            events = poll.poll(patience)
            for number in signals.taken():
                self._pass_on(number)
            receiver.pump()
            while (frame := receiver.next()) is not None:
                if "started" in frame:
                    self._begin(frame["started"]["pid"], poll)
                elif "refused" in frame:
                    self.refused = frame["refused"]
                    return LOST
                elif "exit" in frame:
                    with contextlib.suppress(OSError):
                        frames.send(self.connection, {"done": True})
                    return self._exit(int(frame["exit"]))
            if receiver.ended or (not events and patience is not None):
                if not self._pid:
                    self.refused = {"why": "the fork server did not answer", "stale": True}
                return LOST
            if any(descriptor == self._process for descriptor, _ in events):
                poll.unregister(self._process)
                patience = _WORD_MS

    def _exit(self, code: int) -> int:
        if not self._pid:  # it ended on the way to being the command
            self.refused = {"why": f"the forked process ended before it was ready ({code})"}
        return code

    def _begin(self, pid: int, poll: select.poll) -> None:
        self._pid = pid
        with contextlib.suppress(OSError):  # it may have ended already, which will be told
            self._process = os.pidfd_open(pid)
            poll.register(self._process, select.POLLIN)
        waiting, self._waiting = self._waiting, []
        for number in waiting:
            self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        if not self._pid:
            self._waiting.append(number)
        elif number == signal.SIGTSTP:
            # The command's group is in no terminal's session, and would not be stopped by SIGTSTP itself.
            self._signal(signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGSTOP)
        else:
            self._signal(number)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, OSError):
            if number == signal.SIGTERM:
                signal.pidfd_send_signal(self._process, number)
            else:
                os.killpg(self._pid, number)


def end_by_signal(number: int) -> None:
    """End this process as the command ended, and leave no second core dump. Returns if that signal ends nothing."""
    import resource

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
