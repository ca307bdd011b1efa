"""Content-addressed Arrow IPC files: written once under a name that says what is in them, never changed.

A file is `<folder>/<sha256 of its bytes>-<size in bytes>.arrow`, one record batch, and its fields carry the version of
each column, so that a listing of the folder is the index: nothing else must be kept in step with the files. A file is
written under a temporary name, synced, renamed, and its folder synced; a crash leaves at most a `.tmp-*` that no one
looks at. A file whose size is not the one in its name is taken as absent, and is replaced when it is written again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa

from nbdataops.errors import Place, StoreError

_NAME = re.compile(r"(?P<sha256>[0-9a-f]{64})-(?P<size>\d+)\.arrow")
_VERSION = b"version"


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """Where one version of a column lies: `file` within its folder, as column `name`."""

    file: str
    sha256: str


def disk_error(error: OSError, path: Path, doing: str) -> StoreError:
    """The same error of the operating system, as one that names the path and what to do."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return StoreError(
        f"cannot {doing}: {reason}",
        where=Place(file=str(path)),
        todo="check free space and permissions of this folder, or put the store elsewhere "
        "(NBDATAOPS_STORE, or `store:` in dataproduct.yaml)",
    )


def sync_folder(folder: Path) -> None:
    """Makes renames within the folder survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def temporary(folder: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """A new file that is gone at the end unless it was renamed; the caller renames, see `publish`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".tmp-{os.getpid()}-{uuid.uuid4().hex}"
    try:
        with path.open("xb") as handle:
            yield path, handle
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def publish(handle: IO[bytes], temporary_path: Path, path: Path) -> None:
    """Sync, rename, sync the folder: afterwards the file is either there whole, or not at all."""
    handle.flush()
    os.fsync(handle.fileno())
    temporary_path.replace(path)
    sync_folder(path.parent)


class _Digesting:
    """A sink for pyarrow that digests what passes."""

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle
        self._digest = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        self._digest.update(view)
        self._handle.write(view)
        self.size += view.nbytes
        return view.nbytes

    def flush(self) -> None:
        self._handle.flush()

    def close(self) -> None:
        self.closed = True

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def write_columns(
    folder: Path, columns: Mapping[str, pa.ChunkedArray], versions: Mapping[str, str]
) -> StoredColumn:
    """Writes one file of these canonical columns, all of the same length. StoreError on any failure of the disk."""
    schema = pa.schema(
        [pa.field(name, c.type, metadata={_VERSION: versions[name].encode()}) for name, c in columns.items()]
    )
    batch = pa.table(list(columns.values()), schema=schema).combine_chunks()
    try:
        with temporary(folder) as (path, handle):
            sink = _Digesting(handle)
            with pa.PythonFile(sink, mode="w") as target, pa.ipc.new_file(target, schema) as writer:
                writer.write_table(batch)
            name = f"{sink.sha256}-{sink.size}.arrow"
            final = folder / name
            if intact(final):
                return StoredColumn(name, sink.sha256)
            publish(handle, path, final)
            return StoredColumn(name, sink.sha256)
    except OSError as error:
        raise disk_error(error, folder, "write a table") from error


def index(folder: Path, known: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """`{file: {column: version}}` of the intact files of a folder; files in `known` are not opened again."""
    found: dict[str, dict[str, str]] = {}
    try:
        names = sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return found
    except OSError as error:
        raise disk_error(error, folder, "read the store") from error
    for name in names:
        if not intact(folder / name):
            continue
        if name in known:
            found[name] = dict(known[name])
            continue
        with contextlib.suppress(StoreError), _opened(folder / name) as reader:
            found[name] = {f.name: (f.metadata or {}).get(_VERSION, b"").decode() for f in reader.schema}
    return found


def sha256_of_name(name: str) -> str:
    match = _NAME.fullmatch(name)
    return match["sha256"] if match else ""


def read_columns(path: Path, names: list[str]) -> pa.Table:
    """Columns of a stored file over mapped memory. StoreError names a file that is missing or damaged."""
    match = _NAME.fullmatch(path.name)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise StoreError(
            f"a file of the store is missing ({os.strerror(error.errno or 0)})",
            where=Place(file=str(path)),
            todo="restore it from a backup, or run again: what is missing is computed anew",
            code="missing-file",
        ) from error
    if match and size != int(match["size"]):
        raise _damaged(path, f"it has {size} bytes, its name says {match['size']}")
    with _opened(path) as reader:
        positions = [reader.schema.get_field_index(name) for name in names]
        if -1 in positions:
            raise _damaged(path, f"it has no column {names[positions.index(-1)]!r}")
        try:
            return reader.read_all().select(positions).replace_schema_metadata(None)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(path, str(error)) from error


def digest_matches(path: Path, sha256: str) -> bool:
    """Whether the bytes of a file are those that were written."""
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest() == sha256
    except OSError:
        return False


def intact(path: Path) -> bool:
    """Whether a stored file is there with the size that its name says."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return False
    try:
        return path.stat().st_size == int(match["size"])
    except OSError:
        return False


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[pa.RecordBatchFileReader]:
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path), "r"))
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, str(error)) from error
    yield reader


def _damaged(path: Path, why: str) -> StoreError:
    return StoreError(
        f"a file of the store is damaged: {why}",
        where=Place(file=os.path.realpath(path)),  # not a link to it (`read_only`)
        todo="delete it and run again: what is missing is computed anew; or restore it from a backup",
        code="damaged-file",
    )
