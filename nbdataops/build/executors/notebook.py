"""Execute a stage with papermill in a kernel of its own. One thread a stage; nothing outlives the call."""

from __future__ import annotations

import io
import logging
import re
import shutil
import tempfile
import threading
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from nbdataops.build.engine_options import EngineOptions
from nbdataops.build.executors import Cancel, StageJob
from nbdataops.build.kernels import NAME, kernel_manager, kill_group
from nbdataops.build.live_log import LiveLog
from nbdataops.build.memory import MemoryWatch
from nbdataops.build.redaction import redacted
from nbdataops.errors import CancelledError, KernelError, NbdataopsError, Place, StageError, StageTimeout
from nbdataops.kernel.imported_names import preload_for

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_CELL_LINE = re.compile(r"(?:Cell In\s*\[\d+\]|<ipython-input[^>]*>)[^\n]*?line (\d+)")


KILL_AGAIN_S = 0.1


_IN_STAGE: ContextVar[bool] = ContextVar("in stage", default=False)


def _is_no_stage(record: logging.LogRecord) -> bool:
    """A filter: libraries say nothing of a stage. What goes wrong is told by `explain`, once and in our words."""
    return record.levelno >= logging.CRITICAL or not _IN_STAGE.get()


class NotebookExecutor:
    """papermill, one kernel a stage: forked where that is possible, else started with this interpreter."""

    def __init__(self) -> None:
        self._preloads: dict[Path, tuple[str, ...]] = {}
        for library in ("papermill", "papermill.translators", "traitlets"):
            logging.getLogger(library).addFilter(_is_no_stage)

    def execute(self, job: StageJob, cancel: Cancel) -> None:
        """Run the job's notebook to its end; raises StageError, StageTimeout, KernelError or CancelledError."""
        folder = Path(tempfile.mkdtemp(prefix="nbd-"))
        watch = _Watch(job, cancel, lambda: kernel_manager(folder, self._preload(job.cwd)))
        memory = MemoryWatch(lambda: watch.pid, job.on_memory)
        _IN_STAGE.set(True)
        try:
            with (folder / "kernel.log").open("wb") as log, watch, memory:
                self._papermill(job, log, memory, watch)
        except NbdataopsError:
            raise
        except Exception as error:
            raise watch.explain(error, last_words(folder / "kernel.log")) from error
        finally:
            _IN_STAGE.set(False)
            kill_group(watch.manager)
            # On some disks that takes milliseconds.
            job.afterwards(lambda: shutil.rmtree(folder, ignore_errors=True))

    def _preload(self, root: Path) -> tuple[str, ...]:
        """What the product's notebooks and modules import; read once, lest every edit asks for another fork server."""
        if root not in self._preloads:
            self._preloads[root] = preload_for(root)
        return self._preloads[root]

    def _papermill(
        self,
        job: StageJob,
        log: IO[bytes],
        memory: MemoryWatch,
        watch: _Watch,
    ) -> None:
        import papermill

        def on_cell(done: int, total: int) -> None:
            memory.note(last=done == total)
            job.on_cell(done, total)

        nb = nbformat.read(io.StringIO(job.notebook.decode("utf-8")), as_version=4)
        options = EngineOptions(
            new_manager=watch.new_manager,
            cwd=str(job.cwd),
            environment=dict(job.environment),
            log=log,
            output=job.output,
            injected=job.injected,
            output_bytes=job.limits.output_bytes,
            save_every_s=job.limits.save_every_s,
            redact=job.redact,
            on_cell=on_cell,
            live=LiveLog(job.output.with_suffix(".log"), job.redact),
            may_start_again=lambda: not watch.stopped.is_set(),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            papermill.execute_notebook(
                nb,
                None,
                parameters=dict(job.parameters),
                engine_name="nbdataops",
                kernel_name=NAME,
                language="python",
                progress_bar=False,
                execution_timeout=job.limits.cell_timeout_s,
                nbdataops=options,
            )


class _Watch:
    """Kills the kernel on cancel and on the stage's timeout, and knows afterwards why it died."""

    def __init__(self, job: StageJob, cancel: Cancel, make: Callable[[], AsyncKernelManager]) -> None:
        self.job, self.cancel = job, cancel
        self.manager: AsyncKernelManager | None = None
        self._make = make
        self.stopped = threading.Event()
        self.timed_out = False
        self._over = threading.Event()
        self._timer: threading.Timer | None = None

    def __enter__(self) -> _Watch:
        if self.cancel.event.is_set():
            raise CancelledError("cancelled before it started", where=Place(stage=self.job.stage))
        self._killer = threading.Thread(target=self._kill, name="kill", daemon=True)
        self._killer.start()
        self._remove = self.cancel.register(self.stopped.set)
        if self.cancel.event.is_set():  # between the look and the registration
            self.stopped.set()
        limit = self.job.limits.stage_timeout_s
        if limit is not None:
            self._timer = threading.Timer(limit, self._expire)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._remove()
        if self._timer is not None:
            self._timer.cancel()
        self._over.set()
        self.stopped.set()
        self._killer.join()

    @property
    def pid(self) -> int | None:
        """The kernel's process, once it is there."""
        return getattr(getattr(self.manager, "provisioner", None), "pid", None)

    def new_manager(self) -> AsyncKernelManager:
        """The manager of the kernel to start now; one for each start."""
        self.manager = self._make()
        return self.manager

    def _expire(self) -> None:
        self.timed_out = True
        self.stopped.set()

    def _kill(self) -> None:
        """Again and again: when it is time the kernel may not be there yet, as while its fork server loads."""
        self.stopped.wait()
        while not self._over.is_set():
            kill_group(self.manager)
            self._over.wait(KILL_AGAIN_S)

    def explain(self, error: Exception, log: str) -> NbdataopsError:
        """The error as its reader needs it: which cell, which line, what it printed, what to do."""
        from papermill.exceptions import PapermillExecutionError

        job = self.job
        log = redacted(log, job.redact)
        place = Place(file=f"{job.stage}.ipynb")
        if self.cancel.event.is_set():
            return CancelledError("cancelled while it ran", where=place)
        if self.timed_out:
            return StageTimeout(
                f"the stage took longer than {job.limits.stage_timeout_s} s and was stopped",
                where=self._running(place),
                todo="make it faster, or raise execution.stage_timeout_s in dataproduct.yaml",
            )
        if isinstance(error, PapermillExecutionError):
            return self._failed_cell(error, place)
        if isinstance(error, CellTimeoutError) and "IOPub" in str(error):
            return KernelError(
                "the kernel said that a cell is done, but not all that the cell has printed came",
                where=self._running(place),
                todo="run it again; if it stays so, have the cell print less at a time",
                detail=log,
            )
        if isinstance(error, CellTimeoutError):
            return StageTimeout(
                f"a cell ran longer than {job.limits.cell_timeout_s} s and was stopped",
                where=self._running(place),
                todo="make the cell faster, or raise execution.cell_timeout_s in dataproduct.yaml",
            )
        if isinstance(error, DeadKernelError):
            return KernelError(
                "the kernel died while a cell ran",
                where=self._running(place),
                todo="often it ran out of memory (look at the system's log), or `nbdataops kernel stop --now` ended "
                f"it; the cells before it are in {job.output.name}",
                detail=log,
            )
        if isinstance(error, OSError):
            return KernelError(
                f"{type(error).__name__}: {error}",
                where=place,
                todo="is the disk full, or the folder read-only?",
            )
        return KernelError(
            f"the notebook could not be executed: {type(error).__name__}: {error}",
            where=place,
            todo="nbdataops doctor checks this machine's kernel",
            detail=log,
        )

    def _failed_cell(self, error: Any, place: Place) -> StageError:
        traceback = _ANSI.sub("", "\n".join(error.traceback))
        line = _CELL_LINE.search(traceback)
        number = self._original_cell(int(error.cell_index) + 1)
        traceback = redacted(traceback, self.job.redact)
        message = redacted(_ANSI.sub("", f"{error.ename}: {error.evalue}"), self.job.redact)
        return StageError(
            message.strip(),
            where=Place(file=place.file, cell=number, line=int(line.group(1)) if line else None),
            todo=f"open {job_name(self.job)} to see the cells before it with their outputs",
            detail=traceback,
        )

    def _running(self, place: Place) -> Place:
        """The cell that was being executed, from the notebook as it was last saved."""
        try:
            nb = nbformat.read(str(self.job.output), as_version=4)
        except (OSError, ValueError):
            return place
        statuses = [c.metadata.get("papermill", {}).get("status") for c in nb.cells]
        for wanted in ("running", "failed"):
            if wanted in statuses:
                return Place(file=place.file, cell=self._original_cell(statuses.index(wanted) + 1))
        return place

    def _original_cell(self, number: int) -> int:
        """papermill adds a cell after the parameters; people count the cells of their own file."""
        nb = nbformat.read(io.StringIO(self.job.notebook.decode("utf-8")), as_version=4)
        tagged = [i for i, c in enumerate(nb.cells, 1) if "parameters" in c.metadata.get("tags", [])]
        if not self.job.parameters:
            return number
        after = tagged[0] if tagged else 0
        return number if number <= after else max(number - 1, 1)


def last_words(log: Path) -> str:
    """What the kernel's own process wrote last, outside of any cell."""
    try:
        return log.read_text(encoding="utf-8", errors="replace")[-2000:].strip()
    except OSError:
        return ""


def job_name(job: StageJob) -> str:
    """Where the executed notebook lies, as a person would open it."""
    return str(Path(*job.output.parts[-4:])) if len(job.output.parts) > 4 else str(job.output)
