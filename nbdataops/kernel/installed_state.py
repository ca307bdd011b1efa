"""What a server has loaded, as it lay on the disk then; compared with the disk before every kernel.

Seen: a package that is installed, upgraded or removed (`RECORD`, `.pth` files, the names in each `site-packages`),
an installed file that is edited in place, another interpreter at the same path, changed settings of matplotlib, a folder that
Python would have put on its path had it been there (of a `.pth` file, or the user's own `site-packages`). About 2,000
files are looked at, which takes about ten milliseconds and makes a warm kernel as fresh as a cold one; a watch spares
that while nothing happens (`watched_state`).
"""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nbdataops.kernel.third_party import Installed

COMPILED = "__pycache__"
"""Comes and goes in a folder of packages without meaning anything."""
Stamp = tuple[int, int, int] | None
"""Modification time in ns, size, inode; None when there is no such file."""


@dataclass(frozen=True, slots=True)
class InstalledState:
    """Stamps of files and names in folders."""

    files: tuple[tuple[str, Stamp], ...]
    folders: tuple[tuple[str, frozenset[str]], ...]

    @classmethod
    def of(cls, installed: Installed, modules: Iterable[str]) -> InstalledState:
        """The state of the package folders and of the files of these imported modules."""
        folders = tuple((folder, _names(folder)) for folder in installed.packages)
        about = {path for folder, names in folders for path in _records(folder, names)}
        loaded = (getattr(sys.modules.get(name), "__file__", None) for name in modules)
        paths = {sys.executable, os.path.join(sys.prefix, "pyvenv.cfg"), *about, *_settings()}
        paths |= set(_absent(path for path in about if path.endswith(".pth")))
        paths |= {file for file in loaded if isinstance(file, str)}
        return cls(tuple((path, stamp(path)) for path in sorted(paths)), folders)

    def difference(self) -> str | None:
        """What has changed since, in words; None when nothing has. Raises OSError when it cannot be known."""
        for folder, names in self.folders:
            if changed := sorted(names ^ _names(folder)):
                return f"{changed[0]} came or went in {folder}"
        for path, before in self.files:
            if stamp(path) != before:
                return f"{path} changed"
        return None


def stamp(path: str) -> Stamp:
    try:
        about = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino


def _names(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder)) - {COMPILED}
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()


def _records(folder: str, names: Iterable[str]) -> Iterator[str]:
    """The files that tell what is installed: each distribution's RECORD (or metadata), and all .pth files."""
    for name in names:
        path = os.path.join(folder, name)
        if name.endswith(".pth"):
            yield path
        elif name.endswith((".dist-info", ".egg-info")):
            for record in ("RECORD", "METADATA", "PKG-INFO"):
                if os.path.exists(os.path.join(path, record)):
                    yield os.path.join(path, record)
                    break


def _absent(pth_files: Iterable[str]) -> Iterator[str]:
    """Folders that would be on `sys.path` if they were there."""
    wanted = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    for file in pth_files:
        try:
            with open(file, encoding="utf-8", errors="replace") as lines:
                named = [line.strip() for line in lines if not line.startswith(("#", "import ", "import\t"))]
        except OSError:
            continue
        wanted += [os.path.join(os.path.dirname(file), name) for name in named if name]
    yield from (path for path in wanted if not os.path.exists(path))


def _settings() -> Iterator[str]:
    """Files of settings that a library read when it was imported, whether they are there or not.

    Of matplotlib: its settings, the user's styles, and the list of fonts, which people delete after installing one.
    """
    matplotlib = sys.modules.get("matplotlib")
    if matplotlib is None:
        return
    configuration, cache = str(matplotlib.get_configdir()), str(matplotlib.get_cachedir())
    styles = os.path.join(configuration, "stylelib")
    yield str(matplotlib.matplotlib_fname())
    yield os.path.join(configuration, "matplotlibrc")
    yield styles
    yield from (os.path.join(styles, name) for name in _names(styles))
    yield from (os.path.join(cache, name) for name in _names(cache) if name.startswith("fontlist"))
