"""When papermill's engine saves the notebook that it executes, and how.

Stock papermill writes the whole file twice per cell, which is the main cost of long notebooks. Here it is
written at most every few seconds, at most a tenth of the time, and always after an error and at the end. What is
written here is whole, or as it was before; papermill itself writes its output once more when all is done.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from papermill.engines import NotebookExecutionManager
from papermill.iorw import LocalHandler, papermill_io

from nbdataops.build.engine_options import EngineOptions
from nbdataops.build.redaction import redacted_notebook
from nbdataops.build.streams import joined_streams
from nbdataops.store.arrow_files import publish, temporary
from nbdataops.store.locations import atomic_write


class BoundedManager(NotebookExecutionManager):  # type: ignore[misc]
    """Saves at most every `save_every_s` seconds and at most a tenth of the time, while a cell runs, too."""

    def __init__(
        self, nb: Any, options: EngineOptions, autosave_cell_every: float = 30, **kwargs: Any
    ) -> None:
        """`autosave_cell_every` is papermill's option: seconds between saves while a cell runs, 0 for none."""
        super().__init__(nb, autosave_cell_every=0, **kwargs)  # its own look at every message is not needed
        self.options = options
        self._local = None if options.output is not None else _local_file(self.output_path)
        self._holds = False
        self.saves_during_cells = autosave_cell_every > 0
        self._every_s = options.save_every_s
        if self._local is not None:
            self._every_s = min(self._every_s, autosave_cell_every or self._every_s)
        elif options.output is None:
            self._every_s = max(self._every_s, autosave_cell_every)
        self._error_around = sys.exc_info()[1]
        """Of the caller's: papermill may be called where one is being handled."""
        self._next_save = time.monotonic() + self._every_s

    def notebook_start(self, **kwargs: Any) -> None:
        """What papermill could not write in the end is refused now, by papermill."""
        super().notebook_start(**kwargs)
        if self.options.output is None and self._local is None and self.output_path is not None:
            self.save(always=True)

    @property
    def _is_failing(self) -> bool:
        return sys.exc_info()[1] is not self._error_around

    @property
    def due_s(self) -> float:
        """Seconds until the notebook may be saved again."""
        return max(0.0, self._next_save - time.monotonic())

    def save(self, *, always: bool = False, **kwargs: Any) -> None:
        started = time.monotonic()
        if self._holds or (not always and started < self._next_save):
            return
        try:
            if self.options.output is not None:
                atomic_write(self.options.output, notebook_bytes(self.nb, self.options.redact))
            elif self._local is not None:
                _replace(self._local, notebook_bytes(self.nb, self.options.redact))
            else:
                super().save(
                    **kwargs
                )  # a bucket, a link, standard output: papermill knows how to write there
            self.last_save_time = self.now()
        finally:
            ended = time.monotonic()
            self._next_save = ended + max(self._every_s, 10 * (ended - started))

    def cell_start(self, cell: Any, cell_index: int | None = None, **kwargs: Any) -> None:
        super().cell_start(cell, cell_index, **kwargs)
        if self.options.live is not None:
            self.options.live.cell((cell_index or 0) + 1, len(self.nb.cells))

    def cell_complete(self, cell: Any, cell_index: int | None = None, **kwargs: Any) -> None:
        if self._is_failing:  # a timeout or a dead kernel is on its way up: this cell did not complete
            cell.metadata.papermill |= {"status": self.FAILED, "exception": True}
            self.nb.metadata.papermill["exception"] = True
        if cell.get("cell_type") == "code":
            cell.outputs = joined_streams(cell.get("outputs", []))
        self._complete(cell, cell_index, **kwargs)
        if self.options.live is not None:
            self.options.live.ended((cell_index or 0) + 1, cell.metadata.papermill["status"])
        self.options.on_cell((cell_index or 0) + 1, len(self.nb.cells))

    def _complete(self, cell: Any, cell_index: int | None, **kwargs: Any) -> None:
        """papermill's own, with the start read by Python's parser: by dateutil it takes longer than all the rest."""
        about = cell.metadata.papermill
        start, about["start_time"] = about.get("start_time"), None
        self._holds = True
        try:
            super().cell_complete(cell, cell_index, **kwargs)
        finally:
            self._holds = False
            about["start_time"] = start
        if start is not None:
            ended, began = map(datetime.fromisoformat, (about["end_time"], start))
            about["duration"] = (ended - began).total_seconds()
        self.save()

    def cell_exception(self, cell: Any, cell_index: int | None = None, **kwargs: Any) -> None:
        super().cell_exception(cell, cell_index, **kwargs)
        self.save(always=True)

    def notebook_complete(self, **kwargs: Any) -> None:
        if self._is_failing:  # before the first cell, it may be
            self.nb.metadata.papermill["exception"] = True
        failed = bool(self.nb.metadata.papermill.get("exception"))
        reached = [c.metadata.papermill["status"] for c in self.nb.cells]
        super().notebook_complete(**kwargs)
        if failed:
            # papermill turns every pending cell into a completed one; a cell that never ran is pending.
            for cell, status in zip(self.nb.cells, reached, strict=True):
                cell.metadata.papermill["status"] = status
        # papermill itself writes what it gets back to its output path, which takes long for long notebooks.
        if self.options.output is not None or self._is_failing:
            self.save(always=True)
        if self.options.live is not None:
            self.options.live.remove()


def _local_file(path: str | None) -> Path | None:
    """The regular file that papermill's output path names, made or not, if it can be replaced; else None.

    None, too, for a file that others hold (a link, a mount) or own: replaced it would be another one.
    """
    handler = papermill_io.get_handler(path)
    if path is None or not isinstance(handler, LocalHandler):
        return None
    file = Path(
        handler._cwd or "", path
    )  # the engine may run in another folder than papermill was started in
    try:
        if file.is_symlink() or not file.parent.is_dir() or (file.exists() and not _is_ours_alone(file)):
            return None
        with temporary(file.parent) as (_, handle):
            handle.write(b"{}")
    except OSError:
        return None
    return file


def _is_ours_alone(file: Path) -> bool:
    found = file.stat()
    is_ours = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and is_ours and not file.is_mount()


def _replace(file: Path, data: bytes) -> None:
    """Write a file that others see whole or as it was before, its mode kept. Raises OSError."""
    with temporary(file.parent) as (place, handle):
        handle.write(data)
        with contextlib.suppress(OSError):
            os.fchmod(handle.fileno(), stat.S_IMODE(file.stat().st_mode))
        publish(handle, place, file)


def notebook_bytes(nb: Any, redact: tuple[str, ...] = ()) -> bytes:
    """The file of a notebook, without these pieces of secrets."""
    if redact:
        nb = nbformat.from_dict(redacted_notebook(_joined(nb), redact))
    text = str(nbformat.writes(nb, version=4))
    if not text.endswith("\n"):
        text += "\n"
    return text.encode("utf-8", "replace")


def _joined(nb: Any) -> Any:
    """While a cell runs, what it prints comes in pieces: a secret may stand in two of them."""
    cells = [
        {**cell, "outputs": joined_streams([dict(output) for output in cell["outputs"]])}
        if "outputs" in cell
        else cell
        for cell in nb["cells"]
    ]
    return {**nb, "cells": cells}
