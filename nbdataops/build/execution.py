"""What a run did: every node with its state, and the exit code that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nbdataops.build.journal import Output
from nbdataops.build.nodes import Action, Node, State
from nbdataops.errors import ExitCode, NbdataopsError


@dataclass(frozen=True, slots=True)
class NodeRun:
    """What became of one node in one run. `notebook` is relative to the store's folder."""

    node: Node
    action: Action
    state: State
    seconds: float
    reasons: tuple[str, ...]
    key: str | None = None
    output: Output | None = None
    error: NbdataopsError | None = None
    notebook: str | None = None

    def to_dict(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "stage": self.node.stage,
            "node": self.node.id,
            "kind": self.node.kind.value,
            "as_of": self.node.scope.as_of.isoformat(),
            "horizon": self.node.scope.horizon,
            "action": Action.RUN.value if self.action is Action.MAYBE else self.action.shown,
            "state": self.state.value,
            "seconds": round(self.seconds, 3),
            "reasons": list(self.reasons),
        }
        if self.error is not None:
            shown["error"] = self.error.to_dict()
        return shown


@dataclass(frozen=True, slots=True)
class Execution:
    """All nodes of a plan after the run, in the plan's order."""

    run: str
    nodes: tuple[NodeRun, ...]
    seconds: float

    @property
    def failures(self) -> tuple[NodeRun, ...]:
        return tuple(n for n in self.nodes if n.error is not None)

    @property
    def exit_code(self) -> ExitCode:
        """The user's code failed: 1. What it stands on failed: 5. All well: 0."""
        codes = {n.error.exit_code for n in self.nodes if n.error is not None}
        for code in (
            ExitCode.INTERRUPTED,
            ExitCode.TERMINATED,
            ExitCode.HUNG_UP,
            ExitCode.INFRASTRUCTURE,
            ExitCode.STAGE_FAILED,
        ):
            if code in codes:
                return code
        return min(codes, default=ExitCode.OK)
