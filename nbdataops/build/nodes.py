"""Nodes: what a plan consists of.

A node is a stage, or a check, with its parameters and its scope. Nodes name the nodes and sources that
feed them; they say nothing of states, keys or results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any


class NodeKind(StrEnum):
    STAGE = "stage"
    CHECK = "check"


class Action(StrEnum):
    """What a plan intends for a node. `MAYBE`: an input is not known before the run."""

    RUN = "run"
    REUSE = "reuse"
    MAYBE = "maybe"
    SKIP = "skip"

    @property
    def shown(self) -> str:
        """In JSON: a node without history executes nothing, as one that is reused; its state says `skipped`."""
        return Action.REUSE.value if self is Action.SKIP else self.value


class State(StrEnum):
    """What became of a node. The ledger holds the only truth about it."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def ended(self) -> bool:
        return self not in (State.QUEUED, State.RUNNING)


@dataclass(frozen=True, slots=True)
class NodeScope:
    """The part of the world that a node may see: everything up to and including `cut`."""

    as_of: date
    horizon: int | None = None
    until: date | None = None

    @property
    def cut(self) -> date:
        return self.until or self.as_of

    def __str__(self) -> str:
        return f"{self.as_of}" + (f"+{self.horizon}" if self.horizon is not None else "")


@dataclass(frozen=True, slots=True)
class Feed:
    """One table that a node is handed: `table` of the source (`node` is None) or of the node `node`.

    `columns` None means all of them; `queries` are SQL texts whose columns are known once schemas are.
    `role` says what it is for: "table" (stage.read, stage.sql), "population", "labelled", "label", or a
    name that a check gave it. `call` and `position` order the calls of `stage.labelled`
    and their origins, and `span` is the horizon of their labels.
    """

    role: str
    table: str
    node: str | None
    columns: tuple[str, ...] | None
    until: date | None
    queries: tuple[str, ...] = ()
    position: int = 0
    call: int = 0
    span: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """`unavailable` is why the node cannot run at this scope (too little history); `suffices` is the as_of that would do."""

    id: str
    kind: NodeKind
    stage: str
    scope: NodeScope
    feeds: tuple[Feed, ...]
    variant: str | None = None
    parameters: tuple[tuple[str, Any], ...] = ()
    settings: tuple[tuple[str, Any], ...] = ()
    role: str = ""
    unavailable: str = ""
    suffices: date | None = None
    check: CheckGoal | None = None

    @property
    def after(self) -> tuple[str, ...]:
        """Ids of the nodes that feed this one, each once."""
        return tuple(dict.fromkeys(f.node for f in self.feeds if f.node is not None))

    @property
    def method(self) -> str:
        """Name of a method as a study shows it: the stage, with its variant in brackets."""
        return f"{self.stage}[{self.variant}]" if self.variant else self.stage


@dataclass(frozen=True, slots=True)
class StageGoal:
    """Ask for a stage at a scope."""

    stage: str
    as_of: date
    horizon: int | None = None
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """What a check is handed: a role of the output (`estimate`, `replicates`, `outcome`, `evidence`) of a stage, or
    a table of it; `goal` is None for a table that is a source."""

    name: str
    goal: StageGoal | None
    role: str
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class CheckGoal:
    """Ask for a check: `compute` is a function of the tables named in `needs` and of `settings` alone.

    The build does not know what evidence means: it gives the function its tables and stores what it returns
    (JSON). `code` is a digest of the function's source, part of the node's key.
    """

    name: str
    scope: NodeScope
    needs: tuple[Need, ...]
    settings: tuple[tuple[str, Any], ...]
    compute: Callable[[Mapping[str, Any], Mapping[str, Any]], list[dict[str, Any]]] = field(compare=False)
    code: str
    subject: str = ""


Goal = StageGoal | CheckGoal
