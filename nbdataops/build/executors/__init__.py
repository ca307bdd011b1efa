"""Who executes a stage: real kernels by papermill, or a fake kernel in tests.

An executor is given a `StageJob` (a notebook, its typed parameters, an assignment in a file) and returns when
the notebook has run; what the notebook published lies in the deposit that the assignment names. It raises the
errors of `nbdataops.errors` and leaves no process behind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one stage. `None` means none. `save_every_s` bounds how often the notebook is saved."""

    cell_timeout_s: int | None = None
    stage_timeout_s: int | None = None
    output_bytes: int = 5_000_000
    save_every_s: float = 2.0


@dataclass(frozen=True, slots=True)
class StageJob:
    """One execution. `injected` is the source of the injected parameters cell, typed by annotation.

    `redact` are the pieces of secrets to take out of all that is stored (`redaction.pieces`).
    `on_cell(done, total)` counts cells; `on_memory(now, peak)` tells now and then, in bytes, what the kernel takes.
    `afterwards(work)` takes work that the stage's end need not wait for.
    """

    stage: str
    node: str
    notebook: bytes
    parameters: Mapping[str, object]
    injected: str
    assignment: Path
    output: Path
    cwd: Path
    environment: Mapping[str, str]
    limits: Limits = Limits()
    redact: tuple[str, ...] = ()
    on_cell: Callable[[int, int], None] = field(default=lambda done, total: None)
    on_memory: Callable[[int, int], None] = field(default=lambda now, peak: None)
    afterwards: Callable[[Callable[[], None]], None] = field(default=lambda work: work())


@dataclass(slots=True)
class Cancel:
    """Set by the runner; executors register how to stop what they run, and look at it between cells."""

    event: threading.Event = field(default_factory=threading.Event)
    _stops: list[Callable[[], None]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def register(self, stop: Callable[[], None]) -> Callable[[], None]:
        """Add a way to stop something; the returned function removes it again."""
        with self._lock:
            self._stops.append(stop)

        def remove() -> None:
            with self._lock:
                if stop in self._stops:
                    self._stops.remove(stop)

        return remove

    def cancel(self) -> None:
        self.event.set()
        with self._lock:
            stops = list(self._stops)
        for stop in stops:
            stop()


class Executor(Protocol):
    def execute(self, job: StageJob, cancel: Cancel) -> None: ...
