"""What a plan will take, by what its nodes took the last time: seconds and memory; and what of the memory is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import fmean

from nbdataops.build.journal import Peaks
from nbdataops.build.memory import available_bytes
from nbdataops.build.nodes import Action, NodeKind
from nbdataops.build.plan import Plan, PlannedNode
from nbdataops.build.schedule import Task

HEADROOM = 0.05
"""Of the memory that is free when a run starts, what is left to everything else."""


class Workload:
    """The tasks of a plan, and what those that run take.

    Nodes that execute no notebook take no memory of their own. A stage that never ran is expected to take as long
    as the others on average, and half of an equal share of the memory among `jobs` of them: so they all fit, with
    room to grow.
    """

    def __init__(
        self, plan: Plan, peaks: Peaks, jobs: int, available: Callable[[], int | None] = available_bytes
    ) -> None:
        self._available = available
        self._at_start = available() or 0
        self._now: dict[str, int] = {}
        self._peak: dict[str, int] = {}
        known = [n.seconds for n in plan.nodes if n.seconds is not None and _executes(n)]
        usual_s = fmean(known) if known else 1.0
        share = self._at_start // (2 * jobs)
        self.tasks = tuple(_task(n, peaks, usual_s, share) for n in plan.nodes)

    def take(self, node: str, now: int, peak: int) -> None:
        """A node takes so many bytes now, and took so many at most."""
        self._now[node], self._peak[node] = now, peak

    def peak(self, node: str) -> int | None:
        """The most that a node took in this run, as far as it was seen."""
        return self._peak.get(node)

    def free_bytes(self, running: Mapping[str, Task]) -> int | None:
        """Memory that nothing which runs will need, even when it grows to its peak; None: this machine does not tell."""
        available = self._available()
        if available is None:
            return None
        growth = sum(max(0, task.peak_bytes - self._now.get(name, 0)) for name, task in running.items())
        return available - int(HEADROOM * self._at_start) - growth


def _task(planned: PlannedNode, peaks: Peaks, usual_s: float, share: int) -> Task:
    node = planned.node
    if not _executes(planned):
        seconds = (planned.seconds or 0.0) if _may_run(planned) else 0.0
        return Task(node.id, node.after, seconds)
    seconds = usual_s if planned.seconds is None else planned.seconds
    peak = peaks.of(node.id, node.stage)
    return Task(node.id, node.after, seconds, share if peak is None else peak)


def _may_run(planned: PlannedNode) -> bool:
    return planned.action in (Action.RUN, Action.MAYBE)


def _executes(planned: PlannedNode) -> bool:
    """Whether a notebook may be executed for it."""
    return planned.node.kind is NodeKind.STAGE and _may_run(planned)
