"""The deposit: what a kernel leaves for the runner. Files, their roles, and the record of what was read.

`deposit.json` is rewritten (temporary name, rename) after every call, so that a notebook that fails half-way leaves
its record. Shape:

    {"tables": {name: {"file", "key", "event_time", "rows"}},
     "estimate": {"file", "replicates_file", "family", "resampling", "components", "has_interval",
                  "replicates", "failed"} | null,
     "outcome": {"file", "rows", "unknown"} | null,
     "evidence": [{"name", "kind", "bad", "of", "n", "margin", "required", "log_ratio", "worst", "off", "missing"}],
     "reads": [{"table", "columns", "call"}],
     "validated": false}

Files are named relative to the folder. Nothing in `deposit.json` names an entity.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdataops.errors import StoreError

if TYPE_CHECKING:
    import pyarrow as pa

RECORD = "deposit.json"


@dataclass(frozen=True, slots=True)
class DepositedTable:
    """A table that the notebook wrote."""

    file: str
    key: tuple[str, ...]
    event_time: str | None
    rows: int


@dataclass(frozen=True, slots=True)
class DepositedEstimate:
    """A method's answer. `resampling` is "refit" where `replicates_file` is there, else "entity".

    `replicates` counts the refits that succeeded and `failed` those that raised.
    """

    file: str
    family: str
    resampling: str
    components: tuple[str, ...]
    has_interval: bool
    replicates_file: str | None = None
    replicates: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class DepositedOutcome:
    """What happened, one row per entity of the population; `unknown` entities outside of it were left out."""

    file: str
    rows: int
    unknown: int


@dataclass(frozen=True, slots=True)
class DepositedRead:
    """One read, as it really was: the columns that were handed over, by `call` read, sql or labelled."""

    table: str
    columns: tuple[str, ...]
    call: str


@dataclass(frozen=True, slots=True)
class DepositRecord:
    """What `deposit.json` says."""

    tables: Mapping[str, DepositedTable] = field(default_factory=dict)
    estimate: DepositedEstimate | None = None
    outcome: DepositedOutcome | None = None
    evidence: tuple[Mapping[str, Any], ...] = ()
    reads: tuple[DepositedRead, ...] = ()
    validated: bool = False

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DepositRecord:
        estimate, outcome = data.get("estimate"), data.get("outcome")
        return cls(
            tables={
                name: DepositedTable(**{**one, "key": tuple(one["key"])})
                for name, one in data["tables"].items()
            },
            estimate=DepositedEstimate(**{**estimate, "components": tuple(estimate["components"])})
            if estimate
            else None,
            outcome=DepositedOutcome(**outcome) if outcome else None,
            evidence=tuple(dict(one) for one in data["evidence"]),
            reads=tuple(DepositedRead(**{**one, "columns": tuple(one["columns"])}) for one in data["reads"]),
            validated=bool(data["validated"]),
        )

    def files(self) -> tuple[str, ...]:
        """Every file that the record names."""
        named = [table.file for table in self.tables.values()]
        if self.estimate is not None:
            named += [f for f in (self.estimate.file, self.estimate.replicates_file) if f is not None]
        if self.outcome is not None:
            named.append(self.outcome.file)
        return tuple(named)


class Deposit:
    """Writes a deposit; `record` is what it says so far.

    A run begins with nothing. With `resume` (interactive) what an earlier kernel left stays until it is replaced.
    """

    def __init__(self, folder: Path, *, resume: bool = False) -> None:
        self.folder = folder
        self.record = DepositRecord()
        if resume:
            with contextlib.suppress(StoreError):
                self.record = read_deposit(folder)

    def update(self, record: DepositRecord) -> None:
        """Replaces the record, on disk first."""
        _replace(self.folder / RECORD, json.dumps(record.to_dict(), indent=1).encode())
        self.record = record

    def put(self, name: str, table: pa.Table) -> str:
        """Writes a table as an Arrow file `<name>.arrow` and returns that name, relative to the folder."""
        import pyarrow as pa

        path = self.folder / f"{name}.arrow"
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table)
            temporary.replace(path)
        except OSError as error:
            raise _refused(path, error) from error
        return f"{name}.arrow"


def read_deposit(folder: Path) -> DepositRecord:
    """What a kernel left; an empty record if it left nothing. StoreError if the record is damaged, or if it names a
    file that is not there or lies outside of the folder."""
    path = folder / RECORD
    try:
        record = DepositRecord.from_dict(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return DepositRecord()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"the deposit {path} cannot be read: {error}", todo="run the stage again") from error
    for name in record.files():
        file = folder / name
        if not file.resolve().is_relative_to(folder.resolve()) or not file.is_file():
            raise StoreError(
                f"the deposit {path} names {name!r}, which is not there", todo="run the stage again"
            )
    return record


def read_file(folder: Path, name: str) -> pa.Table:
    """A table that a record names."""
    import pyarrow as pa

    with pa.memory_map(str(folder / name), "r") as source:
        return pa.ipc.open_file(source).read_all()


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path} cannot be written: {error.strerror or error}",
        todo="make the folder writable or free some space, then run again",
    )
