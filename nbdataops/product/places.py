"""Where the notebooks and modules of a product are looked for: which folders are entered, which files count."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from nbdataops.product.declared import NotebookStage


def candidates(root: Path, store: Path | None) -> Iterator[tuple[Path, str]]:
    """Notebooks under `root`, with why one is left out ("": it is read); also folders left out that hold some."""
    for here, folders, files in _walk(root, store):
        for folder, reason in folders:
            if reason and any(folder.rglob("*.ipynb")):
                yield folder, reason
        for name in files:
            yield here / name, _file_reason(name.removesuffix(".ipynb"))


def searched(root: Path, store: Path | None, stages: Iterable[NotebookStage]) -> Iterator[Path]:
    """All that tells which stages and modules there are and what they say: folders, notebooks and module files.

    A new notebook or module would change one of the folders. Those left out for what lies in them are among them.
    """
    for here, folders, files in _walk(root, store):
        yield here
        yield from (f for f, _ in folders if not _named_out(f) and not _same(f, store))
        yield from (here / name for name in files if not _file_reason(name.removesuffix(".ipynb")))
    packages: set[str] = set()
    for stage in stages:
        yield from stage.modules
        packages.update(stage.imports)
    for name in sorted(packages):
        for folder, inside, _ in os.walk(root / name):
            inside[:] = sorted(d for d in inside if d != "__pycache__" and not d.startswith("."))
            yield Path(folder)


def _walk(root: Path, store: Path | None) -> Iterator[tuple[Path, list[tuple[Path, str]], list[str]]]:
    """(folder, (folder in it that is not entered, why or "" for no need to say), notebooks in it) of all entered."""
    for folder, inside, files in os.walk(root):
        here = Path(folder)
        reasons = {name: _folder_reason(here / name, store) for name in sorted(inside)}
        inside[:] = [name for name, reason in reasons.items() if reason is None]
        left_out = [(here / name, reason) for name, reason in reasons.items() if reason is not None]
        yield here, left_out, sorted(name for name in files if name.endswith(".ipynb"))


def _folder_reason(folder: Path, store: Path | None) -> str | None:
    """None: look inside; "": leave out without a word; else why it is left out."""
    if _same(folder, store):
        return ""
    if folder.name.startswith("_") and folder.name != "__pycache__":
        return "its name starts with _"
    if _named_out(folder):
        return ""
    if (folder / "dataproduct.yaml").is_file():
        return "is a product of its own"
    if (folder / "pyvenv.cfg").is_file():
        return ""
    return None


def _same(folder: Path, store: Path | None) -> bool:
    return store is not None and folder.resolve() == store.resolve()


def _named_out(folder: Path) -> bool:
    """Whether a folder is left out whatever is in it."""
    return folder.name.startswith((".", "_")) or folder.name == "node_modules"


def _file_reason(name: str) -> str:
    if name.startswith((".", "_")):
        return f"its name starts with {name[0]}"
    if name.startswith("Untitled"):
        return "its name starts with Untitled"
    if "-Copy" in name:
        return "its name says that it is a copy"
    return ""
