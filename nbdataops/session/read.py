"""`stage.read`: one table, cut by the scope, only the columns that were declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdataops.errors import UsageError, did_you_mean
from nbdataops.session.current import Session, input_of, report_origin
from nbdataops.session.deposit import DepositedRead
from nbdataops.session.into import check_into, hand_over

if TYPE_CHECKING:
    from nbdataops.store.snapshots import Snapshot


def read(session: Session, name: str, columns: Sequence[str] | None, into: str) -> Any:
    """The key first, then the columns as asked; all of them, in the table's order, for None."""
    check_into(into)
    snapshot = input_of(session, name, "stage.read")
    wanted = ordered(snapshot, columns, "stage.read")
    from nbdataops.store.snapshots import load

    table = load(Path(session.assignment.store_root), snapshot, wanted).select(list(wanted))
    record_read(session, name, wanted, "read")
    report_origin(session, name)
    return hand_over(table, into)


def ordered(snapshot: Snapshot, columns: Sequence[str] | None, call: str) -> tuple[str, ...]:
    """Key and asked columns, each once; UsageError for a column that was not handed over."""
    handed = snapshot.column_names
    key = tuple(name for name in snapshot.key if name in handed)
    if isinstance(columns, str):
        raise UsageError(f"{call} got columns={columns!r}, and needs a list", todo=f"columns=[{columns!r}]")
    asked = tuple(columns) if columns is not None else handed
    for column in asked:
        if column not in handed:
            raise UsageError(
                f"{call}({snapshot.table!r}) has no column {column!r} that this notebook declares",
                todo=f"{did_you_mean(str(column), handed)} A notebook is handed only the columns that its calls name",
            )
    return tuple(dict.fromkeys((*key, *asked)))


def record_read(session: Session, table: str, columns: Sequence[str], call: str) -> None:
    """Adds a read to the deposit's record, each once."""
    record = session.deposit.record
    one = DepositedRead(table, tuple(columns), call)
    if one not in record.reads:
        session.deposit.update(replace(record, reads=(*record.reads, one)))
