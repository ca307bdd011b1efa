"""What notebooks and modules import, read from their text. Nothing is executed, nothing is looked up."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

SKIPPED = ("-Copy", "Untitled")
USUAL = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "matplotlib.pyplot",
    "scipy.optimize",
    "scipy.stats",
    "sklearn.linear_model",
)
"""Preloaded for any notebook: what most analyses import sooner or later. Those not installed are left out."""

STAGE_CALLS = tuple(
    f"nbdataops.session.{call}"
    for call in ("read", "labelled", "sql", "write", "estimate", "outcome", "evidence", "mark", "secrets")
)
OURS = {
    "nbdataops.stage": ("xxhash", *STAGE_CALLS, "nbdataops.store.snapshots"),
    "nbdataops.ltv": ("sklearn.ensemble", "scipy.special"),
}
"""What our own modules import when they are used. Where nbdataops is installed in editable mode those of nbdataops are
not preloaded."""


def imported_names(sources: Iterable[str]) -> tuple[str, ...]:
    """Dotted names that Python sources import, sorted; the last part may be a module's attribute.

    Lines of IPython (`%`, `!`, `?`) do not count; of a source that is no Python, each line that is an import does.

    >>> imported_names(["%matplotlib inline\\nimport pandas as pd", "from sklearn.linear_model import Ridge"])
    ('pandas', 'sklearn.linear_model.Ridge')
    """
    return tuple(sorted({name for source in sources for name in _of_source(source)}))


def notebook_sources(text: str) -> Iterator[str]:
    """The code cells of a notebook's JSON; none when it is not a notebook.

    >>> list(notebook_sources('{"cells": [{"cell_type": "code", "source": ["import a\\\\n", "a"]}]}'))
    ['import a\\na']
    """
    try:
        cells = json.loads(text)["cells"]
        code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError):
        return
    for source in code:
        yield source if isinstance(source, str) else "".join(map(str, source))


def product_sources(root: Path) -> Iterator[str]:
    """The sources of all notebooks and modules of a product's folder, hidden and left-over files excepted."""
    for path in sorted((*root.rglob("*.ipynb"), *root.rglob("*.py"))):
        parts = path.relative_to(root).parts
        if any(part.startswith((".", "_")) for part in parts) or any(mark in path.name for mark in SKIPPED):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if path.suffix == ".py":
            yield text
        else:
            yield from notebook_sources(text)


def preload_for(root: Path | None) -> tuple[str, ...]:
    """The preload list for a product's folder: what is usual, and what its notebooks and modules import."""
    found = imported_names(product_sources(root)) if root is not None else ()
    third_party = (name for name in found if name.partition(".")[0] not in sys.stdlib_module_names)
    ours = (n for name, needs in OURS.items() if any(f.startswith(name) for f in found) for n in needs)
    return tuple(dict.fromkeys((*USUAL, *ours, *third_party)))


def _of_source(source: str) -> Iterator[str]:
    lines = ["" if line.lstrip().startswith(("%", "!", "?")) else line for line in source.splitlines()]
    try:
        trees = [ast.parse("\n".join(lines))]
    except (SyntaxError, ValueError):
        trees = [tree for line in lines for tree in _import_line(line)]
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield from (node.module if a.name == "*" else f"{node.module}.{a.name}" for a in node.names)


def _import_line(line: str) -> Iterator[ast.Module]:
    if line.lstrip().startswith(("import ", "from ")):
        try:
            yield ast.parse(line.strip())
        except (SyntaxError, ValueError):
            return
