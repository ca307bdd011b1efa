"""A side's process: imports what it needs, then does what each line on stdin says, and reports the seconds.

Run by `benchmarks.execution.sides` with the side's own Python, which may not have nbdataops: so nothing of it here,
but in what only our side is told to do.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any


def ready(kernel: str) -> float:
    """Seconds from asking for a kernel until it answers."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name=kernel)
    began = time.perf_counter()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=120)
    seconds = time.perf_counter() - began
    client.stop_channels()
    manager.shutdown_kernel()
    return seconds


def notebook(path: str, kernel: str, engine: str | None = None) -> float:
    """Seconds of papermill's execution of a notebook."""
    began = time.perf_counter()
    _execute(path, path + ".out", kernel, engine)
    return time.perf_counter() - began


def notebooks(paths: Sequence[str], kernel: str, engine: str | None = None) -> float:
    """Seconds of papermill's execution of notebooks, one after another."""
    return sum(notebook(path, kernel, engine) for path in paths)


def cells(path: str, kernel: str, engine: str | None = None, times: int = 1) -> float:
    """Seconds a cell, from the start of the first to the end of the last, as papermill recorded them.

    The median of that many executions: few cells take so little time that one of them tells nothing.
    """
    return median(_cells(path, kernel, engine) for _ in range(times))


def _cells(path: str, kernel: str, engine: str | None) -> float:
    _execute(path, path + ".out", kernel, engine)
    done = json.loads(Path(path + ".out").read_text())["cells"]
    first, last = (done[i]["metadata"]["papermill"] for i in (0, -1))
    took = datetime.fromisoformat(last["end_time"]) - datetime.fromisoformat(first["start_time"])
    return took.total_seconds() / len(done)


def requests(path: str, kernel: str, times: int = 1) -> float:
    """Seconds a cell of the barest client: a request, its reply, and what the kernel says until it is idle."""
    return median(_requests(path, kernel) for _ in range(times))


def _requests(path: str, kernel: str) -> float:
    from jupyter_client.manager import KernelManager

    sources = [cell["source"] for cell in json.loads(Path(path).read_text())["cells"]]
    manager = KernelManager(kernel_name=kernel)
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=120)
    began = time.perf_counter()
    for source in sources:
        request = client.execute(source)
        while client.get_shell_msg(timeout=60)["parent_header"].get("msg_id") != request:
            pass
        while not _is_idle(client.get_iopub_msg(timeout=60), request):
            pass
    seconds = time.perf_counter() - began
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    return seconds / len(sources)


def partitions(path: str, numbers: Sequence[int], kernel: str, engine: str | None = None) -> float:
    """Seconds of papermill's execution of one notebook for each number, given as a parameter. One that fails to start
    is executed once more, as whoever waits for them would do; that counts."""
    began = time.perf_counter()
    for number in numbers:
        for last in (False, True):
            try:
                _execute(path, f"{path}.{number}.out", kernel, engine, parameters={"partition": number})
            except (
                RuntimeError
            ):  # a port that was free has been taken meanwhile: of ordinary kernels some start so
                if last:
                    raise
                continue
            break
    return time.perf_counter() - began


def parts(path: str, kernel: str, engine: str | None = None) -> dict[str, float]:
    """Seconds of each part of papermill's execution of a notebook."""
    from phases import Phases  # beside this file

    with Phases(engine) as phases:
        _execute(path, path + ".out", kernel, engine)
    return phases.seconds


def build(product: str, stages: Sequence[str]) -> float:
    """Seconds in which our runner executes stages of a product, from reading its declaration."""
    from nbdataops.build.nodes import Action
    from nbdataops.workspace import Options, open_product

    began = time.perf_counter()
    opened = open_product(product)
    report = opened.build(stages, Options(force=frozenset(stages)))
    seconds = time.perf_counter() - began
    opened.close()
    if report.execution.failures:
        raise SystemExit(str(report.execution.failures[0].error))
    executed = {node.node.stage for node in report.execution.nodes if node.action is Action.RUN}
    if not executed >= set(stages):
        raise SystemExit(f"not executed: {sorted(set(stages) - executed)}")
    return seconds


def _execute(path: str, out: str, kernel: str, engine: str | None, **more: Any) -> None:
    import papermill

    papermill.execute_notebook(path, out, kernel_name=kernel, engine_name=engine, progress_bar=False, **more)


def _is_idle(message: dict[str, Any], request: str) -> bool:
    return bool(
        message["msg_type"] == "status"
        and message["parent_header"].get("msg_id") == request
        and message["content"]["execution_state"] == "idle"
    )


def main() -> None:
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    ways = (ready, notebook, notebooks, cells, requests, partitions, parts, build)
    named = {way.__name__: way for way in ways}
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(named[order["do"]](**order["what"])), flush=True)


if __name__ == "__main__":
    main()
