"""One side of a comparison: a process that holds the customers and does a task when told to.

`python -m benchmarks.ltv.worker benchmarks.ltv.sides.ours` reads one JSON command a line and answers with one. It
runs in the environments of peers, too, so it needs nothing but pandas and what the side imports.

| command | answer |
|---|---|
| `{"do": "load", "file": ..., "columns": [...]}` | `{"rows": ...}`: the Parquet file is in memory as a frame |
| `{"do": "run", "task": ...}` | `{"wall_s": ..., "cpu_s": ..., "found": {...}, "parts": {...}}` |
| `{"do": "peak"}` | `{"mb": ...}`: the most that the process ever held in memory (`VmHWM`) |
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

Answer: TypeAlias = dict[str, float]
Task: TypeAlias = Callable[[Any], Answer]
"""Does it once with what the side's `prepare` made of the frame, and says what it found."""

spent_in_parts: dict[str, float] = {}
"""Seconds that a side measured inside its last task, by part."""


def peak_mb() -> float:
    """The most resident memory of this process so far, in MB (1e6 bytes)."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes where there is no /proc: macOS
    return most / 1e6


class Side:
    """The loaded module of a side and its customers."""

    def __init__(self, module: str) -> None:
        self.module = importlib.import_module(module)
        self.customers: Any = None

    def load(self, file: str, columns: list[str]) -> dict[str, Any]:
        self.customers = None
        frame = pd.read_parquet(file, columns=columns)
        self.customers = self.module.prepare(frame, Path(file))
        return {"rows": len(frame)}

    def run(self, task: str) -> dict[str, Any]:
        spent_in_parts.clear()
        gc.collect()
        cpu, wall = time.process_time(), time.perf_counter()
        found = self.module.TASKS[task](self.customers)
        wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
        return {"wall_s": wall_s, "cpu_s": cpu_s, "found": found, "parts": dict(spent_in_parts)}

    def peak(self) -> dict[str, Any]:
        return {"mb": peak_mb()}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    side = Side(sys.argv[1])
    answers.write(json.dumps({"ready": True}) + "\n")
    for line in sys.stdin:
        command = json.loads(line)
        answer = getattr(side, command.pop("do"))(**command)
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    # the sides import this module by its name: one module, not two
    importlib.import_module("benchmarks.ltv.worker").main()
