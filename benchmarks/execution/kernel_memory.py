"""Claim: each further warm kernel adds at most a third of the memory that a cold one adds.

Counted is proportional memory (PSS: what a process has alone, and its share of what several have), over the server
and all its kernels, or over all cold kernels: what five take less what one takes, by four. Once with kernels that are
idle, once after each has imported pandas, scikit-learn and pyarrow and fitted a line.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from unittest import mock

import psutil
from jupyter_client.manager import KernelManager

from benchmarks.execution.sides import servers
from benchmarks.execution.stage_with_imports import CELLS
from nbdataops.kernel.status import statuses

KERNELS = 5


def added_mb(kernel: str, cells: Sequence[str], folder_of_servers: str | None) -> float:
    """MB that each kernel after the first adds."""
    from pathlib import Path

    started = []
    taken = []
    for _ in range(KERNELS):
        manager = KernelManager(kernel_name=kernel)
        manager.start_kernel()
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=120)
        for cell in cells:
            client.execute_interactive(cell, timeout=120, output_hook=lambda _: None)
        started.append((manager, client))
        pids = [m.provisioner.pid for m, _ in started]
        if folder_of_servers is not None:
            pids += [server["pid"] for server in statuses(Path(folder_of_servers))]
        taken.append(sum(psutil.Process(pid).memory_full_info().pss for pid in pids) / 1e6)
    for manager, client in started:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return (taken[-1] - taken[0]) / (KERNELS - 1)


def main() -> None:
    with servers() as made, mock.patch.dict(os.environ, made.variables):
        print(f"{'MB per further kernel':28} {'warm':>8} {'cold':>8} {'ratio':>8}")
        for what, cells in (("idle", ()), ("after imports and a fit", CELLS)):
            warm = added_mb("forked", cells, str(made.folder))
            cold = added_mb("python3", cells, None)
            print(f"{what:28} {warm:8.1f} {cold:8.1f} {warm / cold:8.3f}   asked at most 0.333")


if __name__ == "__main__":
    main()
