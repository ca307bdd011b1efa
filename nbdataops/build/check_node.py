"""A check node: a function over tables and facts, computed in the runner itself, with measurements as its output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nbdataops.build.journal import Output
from nbdataops.build.nodes import Feed, Node
from nbdataops.build.reader import SnapshotReader
from nbdataops.errors import NbdataopsError, Place, StageError
from nbdataops.store.snapshots import Snapshot


def check_output(node: Node, inputs: Mapping[Feed, Any], reader: SnapshotReader) -> Output:
    """What the check measured. Raises StageError when it cannot: a check that fails is never a pass."""
    assert node.check is not None
    read = reader.store.read
    tables = {
        feed.role: read(value, feed.columns, feed.until) if isinstance(value, Snapshot) else value
        for feed, value in inputs.items()
    }
    try:
        measured = node.check.compute(tables, dict(node.settings))
    except NbdataopsError:
        raise
    except Exception as error:
        raise StageError(
            f"the check failed: {type(error).__name__}: {error}",
            where=Place(stage=node.id),
            todo="a check that fails is never a pass; report this with the run's events.jsonl",
        ) from error
    return Output(facts=json.dumps({"measurements": measured}, sort_keys=True))
