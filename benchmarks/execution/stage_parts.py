"""Claim: what a stage waits for is gone: kernel start, imports, saves and shutdown; its own cells cost what they cost.

The stage of `stage_with_imports`, on either side with the methods of papermill and nbclient timed from outside. Each
moment is counted once. The picture of docs/performance.md is drawn from this.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.comparison import Comparison, Duration, script
from benchmarks.execution.phases import PARTS
from benchmarks.execution.sides import API, Side, both, servers, write_notebook
from benchmarks.execution.stage_with_imports import CELLS

ROUNDS = 7


def parts(side: Side, path: str, kernel: str, engine: str | None) -> dict[str, float]:
    """Seconds of each part."""
    side.begin("parts", path=path, kernel=kernel, engine=engine)
    found: dict[str, float] = side.answer()
    return found


def measure(rounds: int) -> list[Comparison]:
    with tempfile.TemporaryDirectory() as folder, servers() as made, both(made) as (ours, stock):
        path = write_notebook(Path(folder) / "stage.ipynb", CELLS)
        taken: list[tuple[dict[str, float], dict[str, float]]] = []
        for _ in range(1 + rounds):
            mine = parts(ours, path, "nbdataops", "nbdataops")
            taken.append((mine, parts(stock, path, "python3", None)))
        measured = taken[1:]
        return [
            Comparison(
                f"a stage's {part}",
                API,
                tuple(Duration(mine[part]) for mine, _ in measured),
                tuple(Duration(other[part]) for _, other in measured),
            )
            for part in PARTS
        ]


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
