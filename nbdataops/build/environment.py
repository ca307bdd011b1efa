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
from functools import lru_cache
from pathlib import Path

from nbdataops.build.keys import digest


def environment(imports: Iterable[str]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """(digest, ((distribution, version), ...)) for top-level module names.

    >>> key, packages = environment(["pandas"])
    >>> "numpy" in dict(packages), key == environment(["pandas"])[0]
    (True, True)
    """
    stamps = tuple((path, _changed(path)) for path in sys.path)
    return _environment(tuple(sorted(set(imports))), stamps)


@lru_cache(maxsize=8)
def _environment(
    imports: tuple[str, ...], stamps: tuple[tuple[str, int], ...]
) -> tuple[str, tuple[tuple[str, str], ...]]:
    """`stamps` tell whether anything was installed or removed since: reading all metadata takes a second."""
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
        found[name] = distribution.version
        todo += _requirements(distribution)
    packages = tuple(sorted(found.items()))
    machine = (*sys.version_info[:3], platform.system(), platform.machine())
    return digest([machine, packages]), packages


def _changed(path: str) -> int:
    try:
        return Path(path or ".").stat().st_mtime_ns
    except OSError:
        return 0


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
