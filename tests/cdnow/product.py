"""Where the reference product lies, and its files as they are committed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2] / "notebooks" / "cdnow"
LOG = ROOT / "data" / "cdnow.csv.gz"
LEDGER = ROOT / "data" / "finance.csv"
NOTEBOOKS = sorted(p for p in ROOT.glob("*/*.ipynb") if not p.parent.name.startswith("."))


def name_of(path: Path) -> str:
    """The name of the stage, e.g. `methods/bg_nbd`."""
    return path.relative_to(ROOT).with_suffix("").as_posix()


def content(path: Path) -> dict[str, Any]:
    """A notebook as JSON."""
    return dict(json.loads(path.read_text(encoding="utf-8")))


def source(cell: dict[str, Any]) -> str:
    """The text of a cell."""
    return "".join(cell["source"])
