"""What happens in a run, as it happens: `runs/<run>/events.jsonl`, and whoever listens."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Listener = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class Events:
    """Append-only. An event is a flat JSON object with `event` (its kind) and `time`.

    Kinds: `run_started`, `message`, `planned`, `node_started`, `cell`, `node_ended`, `run_ended`.
    """

    path: Path
    listeners: list[Listener] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def emit(self, event: str, **fields: Any) -> None:
        line = {"event": event, "time": datetime.now(UTC).isoformat(), **fields}
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, default=str) + "\n")
            for listener in self.listeners:
                listener(line)
