"""Every error a user can meet, as one tree.

NbdataopsError
├── DeclarationError        exit 2   the product, a contract or a notebook declares something impossible
│   ├── SpecError                    dataproduct.yaml or a contract file
│   ├── NotebookError                a notebook cannot be read as a stage
│   ├── GraphError                   the stages do not fit together
│   └── ParameterError               a parameter's name, type or value
├── UsageError              exit 2   a call or a command line that cannot be meant
├── StageError              exit 1   code of a notebook failed
│   └── OutputError                  a stage handed over something its contract forbids
├── RefusedError            exit 3   a gate, a contract or a verdict said no
│   └── SourceError                  a delivery that cannot be read or breaks its contract
└── InfrastructureError     exit 5   what nbdataops stands on failed
    ├── KernelError                  a kernel died or could not start
    ├── StageTimeout                 a cell or a stage took longer than it may
    ├── StoreError                   disk, folder or ledger
    ├── LeaseError                   another run owns this product
    └── CancelledError      exit 129/130/143   interrupted by a person or by the system

An error says what happened, where, and what to do next. Text, JSON and HTML are made from the same object.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any, ClassVar


class ExitCode(IntEnum):
    """What a command returns to the shell; documented in docs/cli.md and tested."""

    OK = 0
    STAGE_FAILED = 1
    USAGE = 2
    REFUSED = 3
    DIFFERENCE = 4
    INFRASTRUCTURE = 5
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True, slots=True)
class Place:
    """Where something happened. `cell` counts from 1 over all cells, `line` from 1 within the file or cell."""

    file: str | None = None
    cell: int | None = None
    line: int | None = None
    stage: str | None = None

    def __str__(self) -> str:
        parts = [p for p in (self.file or self.stage,) if p]
        if self.cell is not None:
            parts.append(f"cell {self.cell}")
        if self.line is not None:
            parts.append(f"line {self.line}")
        return ", ".join(parts)


class NbdataopsError(Exception):
    """What happened (`what`), where (`where`), what to do next (`todo`); `code` is stable across versions."""

    code: ClassVar[str] = "error"
    exit_code: ExitCode = ExitCode.STAGE_FAILED

    def __init__(
        self,
        what: str,
        *,
        where: Place | None = None,
        todo: str = "",
        code: str | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.todo = todo
        self.detail = detail
        self.reason = code or self.code

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where and str(self.where) else ""
        todo = f"\n  {self.todo}" if self.todo else ""
        detail = f"\n{self.detail}" if self.detail else ""
        return f"{where}{self.what}{todo}{detail}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.todo, self.reason, self.detail))

    def to_dict(self) -> dict[str, Any]:
        """The one JSON shape of errors: `code`, `what`, `where`, `todo`, `detail`."""
        return {
            "code": self.reason,
            "what": self.what,
            "where": {k: v for k, v in asdict(self.where).items() if v is not None} if self.where else {},
            "todo": self.todo,
            "detail": self.detail,
        }


def _rebuild(
    cls: type[NbdataopsError], what: str, where: Place | None, todo: str, code: str, detail: str
) -> NbdataopsError:
    return cls(what, where=where, todo=todo, code=code, detail=detail)


class DeclarationError(NbdataopsError):
    code = "declaration"
    exit_code = ExitCode.USAGE


class SpecError(DeclarationError):
    code = "spec"


class NotebookError(DeclarationError):
    code = "notebook"


class GraphError(DeclarationError):
    code = "graph"


class ParameterError(DeclarationError):
    code = "parameter"


class UsageError(NbdataopsError):
    code = "usage"
    exit_code = ExitCode.USAGE


class StageError(NbdataopsError):
    code = "stage"
    exit_code = ExitCode.STAGE_FAILED


class OutputError(StageError):
    code = "output"


class RefusedError(NbdataopsError):
    code = "refused"
    exit_code = ExitCode.REFUSED


class SourceError(RefusedError):
    code = "source"


class InfrastructureError(NbdataopsError):
    code = "infrastructure"
    exit_code = ExitCode.INFRASTRUCTURE


class KernelError(InfrastructureError):
    code = "kernel"


class StageTimeout(InfrastructureError):  # noqa: N818 - reads as what it is
    code = "timeout"


class StoreError(InfrastructureError):
    code = "store"


class LeaseError(InfrastructureError):
    code = "lease"


class CancelledError(InfrastructureError):
    code = "cancelled"
    exit_code = ExitCode.INTERRUPTED


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest known name, or lists a few.

    >>> did_you_mean("purchase", ["purchases", "rfm"])
    "did you mean 'purchases'?"
    >>> did_you_mean("zzz", ["b", "a"])
    'known: a, b'
    """
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return (
        f"known: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}" if names else "there are none"
    )
