"""The runner: the one process that owns a run. It holds the lease, runs nodes in threads, commits results.

Stages run in kernels of their own, which never open the ledger: they are given an assignment and leave a
deposit. The runner holds the deposit against the declaration and commits it in one transaction.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from nbdataops.build.afterwards import Afterwards
from nbdataops.build.assign import make_assignment, write_assignment
from nbdataops.build.check_node import check_output
from nbdataops.build.collect import collect
from nbdataops.build.events import Events, Listener
from nbdataops.build.execution import Execution, NodeRun
from nbdataops.build.executors import Cancel, Executor
from nbdataops.build.journal import Journal, Output, Result
from nbdataops.build.keys import KeyParts, key_parts
from nbdataops.build.nodes import Action, Feed, Node, NodeKind, State
from nbdataops.build.plan import Cache, Plan, PlannedNode, resolve_inputs
from nbdataops.build.reader import SnapshotReader
from nbdataops.build.schedule import Task, run_tasks
from nbdataops.build.signals import Signals
from nbdataops.build.signing import sign
from nbdataops.build.stage_job import make_job
from nbdataops.build.workload import Workload
from nbdataops.build.world import World
from nbdataops.errors import (
    CancelledError,
    InfrastructureError,
    NbdataopsError,
    Place,
    StageError,
    StageTimeout,
    StoreError,
)
from nbdataops.store.locations import Store
from nbdataops.store.witness import NAME as WITNESS

HEARTBEAT_S = 2.0


class Runner:
    """Owns one run from lease to end. Use as a context manager: it cleans up whatever happens.

    `executor` gives what executes notebooks, and is asked only when one must be: papermill takes a second to import.
    After a failure nothing more is executed, unless `keep_going`: then all that does not need what failed still is.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        executor: Callable[[], Executor],
        *,
        product: str,
        jobs: int | None = None,
        keep_going: bool = False,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self.store, self.journal, self.executor = store, journal, executor
        self.product = product
        self.jobs = jobs or os.cpu_count() or 1
        self.keep_going = keep_going
        now = datetime.now(UTC)
        self.run = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        self.folder = store.runs / self.run
        self.events = Events(self.folder / "events.jsonl", list(listeners))
        self.cancel = Cancel()
        self._signals = Signals(self.cancel)
        self.reader = SnapshotReader(store.root)
        self._ended = threading.Event()
        self._done: dict[str, NodeRun] = {}
        self._lock = threading.Lock()
        self._halted: NodeRun | None = None
        self._told = False
        self._afterwards = Afterwards()

    # ------------------------------------------------------------------ life
    def __enter__(self) -> Runner:
        self.journal.start_run(self.run, self.product, datetime.now(UTC))
        (self.store.root / WITNESS).unlink(missing_ok=True)  # what it says of the last run is over
        self._signals.catch()
        self._heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._heart.start()
        self.events.emit("run_started", run=self.run, product=self.product)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._ended.set()
        self._heart.join()
        self._signals.release()
        failed = any(n.error is not None for n in self._done.values())
        state = State.FAILED if failed or error is not None else State.SUCCEEDED
        if self.cancel.event.is_set() and error is not None:  # else it came too late to change anything
            state = State.CANCELLED
        with contextlib.suppress(StoreError):
            self.journal.end_run(self.run, state, datetime.now(UTC), self._summary)
        with contextlib.suppress(OSError):
            self.events.emit("run_ended", run=self.run, state=state.value)
        try:
            self._afterwards.finish()
        except Exception:
            if error is None:  # else that tells more
                raise
        finally:
            shutil.rmtree(self.folder / "work", ignore_errors=True)

    _summary: Mapping[str, Any] = {}

    def summarise(self, summary: Mapping[str, Any]) -> None:
        """What `status` shows of this run later."""
        self._summary = dict(summary)

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_S):
            try:
                if not self.journal.heartbeat(self.run, datetime.now(UTC)):
                    self.cancel.cancel()
            except StoreError:
                continue  # a full disk must not stop the heart; the next commit tells

    def raise_if_cancelled(self) -> None:
        if self.cancel.event.is_set():
            error = CancelledError(
                f"run {self.run} was cancelled",
                todo="finished stages are kept: run again to go on from there",
            )
            error.exit_code = self._signals.exit_code
            raise error

    # ------------------------------------------------------------------ the plan
    def execute(self, plan: Plan) -> Execution:
        """Run what the plan says, reuse what turned out equal; raises CancelledError when interrupted."""
        started = time.monotonic()
        self.events.emit(
            "planned",
            stages=sum(n.node.kind is NodeKind.STAGE for n in plan.nodes),
            checks=sum(n.node.kind is NodeKind.CHECK for n in plan.nodes),
            run=plan.count(Action.RUN),
            reuse=plan.count(Action.REUSE),
            maybe=plan.count(Action.MAYBE),
        )
        self.journal.queue(
            self.run, [(n.node.id, n.node.stage, n.action.value, n.reasons) for n in plan.nodes]
        )
        planned = {n.node.id: n for n in plan.nodes}
        cache = Cache(plan.world.results)
        load = Workload(plan, self.journal.peaks(), self.jobs)
        run_tasks(
            load.tasks,
            lambda node_id: self._node(planned[node_id], plan.world, cache, load),
            jobs=self.jobs,
            stop=self.cancel.event,
            free_bytes=load.free_bytes,
            on_hold=self._hold,
        )
        for node_id, planned_node in planned.items():
            if node_id not in self._done:
                self._end(planned_node, State.CANCELLED, 0.0, ("the run was cancelled",))
        self.raise_if_cancelled()
        nodes = tuple(self._done[n.node.id] for n in plan.nodes)
        return Execution(self.run, nodes, time.monotonic() - started)

    def _hold(self, task: Task) -> None:
        needs = task.peak_bytes / 1e9
        self.events.emit("message", text=f"{task.id} waits for memory: it took {needs:.1f} GB the last time")

    def _node(self, planned: PlannedNode, world: World, cache: Cache, load: Workload) -> None:
        node = planned.node
        if node.unavailable:
            self._end(planned, State.SKIPPED, 0.0, (node.unavailable,))
            return
        blocked = [self._done[n] for n in node.after if self._done[n].state is not State.SUCCEEDED]
        if blocked:
            first = blocked[0]
            why = first.reasons[0] if first.state is State.SKIPPED else f"{first.node.id} {first.state.value}"
            self._end(planned, State.SKIPPED, 0.0, (why,))
            return
        started = time.monotonic()
        try:
            outputs = {n: out for n in node.after if (out := self._done[n].output) is not None}
            inputs = resolve_inputs(node, world, outputs)
            parts = key_parts(
                node, world.graph.stages.get(node.stage), inputs, self.reader, world.environment
            )
            hit = cache.by_key.get(parts.key)
            if hit is not None and not planned.forced and self.reader.present(hit.output):
                reasons = (
                    planned.reasons if planned.action is Action.REUSE else (f"unchanged since run {hit.run}",)
                )
                self._end(
                    replace(planned, action=Action.REUSE), State.SUCCEEDED, 0.0, reasons,
                    key=hit.key, output=hit.output, notebook=hit.notebook,
                )  # fmt: skip
                return
            if self._halted is not None:
                self._leave(planned, self._halted)
                return
            self._start(planned)
            if node.kind is NodeKind.CHECK:
                output, notebook = check_output(node, inputs, self.reader), None
            else:
                output, notebook = self._stage(node, world, inputs, load)
            seconds = time.monotonic() - started
            self._commit(planned, parts, output, notebook, seconds)
        except NbdataopsError as error:
            self._fail(planned, error, time.monotonic() - started)
        except OSError as error:
            wrapped = StoreError(
                f"{type(error).__name__}: {error}", todo="is the disk full, or the store's folder read-only?"
            )
            self._fail(planned, wrapped, time.monotonic() - started)

    # ------------------------------------------------------------------ one node
    def _stage(
        self, node: Node, world: World, inputs: Mapping[Feed, Any], load: Workload
    ) -> tuple[Output, str]:
        stage = world.graph.stages[node.stage]
        slug = node.id.replace("/", "--")
        work = self.folder / "work" / slug
        deposit = work / "deposit"
        deposit.mkdir(parents=True, exist_ok=True)
        assignment = make_assignment(node, world, inputs, self.reader.store, self.reader, deposit)
        path = write_assignment(assignment, work / "assignment.json")
        notebook = self.folder / "notebooks" / f"{slug}.ipynb"
        notebook.parent.mkdir(parents=True, exist_ok=True)
        job = make_job(
            node,
            world,
            path,
            notebook,
            ipython=self.store.root / "ipython",
            threads=max(1, (os.cpu_count() or 1) // self.jobs),
            on_cell=lambda done, total: self.events.emit("cell", node=node.id, done=done, total=total),
            on_memory=lambda now, peak: load.take(node.id, now, peak),
            afterwards=self._afterwards.do,
        )
        try:
            self.executor().execute(job, self.cancel)
        finally:
            if (peak := load.peak(node.id)) is not None:
                with contextlib.suppress(StoreError):  # what the stage itself comes to tells more
                    self.journal.remember_peak(self.run, node.id, node.stage, peak)
        self._still_same(stage.module_digests, world)
        output = collect(node, world, deposit, self.reader.store)
        self._afterwards.do(lambda: sign(notebook))
        self._afterwards.do(lambda: shutil.rmtree(work, ignore_errors=True))
        return output, str(notebook.relative_to(self.store.root))

    def _still_same(self, digests: Sequence[tuple[str, str]], world: World) -> None:
        from nbdataops.product.modules import module_digest

        for name, digest in digests:
            path = world.spec.root / name
            if not path.exists() or module_digest(path) != digest:
                raise StageError(
                    f"the project module {name} was edited while the run used it; nothing was published",
                    where=Place(file=name),
                    todo="run again: the plan will see the new module",
                )

    # ------------------------------------------------------------------ states
    def _start(self, planned: PlannedNode) -> None:
        node = planned.node
        now = datetime.now(UTC)
        self.journal.node(
            self.run, node.id, state=State.RUNNING.value, started=now.isoformat(), heartbeat=now.timestamp()
        )
        self.events.emit("node_started", node=node.id, stage=node.stage, kind=node.kind.value)

    def _commit(
        self, planned: PlannedNode, parts: KeyParts, output: Output, notebook: str | None, seconds: float
    ) -> None:
        node = planned.node
        now = datetime.now(UTC).isoformat()
        result = Result(parts.key, node.id, node.stage, parts, output, self.run, notebook, now, seconds)
        action = Action.RUN
        self.journal.commit(self.run, result, action=action.value, seconds=seconds, notebook=notebook)
        self._record(
            NodeRun(
                node, action, State.SUCCEEDED, seconds, planned.reasons, parts.key, output, None, notebook
            )
        )

    def _end(
        self, planned: PlannedNode, state: State, seconds: float, reasons: tuple[str, ...], **more: Any
    ) -> None:
        node, action = planned.node, planned.action
        values = {"notebook": more.get("notebook"), "key": more.get("key")}
        self.journal.node(
            self.run,
            node.id,
            state=state.value,
            action=action.value,
            seconds=seconds,
            reasons=list(reasons),
            **values,
        )
        self._record(NodeRun(node, action, state, seconds, reasons, **more))

    def _leave(self, planned: PlannedNode, failed: NodeRun) -> None:
        """Do not start what would have to be executed, after a failure."""
        with self._lock:
            first, self._told = not self._told, True
        if first:
            text = (
                "nothing more is started after this failure; --keep-going goes on with what does not need it"
            )
            self.events.emit("message", text=text)
        why = f"not started, since {failed.node.id} {failed.state.value}"
        self._end(planned, State.SKIPPED, 0.0, (f"{why}; --keep-going goes on",))

    def _fail(self, planned: PlannedNode, error: NbdataopsError, seconds: float) -> None:
        state = State.FAILED
        if isinstance(error, StageTimeout):
            state = State.TIMED_OUT
        elif isinstance(error, CancelledError):
            state = State.CANCELLED
        node = planned.node
        with contextlib.suppress(InfrastructureError):  # the ledger itself may be what failed
            self.journal.node(
                self.run, node.id, state=state.value, action=planned.action.value, seconds=seconds,
                error=error.to_dict(),
            )  # fmt: skip
        failed = NodeRun(node, planned.action, state, seconds, planned.reasons, error=error)
        if not self.keep_going:
            self._halted = self._halted or failed
        self._record(failed)

    def _record(self, run: NodeRun) -> None:
        with self._lock:
            self._done[run.node.id] = run
        self.events.emit(
            "node_ended",
            node=run.node.id,
            stage=run.node.stage,
            kind=run.node.kind.value,
            action=run.action.value,
            state=run.state.value,
            seconds=round(run.seconds, 3),
            error=run.error.to_dict() if run.error else None,
        )
