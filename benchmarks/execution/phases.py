"""Where the time of papermill's execution of a notebook goes, by timing the methods that it calls, from outside.

Nothing of nbdataops is imported unless its engine is asked for: a side of stock papermill uses this, too.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

PARTS = ("kernel start", "ready wait", "imports", "other cells", "saves", "shutdown", "papermill's own work")
"""In the order in which a stage first comes to them; the last is all the rest."""


class Phases:
    """Seconds of each part, each moment counted once: a save inside of a cell is a save. A context manager."""

    def __init__(self, engine: str | None) -> None:
        self.engine = engine
        self.seconds = dict.fromkeys(PARTS, 0.0)

    def __enter__(self) -> Phases:
        import papermill.execute
        from nbclient import NotebookClient
        from papermill.engines import NotebookExecutionManager

        managers = [NotebookExecutionManager]
        if self.engine == "nbdataops":
            from nbdataops.build.engine import BoundedManager

            managers.append(BoundedManager)
        timed: list[tuple[Any, str, Callable[..., str]]] = [
            (NotebookClient, "create_kernel_manager", lambda *_, **__: "kernel start"),
            (NotebookClient, "start_new_kernel", lambda *_, **__: "kernel start"),
            (NotebookClient, "start_new_kernel_client", lambda *_, **__: "ready wait"),
            (NotebookClient, "execute_cell", _of_cell),
            (NotebookClient, "_cleanup_kernel", lambda *_, **__: "shutdown"),
            (papermill.execute, "write_ipynb", lambda *_, **__: "saves"),
            *((manager, "save", lambda *_, **__: "saves") for manager in managers),
        ]
        self._running = [PARTS[-1]]
        self._stack = ExitStack()
        for owner, name, part in timed:
            self._stack.enter_context(
                mock.patch.object(owner, name, self._timing(getattr(owner, name), part))
            )
        self._since = time.perf_counter()
        return self

    def __exit__(self, *exc: object) -> None:
        self._switch()
        self._stack.close()

    def _timing(self, method: Callable[..., Any], part: Callable[..., str]) -> Callable[..., Any]:
        @functools.wraps(method)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self._in(part(*args, **kwargs)):
                return method(*args, **kwargs)

        return timed

    @contextmanager
    def _in(self, part: str) -> Any:
        self._switch()
        self._running.append(part)
        try:
            yield
        finally:
            self._switch()
            self._running.pop()

    def _switch(self) -> None:
        """Give the time since the last switch to what ran meanwhile."""
        now = time.perf_counter()
        self.seconds[self._running[-1]] += now - self._since
        self._since = now


def _of_cell(client: Any, cell: Any, cell_index: int, *_: Any, **__: Any) -> str:
    return "imports" if cell_index == 0 else "other cells"
