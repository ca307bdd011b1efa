"""A store that this process may only read, and the view through which it can be looked at all the same.

What looks at a product writes on its way: SQLite needs files beside the ledger to read it, a source that has changed
is ingested to plan with. So the view is a store of its own in a temporary folder: a copy of the ledger, and links to
all other files. What is written goes there, and is gone with it; the store itself is never touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
import weakref
from pathlib import Path

from nbdataops.errors import Place, StoreError
from nbdataops.store.arrow_files import disk_error
from nbdataops.store.locations import Store

_PREFIX = "nbdataops-view-"
_OLD_S = 3600.0
_UNFINISHED = ".tmp-"
_TRIES = 10


def unwritable(store: Store) -> Path | None:
    """The folder or file of a store that this process may not write; None when it may write all of it.

    Of a store that is not there yet, the folder in which it would be made. StoreError when it cannot even be read.
    """
    there = store.root
    while not _exists(there):
        there = there.parent
    ledger = store.ledger_path
    beside = [ledger.with_name(ledger.name + end) for end in ("", "-wal", "-shm")]
    folders = [store.snapshots, store.runs, store.reports]
    places = [there, *(path for path in (*beside, *folders) if _exists(path))]
    return next((path for path in places if not os.access(path, os.W_OK)), None)


def cannot_write(path: Path) -> StoreError:
    """What somebody is told who asks for more than looking."""
    mounted = os.statvfs(path).f_flag & os.ST_RDONLY
    why = "its disk is mounted read-only" if mounted else "this user has no permission to write there"
    return StoreError(
        f"the store can only be read: {why}",
        where=Place(file=str(path)),
        todo="make it writable for this user, or put the store elsewhere (NBDATAOPS_STORE, or `store:` in "
        "dataproduct.yaml); status, plan and report --output work without",
        code="store-read-only",
    )


class ReadOnlyView:
    """A view of a store as it was when this was made; gone when it is closed, or when its process ends by itself.

    That of a process which was killed is removed when the next one is made, an hour later at the earliest.
    """

    def __init__(self, of: Store, refused: Path) -> None:
        """`refused`: what may not be written (`unwritable`).

        StoreError when the store cannot be read, or there is no temporary folder."""
        _remove_old()
        try:
            folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
        except OSError as error:
            raise StoreError(
                "the store can only be read, and there is no temporary folder for a view of it",
                where=Place(file=str(of.root)),
                todo="let TMPDIR name a folder that can be written",
                detail=str(error),
            ) from error
        self.of, self.refused = of, refused
        self.store = Store(Path(folder))
        self.close = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        try:
            _copy_ledger(of.ledger_path, self.store.ledger_path)
            _link(of, self.store)
        except OSError as error:
            self.close()
            raise disk_error(error, Path(error.filename or of.root), "read the store") from error
        except BaseException:
            self.close()
            raise


def _remove_old() -> None:
    """Views of this user's that are old and whose process is no more. (In a container its number may be another's.)"""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError, ValueError):
            about = folder.stat()
            if about.st_uid != os.geteuid() or time.time() - about.st_mtime < _OLD_S:
                continue
            try:
                os.kill(int(folder.name.removeprefix(_PREFIX).partition("-")[0]), 0)
            except ProcessLookupError:
                shutil.rmtree(folder, ignore_errors=True)


def _link(of: Store, view: Store) -> None:
    """The folders of a store, with a link for each file: content is never changed, files are only replaced."""
    own = {f"{of.ledger_path.name}{end}" for end in ("", "-wal", "-shm", "-journal")}

    def failed(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # of a run that goes on meanwhile, or no store at all
            raise error

    for at, folders, files in os.walk(of.root, onerror=failed):
        target = os.path.join(view.root, os.path.relpath(at, of.root))  # noqa: PTH118 - there may be many
        for name in folders:
            if os.path.islink(os.path.join(at, name)):  # noqa: PTH114, PTH118
                files.append(name)
            else:
                os.mkdir(os.path.join(target, name))  # noqa: PTH102, PTH118
        for name in files:
            if not name.startswith(_UNFINISHED) and not (at == str(of.root) and name in own):
                os.symlink(os.path.join(at, name), os.path.join(target, name))  # noqa: PTH118, PTH211


def _copy_ledger(ledger: Path, copy: Path) -> None:
    """The ledger with its log, as they are at one moment, though a run may write them. StoreError if it never stops.

    Transactions go to the log; at times SQLite moves them into the ledger itself. While that is as it was, a log that
    was copied in the middle of a transaction lacks it, no more.
    """
    from nbdataops.store.ledger import refuse_network_file_system

    refuse_network_file_system(ledger)
    log, log_copy = (path.with_name(f"{path.name}-wal") for path in (ledger, copy))
    for _ in range(_TRIES):
        content = _content(ledger)
        if content is None:
            return
        copy.write_bytes(content)
        try:
            shutil.copyfile(log, log_copy)
        except FileNotFoundError:
            log_copy.unlink(missing_ok=True)
        if _content(ledger) == content:
            return
    raise StoreError(
        "the ledger is written all the time, and no copy of it can be made",
        where=Place(file=str(ledger)),
        todo="try again when the run that writes it has ended",
    )


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise disk_error(error, path, "read the store") from error
    return True
