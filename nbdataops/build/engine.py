"""papermill's engine `nbdataops`: the same notebook out, fewer writes (`saves`), typed parameters, bounded output."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import nbformat
from jupyter_core.utils import run_sync
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine
from papermill.log import logger

from nbdataops.build.engine_options import EngineOptions
from nbdataops.build.next_request import NextRequest
from nbdataops.build.saves import BoundedManager


class BoundedClient(PapermillNotebookClient):  # type: ignore[misc]
    """Counts what a stage prints, and stops keeping it beyond the limit, with a notice."""

    options: EngineOptions = EngineOptions()
    kept = 0
    dropped = 0
    km: Any
    kc: Any
    _start: Mapping[str, Any] = MappingProxyType({})
    _request: NextRequest | None = None
    _follows: Any = None
    """The cell that is executed after the current one."""
    _current: Any = None
    _begun: tuple[Any, Any] | None = None
    """The last cell that had succeeded when the kernel was given the next one ahead, and that one."""

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

    async def async_execute_cell(self, cell: Any, cell_index: int, *args: Any, **kwargs: Any) -> Any:
        """Execute a cell; while it runs the notebook is saved whenever it is due."""
        if self._request is None or self._request.client is not self.kc:
            self._request = NextRequest(self.kc)
        if self._request.sent and self._begun is not None and self._begun[1] is cell:
            cell.metadata.papermill["start_time"] = self._request.sent_at.isoformat()
        self._current, self._follows = cell, self._cell_after(cell, cell_index)
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle

        def save() -> None:
            nonlocal timer
            with contextlib.suppress(Exception):  # if it fails again after the cell, that tells
                self.nb_man.save()
            timer = loop.call_later(self.nb_man.due_s, save)

        timer = loop.call_later(self.nb_man.due_s, save)
        if not self.nb_man.saves_during_cells:
            timer.cancel()
        try:
            return await super().async_execute_cell(cell, cell_index, *args, **kwargs)
        finally:
            timer.cancel()

    async def _async_poll_for_reply(self, *args: Any, **kwargs: Any) -> Any:
        """The reply of the current cell, when all it said has been read; the next one is begun then, if all is well.

        Not where the notebook is to be saved between the two: if that fails, the next one is not to be executed.
        """
        reply = await super()._async_poll_for_reply(*args, **kwargs)
        if self._follows is not None and reply["content"]["status"] == "ok" and self.nb_man.due_s > 0:
            assert self._request is not None
            self._begun = self._current, self._follows
            self._request.send(self._follows.source)
        return reply

    def _cell_after(self, cell: Any, cell_index: int) -> Any:
        """What is executed after a cell; None if nothing is, or somebody has a say in that, or it may fail."""
        hooks = (self.on_cell_start, self.on_cell_execute, self.on_cell_complete, self.on_cell_executed)
        if not self._is_executed(cell) or self.allow_errors or any(hooks):
            return None
        following = next(filter(self._is_executed, self.nb.cells[cell_index + 1 :]), None)
        may_fail = any("raises-exception" in _tags(one) for one in (cell, following) if one is not None)
        return None if may_fail else following

    def _is_executed(self, cell: Any) -> bool:
        return (
            cell.cell_type == "code"
            and bool(cell.source.strip())
            and self.skip_cells_with_tag not in _tags(cell)
        )

    def note_begun(self) -> None:
        """When execution has ended: a cell that the kernel had begun and its client had not has failed; the one before
        had not, whatever the client was about."""
        if self._request is not None and self._request.sent and self._begun is not None:
            done, begun = self._begun
            done.metadata.papermill |= {"status": self.nb_man.COMPLETED, "exception": False}
            begun.metadata.papermill |= {"status": self.nb_man.FAILED, "exception": True}
            self.nb.metadata.papermill["exception"] = True

    # nbclient made its blocking methods of its own coroutines: these must be made of ours.
    execute_cell = run_sync(async_execute_cell)
    start_new_kernel = run_sync(async_start_new_kernel)
    start_new_kernel_client = run_sync(async_start_new_kernel_client)

    def output(self, outs: list[Any], msg: dict[str, Any], display_id: str | None, cell_index: int) -> Any:
        size = _size(msg["content"])
        limit = self.options.output_bytes
        if msg["msg_type"] != "error" and limit is not None and self.kept + size > limit:
            if not self.dropped:
                most = f"{limit / 1e6:g} MB"
                text = f"[nbdataops: this stage printed more than {most}; further output is not kept]\n"
                outs.append(nbformat.v4.new_output("stream", name="stderr", text=text))
            self.dropped += size
            return None
        self.kept += size
        if msg["msg_type"] == "stream" and self.options.live is not None:
            self.options.live.text(msg["content"]["text"])
        if display_id is None and self._is_plain_text(msg):
            outs.append(_stream(msg["content"]))
            return outs[-1]
        return super().output(outs, msg, display_id, cell_index)

    def _is_plain_text(self, msg: dict[str, Any]) -> bool:
        """Whether it is a text that goes where it belongs: no widget takes it, and nothing is to be cleared before."""
        content = msg["content"]
        return (
            msg["msg_type"] == "stream"
            and content.get("name") in ("stdout", "stderr")
            and isinstance(content.get("text"), str)
            and not self.clear_before_next_output
            and not self.output_hook_stack[msg["parent_header"].get("msg_id")]
        )

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
        autosave_cell_every: float = 30,
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
            autosave_cell_every=autosave_cell_every,
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
        try:
            return client.execute(**start)
        finally:
            client.note_begun()


def _stream(content: dict[str, Any]) -> Any:
    """The output of a stream's message. (nbformat's own way holds each against the whole schema, which takes longer
    than to receive it.)"""
    return nbformat.NotebookNode(output_type="stream", name=content["name"], text=content["text"])


def type_injected_cell(nb: Any, source: str | None) -> None:
    """Give the injected parameters cell the typed source; papermill carries parameters as JSON."""
    if not source:
        return
    for cell in nb.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = source


def _tags(cell: Any) -> list[str]:
    return list(cell.metadata.get("tags", []))


def _size(content: Any) -> int:
    if isinstance(content, str):
        return len(content)
    if isinstance(content, dict):
        return sum(_size(v) for v in content.values())
    if isinstance(content, list):
        return sum(_size(v) for v in content)
    return 8
