"""The assignment: all that a runner tells a kernel about the stage it is to execute, frozen, as one JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nbdataops.errors import StoreError
from nbdataops.session.scope import Scope

if TYPE_CHECKING:
    from nbdataops.store.snapshots import Snapshot

VARIABLE = "NBDATAOPS_ASSIGNMENT"
"""The environment variable that names the file of the assignment."""

Mode = Literal["run", "interactive"]


@dataclass(frozen=True, slots=True)
class LabelledOrigin:
    """One past origin: the table as of `as_of`, and what really happened in (as_of, until]."""

    as_of: date
    until: date
    table: Snapshot
    outcome: Snapshot


@dataclass(frozen=True, slots=True)
class LabelledInput:
    """What one `stage.labelled` call is handed; the first origin is the latest."""

    table: str
    columns: tuple[str, ...] | None
    horizon: int
    origins: tuple[LabelledOrigin, ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a node is handed, and where it leaves its work.

    `inputs` name files that hold only what the node may see (its columns, its cut). `population` is the
    population table at `as_of` with cohort and segments, for whoever publishes an estimate or an outcome.
    `parameters` may hold dates: they survive JSON. `secrets` name providers, never values. `limits` may hold
    `sql_threads` and `memory_mb`. `messages` say, per table, where an interactive read comes from.
    """

    node: str
    stage: str
    product_root: str
    store_root: str
    scope: Scope
    deposit: str
    metric: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Snapshot] = field(default_factory=dict)
    labelled: tuple[LabelledInput, ...] = ()
    population: Snapshot | None = None
    replicates: int = 0
    seed: int = 0
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    mode: Mode = "run"
    messages: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text of the file; `from_json` gives back an equal assignment."""
        data = {
            "node": self.node,
            "stage": self.stage,
            "product_root": self.product_root,
            "store_root": self.store_root,
            "scope": self.scope.to_dict(),
            "deposit": self.deposit,
            "metric": dict(self.metric),
            "parameters": {name: _tagged(value) for name, value in self.parameters.items()},
            "inputs": {name: snapshot.to_dict() for name, snapshot in self.inputs.items()},
            "labelled": [_labelled_to_dict(one) for one in self.labelled],
            "population": self.population.to_dict() if self.population is not None else None,
            "replicates": self.replicates,
            "seed": self.seed,
            "secrets": {name: dict(provider) for name, provider in self.secrets.items()},
            "limits": dict(self.limits),
            "mode": self.mode,
            "messages": dict(self.messages),
        }
        return json.dumps(data, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Assignment:
        from nbdataops.store.snapshots import Snapshot

        data = json.loads(text)
        population = data.get("population")
        return cls(
            node=data["node"],
            stage=data["stage"],
            product_root=data["product_root"],
            store_root=data["store_root"],
            scope=Scope.from_dict(data["scope"]),
            deposit=data["deposit"],
            metric=data["metric"],
            parameters={name: _untagged(value) for name, value in data.get("parameters", {}).items()},
            inputs={name: Snapshot.from_dict(one) for name, one in data.get("inputs", {}).items()},
            labelled=tuple(_labelled_from_dict(one) for one in data.get("labelled", ())),
            population=Snapshot.from_dict(population) if population is not None else None,
            replicates=data.get("replicates", 0),
            seed=data.get("seed", 0),
            secrets=data.get("secrets", {}),
            limits=data.get("limits", {}),
            mode=data.get("mode", "run"),
            messages=data.get("messages", {}),
        )


def read_assignment(path: Path) -> Assignment:
    """The assignment in a file; StoreError if it is not there or is no assignment."""
    try:
        return Assignment.from_json(path.read_text("utf-8"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"the assignment {path} cannot be read: {error}",
            todo=f"{VARIABLE} is set by a run for its own kernels; unset it to work interactively",
        ) from error


def _tagged(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    if isinstance(value, list | tuple):
        return [_tagged(one) for one in value]
    return value


def _untagged(value: Any) -> Any:
    if isinstance(value, dict) and len(value) == 1:
        if "$datetime" in value:
            return datetime.fromisoformat(value["$datetime"])
        if "$date" in value:
            return date.fromisoformat(value["$date"])
    if isinstance(value, list):
        return [_untagged(one) for one in value]
    return value


def _labelled_to_dict(one: LabelledInput) -> dict[str, Any]:
    return {
        "table": one.table,
        "columns": list(one.columns) if one.columns is not None else None,
        "horizon": one.horizon,
        "origins": [
            {
                "as_of": origin.as_of.isoformat(),
                "until": origin.until.isoformat(),
                "table": origin.table.to_dict(),
                "outcome": origin.outcome.to_dict(),
            }
            for origin in one.origins
        ],
    }


def _labelled_from_dict(data: Mapping[str, Any]) -> LabelledInput:
    from nbdataops.store.snapshots import Snapshot

    columns = data.get("columns")
    return LabelledInput(
        table=data["table"],
        columns=tuple(columns) if columns is not None else None,
        horizon=data["horizon"],
        origins=tuple(
            LabelledOrigin(
                as_of=date.fromisoformat(origin["as_of"]),
                until=date.fromisoformat(origin["until"]),
                table=Snapshot.from_dict(origin["table"]),
                outcome=Snapshot.from_dict(origin["outcome"]),
            )
            for origin in data["origins"]
        ),
    )
