"""The key of a node: a digest of everything that can change what it produces, and of nothing else.

code (normalised, so that markdown and formatting do not count), typed parameters, the scope values that the
notebook can see, the versions of exactly what it would be handed (those columns, those partitions, that cut),
project modules, one environment digest, settings of the product that reach into the kernel. The parts stay
apart in the ledger, so that a plan can say which of them changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Protocol

import pyarrow as pa

from nbdataops.build.nodes import Feed, Node
from nbdataops.errors import GraphError, Place, did_you_mean
from nbdataops.product.notebook import NotebookStage
from nbdataops.store.snapshots import Snapshot


class Versions(Protocol):
    """What keys need of a snapshot store."""

    def handed(
        self, snapshot: Snapshot, columns: tuple[str, ...] | None, until: date | None
    ) -> tuple[tuple[str, str, str], ...]: ...

    def schema(self, snapshot: Snapshot) -> pa.Schema: ...


@dataclass(frozen=True, slots=True)
class KeyParts:
    """`inputs` maps "table.column" (with the feed's role and position) to a digest over its partitions."""

    code: str
    parameters: tuple[tuple[str, str], ...]
    scope: tuple[tuple[str, str], ...]
    inputs: tuple[tuple[str, str], ...]
    modules: tuple[tuple[str, str], ...]
    environment: str
    settings: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        return digest(asdict(self))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> KeyParts:
        def pairs(name: str) -> tuple[tuple[str, str], ...]:
            return tuple((k, v) for k, v in data[name])

        return cls(
            code=data["code"],
            parameters=pairs("parameters"),
            scope=pairs("scope"),
            inputs=pairs("inputs"),
            modules=pairs("modules"),
            environment=data["environment"],
            settings=pairs("settings"),
        )


def digest(value: Any) -> str:
    """128 bits of SHA-256 over canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def key_parts(
    node: Node,
    stage: NotebookStage | None,
    inputs: Mapping[Feed, Any],
    reader: Versions,
    environment: str,
) -> KeyParts:
    """The parts of a node's key, once every input is known. Snapshots are read only for their versions."""
    columns = handed_columns(node, inputs, reader)
    versions: list[tuple[str, str]] = []
    for feed, value in inputs.items():
        label = _label(feed)
        if not isinstance(value, Snapshot):
            versions.append((label, digest(value)))
            continue
        _check_columns(node, feed, columns[feed], value)
        by_column: dict[str, list[tuple[str, str]]] = {}
        for partition, column, version in reader.handed(value, columns[feed], feed.until):
            by_column.setdefault(column, []).append((partition, version))
        versions += [(f"{label}.{column}", digest(parts)) for column, parts in by_column.items()]
        order = value.declared(columns[feed])
        versions.append((f"{label} (columns in order)", digest([c for c in value.schema if c[0] in order])))
    scope = {"as_of": node.scope.as_of, "horizon": node.scope.horizon, "until": node.scope.until}
    seen = stage.uses if stage else frozenset()
    if node.check is not None:
        code, seen = node.check.code, frozenset(scope)
    else:
        assert stage is not None
        code = stage.code_digest
    return KeyParts(
        code=code,
        parameters=tuple((k, repr(v)) for k, v in node.parameters),
        scope=tuple((k, str(v)) for k, v in scope.items() if k in seen),
        inputs=tuple(sorted(versions)),
        modules=tuple(stage.module_digests) if stage else (),
        environment=environment,
        settings=tuple((k, digest(v)) for k, v in node.settings),
    )


def _check_columns(node: Node, feed: Feed, columns: tuple[str, ...] | None, table: Snapshot) -> None:
    for column in columns or ():
        if column not in table.column_names:
            population = feed.role == "population"
            raise GraphError(
                f"{'metric.population' if population else node.stage} names the column {column!r}, which the table "
                f"{table.table!r} does not have",
                where=Place(file="dataproduct.yaml" if population else f"{node.stage}.ipynb"),
                todo=did_you_mean(column, table.column_names),
            )


def handed_columns(
    node: Node, inputs: Mapping[Feed, Any], reader: Versions
) -> dict[Feed, tuple[str, ...] | None]:
    """Per feed the columns that the node is handed; None means all."""
    columns: dict[Feed, tuple[str, ...] | None] = {feed: feed.columns for feed in inputs}
    if not any(feed.queries for feed in inputs):
        return columns
    from nbdataops.session.sql import columns_of

    tables = {f.table: s for f, s in inputs.items() if f.role == "table" and isinstance(s, Snapshot)}
    schemas = {table: reader.schema(snapshot) for table, snapshot in tables.items()}
    scope = {"as_of": node.scope.as_of, "horizon": node.scope.horizon, "until": node.scope.until}
    bound = {**dict(node.parameters), **{k: v for k, v in scope.items() if v is not None}}
    for feed in inputs:
        names: set[str] | None = set(feed.columns) if feed.columns is not None else None
        for query in feed.queries:
            needed = columns_of(query, schemas, bound).get(feed.table, ())
            names = None if names is None or needed is None else names | set(needed)
        columns[feed] = None if names is None else tuple(sorted(names))
    return columns


def explain(new: KeyParts, old: KeyParts | None) -> tuple[str, ...]:
    """Every difference between two keys, in words; empty when there is none."""
    if old is None:
        return ("never built",)
    reasons: list[str] = []
    if new.code != old.code:
        reasons.append("code changed")
    before, after = dict(old.parameters), dict(new.parameters)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            reasons.append(f"parameter {name}: {before.get(name, 'none')} -> {after.get(name, 'none')}")
    before, after = dict(old.scope), dict(new.scope)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            reasons.append(f"{name}: {before.get(name, 'none')} -> {after.get(name, 'none')}")
    before, after = dict(old.inputs), dict(new.inputs)
    changed = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
    if changed:
        shown = ", ".join(changed[:6]) + (f" and {len(changed) - 6} more" if len(changed) > 6 else "")
        reasons.append(f"input changed: {shown}")
    before, after = dict(old.modules), dict(new.modules)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            reasons.append(f"project module {name} changed")
    if new.environment != old.environment:
        reasons.append("environment changed (packages or Python)")
    before, after = dict(old.settings), dict(new.settings)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            reasons.append(f"product setting changed: {name}")
    return tuple(reasons)


def _label(feed: Feed) -> str:
    if feed.role == "table":
        return feed.table
    position = f"#{feed.call}.{feed.position}" if feed.position else ""
    return f"{feed.role}{position}:{feed.table}"
