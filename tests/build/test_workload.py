"""What is expected of nodes, from what they took the last time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nbdataops.build.executors import Cancel, StageJob
from nbdataops.build.executors.fake import FakeKernel
from nbdataops.build.journal import Peaks
from nbdataops.build.plan import Plan
from nbdataops.build.schedule import Task
from nbdataops.build.workload import HEADROOM, Workload
from nbdataops.workspace import Options, Product, open_product

GB = 10**9
RATE = "methods/rate@2026-01-04+13"


@pytest.fixture
def plan(opened: Callable[[], Product]) -> Plan:
    return opened().plan()


def test_a_node_takes_what_it_took_else_what_its_stage_took_elsewhere_else_a_share(plan: Plan) -> None:
    peaks = Peaks({RATE: 3 * GB}, {"methods/rate": 5 * GB})

    tasks = {task.id: task for task in Workload(plan, peaks, jobs=2, available=lambda: 8 * GB).tasks}

    assert tasks[RATE].peak_bytes == 3 * GB
    assert tasks["methods/rate@2025-10-05+13"].peak_bytes == 5 * GB
    assert tasks["methods/average@2026-01-04+13"].peak_bytes == 2 * GB
    assert {t.peak_bytes for name, t in tasks.items() if name.startswith("check:")} == {0}


def test_time_is_expected_as_it_was_and_what_is_reused_takes_none(blank: Path) -> None:
    product = open_product(blank)
    product.executor = FakeKernel()
    product.build(["methods/rate"])
    built = product.journal.results()

    again = {t.id: t for t in Workload(product.plan(), Peaks({}, {}), 2, lambda: GB).tasks}
    forced = product.plan(Options(force=frozenset({"methods/rate"})))
    tasks = {t.id: t for t in Workload(forced, Peaks({}, {}), 2, lambda: GB).tasks}

    (rate,) = [r for r in built if r.node == RATE]
    assert (again[RATE].seconds, again[RATE].peak_bytes) == (0.0, 0)
    assert tasks[RATE].seconds == rate.seconds
    assert tasks["methods/average@2026-01-04+13"].seconds > 0


def test_what_running_tasks_will_still_take_is_not_free(plan: Plan) -> None:
    free = [10 * GB]
    load = Workload(plan, Peaks({}, {}), 2, lambda: free[0])
    running = {"a": Task("a", peak_bytes=4 * GB), "b": Task("b", peak_bytes=GB)}
    left = int(HEADROOM * 10 * GB)

    assert load.free_bytes(running) == 5 * GB - left
    free[0] = 7 * GB
    load.take("a", 3 * GB, 3 * GB)
    assert load.free_bytes(running) == 5 * GB - left
    load.take("b", 2 * GB, 2 * GB)
    assert load.free_bytes(running) == 6 * GB - left
    assert load.peak("b") == 2 * GB


def test_a_machine_that_tells_nothing_holds_nothing_back(plan: Plan) -> None:
    assert Workload(plan, Peaks({}, {}), 2, lambda: None).free_bytes({}) is None


def test_a_stage_that_memory_cannot_hold_beside_another_waits_for_it(
    blank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbdataops.build.runner.Workload", partial(Workload, available=lambda: 10 * GB))
    stages = ["methods/rate", "methods/average"]
    product = open_product(blank)
    product.executor = FakeKernel(peaks=dict.fromkeys(stages, 6 * GB))
    product.build(stages)
    held, active, together = threading.Event(), set(), []

    class Slow:
        """The first stage takes until the second is said to wait."""

        def execute(self, job: StageJob, cancel: Cancel) -> None:
            active.add(job.stage)
            together.append(set(active))
            assert held.wait(60)
            kernel.execute(job, cancel)
            active.remove(job.stage)

    def listen(event: dict[str, Any]) -> None:
        if event["event"] == "message" and "waits for memory: it took 6.0 GB" in event["text"]:
            held.set()

    kernel = FakeKernel()
    product.executor = Slow()
    report = product.build(stages, Options(jobs=2, force=frozenset(stages)), listener=listen)

    assert report.execution.failures == ()
    assert sorted(map(sorted, together)) == [["methods/average"], ["methods/rate"]]


def test_the_memory_of_a_stage_is_remembered_also_when_it_failed(blank: Path) -> None:
    product = open_product(blank)
    product.executor = FakeKernel(peaks={"prepare/customers": 7, "methods/rate": 9})
    product.build(["methods/rate"])

    def fail(job: object) -> None:
        job.on_memory(1, 11)  # type: ignore[attr-defined]
        raise MemoryError

    product.executor = FakeKernel(before={"methods/rate": fail})
    with pytest.raises(MemoryError):
        product.build(["methods/rate"], Options(force=frozenset({"methods/rate"})))

    peaks = product.journal.peaks()
    assert peaks.by_stage == {"prepare/customers": 7, "methods/rate": 11}
    assert peaks.of("methods/rate@2020-01-01+13", "methods/rate") == 11
    assert peaks.of(RATE, "methods/rate") == 11
    assert peaks.of("x@1", "x") is None
