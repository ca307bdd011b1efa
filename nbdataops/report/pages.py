"""Pages of executed notebooks, kept from one report to the next: exporting one takes a tenth of a second.

A page is named after all that it was made of: the notebook as it is shown, what stands around it, and the code and
templates that make it. A report keeps the pages that it used, and removes the others.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from nbdataops.errors import StoreError
from nbdataops.store.locations import atomic_write


class Pages:
    """The pages in a folder, which is made when the first one is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._used: set[str] = set()

    def page(self, notebook: Mapping[str, Any], around: Mapping[str, str], make: Callable[[], str]) -> bytes:
        """The page that `make` makes of a notebook and what is `around` it, or has made before."""
        parts = json.dumps([_maker(), notebook, around], sort_keys=True)
        name = hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest() + ".html"
        self._used.add(name)
        with contextlib.suppress(OSError):
            return (self.folder / name).read_bytes()
        made = make().encode("utf-8", "replace")
        with contextlib.suppress(OSError, StoreError):  # a full disk is told by what must be written
            self.folder.mkdir(parents=True, exist_ok=True)
            atomic_write(self.folder / name, made)
        return made

    def forget_unused(self) -> None:
        with contextlib.suppress(OSError):
            for path in list(self.folder.iterdir()):
                if path.name not in self._used:
                    path.unlink()


@cache
def _maker() -> str:
    """Digest of the code and the templates of this package, and the version of what it stands on."""
    import nbconvert

    found = hashlib.sha256(nbconvert.__version__.encode())
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.suffix in {".py", ".j2", ".css", ".js", ".html"}:
            found.update(path.read_bytes())
    return found.hexdigest()
