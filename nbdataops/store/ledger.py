"""The ledger: one SQLite file that holds the only truth about runs, results and releases.

Packages own their tables (`create`) and statements; here are the connection, transactions and the format version.
Readers are never blocked (WAL), writers take turns: `begin` takes the write lock at once, so what a transaction has
read cannot change before it writes. A ledger that is newer, damaged or foreign is refused, never re-initialised.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, MetaData, create_engine, event, exc
from sqlalchemy.engine.interfaces import DBAPIConnection

from nbdataops.errors import Place, StoreError, UsageError
from nbdataops.store.arrow_files import disk_error, sync_folder

FORMAT = 1
IN_KERNEL = "NBDATAOPS_ASSIGNMENT"
"""Set in the environment of a stage's kernel, and of what that starts."""

BUSY_TIMEOUT_S = 30.0
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "afs", "fuse.glusterfs"})
_CREATE = (
    "PRAGMA journal_mode = WAL",
    "CREATE TABLE ledger_format (version INTEGER NOT NULL)",
    f"INSERT INTO ledger_format VALUES ({FORMAT})",
)


class Ledger:
    """An open ledger. Safe for threads; every transaction uses a connection of its own from a small pool."""

    def __init__(
        self, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S, copy_of: Path | None = None
    ) -> None:
        """Opens the file, or creates it if there is none. StoreError when it cannot be trusted.

        Errors name the file that this one is a `copy_of`.
        """
        self.path = Path(path)
        self._shown = str(copy_of or path)
        if os.environ.get(IN_KERNEL):
            raise UsageError(
                "the kernel of a stage cannot open the ledger",
                todo="a notebook reads by stage.read and stage.sql; what a run knows is outside of its scope",
            )
        refuse_network_file_system(self.path)
        if not self.path.exists():
            _create(self.path)
        self._engine = self._connecting("FULL", busy_timeout_s)
        self._lasting_with_the_next = self._connecting("NORMAL", busy_timeout_s)
        try:
            self._check_format()
        except BaseException:
            self.close()
            raise

    def _connecting(self, synchronous: str, busy_timeout_s: float) -> Engine:
        engine = create_engine(
            URL.create("sqlite", database=str(self.path)), connect_args={"timeout": busy_timeout_s}
        )
        event.listen(engine, "connect", partial(_prepare, synchronous))
        event.listen(engine, "begin", _begin_immediate)
        return engine

    @contextlib.contextmanager
    def begin(self, *, durable: bool = True) -> Iterator[Connection]:
        """A transaction that holds the write lock: committed at the end of the block, rolled back on an exception.

        Others see it at once. When it is not `durable`, a loss of power may undo it, unless a durable one followed:
        for what is of interest only while it happens, since waiting for the disk takes longer than all the rest.

        StoreError when the disk or the file fails, or when another process holds the lock for longer than the
        timeout. An `IntegrityError` passes: it is an answer, not a failure.
        """
        try:
            with (self._engine if durable else self._lasting_with_the_next).begin() as connection:
                yield connection
        except exc.IntegrityError:
            raise
        except exc.DBAPIError as error:
            raise self._error(error) from error

    def create(self, metadata: MetaData) -> None:
        """Creates those tables of a package that are not there yet."""
        with self.begin() as connection:
            metadata.create_all(connection)

    def close(self) -> None:
        self._engine.dispose()
        self._lasting_with_the_next.dispose()

    def _check_format(self) -> None:
        try:
            with self.begin() as connection:
                rows = connection.exec_driver_sql("SELECT version FROM ledger_format").fetchall()
        except StoreError as error:
            if "no such table" in error.detail:
                raise self._refused("this is no ledger of nbdataops, or it lost its content") from error
            raise
        version = rows[0][0] if len(rows) == 1 else None
        if not isinstance(version, int) or version < 1:
            raise self._refused("its format version cannot be read")
        if version > FORMAT:
            raise StoreError(
                f"the ledger has format {version}; this nbdataops knows formats up to {FORMAT}",
                where=Place(file=self._shown),
                todo="upgrade nbdataops: a newer version wrote this file",
                code="ledger-newer",
            )

    def _refused(self, why: str) -> StoreError:
        return StoreError(
            f"the ledger cannot be used: {why}",
            where=Place(file=self._shown),
            todo="restore it from a backup, or move it away to start without history; snapshots are not touched",
            code="ledger-damaged",
        )

    def _error(self, error: exc.DBAPIError) -> StoreError:
        text = str(error.orig)
        name = getattr(error.orig, "sqlite_errorname", "")
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            refused = self._refused("it is damaged")
            refused.detail = text
            return refused
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            what, todo = (
                "another process holds the ledger's lock",
                "wait for it to end, or look for one that hangs",
            )
        elif name.startswith("SQLITE_FULL"):
            what, todo = (
                "the disk of the ledger is full",
                "free some space and run again; nothing was half written",
            )
        elif name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_PERM")):
            what, todo = (
                "the ledger cannot be read or written",
                "check the permissions of its folder and the disk; is it read-only? Then NBDATAOPS_STORE can name another",
            )
        else:
            what, todo = "the ledger refused a statement", "this is a defect of nbdataops: please report it"
        return StoreError(what, where=Place(file=self._shown), todo=todo, detail=text)


def refuse_network_file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> None:
    """StoreError if `path` lies on a network file system, whose locks SQLite cannot trust."""
    kind = file_system(path, mounts)
    if kind in _NETWORK:
        raise StoreError(
            f"the ledger lies on a network file system ({kind}), where SQLite's locks cannot be trusted",
            where=Place(file=str(path)),
            todo="put the store on a local disk: NBDATAOPS_STORE, or `store:` in dataproduct.yaml",
            code="network-file-system",
        )


def file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str | None:
    """Type of the file system that holds `path`, by the table of mounts; None where there is no such table."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    target = Path(os.path.realpath(path))
    best: tuple[int, str] | None = None
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        # Blanks and backslashes in the table are written in octal.
        point = Path(fields[1].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\"))
        if (target == point or point in target.parents) and (best is None or len(point.parts) >= best[0]):
            best = (len(point.parts), fields[2])
    return best[1] if best else None


def _create(path: Path) -> None:
    """A new ledger appears with its format in place, so that one without it is known to be damaged."""
    place = path.with_name(f".tmp-{os.getpid()}-{uuid.uuid4().hex}.db")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with contextlib.closing(sqlite3.connect(place, isolation_level=None)) as connection:
                for statement in _CREATE:
                    connection.execute(statement)
            with contextlib.suppress(FileExistsError):  # another process was first, with the same content
                os.link(place, path)
            sync_folder(path.parent)
        finally:
            for leftover in path.parent.glob(f"{place.name}*"):
                leftover.unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(error, path, "create the ledger") from error
    except sqlite3.Error as error:
        raise StoreError(
            "cannot create the ledger",
            where=Place(file=str(path)),
            todo="check free space and permissions of its folder",
            detail=str(error),
        ) from error


def _prepare(synchronous: str, connection: DBAPIConnection, record: Any) -> None:
    # sqlite3 must not open transactions by itself: it would do so late, and not IMMEDIATE.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA synchronous = {synchronous}")
    finally:
        cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
