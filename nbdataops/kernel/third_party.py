"""Which modules are third-party packages: installed under a `site-packages` folder of this interpreter.

Only those are imported ahead of need. A project's modules, and packages installed in editable mode, are imported by
each kernel for itself, so an edit is seen by the very next one. Nothing here imports what it looks for.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import PathFinder

PACKAGE_FOLDERS = ("site-packages", "dist-packages")


@dataclass(frozen=True, slots=True)
class Installed:
    """The folders of the standard library and of third-party packages, in the order of `sys.path`."""

    library: tuple[str, ...]
    packages: tuple[str, ...]

    @classmethod
    def of_this_interpreter(cls) -> Installed:
        packages = tuple(dict.fromkeys(p for p in sys.path if os.path.basename(p) in PACKAGE_FOLDERS))
        library = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")} | {
            os.path.dirname(os.__file__)
        }
        return cls(tuple(sorted(library)), packages)

    def owns(self, file: str) -> bool:
        """Whether a module's file belongs to the library or to an installed package."""
        roots = {r for root in (*self.library, *self.packages) for r in (root, os.path.realpath(root))}
        return file.startswith(tuple(root + os.sep for root in roots))

    def module(self, name: str) -> str | None:
        """The third-party module in a dotted name that may end in an attribute; None when there is none.

        >>> Installed.of_this_interpreter().module("numpy.linalg.norm"), Installed((), ()).module("numpy")
        ('numpy.linalg', None)
        """
        found, folders = None, list(self.packages)
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            spec = PathFinder.find_spec(".".join(parts[:end]), folders)
            if spec is None:
                break
            if spec.loader is not None and spec.origin is not None:
                found = ".".join(parts[:end])
            if spec.submodule_search_locations is None:
                break
            folders = list(spec.submodule_search_locations)
        return found

    def modules(self, names: Iterable[str]) -> tuple[str, ...]:
        """The third-party modules in `names`, each once, in order."""
        return tuple(dict.fromkeys(m for m in map(self.module, names) if m is not None))

    def before(self, path: Iterable[str]) -> Iterator[str]:
        """Folders of a `sys.path` that are searched before the first package folder, without the library's.

        >>> list(Installed(("/lib",), ("/site-packages",)).before(["", "/mine", "/lib/dyn", "/site-packages", "/x"]))
        ['/mine']
        """
        for entry in path:
            if entry in self.packages:
                return
            if entry and not (entry + os.sep).startswith(tuple(root + os.sep for root in self.library)):
                yield entry

    def foreign(self, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """(name, file) of those imported modules that come from elsewhere."""
        for name in names:
            file = getattr(sys.modules.get(name), "__file__", None)
            if isinstance(file, str) and not self.owns(file):
                yield name, file

    def hidden_by(self, folder: str, names: frozenset[str]) -> str | None:
        """A module or package in `folder` that has the name of one of the top-level modules `names`, if any.

        A folder without `__init__.py` hides nothing that is installed, as Python's own search has it.
        """
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    stem, dot, _ = entry.name.partition(".")
                    if stem not in names:
                        continue
                    if dot and entry.name.endswith((".py", ".so", ".pyc")):
                        return entry.name
                    if not dot and os.path.exists(os.path.join(entry.path, "__init__.py")):
                        return entry.name + os.sep
        except OSError:
            return None
        return None
