"""Take a deposit: hold it against the declaration, and turn it into an output that can be committed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbdataops.build.journal import Output
from nbdataops.build.nodes import Node
from nbdataops.build.world import World
from nbdataops.errors import OutputError, Place, StoreError
from nbdataops.product.notebook import NotebookStage
from nbdataops.session.deposit import DepositRecord, read_deposit, read_file
from nbdataops.store.snapshots import Snapshot, SnapshotStore


def collect(node: Node, world: World, folder: Path, snapshots: SnapshotStore) -> Output:
    """Everything in the deposit becomes snapshots; raises OutputError where the declaration is not kept."""
    stage = world.graph.stages[node.stage]
    deposit = read_deposit(folder)
    check_deposit(deposit, stage)
    metric = world.spec.metric
    try:
        tables = tuple(
            (
                name,
                snapshots.write(
                    name,
                    read_file(folder, written.file),
                    key=written.key,
                    event_time=written.event_time,
                    time_zone=metric.time_zone,
                ),
            )
            for name, written in deposit.tables.items()
        )
        roles = tuple(_roles(deposit, folder, snapshots, metric.entity))
    except StoreError as error:
        if error.reason != "table":
            raise
        raise OutputError(error.what, where=Place(file=f"{stage.name}.ipynb"), todo=error.todo) from error
    facts: dict[str, Any] = {"evidence": [dict(e) for e in deposit.evidence]} if deposit.evidence else {}
    if deposit.estimate is not None:
        facts["estimate"] = {
            "family": deposit.estimate.family,
            "resampling": deposit.estimate.resampling,
            "components": list(deposit.estimate.components),
        }
    return Output(tables, roles, json.dumps(facts, sort_keys=True))


def _roles(
    deposit: DepositRecord, folder: Path, snapshots: SnapshotStore, entity: str
) -> Iterator[tuple[str, Snapshot]]:
    if (estimate := deposit.estimate) is not None:
        yield "estimate", snapshots.write("estimate", read_file(folder, estimate.file), key=(entity,))
        if estimate.replicates_file:
            key = ("replicate", "level", "group", "component")
            replicates = read_file(folder, estimate.replicates_file)
            yield "replicates", snapshots.write("replicates", replicates, key=key)
    if deposit.outcome is not None:
        yield "outcome", snapshots.write("outcome", read_file(folder, deposit.outcome.file), key=(entity,))


_EARLY = "every path through the notebook must reach it; a cell that calls sys.exit() ends the notebook without an error"


def check_deposit(deposit: DepositRecord, stage: NotebookStage) -> None:
    """A run may read less than declared (a branch), never more, and must write all of it."""
    declared = {w.table for w in stage.writes}
    where = Place(file=f"{stage.name}.ipynb")
    missing = sorted(declared - set(deposit.tables))
    if missing:
        raise OutputError(
            f"the notebook ended without writing {', '.join(missing)}",
            where=where,
            todo="stage.write must be reached on every path, since other notebooks read these tables",
        )
    extra = sorted(set(deposit.tables) - declared)
    if extra:
        raise OutputError(f"the notebook wrote {', '.join(extra)}, which it does not declare", where=where)
    if stage.role == "method" and deposit.estimate is None:
        raise OutputError("the notebook ended without reaching stage.estimate", where=where, todo=_EARLY)
    if (deposit.estimate is not None) > (stage.role == "method"):
        raise OutputError("the notebook published an estimate, which it does not declare", where=where)
    if (deposit.outcome is not None) > stage.outcome:
        raise OutputError("the notebook published an outcome, which it does not declare", where=where)
    if stage.outcome and deposit.outcome is None:
        raise OutputError("the notebook ended without reaching stage.outcome", where=where, todo=_EARLY)
    named = {r.table for r in stage.reads} | {c.table for c in stage.labelled}
    named |= {t for q in stage.sqls for t in q.tables}
    undeclared = sorted({r.table for r in deposit.reads} - named)
    if undeclared:
        raise OutputError(
            f"the notebook read {', '.join(undeclared)}, which it does not declare", where=where
        )
    absent = sorted({e.name for e in stage.evidence} - {e["name"] for e in deposit.evidence})
    if absent:
        raise OutputError(
            f"the notebook ended without reaching stage.evidence({absent[0]!r}, ...)", where=where
        )
