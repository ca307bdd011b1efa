"""What executed notebooks show: speed that leaves something out is none."""

from __future__ import annotations

import json
from pathlib import Path


def printed(executed: str | Path) -> list[str]:
    """What every cell printed; papermill's own engine may keep a line in several pieces."""
    cells = json.loads(Path(executed).read_text(encoding="utf-8"))["cells"]
    return ["".join("".join(output["text"]) for output in cell["outputs"]) for cell in cells]


def require_same_text(mine: str, other: str) -> None:
    """Ends the benchmark unless two notebooks, given by what was executed, were left with the same text."""
    if printed(f"{mine}.out") != printed(f"{other}.out"):
        raise SystemExit("the two sides left different text")
