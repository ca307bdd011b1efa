"""The signals that end a program cancel the run instead; its exit code tells which one it was."""

from __future__ import annotations

import signal
import threading
from typing import Any

from nbdataops.build.executors import Cancel
from nbdataops.errors import ExitCode

_HANGUP: int | None = getattr(signal, "SIGHUP", None)
"""What a process gets whose terminal is closed; Windows has no such signal."""
_EXIT_CODES: dict[int, ExitCode] = {
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
} | ({} if _HANGUP is None else {_HANGUP: ExitCode.HUNG_UP})


class Signals:
    """Caught from `catch` to `release`, where that is possible: in the main thread."""

    def __init__(self, cancel: Cancel) -> None:
        self._cancel = cancel
        self._caught: int | None = None
        self._previous: dict[int, Any] = {}

    def catch(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _EXIT_CODES:
            if number == _HANGUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup: the run is to outlive its terminal
            self._previous[number] = signal.signal(number, self._on_signal)

    def release(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @property
    def exit_code(self) -> ExitCode:
        """Of a run that was cancelled."""
        return _EXIT_CODES.get(self._caught or 0, ExitCode.INTERRUPTED)

    def _on_signal(self, number: int, frame: object) -> None:
        self._caught = number
        # Killing kernels takes locks: not in a signal handler.
        threading.Thread(target=self._cancel.cancel, name="cancel", daemon=True).start()
        self._cancel.event.set()
