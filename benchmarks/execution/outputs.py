"""What executed notebooks show: speed that leaves something out is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def printed(executed: str | Path) -> list[str]:
    """What every cell printed and came to; papermill's own engine may keep a line in several pieces."""
    cells = json.loads(Path(executed).read_text(encoding="utf-8"))["cells"]
    return ["".join(_text(output) for output in cell["outputs"]) for cell in cells]


def _text(output: dict[str, Any]) -> str:
    return "".join(output["text"] if "text" in output else output["data"]["text/plain"])


def require_same_text(mine: str, other: str) -> None:
    """Ends the benchmark unless two notebooks, given by what was executed, were left with the same text."""
    if printed(f"{mine}.out") != printed(f"{other}.out"):
        raise SystemExit("the two sides left different text")
