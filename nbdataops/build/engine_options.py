"""What the runner tells papermill's engine about a stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from nbdataops.build.live_log import LiveLog


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What the runner tells the engine about one stage; papermill passes it through as `nbdataops=`.

    Without them the engine does what papermill's own does: it keeps all output, and writes to papermill's output path.
    `output` is written instead of that, `output_bytes` bounds what is kept of what the notebook prints.
    """

    new_manager: Callable[[], Any] | None = None
    cwd: str | None = None
    environment: dict[str, str] | None = None
    log: IO[bytes] | None = None
    output: Path | None = None
    injected: str | None = None
    output_bytes: int | None = None
    save_every_s: float = 2.0
    redact: tuple[str, ...] = ()
    on_cell: Callable[[int, int], None] = field(default=lambda done, total: None)
    live: LiveLog | None = None
    may_start_again: Callable[[], bool] = field(default=lambda: True)
