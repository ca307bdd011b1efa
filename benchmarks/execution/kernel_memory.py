"""Claim: each further warm kernel adds at most a third of the memory that a cold one adds, when both do a stage's work.

Counted is proportional memory (PSS: what a process has alone, and its share of what several have), over the server
and all its kernels, or over all cold kernels: what five take less what one takes, by four. The work is to import
pandas, scikit-learn and pyarrow and to fit a line. Kernels before any work are shown beside it: there a cold one has
loaded nothing of all that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import psutil
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from benchmarks.comparison import Added, Comparison, script
from benchmarks.execution.sides import servers, stock_python
from benchmarks.execution.stage_with_imports import CELLS
from nbdataops.kernel.status import statuses

ROUNDS = 7
KERNELS = 5
AT_MOST = 1 / 3


@dataclass(frozen=True, slots=True)
class Side:
    """A kernelspec, the folder in which it lies if Jupyter does not find it, and that of servers that count, too."""

    kernel: str
    specs: Path | None = None
    servers: Path | None = None


class Kernels:
    """Running kernels of one side."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.started: list[tuple[KernelManager, BlockingKernelClient]] = []

    def start(self) -> None:
        specs = KernelSpecManager()
        if self.side.specs is not None:
            specs.kernel_dirs = [str(self.side.specs)]
        manager = KernelManager(kernel_name=self.side.kernel, kernel_spec_manager=specs)
        manager.start_kernel()
        client = manager.client()
        self.started.append((manager, client))
        client.start_channels()
        client.wait_for_ready(timeout=120)

    def work(self) -> None:
        for _, client in self.started:
            for cell in CELLS:
                reply = client.execute_interactive(cell, timeout=120, output_hook=lambda _: None)
                if reply["content"]["status"] != "ok":
                    raise SystemExit(f"a cell failed: {reply['content']}")

    def end(self, left: int) -> None:
        while len(self.started) > left:
            manager, client = self.started.pop()
            client.stop_channels()
            manager.shutdown_kernel(now=True)

    def pss_mb(self) -> float:
        pids = [manager.provisioner.pid for manager, _ in self.started]
        if self.side.servers is not None:
            pids += [server["pid"] for server in statuses(self.side.servers)]
        return float(sum(psutil.Process(pid).memory_full_info().pss for pid in pids)) / 1e6


@contextmanager
def kernels(side: Side) -> Iterator[Kernels]:
    held = Kernels(side)
    try:
        yield held
    finally:
        held.end(left=0)


def added(side: Side) -> tuple[Added, Added]:
    """What each kernel after the first adds: idle, and after its work."""
    with kernels(side) as held:
        held.start()
        one = held.pss_mb()
        for _ in range(KERNELS - 1):
            held.start()
        idle = held.pss_mb() - one
        held.work()
        all_worked = held.pss_mb()
        held.end(left=1)
        worked = all_worked - held.pss_mb()
    return Added(idle / (KERNELS - 1)), Added(worked / (KERNELS - 1))


def measure(rounds: int) -> list[Comparison]:
    with servers() as made, mock.patch.dict(os.environ, made.variables):
        ours = Side("forked", servers=made.folder)
        stock = Side("python3", specs=stock_python().parent.parent / "share" / "jupyter" / "kernels")
        added(ours)  # the server loads
        taken = [(added(ours), added(stock)) for _ in range(rounds)]
    return [
        Comparison(
            f"a further kernel, {what}",
            "a cold one",
            tuple(warm[i] for warm, _ in taken),
            tuple(cold[i] for _, cold in taken),
            asked=asked,
        )
        for i, (what, asked) in enumerate((("idle", None), ("after imports and a fit", AT_MOST)))
    ]


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
