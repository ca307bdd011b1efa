"""One digest of the environment that notebooks run in.

Counts: the Python version, the machine, and every installed distribution that the product's notebooks and
modules import, directly or through requirements. What is installed beside them (test tools, say) does not.
"""

from __future__ import annotations

import importlib.metadata as metadata
import platform
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nbdataops.build.keys import digest
from nbdataops.store.witness import Stamp, stamp

_RECORDS = ("METADATA", "PKG-INFO", "RECORD", "top_level.txt", "requires.txt")


@dataclass(frozen=True, slots=True)
class Environment:
    """`packages` are (distribution, version) of all that count.

    `stamps` are those of everything that this was read from, taken before it was read: None for what was not there.
    """

    digest: str
    packages: tuple[tuple[str, str], ...]
    stamps: tuple[tuple[str, Stamp | None], ...]


_known: dict[tuple[str, ...], Environment] = {}
"""By imports, what was read last: reading all metadata takes a quarter of a second, asking whether it changed none."""


def environment(imports: Iterable[str]) -> Environment:
    """The environment of code that imports these top-level modules.

    >>> read = environment(["pandas"])
    >>> "numpy" in dict(read.packages), read == environment(["pandas"])
    (True, True)
    """
    wanted = tuple(sorted(set(imports)))
    known = _known.get(wanted)
    if known is None or not _current(known):
        known = _known[wanted] = _read(wanted)
    return known


def _current(known: Environment) -> bool:
    searched = [path for path, _ in known.stamps[: len(sys.path)]]
    return searched == [path or "." for path in sys.path] and all(
        stamp(path) == seen for path, seen in known.stamps
    )


def _read(imports: tuple[str, ...]) -> Environment:
    stamps = [(path or ".", stamp(path or ".")) for path in sys.path]
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
    machine = (*sys.version_info[:3], platform.system(), platform.machine())
    return Environment(digest([machine, packages]), packages, tuple(stamps))


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
