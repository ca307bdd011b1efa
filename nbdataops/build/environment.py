"""One digest of the environment that notebooks run in.

Counts: the Python version, the machine, and every installed distribution that the product's notebooks and
modules import, directly or through requirements. What is installed beside them (test tools, say) does not.
"""

from __future__ import annotations

import contextlib
import importlib.metadata as metadata
import json
import platform
import re
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from nbdataops.build.keys import digest
from nbdataops.errors import StoreError
from nbdataops.store.locations import atomic_write
from nbdataops.store.witness import Stamp, stamp

_RECORDS = ("METADATA", "PKG-INFO", "RECORD", "top_level.txt", "requires.txt")


@dataclass(frozen=True, slots=True)
class Environment:
    """`packages` are (distribution, version) of all that count.

    `searched` is where it was read, in the order of `sys.path`. `stamps` are those of everything that this was read from, taken before it was read: None for what was not there.
    """

    digest: str
    packages: tuple[tuple[str, str], ...]
    searched: tuple[str, ...]
    stamps: tuple[tuple[str, Stamp | None], ...]


_known: dict[tuple[str, ...], Environment] = {}
"""By imports, what was read last: reading all metadata takes a third of a second, asking whether it changed none."""


def environment(imports: Iterable[str], remembered: Path | None = None) -> Environment:
    """The environment of code that imports these top-level modules.

    `remembered` is a file in which the next process finds what this one has read. It is used only while every file
    and folder that it was read from is as it was.

    >>> read = environment(["pandas"])
    >>> "numpy" in dict(read.packages), read == environment(["pandas"])
    (True, True)
    """
    wanted = tuple(sorted(set(imports)))
    known = _known.get(wanted)
    if known is None and remembered is not None:
        known = _recalled(remembered, wanted)
    if known is None or not _current(known):
        known = _read(wanted)
        if remembered is not None:
            _remember(remembered, wanted, known)
    _known[wanted] = known
    return known


def _machine() -> list[object]:
    return [*sys.version_info[:3], platform.system(), platform.machine()]


def _remember(path: Path, wanted: tuple[str, ...], read: Environment) -> None:
    content = {"imports": wanted, "machine": _machine(), **asdict(read)}
    with contextlib.suppress(StoreError):  # a full disk is told by what must be written
        atomic_write(path, json.dumps(content).encode())


def _recalled(path: Path, wanted: tuple[str, ...]) -> Environment | None:
    """What another process has read for the same imports and Python; None for any doubt."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if tuple(said["imports"]) != wanted or said["machine"] != _machine():
            return None
        return Environment(
            str(said["digest"]),
            tuple((str(name), str(version)) for name, version in said["packages"]),
            tuple(map(str, said["searched"])),
            tuple((str(at), None if seen is None else list(map(int, seen))) for at, seen in said["stamps"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _current(known: Environment) -> bool:
    return known.searched == tuple(path or "." for path in sys.path) and all(
        stamp(path) == seen for path, seen in known.stamps
    )


def _read(imports: tuple[str, ...]) -> Environment:
    searched = tuple(path or "." for path in sys.path)
    stamps = [(path, stamp(path)) for path in searched]
    owners = metadata.packages_distributions()
    todo = ["nbdataops", "ipykernel", *(d for name in imports for d in owners.get(name, ()))]
    found: dict[str, str] = {}
    while todo:
        name = _canonical(todo.pop())
        if name in found:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        stamps += [(path, stamp(path)) for path in _files(distribution)]
        found[name] = distribution.version
        todo += _requirements(distribution)
    packages = tuple(sorted(found.items()))
    return Environment(digest([_machine(), packages]), packages, searched, tuple(stamps))


def _files(distribution: metadata.Distribution) -> list[str]:
    """What an installed distribution says of itself, file by file: an upgrade in place changes one of them."""
    place = getattr(distribution, "_path", None)
    if not isinstance(place, Path):
        return []  # in an archive, which stands in sys.path as a whole
    return [str(place), *(str(place / name) for name in _RECORDS if (place / name).is_file())]


def _requirements(distribution: metadata.Distribution) -> list[str]:
    from packaging.requirements import InvalidRequirement, Requirement

    names = []
    for text in distribution.requires or ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            names.append(requirement.name)
    return names


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
