"""The study of an estimate at hand: `stage.validate()` in a notebook that an analyst has open.

The estimate that was just made is measured in place of the method's last one: against the other methods' latest
estimates of the same scope, and against the outcome where it has matured. Everything else is what the last batch
measured. Nothing of it is kept, and none of it is evidence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nbdataops.build.interactive import Desk
from nbdataops.build.journal import Result
from nbdataops.build.nodes import CheckGoal, NodeScope
from nbdataops.errors import UsageError
from nbdataops.session.assignment import Assignment
from nbdataops.session.deposit import read_deposit, read_file
from nbdataops.store.snapshots import Snapshot, load
from nbdataops.validate.goals import check_goal, methods_of
from nbdataops.validate.measurement import Measurement
from nbdataops.validate.study import Study, judge

NOW = ("number", "invariant", "triangulation")


def study_at_hand(assignment: Assignment, folder: Path) -> Study:
    """Judge the estimate in the deposit at `folder`. UsageError when there is none yet."""
    record = read_deposit(folder)
    if record.estimate is None:
        raise UsageError(
            "stage.validate found no estimate",
            todo="run the cell with stage.estimate(...) before it",
        )
    desk = Desk(Path(assignment.product_root))
    world, validation = desk.world, desk.world.spec.validation
    mine = {"subject_estimate": read_file(folder, record.estimate.file)}
    if record.estimate.replicates_file is not None:
        mine["subject_replicates"] = read_file(folder, record.estimate.replicates_file)
    scope = assignment.scope
    at = NodeScope(scope.as_of, scope.horizon or world.spec.metric.horizon)
    latest = {r.node: r for r in desk.journal.results()}
    fresh = list(_measure(desk, assignment.stage, at, mine, latest))
    replaced = {(m.kind, m.subject, m.against, m.as_of, m.horizon) for m in fresh}
    old = [
        m
        for m in _batch(latest)
        if (m.kind, m.subject, m.against, m.as_of, m.horizon) not in replaced
        and not (m.kind in NOW and assignment.stage in (m.subject, m.against) and m.as_of == at.as_of)
    ]
    return judge(
        [*fresh, *old],
        validation.margins.model_dump() if validation else {},
        world.spec.metric,
        as_of=at.as_of,
        seed=assignment.seed,
        replicates=validation.replicates if validation else 0,
    )


def _batch(latest: Mapping[str, Result]) -> Iterator[Measurement]:
    for result in latest.values():
        for data in json.loads(result.output.facts).get("measurements", ()):
            yield Measurement.from_dict(data)


def _measure(
    desk: Desk, stage: str, at: NodeScope, mine: Mapping[str, Any], latest: Mapping[str, Result]
) -> Iterator[Measurement]:
    world = desk.world
    methods = methods_of(world)
    own = next(m for m in methods if m.name == stage)
    naive = next((m for m in methods if m.family == "naive" and m != own), None)
    past = NodeScope(at.as_of, at.horizon, world.spec.metric.until(at.as_of, at.horizon or 0))
    goals = [check_goal(world, kind, own, at) for kind in ("number", "invariant")]
    goals += [check_goal(world, "triangulation", own, at, other=m) for m in methods if m != own]
    if world.graph.outcome is not None:
        goals += [check_goal(world, kind, own, past, outcome=True) for kind in ("holdout", "calibration")]
        if naive is not None:
            goals.append(check_goal(world, "discrimination", own, past, other=naive, outcome=True))
    for goal in goals:
        tables = _tables(desk, goal, mine, latest)
        if tables is not None:
            settings = dict(goal.settings)
            yield from (Measurement.from_dict(m) for m in goal.compute(tables, settings))


def _tables(
    desk: Desk, goal: CheckGoal, mine: Mapping[str, Any], latest: Mapping[str, Result]
) -> dict[str, Any] | None:
    """What the check needs, the estimate at hand in its place; None when something was never built."""
    tables: dict[str, Any] = dict(mine)
    for need in goal.needs:
        if need.name.startswith("subject_"):
            continue
        wanted = need.goal
        if wanted is None:
            source = desk.world.sources[need.role].snapshot
            tables[need.name] = desk.reader.store.read(source, need.columns, goal.scope.as_of)
            continue
        name = f"{wanted.stage}[{wanted.variant}]" if wanted.variant else wanted.stage
        found = latest.get(f"{name}@{NodeScope(wanted.as_of, wanted.horizon)}") or latest.get(
            f"{name}@{wanted.as_of}"
        )
        value = None if found is None else found.output.role(need.role) or found.output.table(need.role)
        if isinstance(value, Snapshot):
            tables[need.name] = load(desk.store.root, value, need.columns)
        elif not need.name.endswith("_replicates"):
            return None
    return tables
