"""From goals to nodes: which notebooks run at which scopes, and what feeds what. Pure.

Rules (point in time):
- a stage at origin o reads its tables as of o; the stage that writes them runs at o as well;
- an outcome at (o, h) reads tables as of its `until`: its ancestors are the ordinary nodes of origin o + h;
- `stage.labelled` reads its table at o - h, o - 2h, ... and the outcome of each of those origins;
- whoever publishes an estimate or an outcome is measured against the population at o.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from nbdataops.build.nodes import CheckGoal, Feed, Goal, Node, NodeKind, NodeScope, StageGoal
from nbdataops.errors import GraphError, Place
from nbdataops.product.graph import Graph
from nbdataops.product.notebook import Argument, Literal, NotebookStage, ParameterRef
from nbdataops.product.parameters import resolve
from nbdataops.product.spec import ProductSpec


def expand(
    spec: ProductSpec,
    graph: Graph,
    goals: Iterable[Goal],
    *,
    first: date | None,
    overrides: Mapping[str, Any] | None = None,
) -> tuple[Node, ...]:
    """All nodes that the goals need, in an order in which they can run.

    `first` is the first day with events in any source: an origin before it has no history.
    """
    expansion = _Expansion(spec, graph, first, dict(overrides or {}))
    for goal in goals:
        if isinstance(goal, CheckGoal):
            expansion.check(goal)
        else:
            expansion.stage(goal)
    return tuple(expansion.nodes.values())


@dataclass(frozen=True, slots=True)
class Short:
    """The history is too short for a node, and the as_of that would do."""

    why: str
    suffices: date | None


@dataclass
class _Expansion:
    spec: ProductSpec
    graph: Graph
    first: date | None
    overrides: dict[str, Any]
    nodes: dict[str, Node] = field(default_factory=dict)

    def stage(self, goal: StageGoal) -> Node:
        stage = self.graph.stages[goal.stage]
        assert not (stage.outcome and stage.writes), "product refuses it: readers would see past their cut"
        published = stage.role in ("method", "outcome")
        horizon = goal.horizon if published or self.uses_horizon(goal.stage) else None
        until = self.spec.metric.until(goal.as_of, horizon) if stage.outcome and horizon is not None else None
        scope = NodeScope(goal.as_of, horizon, until)
        name = f"{goal.stage}[{goal.variant}]" if goal.variant else goal.stage
        node_id = f"{name}@{scope}"
        if node_id in self.nodes:
            return self.nodes[node_id]
        parameters = resolve(stage, self.spec, goal.variant, self.overrides, _scope_values(scope))
        feeds = [*self.tables(stage, scope)]
        short = self.no_history(scope.as_of)
        for feed, too_short in self.labels(stage, scope, parameters):
            if feed is not None:
                feeds.append(feed)
            short = short or too_short
        if published:
            feeds.append(self.population(scope.as_of, horizon))
        above = [self.nodes[f.node] for f in feeds if f.node is not None]
        short = short or next((Short(n.unavailable, n.suffices) for n in above if n.unavailable), None)
        node = Node(
            id=node_id,
            kind=NodeKind.STAGE,
            stage=goal.stage,
            scope=scope,
            feeds=() if short else tuple(feeds),
            variant=goal.variant,
            parameters=tuple(sorted(parameters.items())),
            settings=self.settings(stage),
            role=stage.role,
            unavailable=short.why if short else "",
            suffices=short.suffices if short else None,
        )
        self.nodes[node_id] = node
        return node

    def check(self, goal: CheckGoal) -> Node:
        node_id = f"{goal.name}@{goal.scope}"
        if node_id in self.nodes:
            return self.nodes[node_id]
        needed = {need: self.stage(need.goal) for need in goal.needs if need.goal is not None}
        feeds = [
            Feed(need.name, need.role, needed[need].id, need.columns, None)
            if need in needed
            else Feed(need.name, need.role, None, need.columns, goal.scope.as_of)
            for need in goal.needs
        ]
        short = next((n for n in needed.values() if n.unavailable), None)
        node = Node(
            id=node_id,
            kind=NodeKind.CHECK,
            stage=goal.name,
            scope=goal.scope,
            feeds=tuple(feeds),
            settings=goal.settings,
            role="check",
            unavailable=short.unavailable if short else "",
            suffices=short.suffices if short else None,
            check=goal,
        )
        self.nodes[node_id] = node
        return node

    def tables(self, stage: NotebookStage, scope: NodeScope) -> Iterable[Feed]:
        wanted: dict[str, tuple[set[str] | None, list[str]]] = {}
        for read in stage.reads:
            columns, queries = wanted.setdefault(read.table, (set(), []))
            merged = None if columns is None or read.columns is None else columns | set(read.columns)
            wanted[read.table] = (merged, queries)
        for sql in stage.sqls:
            for table in sql.tables:
                wanted.setdefault(table, (set(), []))[1].append(sql.text)
        for table, (columns, queries) in wanted.items():
            names = None if columns is None else tuple(sorted(columns))
            yield self.feed("table", table, scope.cut, scope.horizon, names, tuple(queries))

    def feed(
        self,
        role: str,
        table: str,
        cut: date,
        horizon: int | None,
        columns: tuple[str, ...] | None,
        queries: tuple[str, ...] = (),
    ) -> Feed:
        writer = self.graph.writers.get(table)
        if writer is None:
            return Feed(role, table, None, columns, cut, queries)
        node = self.stage(StageGoal(writer, cut, horizon))
        return Feed(role, table, node.id, columns, cut, queries)

    def labels(
        self, stage: NotebookStage, scope: NodeScope, parameters: Mapping[str, Any]
    ) -> Iterable[tuple[Feed | None, Short | None]]:
        metric = self.spec.metric
        for number, call in enumerate(stage.labelled):
            where = Place(str(stage.name), call.cell, call.line)
            horizon = _positive(call.horizon, parameters, scope, where, "horizon")
            origins = _positive(call.origins, parameters, scope, where, "origins")
            outcome = self.graph.outcome
            if outcome is None:
                raise GraphError(
                    "stage.labelled needs a notebook that calls stage.outcome, and there is none",
                    where=where,
                    todo="add a notebook that publishes what really happened, e.g. checks/outcome.ipynb",
                )
            oldest = metric.back(scope.as_of, horizon, origins)
            if self.first is not None and oldest < self.first:
                suffices = metric.until(self.first, horizon * origins)
                why = (
                    f"too little history: labels over {horizon} {metric.time_unit}s at {origins} "
                    f"{'origin' if origins == 1 else 'origins'} reach back to {oldest}, and the data begin on "
                    f"{self.first}; an as_of of {suffices} would suffice"
                )
                yield None, Short(why, suffices)
                continue
            for k in range(1, origins + 1):
                origin = metric.back(scope.as_of, horizon, k)
                past = self.feed("labelled", call.table, origin, horizon, call.columns)
                yield replace(past, position=k, call=number, span=horizon), None
                label = self.stage(StageGoal(outcome, origin, horizon))
                yield Feed("label", "outcome", label.id, None, None, (), k, number, horizon), None

    def population(self, as_of: date, horizon: int | None) -> Feed:
        population = self.spec.metric.population
        columns = [c for c in (population.cohort, *population.segments) if c]
        return self.feed("population", population.table, as_of, horizon, tuple(columns))

    def settings(self, stage: NotebookStage) -> tuple[tuple[str, Any], ...]:
        return (("time_zone", self.spec.metric.time_zone), *self._published(stage))

    def _published(self, stage: NotebookStage) -> tuple[tuple[str, Any], ...]:
        if stage.role == "method":
            validation = self.spec.validation
            replicates = validation.replicates if validation and stage.is_fit else 0
            seed = validation.seed if validation and stage.is_fit else 0
            return (("metric", self.spec.metric.digest), ("replicates", replicates), ("seed", seed))
        return (("metric", self.spec.metric.digest),) if stage.outcome else ()

    def uses_horizon(self, name: str) -> bool:
        names = (name, *self.graph.upstream(name))
        return any(
            "horizon" in self.graph.stages[n].uses and self.graph.stages[n].role not in ("method", "outcome")
            for n in names
            if n in self.graph.stages
        )

    def no_history(self, as_of: date) -> Short | None:
        if self.first is None or as_of >= self.first:
            return None
        why = f"too little history: {as_of} is before the data begin; an as_of of {self.first} would suffice"
        return Short(why, self.first)


def _scope_values(scope: NodeScope) -> dict[str, Any]:
    values = {"as_of": scope.as_of, "horizon": scope.horizon, "until": scope.until}
    return {k: v for k, v in values.items() if v is not None}


def _positive(
    argument: Argument, parameters: Mapping[str, Any], scope: NodeScope, where: Place, name: str
) -> int:
    match argument:
        case Literal(value=value):
            pass
        case ParameterRef(name=parameter):
            value = parameters[parameter]
        case _:
            value = _scope_values(scope).get(argument.name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise GraphError(
            f"stage.labelled got {name}={value!r}",
            where=where,
            todo=f"{name} is a whole number of at least 1",
        )
    return value
