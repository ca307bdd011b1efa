"""Two worker processes told to work in turns, and what they report."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.comparison import Comparison, Duration, Memory
from benchmarks.ltv.customers import Customers

ROOT = Path(__file__).parent.parent.parent
SUMMARY = ("x", "t_x", "T")
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""For both sides: threads of BLAS wait for each other longer than such short sums take. DuckDB keeps all cores."""


@dataclass(frozen=True, slots=True)
class Side:
    """A module of `benchmarks.ltv.sides` and the Python that has what it imports."""

    name: str
    module: str
    python: Path = Path(sys.executable)


OURS = Side("nbdataops", "ours")
GROUP_BY = Side("DuckDB", "group_by")


@dataclass(frozen=True, slots=True)
class Done:
    """A task done once: how long it took, what it found, and the seconds of parts that the side timed inside."""

    took: Duration
    found: dict[str, float]
    parts: dict[str, float]


class Worker:
    """A running worker process; a context manager, so that it ends."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self._process = subprocess.Popen(
            [side.python, "-m", "benchmarks.ltv.worker", f"benchmarks.ltv.sides.{side.module}"],
            cwd=ROOT,
            env={**os.environ, **ONE_THREAD},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def load(self, customers: Customers, columns: Sequence[str] = SUMMARY) -> None:
        self._ask(do="load", file=str(customers.file), columns=list(columns))

    def run(self, task: str) -> Done:
        answer = self._ask(do="run", task=task)
        return Done(Duration(answer["wall_s"], answer["cpu_s"]), answer["found"], answer["parts"])

    def peak_mb(self) -> float:
        return float(self._ask(do="peak")["mb"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, **command: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.side.name} ended with code {self._process.wait()}: its error is above")
        answer: dict[str, Any] = json.loads(line)
        return answer


@dataclass(frozen=True, slots=True)
class Fit:
    """The names of the same fit on our side and on the other."""

    ours: str
    theirs: str


def rounds_in_turns(ways: Sequence[tuple[Worker, str]], rounds: int) -> list[list[Done]]:
    """What each way reports each round; the order is reversed every other round."""
    done: list[list[Done]] = [[] for _ in ways]
    numbered = list(enumerate(ways))
    for number in range(rounds):
        for i, (worker, task) in numbered if number % 2 == 0 else reversed(numbered):
            done[i].append(worker.run(task))
    return done


def memory(side: Side, task: str, customers: Customers, columns: Sequence[str] = SUMMARY) -> Memory:
    """Peaks of a fresh process: with imports and customers, and after the task."""
    with Worker(side) as worker:
        worker.load(customers, columns)
        before = worker.peak_mb()
        worker.run(task)
        return Memory(peak_mb=worker.peak_mb(), before_mb=before)


def against_peer(
    fit: Fit,
    customers: Customers,
    small: Customers,
    peer: Side,
    rounds: int,
    *,
    rtol: float,
    at_least: float | None = None,
    with_memory: bool = False,
) -> Comparison:
    """The same fit by us and a peer, in turns after a small one; both must end at the same optimum each round.

    `at_least`: how many times as fast was asked for.
    """
    with ExitStack() as stack:
        ways = [
            (stack.enter_context(Worker(side)), task) for side, task in ((OURS, fit.ours), (peer, fit.theirs))
        ]
        for worker, task in ways:
            worker.load(small)
            worker.run(task)
            worker.load(customers)
        ours, theirs = rounds_in_turns(ways, rounds)
    for mine, other in zip(ours, theirs, strict=True):
        require_same_optimum(fit.ours, mine.found, peer.name, other.found, rtol)
    return Comparison(
        f"{fit.ours}, {customers}",
        peer.name,
        tuple(done.took for done in ours),
        tuple(done.took for done in theirs),
        asked=None if at_least is None else 1 / at_least,
        ours_memory=memory(OURS, fit.ours, customers) if with_memory else None,
        other_memory=memory(peer, fit.theirs, customers) if with_memory else None,
    )


def require_same_optimum(
    task: str, ours: dict[str, float], peer: str, theirs: dict[str, float], rtol: float
) -> None:
    """End the benchmark unless all parameters agree within `rtol`: speed to another answer is none."""
    same = set(ours) == set(theirs) and all(
        math.isclose(value, theirs[name], rel_tol=rtol) for name, value in ours.items()
    )
    if not same:
        raise SystemExit(
            f"{task}: no comparison, the optima differ by more than {rtol:g}: ours {ours}, {peer} {theirs}"
        )
