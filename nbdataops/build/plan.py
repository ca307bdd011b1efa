"""The plan: for every node whether it is reused, run, or may have to run, and every reason. Pure.

A plan is an upper bound: execution may do less (a recomputed input that turns out equal makes a `maybe` a
`reuse`), never more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbdataops.build.journal import Output, Result
from nbdataops.build.keys import KeyParts, explain, key_parts
from nbdataops.build.nodes import Action, Feed, Node
from nbdataops.build.reader import Reader
from nbdataops.build.world import World


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """`seconds` is what the node cost last time, None when it never ran."""

    node: Node
    action: Action
    reasons: tuple[str, ...]
    key: str | None = None
    seconds: float | None = None
    forced: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {
            "stage": self.node.stage,
            "node": self.node.id,
            "kind": self.node.kind.value,
            "as_of": self.node.scope.as_of.isoformat(),
            "horizon": self.node.scope.horizon,
            "action": self.action.shown,
            "state": "skipped" if self.action is Action.SKIP else "queued",
            "reasons": list(self.reasons),
            "seconds": self.seconds,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Nodes in an order in which they can run."""

    world: World
    nodes: tuple[PlannedNode, ...]

    def count(self, action: Action) -> int:
        return sum(1 for n in self.nodes if n.action is action)

    @property
    def cost(self) -> tuple[float, float]:
        """Seconds of work, from history: what surely runs, and what runs at most."""
        sure = sum(n.seconds or 0.0 for n in self.nodes if n.action is Action.RUN)
        maybe = sum(n.seconds or 0.0 for n in self.nodes if n.action is Action.MAYBE)
        return sure, sure + maybe

    def to_dict(self) -> dict[str, Any]:
        low, high = self.cost
        return {
            "product": self.world.spec.product,
            "as_of": self.world.as_of.isoformat(),
            "stages": [n.to_dict() for n in self.nodes],
            "ignored": [{"file": f, "reason": r} for f, r in self.world.declared.ignored],
            "may_leak": list(self.world.may_leak),
            "seconds": {"at_least": round(low, 1), "at_most": round(high, 1)},
        }


class Cache:
    """The results of a world, by key, and the latest by node and by stage."""

    def __init__(self, results: tuple[Result, ...]) -> None:
        self.by_key = {r.key: r for r in results}
        self._by_node = {r.node: r for r in results}
        self._by_stage = {r.stage: r for r in results}

    def latest(self, node: Node) -> Result | None:
        """The newest result of this node, else of this stage anywhere: what a difference is told against."""
        return self._by_node.get(node.id) or self._by_stage.get(node.stage)


def make_plan(
    world: World, nodes: tuple[Node, ...], reader: Reader, *, force: frozenset[str] = frozenset()
) -> Plan:
    """Decide for every node. `force` names stages that run whatever the cache holds."""
    cache = Cache(world.results)
    outputs: dict[str, Output] = {}
    planned: list[PlannedNode] = []
    for node in nodes:
        decided = _decide(node, world, cache, outputs, reader, force)
        planned.append(decided)
        if decided.action is Action.REUSE and decided.key is not None:
            outputs[node.id] = cache.by_key[decided.key].output
    return Plan(world, tuple(planned))


def _decide(
    node: Node,
    world: World,
    cache: Cache,
    outputs: Mapping[str, Output],
    reader: Reader,
    force: frozenset[str],
) -> PlannedNode:
    latest = cache.latest(node)
    seconds = latest.seconds if latest else None
    if node.unavailable:
        return PlannedNode(node, Action.SKIP, (node.unavailable,))
    forced = node.stage in force or node.method in force
    unknown = [n for n in node.after if n not in outputs]
    if unknown:
        if forced:
            return PlannedNode(node, Action.RUN, _FORCED, None, seconds, True)
        if latest is None or not _same_code(node, world, latest.parts):
            return PlannedNode(node, Action.RUN, (_certain(latest),), seconds=seconds)
        return PlannedNode(node, Action.MAYBE, tuple(f"waits for {n}" for n in unknown), seconds=seconds)
    inputs = resolve_inputs(node, world, outputs)
    parts = key_parts(node, world.graph.stages.get(node.stage), inputs, reader, world.environment)
    if forced:
        return PlannedNode(node, Action.RUN, _FORCED, parts.key, seconds, True)
    hit = cache.by_key.get(parts.key)
    if hit is not None and not reader.present(hit.output):
        return PlannedNode(node, Action.RUN, ("stored files of its result are missing",), parts.key, seconds)
    if hit is not None:
        return PlannedNode(node, Action.REUSE, (f"unchanged since run {hit.run}",), parts.key, hit.seconds)
    return PlannedNode(node, Action.RUN, explain(parts, latest.parts if latest else None), parts.key, seconds)


def resolve_inputs(node: Node, world: World, outputs: Mapping[str, Output]) -> dict[Feed, Any]:
    """What feeds a node, by feed: a snapshot, or small JSON for roles that are not tables."""
    inputs: dict[Feed, Any] = {}
    for feed in node.feeds:
        if feed.node is None:
            inputs[feed] = world.sources[feed.table].snapshot
            continue
        output = outputs[feed.node]
        is_role = feed.role == "label" or node.check is not None
        inputs[feed] = (
            (output.role(feed.table) or output.table(feed.table)) if is_role else output.table(feed.table)
        )
    return inputs


_FORCED = ("asked to run again",)


def _same_code(node: Node, world: World, parts: KeyParts) -> bool:
    stage = world.graph.stages.get(node.stage)
    code = node.check.code if node.check else (stage.code_digest if stage else "")
    return parts.code == code


def _certain(latest: Result | None) -> str:
    return "never built" if latest is None else "code changed"
