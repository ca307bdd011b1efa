"""The files of a source as they lie on disk: which they are, whether they changed, and what their bytes are."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from nbdataops.errors import Place, SourceError, SpecError, did_you_mean

Format: TypeAlias = Literal["csv", "parquet"]
_SUFFIXES: dict[str, Format] = {".csv": "csv", ".csv.gz": "csv", ".parquet": "parquet"}


@dataclass(frozen=True, slots=True)
class DeliveredFile:
    """One file: `name` as errors and records call it (relative to the product where it lies inside).

    `ctime_ns` is when its content or inode last changed, which no program can set back as it can `mtime_ns`.
    """

    name: str
    path: Path
    size: int
    mtime_ns: int
    ctime_ns: int


def find_files(
    source: str, root: Path, declared: str, kind: Format | None
) -> tuple[tuple[DeliveredFile, ...], Format]:
    """The files of a source, sorted by name, and their format.

    `declared` is a file, a folder (its files of the format, not those of its folders) or a glob, relative to `root`.
    SpecError when nothing is there or the format cannot be told.
    """
    path = root / declared
    if path.is_file():
        found = [path]
    elif path.is_dir():
        wanted = (kind,) if kind else ("csv", "parquet")
        found = [p for p in path.iterdir() if _visible(p) and format_of(p) in wanted]
        if not found:
            raise _missing(source, declared, f"folder {declared!r} holds no {' or '.join(wanted)} file", "")
    else:
        matches = glob.glob(str(path), recursive=True)  # noqa: PTH207 - a declared path may be absolute
        found = [Path(p) for p in matches if _visible(Path(p))]
        if not found and glob.has_magic(declared):
            raise _missing(source, declared, f"no file matches {declared!r}", "")
        if not found:
            siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
            hint = (
                did_you_mean(path.name, siblings)
                if siblings
                else f"folder {path.parent.name!r} {'is empty' if path.parent.is_dir() else 'does not exist'}"
            )
            raise _missing(source, declared, f"there is no file {declared!r}", hint)
    kinds = {kind or format_of(p) for p in found}
    if len(kinds) != 1 or None in kinds:
        known = ", ".join(_SUFFIXES)
        raise SpecError(
            f"the format of source {source!r} cannot be told from {declared!r}",
            todo=f"declare `format: csv` or `format: parquet` (by suffix it is told for {known})",
        )
    (only,) = kinds
    assert only is not None
    return tuple(_seen(p, root) for p in sorted(found, key=lambda p: p.as_posix())), only


def searched(root: Path, declared: str) -> Iterator[Path]:
    """The folders that were searched for the files of a source: a new file of it would appear in one of them.

    None for a file that is named as such; for a glob all folders that it may look into, links followed.
    """
    path = root / declared
    if path.is_dir():
        yield path
        return
    if path.is_file() or not glob.has_magic(declared):
        return
    parts = Path(declared).parts
    fixed = next(n for n, part in enumerate(parts) if glob.has_magic(part))
    deepest = None if "**" in parts else len(parts) - fixed - 1
    hidden = any(part.startswith(".") for part in parts[fixed:])
    yield from _below(root.joinpath(*parts[:fixed]), deepest, hidden, set())


def _below(folder: Path, deepest: int | None, hidden: bool, seen: set[tuple[int, int]]) -> Iterator[Path]:
    """A folder and those in it, `deepest` levels down (None: all), each once, whatever links lead back to it."""
    try:
        status = folder.stat()
        inside = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        return
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    yield folder
    if deepest == 0:
        return
    for path in map(Path, inside):
        if hidden or not path.name.startswith("."):
            yield from _below(path, None if deepest is None else deepest - 1, hidden, seen)


def format_of(path: Path) -> Format | None:
    """
    >>> format_of(Path("orders.CSV.gz"))
    'csv'
    """
    name = path.name.lower()
    return next((kind for suffix, kind in _SUFFIXES.items() if name.endswith(suffix)), None)


def digest(file: DeliveredFile) -> str:
    """SHA-256 of the bytes of a file. SourceError when it cannot be read."""
    try:
        with file.path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(file, error) from error


def unchanged(files: tuple[DeliveredFile, ...]) -> None:
    """SourceError if a file changed since it was seen: what was read then is half old and half new."""
    for file in files:
        try:
            now = file.path.stat()
            same = (now.st_size, now.st_mtime_ns, now.st_ctime_ns) == (
                file.size,
                file.mtime_ns,
                file.ctime_ns,
            )
        except OSError:
            same = False
        if not same:
            raise SourceError(
                "changed while it was read",
                where=Place(file=file.name),
                todo="run again when the delivery is complete",
            )


def unreadable(file: DeliveredFile, error: OSError) -> SourceError:
    return SourceError(
        f"cannot be read: {error.strerror or error}",
        where=Place(file=file.name),
        todo="check that it exists and may be read",
    )


def _seen(path: Path, root: Path) -> DeliveredFile:
    try:
        stat = path.stat()
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=Place(file=str(path))) from error
    try:
        name = path.relative_to(root).as_posix()
    except ValueError:
        name = path.as_posix()
    return DeliveredFile(name, path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def _visible(path: Path) -> bool:
    return path.is_file() and not path.name.startswith((".", "_"))


def _missing(source: str, declared: str, what: str, hint: str) -> SpecError:
    return SpecError(
        f"source {source!r}: {what}",
        where=Place(file=declared),
        todo=hint or "check `path` of this source in dataproduct.yaml",
        code="missing-source",
    )
