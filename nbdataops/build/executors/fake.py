"""A fake kernel: the cells of a notebook in this process, one notebook at a time.

Everything but kernels is tested with it in milliseconds: assignments, deposits, plans, states. It has no
isolation, no output and no timeouts; those belong to the real one and are tested with real kernels.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping

from nbdataops.build.executors import Cancel, StageJob
from nbdataops.errors import CancelledError, NbdataopsError, Place, StageError
from nbdataops.session.assignment import VARIABLE
from nbdataops.session.current import forget

_one_at_a_time = threading.Lock()


class FakeKernel:
    """Executes cells by `exec`. `executed` lists the nodes in the order in which they ran.

    `before` may hold a function per stage that is called before its first cell, to fail on purpose; `peaks` the
    bytes of memory that a stage pretends to take.
    """

    def __init__(
        self,
        before: Mapping[str, Callable[[StageJob], None]] | None = None,
        peaks: Mapping[str, int] | None = None,
    ) -> None:
        self.executed: list[str] = []
        self.before = dict(before or {})
        self.peaks = dict(peaks or {})

    def execute(self, job: StageJob, cancel: Cancel) -> None:
        if cancel.event.is_set():
            raise CancelledError("cancelled before it started", where=Place(stage=job.stage))
        with _one_at_a_time:
            self.executed.append(job.node)
            outside = os.environ.get(VARIABLE)
            os.environ[VARIABLE] = str(job.assignment)
            try:
                if job.stage in self.before:
                    self.before[job.stage](job)
                self._cells(job)
                if job.stage in self.peaks:
                    job.on_memory(self.peaks[job.stage], self.peaks[job.stage])
            finally:
                forget()
                if outside is None:
                    del os.environ[VARIABLE]
                else:
                    os.environ[VARIABLE] = outside
        job.output.write_bytes(job.notebook)

    def _cells(self, job: StageJob) -> None:
        namespace: dict[str, object] = {"__name__": "__main__"}
        cells = json.loads(job.notebook)["cells"]
        code = [(n, c) for n, c in enumerate(cells, 1) if c["cell_type"] == "code"]
        for done, (number, cell) in enumerate(code, 1):
            sources = ["".join(cell["source"])]
            if "parameters" in cell["metadata"].get("tags", []):
                sources.append(job.injected)
            for source in sources:
                self._execute(source, namespace, job, number)
            job.on_cell(done, len(code))

    def _execute(self, source: str, namespace: dict[str, object], job: StageJob, number: int) -> None:
        try:
            exec(compile(source, f"{job.stage}.ipynb, cell {number}", "exec"), namespace)
        except Exception as error:
            trace = error.__traceback__
            line = trace.tb_next.tb_lineno if trace is not None and trace.tb_next is not None else None
            what = error.what if isinstance(error, NbdataopsError) else error
            raise StageError(
                f"{type(error).__name__}: {what}", where=Place(f"{job.stage}.ipynb", number, line)
            ) from error
