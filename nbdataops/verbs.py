"""What the verbs return: frozen objects that the command line prints and JupyterLab shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdataops import __version__
from nbdataops.build.execution import Execution, NodeRun
from nbdataops.build.journal import Journal
from nbdataops.build.nodes import Action, NodeKind, State
from nbdataops.build.plan import Plan
from nbdataops.build.runner import Runner
from nbdataops.build.world import World
from nbdataops.errors import ExitCode, RefusedError, StoreError, UsageError, did_you_mean
from nbdataops.product.spec import ProductSpec
from nbdataops.release.gate import LABELS, Decision, Policy, decide
from nbdataops.release.manifest import Manifest, make_manifest
from nbdataops.release.registry import Registry
from nbdataops.validate.assemble import study_of
from nbdataops.validate.study import Study

if TYPE_CHECKING:
    from nbdataops.report.run_report import Written
    from nbdataops.workspace import Product


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What `build` did."""

    product: str
    as_of: date
    execution: Execution

    @property
    def exit_code(self) -> ExitCode:
        return self.execution.exit_code

    def to_dict(self) -> dict[str, Any]:
        return {
            "run": self.execution.run,
            "product": self.product,
            "as_of": self.as_of.isoformat(),
            "seconds": round(self.execution.seconds, 3),
            "stages": [n.to_dict() for n in self.execution.nodes],
        }


@dataclass(frozen=True, slots=True)
class RunReport:
    """What `run` did: the one documented object of `nbdataops run --json`. Paths are relative to the product."""

    product: str
    root: Path
    as_of: date
    execution: Execution
    study: Study
    candidate: Manifest
    decision: Decision
    report: Path
    report_json: Path
    notebooks: Mapping[str, Path]
    required_label: str
    world: World
    strict: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """Failures first; for `validate` also 3 when the label is below the policy."""
        code = self.execution.exit_code
        below = LABELS.index(self.study.label) < LABELS.index(self.required_label)
        return ExitCode.REFUSED if code is ExitCode.OK and self.strict and below else code

    def to_dict(self) -> dict[str, Any]:
        return {
            "run": self.execution.run,
            "product": self.product,
            "as_of": self.as_of.isoformat(),
            "seconds": round(self.execution.seconds, 3),
            "stages": [n.to_dict() for n in self.execution.nodes],
            "study": self.study.to_dict() | {"may_leak": list(self.world.may_leak)},
            "candidate": {"digest": self.candidate.digest, **self.decision.to_dict()},
            "report": _relative(self.report, self.root),
            "report_json": _relative(self.report_json, self.root),
            "notebooks": {node: _relative(path, self.root) for node, path in self.notebooks.items()},
        }


@dataclass(frozen=True, slots=True)
class Reported:
    """Where `report` wrote."""

    html: Path
    json: Path
    study: Study

    def to_dict(self) -> dict[str, Any]:
        return {"report": str(self.html), "report_json": str(self.json), "study": self.study.to_dict()}


@dataclass(frozen=True, slots=True)
class Released:
    """What the gate said; `number` is the release's when it was accepted."""

    digest: str
    decision: Decision
    number: int | None

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.OK if self.decision.accepted else ExitCode.REFUSED

    def to_dict(self) -> dict[str, Any]:
        return {"digest": self.digest, "number": self.number, **self.decision.to_dict()}


@dataclass(frozen=True, slots=True)
class Status:
    """The last runs, newest first, and the nodes of one of them."""

    runs: tuple[Mapping[str, Any], ...]
    nodes: tuple[Mapping[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        return {"runs": [dict(r) for r in self.runs], "nodes": [dict(n) for n in self.nodes]}


def status_of(journal: Journal, run: str | None, limit: int) -> Status:
    runs = journal.runs(max(limit, 1000) if run else limit)
    if run is not None and run not in {r["id"] for r in runs}:
        raise UsageError(f"no run {run}", todo=did_you_mean(run, [r["id"] for r in runs]))
    shown = run or (runs[0]["id"] if runs else None)
    nodes = journal.nodes(shown) if shown else []
    lost = any(r["id"] == shown and r["state"] == State.LOST.value for r in runs)
    if lost:
        nodes = [n if State(n["state"]).ended else n | {"state": State.LOST.value} for n in nodes]
    return Status(tuple(runs[:limit]), tuple(nodes))


def finish_run(product: Product, runner: Runner, world: World, execution: Execution) -> RunReport:
    """Judge, report, and hold the candidate against the gate: after the last node, before the lease ends."""
    from nbdataops.report.run_report import write_run_report

    spec = world.spec
    study = study_of(world, execution)
    candidate = make_manifest(world, execution, product.store.root)
    decision = _decide(spec, world, execution, study, stale=())
    registry = Registry(product.journal.ledger)
    written = _written_before(product, execution, registry.latest(), candidate, decision)
    if written is None:
        runner.events.emit("message", text="writing the report")
        written = write_run_report(
            world,
            execution,
            study,
            {"digest": candidate.digest, **decision.to_dict()},
            product.store,
            product.store.reports / execution.run,
            version=__version__,
        )
    runner.raise_if_cancelled()  # the last moment: from here on the run says what it came to
    registry.remember(candidate, decision, execution.run, datetime.now(UTC))
    report = RunReport(
        product=spec.product,
        root=spec.root,
        as_of=world.as_of,
        execution=execution,
        study=study,
        candidate=candidate,
        decision=decision,
        report=written.html,
        report_json=written.json,
        notebooks=written.notebooks,
        required_label=spec.release.require.label,
        world=world,
    )
    runner.summarise(
        {"label": study.label, "candidate": candidate.digest, "decision": decision.to_dict()["decision"],
         "report": _relative(written.html, spec.root), "as_of": world.as_of.isoformat()}
    )  # fmt: skip
    return report


def _written_before(
    product: Product,
    execution: Execution,
    last: Mapping[str, Any] | None,
    candidate: Manifest,
    decision: Decision,
) -> Written | None:
    """The report of the last candidate, when nothing was executed and it still says the same."""
    from nbdataops.report.run_report import Written

    if last is None or any(n.action is Action.RUN for n in execution.nodes):
        return None
    if last["digest"] != candidate.digest or last["decision"] != decision.to_dict():
        return None
    summaries = {run["id"]: run["summary"] for run in product.journal.runs(50)}
    html = product.root / summaries.get(last["run"], {}).get("report", "")
    if not html.is_file() or not html.with_suffix(".json").is_file():
        return None
    notebooks = {n.node.id: product.store.root / n.notebook for n in execution.nodes if n.notebook}
    return Written(html, html.with_suffix(".json"), notebooks)


def report_built(product: Product, plan: Plan, folder: Path | None) -> Reported:
    """Re-judge what is built; raises UsageError when the plan would execute anything."""
    from nbdataops.report.run_report import write_run_report

    stale = stale_nodes(plan)
    if stale:
        raise UsageError(
            f"{len(stale)} nodes of the report are not built, first {stale[0]}", todo="run: nbdataops run"
        )
    execution = reused(plan, product.journal)
    study = study_of(plan.world, execution)
    candidate = make_manifest(plan.world, execution, product.store.root)
    decision = _decide(plan.world.spec, plan.world, execution, study, stale=())
    target = folder or product.store.reports / execution.run
    shown = {"digest": candidate.digest, **decision.to_dict()}
    written = write_run_report(
        plan.world, execution, study, shown, product.store, target, version=__version__
    )
    return Reported(written.html, written.json, study)


def release_candidate(product: Product, plan: Plan, now: datetime) -> Released:
    """The gate, asked in earnest: evidence must be there, belong to this world, and pass today's margins."""
    registry = Registry(product.journal.ledger)
    known = registry.latest()
    if known is None:
        raise RefusedError("there is no candidate: nothing was run yet", todo="run: nbdataops run")
    candidate = Manifest.from_dict(known["manifest"])
    stale = stale_nodes(plan)
    if stale:
        reasons = tuple(f"the evidence is stale: {why}" for why in stale)
        return Released(candidate.digest, Decision(False, reasons), None)
    execution = reused(plan, product.journal)
    study = study_of(plan.world, execution)
    try:
        fresh = make_manifest(plan.world, execution, product.store.root)
    except StoreError as error:
        return Released(candidate.digest, Decision(False, (f"what it pins is damaged: {error.what}",)), None)
    changed = (
        () if fresh.digest == candidate.digest else ("the candidate was made of other content; run again",)
    )
    decision = _decide(plan.world.spec, plan.world, execution, study, stale=changed, now=now)
    number = registry.release(candidate, decision, now) if decision.accepted else None
    return Released(candidate.digest, decision, number)


def stale_nodes(plan: Plan) -> tuple[str, ...]:
    """Nodes that would run now, with the first reason: what the stored evidence no longer covers."""
    open_ = (Action.RUN, Action.MAYBE)
    return tuple(f"{n.node.id} ({n.reasons[0]})" for n in plan.nodes if n.action in open_)


def reused(plan: Plan, journal: Journal) -> Execution:
    """A plan in which everything is there, as the execution that it would be."""
    results = {r.key: r for r in plan.world.results}
    runs = []
    for planned in plan.nodes:
        hit = results.get(planned.key or "")
        state = State.SUCCEEDED if hit else State.SKIPPED
        runs.append(
            NodeRun(
                planned.node,
                planned.action,
                state,
                0.0,
                planned.reasons,
                planned.key,
                hit.output if hit else None,
                None,
                hit.notebook if hit else None,
            )
        )
    last = journal.runs(1)
    return Execution(last[0]["id"] if last else "", tuple(runs), 0.0)


def contracts_of(world: World) -> list[dict[str, Any]]:
    """Contract results of all sources, as the report and the gate read them."""
    return [
        state.contract.to_dict() | {"source": name}
        for name, state in world.sources.items()
        if state.contract is not None
    ]


def _decide(
    spec: ProductSpec,
    world: World,
    execution: Execution,
    study: Study,
    *,
    stale: tuple[str, ...],
    now: datetime | None = None,
) -> Decision:
    now = now or datetime.now(UTC)
    stages = [n.to_dict() for n in execution.nodes if n.node.kind is NodeKind.STAGE]
    return decide(
        _policy(spec),
        study=study.to_dict(),
        stages=stages,
        contracts=contracts_of(world),
        stale=stale,
        studied=_studied(world, execution, now),
        now=now,
    )


def _studied(world: World, execution: Execution, now: datetime) -> datetime:
    """When the oldest measurement was made: judging again does not make evidence younger."""
    made = {r.key: datetime.fromisoformat(r.created) for r in world.results}
    return min(
        (made.get(n.key or "", now) for n in execution.nodes if n.node.kind is NodeKind.CHECK), default=now
    )


def evidence_expires(world: World, execution: Execution) -> datetime | None:
    """When the gate will refuse this evidence for its age; None when the policy sets no limit."""
    allowed = _policy(world.spec).evidence_max_age
    return None if allowed is None else _studied(world, execution, world.observed) + allowed


def _policy(spec: ProductSpec) -> Policy:
    days = spec.release.evidence_max_age_days
    return Policy(spec.release.require.label, timedelta(days=days) if days is not None else None)


def _relative(path: Path, root: Path) -> str:
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return str(path)
