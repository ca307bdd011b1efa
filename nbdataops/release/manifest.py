"""The manifest of a release candidate: everything that its number depends on, pinned by content.

The digest covers content only, so a rebuild of the same is the same candidate. Receipts (executed notebooks,
timings, hosts) are listed beside it and may differ between rebuilds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdataops.build.execution import Execution, NodeRun
from nbdataops.build.nodes import NodeKind, State
from nbdataops.build.world import World, fingerprint
from nbdataops.store.snapshots import contents


@dataclass(frozen=True, slots=True)
class Manifest:
    """`content` is what the digest covers; `receipts` is what happened to make it."""

    content: Mapping[str, Any]
    receipts: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of the content."""
        return hashlib.sha256(canonical(self.content)).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        return {"digest": self.digest, "content": dict(self.content), "receipts": dict(self.receipts)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Manifest:
        return cls(data["content"], data["receipts"])


def canonical(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace")


def make_manifest(world: World, execution: Execution, root: Path) -> Manifest:
    """Pin a run: sources, tables, estimates, notebooks, parameters, environment, contracts, measurements.

    `root` is the store's folder: every pinned column is read from there, and StoreError raised for one that is not
    what was written.
    """
    spec = world.spec
    stages = [n for n in execution.nodes if n.node.kind is NodeKind.STAGE]
    checks = [n for n in execution.nodes if n.node.kind is NodeKind.CHECK]
    content = {
        "format": 1,
        "product": spec.product,
        "metric": spec.metric.digest,
        "declaration": spec.digest,
        "as_of": world.as_of.isoformat(),
        "horizon": spec.metric.horizon,
        "primary": spec.metric.primary,
        "sources": {
            name: {
                "columns": contents(root, state.snapshot),
                "contract": state.contract.contract_digest if state.contract else None,
            }
            for name, state in sorted(world.sources.items())
        },
        "notebooks": {name: fingerprint(data) for name, data in sorted(world.declared.notebooks.items())},
        "modules": {
            name: digest
            for stage in world.graph.stages.values()
            for name, digest in sorted(stage.module_digests)
        },
        "environment": {"digest": world.environment, "packages": dict(world.packages)},
        "nodes": {n.node.id: _node(n, root) for n in stages},
        "measurements": {n.node.id: _facts(n) for n in checks},
    }
    receipts = {
        "run": execution.run,
        "seconds": round(execution.seconds, 3),
        "notebooks": {n.node.id: n.notebook for n in stages if n.notebook},
        "observed": world.observed.isoformat(),
    }
    return Manifest(content, receipts)


def _node(run: NodeRun, root: Path) -> dict[str, Any]:
    pinned: dict[str, Any] = {
        "state": run.state.value,
        "parameters": {k: str(v) for k, v in run.node.parameters},
        "key": run.key,
    }
    if run.output is not None:
        pinned["tables"] = {name: contents(root, s) for name, s in (*run.output.tables, *run.output.roles)}
    return pinned


def _facts(run: NodeRun) -> str:
    """Digest of what a check measured, or its state when it measured nothing."""
    if run.state is not State.SUCCEEDED or run.output is None:
        return run.state.value
    return hashlib.sha256(run.output.facts.encode()).hexdigest()
