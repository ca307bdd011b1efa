"""A side's process: imports what it needs, then does what each line on stdin says, and reports the seconds.

Run by `benchmarks.execution.sides` with the side's own Python, which may not have nbdataops: so nothing of it here.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from typing import Any


def ready(kernel: str, **_: Any) -> float:
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


def notebook(path: str, kernel: str, engine: str | None = None, **_: Any) -> float:
    """Seconds of papermill's execution of a notebook."""
    import papermill

    began = time.perf_counter()
    papermill.execute_notebook(
        path, path + ".out", kernel_name=kernel, engine_name=engine, progress_bar=False
    )
    return time.perf_counter() - began


def main() -> None:
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    ways = {"ready": ready, "notebook": notebook}
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(ways[order["do"]](**order["what"])), flush=True)


if __name__ == "__main__":
    main()
