"""papermill's engine `nbdataops`: the same notebook out, fewer writes, typed parameters, bounded output.

Stock papermill writes the whole file twice per cell, which is the main cost of long notebooks. Here it is
written at most every few seconds, at most a tenth of the time, always after an error and at the end, and
always atomically.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import nbformat
from jupyter_core.utils import run_sync
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager
from papermill.log import logger

from nbdataops.build.live_log import LiveLog
from nbdataops.build.redaction import redacted_notebook
from nbdataops.store.locations import atomic_write


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What the runner tells the engine about one stage; papermill passes it through as `nbdataops=`."""

    new_manager: Callable[[], Any] | None = None
    cwd: str | None = None
    environment: dict[str, str] | None = None
    log: IO[bytes] | None = None
    output: Path | None = None
    injected: str | None = None
    output_bytes: int = 5_000_000
    save_every_s: float = 2.0
    redact: tuple[str, ...] = ()
    on_cell: Callable[[int, int], None] = field(default=lambda done, total: None)
    live: LiveLog | None = None
    may_start_again: Callable[[], bool] = field(default=lambda: True)


class BoundedManager(NotebookExecutionManager):  # type: ignore[misc]
    """Saves at most every `save_every_s` seconds and at most a tenth of the time."""

    def __init__(self, nb: Any, options: EngineOptions, **kwargs: Any) -> None:
        super().__init__(nb, **kwargs)
        self.options = options
        self._next_save = time.monotonic() + options.save_every_s

    def save(self, *, always: bool = False, **kwargs: Any) -> None:
        target = self.options.output or self.output_path
        started = time.monotonic()
        if target is None or (not always and started < self._next_save):
            return
        if isinstance(target, str) and "://" in target:
            super().save(**kwargs)  # a bucket or a server: papermill knows how to write there
        else:
            atomic_write(Path(target), notebook_bytes(self.nb, self.options.redact))
        ended = time.monotonic()
        self._next_save = ended + max(self.options.save_every_s, 10 * (ended - started))
        self.last_save_time = self.now()

    def cell_start(self, cell: Any, cell_index: int | None = None, **kwargs: Any) -> None:
        super().cell_start(cell, cell_index, **kwargs)
        if self.options.live is not None:
            self.options.live.cell((cell_index or 0) + 1, len(self.nb.cells))

    def cell_complete(self, cell: Any, cell_index: int | None = None, **kwargs: Any) -> None:
        if (
            sys.exc_info()[1] is not None
        ):  # a timeout or a dead kernel is on its way up: this cell did not complete
            cell.metadata.papermill["status"] = self.FAILED
            self.nb.metadata.papermill["exception"] = True
        if cell.get("cell_type") == "code":
            cell.outputs = joined_streams(cell.get("outputs", []))
        super().cell_complete(cell, cell_index, **kwargs)
        if self.options.live is not None:
            self.options.live.ended((cell_index or 0) + 1, cell.metadata.papermill["status"])
        self.options.on_cell((cell_index or 0) + 1, len(self.nb.cells))

    def cell_exception(self, cell: Any, cell_index: int | None = None, **kwargs: Any) -> None:
        super().cell_exception(cell, cell_index, **kwargs)
        self.save(always=True)

    def notebook_complete(self, **kwargs: Any) -> None:
        failed = bool(self.nb.metadata.papermill.get("exception"))
        reached = [c.metadata.papermill["status"] for c in self.nb.cells]
        super().notebook_complete(**kwargs)
        if failed:
            # papermill turns every pending cell into a completed one; a cell that never ran is pending.
            for cell, status in zip(self.nb.cells, reached, strict=True):
                cell.metadata.papermill["status"] = status
        self.save(always=True)
        if self.options.live is not None:
            self.options.live.remove()


class BoundedClient(PapermillNotebookClient):  # type: ignore[misc]
    """Counts what a stage prints, and stops keeping it beyond the limit, with a notice."""

    options: EngineOptions = EngineOptions()
    kept = 0
    dropped = 0
    km: Any
    _start: Mapping[str, Any] = MappingProxyType({})

    async def async_start_new_kernel(self, **kwargs: Any) -> None:
        """Start the kernel, once more if that fails: a fork or a port may have been missing for a moment."""
        self._start = kwargs
        try:
            await super().async_start_new_kernel(**kwargs)
        except OSError:
            if not self.options.may_start_again():
                raise
            await super().async_start_new_kernel(**kwargs)

    async def async_start_new_kernel_client(self) -> Any:
        """Connect and wait until the kernel answers; one that dies first is started once more."""
        try:
            return await super().async_start_new_kernel_client()
        except RuntimeError:  # "Kernel died before replying to kernel_info", or it took too long
            if not self.options.may_start_again():
                raise
        new_manager = self.options.new_manager or self.create_kernel_manager
        self.km = new_manager()  # the old one has closed its sockets for good
        await super().async_start_new_kernel(**self._start)
        return await super().async_start_new_kernel_client()

    # nbclient made its blocking methods of its own coroutines: these must be made of ours.
    start_new_kernel = run_sync(async_start_new_kernel)
    start_new_kernel_client = run_sync(async_start_new_kernel_client)

    def output(self, outs: list[Any], msg: dict[str, Any], display_id: str | None, cell_index: int) -> Any:
        size = _size(msg["content"])
        if msg["msg_type"] != "error" and self.kept + size > self.options.output_bytes:
            if not self.dropped:
                limit = f"{self.options.output_bytes / 1e6:g} MB"
                text = f"[nbdataops: this stage printed more than {limit}; further output is not kept]\n"
                outs.append(nbformat.v4.new_output("stream", name="stderr", text=text))
            self.dropped += size
            return None
        self.kept += size
        if msg["msg_type"] == "stream" and self.options.live is not None:
            self.options.live.text(msg["content"]["text"])
        return super().output(outs, msg, display_id, cell_index)

    def handle_comm_msg(self, outs: list[Any], msg: dict[str, Any], cell_index: int) -> None:
        if (
            msg["msg_type"] == "comm_open"
            and msg["content"].get("target_name") not in self.comm_open_handlers
        ):
            return  # a comm of an unknown kind is of no use in a file, and no reason to warn
        super().handle_comm_msg(outs, msg, cell_index)


class BoundedEngine(NBClientEngine):  # type: ignore[misc]
    """See the module. `papermill --engine nbdataops` uses it without any options."""

    @classmethod
    def execute_notebook(
        cls,
        nb: Any,
        kernel_name: str,
        output_path: str | None = None,
        progress_bar: bool | dict[str, Any] = True,
        log_output: bool = False,
        autosave_cell_every: int = 0,
        nbdataops: EngineOptions | None = None,
        **kwargs: Any,
    ) -> Any:
        options = nbdataops or EngineOptions()
        type_injected_cell(nb, options.injected)
        manager = BoundedManager(
            nb,
            options,
            output_path=output_path,
            progress_bar=progress_bar,
            log_output=log_output,
            autosave_cell_every=0,
        )
        manager.notebook_start()
        try:
            cls.execute_managed_notebook(manager, kernel_name, log_output=log_output, **kwargs)
        finally:
            manager.cleanup_pbar()
            manager.notebook_complete()
        return manager.nb

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: BoundedManager,
        kernel_name: str,
        log_output: bool = False,
        stdout_file: Any = None,
        stderr_file: Any = None,
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        **kwargs: Any,
    ) -> Any:
        options = nb_man.options
        kwargs.pop("input_path", None)
        kwargs.pop("startup_timeout", None)  # papermill's name for it is `start_timeout`
        timeout = kwargs.pop("timeout", None)
        settings: dict[str, Any] = {
            # What a stage published lies in its deposit by now. Asking politely costs its interpreter's teardown, and
            # now and then the seconds until jupyter_client gives up waiting.
            "shutdown_kernel": "immediate",
            "iopub_timeout": 60,
            "resources": {"metadata": {"path": options.cwd}} if options.cwd else {},
        }
        client = BoundedClient(
            nb_man,
            km=options.new_manager() if options.new_manager is not None else None,
            timeout=execution_timeout or timeout,
            startup_timeout=start_timeout,
            kernel_name=kernel_name,
            log=logger,
            log_output=log_output,
            stdout_file=stdout_file,
            stderr_file=stderr_file,
            **(settings | kwargs),
        )
        client.options = options
        start: dict[str, Any] = {"cleanup_kc": True}
        if options.environment is not None:
            start["env"] = options.environment
        if options.log is not None:
            start |= {"stdout": options.log, "stderr": options.log}
        return client.execute(**start)


def joined_streams(outputs: list[Any]) -> list[Any]:
    """Consecutive pieces of one stream as one output, progress bars as they ended. Linear in what was printed.

    (nbclient's own way, a regular expression, takes seconds for a line of 100 kB, deaf to any timeout.)
    """
    joined: list[Any] = []
    pieces: list[str] = []
    for output in outputs:
        stream = output["output_type"] == "stream"
        if stream and pieces and joined[-1]["name"] == output["name"]:
            pieces.append(output["text"])
            continue
        if pieces:
            joined[-1]["text"] = _settled("".join(pieces))
        joined.append(output)
        pieces = [output["text"]] if stream else []
    if pieces:
        joined[-1]["text"] = _settled("".join(pieces))
    return joined


def _settled(text: str) -> str:
    """What a terminal shows in the end: after a carriage return a line is written anew.

    >>> _settled("10 %\\r55 %\\r100 %\\ndone\\n")
    '100 %\\ndone\\n'
    """
    if "\r" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def type_injected_cell(nb: Any, source: str | None) -> None:
    """Give the injected parameters cell the typed source; papermill carries parameters as JSON."""
    if not source:
        return
    for cell in nb.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = source


def notebook_bytes(nb: Any, redact: tuple[str, ...] = ()) -> bytes:
    """The file of a notebook, without these pieces of secrets."""
    if redact:
        nb = nbformat.from_dict(redacted_notebook(nb, redact))
    text = str(nbformat.writes(nb, version=4))
    if not text.endswith("\n"):
        text += "\n"
    return text.encode("utf-8", "replace")


def _size(content: Any) -> int:
    if isinstance(content, str):
        return len(content)
    if isinstance(content, dict):
        return sum(_size(v) for v in content.values())
    if isinstance(content, list):
        return sum(_size(v) for v in content)
    return 8
