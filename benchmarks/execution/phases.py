"""Where the time of papermill's execution of a notebook goes, by timing the methods that it calls, from outside.

Nothing of nbdataops is imported unless its engine is asked for: a side of stock papermill uses this, too.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

PARTS = ("kernel start", "ready wait", "imports", "other cells", "saves", "shutdown", "papermill's own work")
"""In the order in which a stage first comes to them; the last is all the rest."""


def _of_cell(client: Any, cell: Any, cell_index: int, *_: Any, **__: Any) -> str:
    return "imports" if cell_index == 0 else "other cells"


TIMED: Mapping[str, Callable[..., str]] = {
    "create_kernel_manager": lambda *_, **__: "kernel start",
    "start_new_kernel": lambda *_, **__: "kernel start",
    "start_new_kernel_client": lambda *_, **__: "ready wait",
    "execute_cell": _of_cell,
    "_cleanup_kernel": lambda *_, **__: "shutdown",
    "save": lambda *_, **__: "saves",
    "write_ipynb": lambda *_, **__: "saves",
}
"""Methods of nbclient and papermill, and to which part a call of them belongs."""


class Phases:
    """Seconds of each part, each moment counted once: a save inside of a cell is a save. A context manager."""

    def __init__(self, engine: str | None) -> None:
        self.engine = engine
        self.seconds = dict.fromkeys(PARTS, 0.0)

    def __enter__(self) -> Phases:
        import papermill.execute
        from nbclient import NotebookClient
        from papermill.engines import NotebookExecutionManager

        owners: list[Any] = [NotebookClient, NotebookExecutionManager, papermill.execute]
        if self.engine == "nbdataops":
            from nbdataops.build.engine import BoundedClient
            from nbdataops.build.saves import BoundedManager

            owners += [BoundedClient, BoundedManager]
        self._running = [PARTS[-1]]
        self._stack = ExitStack()
        for owner in owners:
            for name, part in TIMED.items():
                if name in vars(owner):  # its own, not inherited: that is timed where it is defined
                    timed = self._timing(getattr(owner, name), part)
                    self._stack.enter_context(mock.patch.object(owner, name, timed))
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
