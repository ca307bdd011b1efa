"""The journal of runs, nodes and results: the build's own tables in the ledger.

`result` is the cache: from key to what a node produced. `node_run` holds the only truth about states.
`lease` lets one runner own a product at a time.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from nbdataops.build.keys import KeyParts
from nbdataops.build.nodes import State
from nbdataops.errors import LeaseError
from nbdataops.store.ledger import Ledger
from nbdataops.store.snapshots import Snapshot

LEASE_S = 30.0

_tables = sa.MetaData()
_run = sa.Table(
    "run",
    _tables,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("product", sa.String, nullable=False),
    sa.Column("started", sa.String, nullable=False),
    sa.Column("ended", sa.String),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("heartbeat", sa.Float, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("host", sa.String, nullable=False),
    sa.Column("summary", sa.Text),
)
_node_run = sa.Table(
    "node_run",
    _tables,
    sa.Column("run", sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("node", sa.String, primary_key=True),
    sa.Column("stage", sa.String, nullable=False),
    sa.Column("key", sa.String),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
    sa.Column("started", sa.String),
    sa.Column("seconds", sa.Float),
    sa.Column("heartbeat", sa.Float),
    sa.Column("error", sa.Text),
    sa.Column("notebook", sa.String),
)
_result = sa.Table(
    "result",
    _tables,
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("node", sa.String, nullable=False, index=True),
    sa.Column("stage", sa.String, nullable=False, index=True),
    sa.Column("parts", sa.Text, nullable=False),
    sa.Column("output", sa.Text, nullable=False),
    sa.Column("run", sa.String, nullable=False),
    sa.Column("notebook", sa.String),
    sa.Column("created", sa.String, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
)
_memory = sa.Table(
    "stage_memory",
    _tables,
    sa.Column("node", sa.String, primary_key=True),
    sa.Column("stage", sa.String, nullable=False),
    sa.Column("run", sa.String, nullable=False),
    sa.Column("peak_bytes", sa.BigInteger, nullable=False),
)
_lease = sa.Table(
    "lease",
    _tables,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("run", sa.String, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("host", sa.String, nullable=False),
    sa.Column("heartbeat", sa.Float, nullable=False),
)
_source = sa.Table(
    "source_state",
    _tables,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Output:
    """What a node produced: `tables` for other notebooks, `roles` (estimate, replicates, outcome) for checks.

    `facts` is small JSON: the estimate's family and resampling, evidence of one's own, measurements.
    """

    tables: tuple[tuple[str, Snapshot], ...] = ()
    roles: tuple[tuple[str, Snapshot], ...] = ()
    facts: str = "{}"

    def table(self, name: str) -> Snapshot | None:
        return dict(self.tables).get(name)

    def role(self, name: str) -> Any:
        snapshot = dict(self.roles).get(name)
        return snapshot if snapshot is not None else json.loads(self.facts).get(name)

    def to_json(self) -> str:
        return json.dumps(
            {
                "tables": {k: s.to_dict() for k, s in self.tables},
                "roles": {k: s.to_dict() for k, s in self.roles},
                "facts": json.loads(self.facts),
            },
            sort_keys=True,
        )

    @classmethod
    def from_json(cls, text: str) -> Output:
        data = json.loads(text)
        return cls(
            tuple((k, Snapshot.from_dict(v)) for k, v in data["tables"].items()),
            tuple((k, Snapshot.from_dict(v)) for k, v in data["roles"].items()),
            json.dumps(data["facts"], sort_keys=True),
        )


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the cache."""

    key: str
    node: str
    stage: str
    parts: KeyParts
    output: Output
    run: str
    notebook: str | None
    created: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Peaks:
    """Bytes of memory at the peak, by node, and the most that any node of a stage took."""

    by_node: Mapping[str, int]
    by_stage: Mapping[str, int]

    def of(self, node: str, stage: str) -> int | None:
        """The node's own, else that of its stage elsewhere, else None."""
        return self.by_node.get(node, self.by_stage.get(stage))


class Journal:
    """Statements over the build's tables. Each method is one transaction."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        ledger.create(_tables)

    # ------------------------------------------------------------------ the lease and the run
    def start_run(self, run: str, product: str, now: datetime) -> None:
        """Take the lease and open the run, or raise LeaseError naming who holds it.

        A lease whose owner is gone (dead process on this host, or no heartbeat for 30 s elsewhere) is taken
        over, and the run it belonged to becomes `lost`.
        """
        with self.ledger.begin() as db:
            held = db.execute(sa.select(_lease).where(_lease.c.name == "runner")).mappings().first()
            if held is not None and _alive(held, now.timestamp()):
                raise LeaseError(
                    f"run {held['run']} of process {held['pid']} on {held['host']} owns this product",
                    todo="wait until it ends, or cancel it with Ctrl-C in its terminal",
                )
            if held is not None:
                self._lose(db, held["run"])
                db.execute(_lease.delete().where(_lease.c.name == "runner"))
            owner = {"pid": os.getpid(), "host": socket.gethostname(), "heartbeat": now.timestamp()}
            db.execute(_lease.insert().values(name="runner", run=run, **owner))
            db.execute(
                _run.insert().values(
                    id=run, product=product, started=now.isoformat(), state=State.RUNNING.value, **owner
                )
            )

    def _lose(self, db: sa.Connection, run: str) -> None:
        open_states = [State.QUEUED.value, State.RUNNING.value]
        for table, column in ((_node_run, _node_run.c.run), (_run, _run.c.id)):
            db.execute(
                table.update()
                .where(column == run, table.c.state.in_(open_states))
                .values(state=State.LOST.value)
            )

    def heartbeat(self, run: str, now: datetime) -> bool:
        """True while the lease is still ours."""
        with self.ledger.begin(durable=False) as db:
            stamp = {"heartbeat": now.timestamp()}
            held = db.execute(_lease.update().where(_lease.c.run == run).values(**stamp)).rowcount
            db.execute(_run.update().where(_run.c.id == run).values(**stamp))
            db.execute(
                _node_run.update()
                .where(_node_run.c.run == run, _node_run.c.state == State.RUNNING.value)
                .values(**stamp)
            )
            return bool(held)

    def end_run(
        self, run: str, state: State, now: datetime, summary: Mapping[str, Any] | None = None
    ) -> None:
        with self.ledger.begin() as db:
            db.execute(
                _run.update()
                .where(_run.c.id == run)
                .values(state=state.value, ended=now.isoformat(), summary=json.dumps(summary or {}))
            )
            db.execute(_lease.delete().where(_lease.c.run == run))

    def summarise(self, run: str, summary: Mapping[str, Any]) -> None:
        with self.ledger.begin() as db:
            db.execute(_run.update().where(_run.c.id == run).values(summary=json.dumps(summary)))

    def runs(self, limit: int = 10) -> list[dict[str, Any]]:
        """The newest runs first, with `summary` decoded; a run whose owner is gone shows as lost."""
        with self.ledger.begin() as db:
            rows = db.execute(sa.select(_run).order_by(_run.c.started.desc()).limit(limit)).mappings().all()
        now = datetime.now(UTC).timestamp()
        out = []
        for row in rows:
            shown = dict(row)
            shown["summary"] = json.loads(row["summary"] or "{}")
            if row["state"] == State.RUNNING.value and not _alive(row, now):
                shown["state"] = State.LOST.value
            out.append(shown)
        return out

    # ------------------------------------------------------------------ nodes
    def queue(self, run: str, nodes: Sequence[tuple[str, str, str, Sequence[str]]]) -> None:
        """(node, stage, action, reasons) of everything in the plan."""
        with self.ledger.begin(durable=False) as db:
            rows = [
                {
                    "run": run,
                    "node": node,
                    "stage": stage,
                    "action": action,
                    "state": State.QUEUED.value,
                    "reasons": json.dumps(list(reasons)),
                }
                for node, stage, action, reasons in nodes
            ]
            if rows:
                db.execute(_node_run.insert(), rows)

    def node(self, run: str, node: str, **values: Any) -> None:
        """Set columns of a node's line: state, action, key, started, seconds, reasons, error, notebook."""
        for name in ("reasons", "error"):
            if name in values and values[name] is not None:
                values[name] = json.dumps(values[name])
        with self.ledger.begin(durable=False) as db:
            db.execute(
                _node_run.update().where(_node_run.c.run == run, _node_run.c.node == node).values(**values)
            )

    def nodes(self, run: str) -> list[dict[str, Any]]:
        with self.ledger.begin() as db:
            rows = db.execute(sa.select(_node_run).where(_node_run.c.run == run)).mappings().all()
        return [
            {
                **row,
                "reasons": json.loads(row["reasons"]),
                "error": json.loads(row["error"]) if row["error"] else None,
            }
            for row in rows
        ]

    # ------------------------------------------------------------------ memory
    def remember_peak(self, run: str, node: str, stage: str, peak_bytes: int) -> None:
        """The memory that a node took in this run, whatever became of it; what was known of it is replaced."""
        with self.ledger.begin(durable=False) as db:
            db.execute(_memory.delete().where(_memory.c.node == node))
            db.execute(_memory.insert().values(node=node, stage=stage, run=run, peak_bytes=peak_bytes))

    def peaks(self) -> Peaks:
        """What nodes took the last time that they ran."""
        with self.ledger.begin() as db:
            rows = db.execute(sa.select(_memory)).mappings().all()
        by_stage: dict[str, int] = {}
        for row in rows:
            by_stage[row["stage"]] = max(row["peak_bytes"], by_stage.get(row["stage"], 0))
        return Peaks({row["node"]: row["peak_bytes"] for row in rows}, by_stage)

    # ------------------------------------------------------------------ results
    def commit(self, run: str, result: Result, **values: Any) -> None:
        """Make a result visible and the node succeeded, in one transaction, if the run still holds its lease."""
        with self.ledger.begin() as db:
            if db.execute(sa.select(_lease.c.run).where(_lease.c.run == run)).first() is None:
                raise LeaseError(
                    f"run {run} lost its lease before {result.node} could be committed; nothing was published",
                    todo="another run took over; start again when it has ended",
                )
            db.execute(_result.delete().where(_result.c.key == result.key))
            db.execute(
                _result.insert().values(
                    key=result.key,
                    node=result.node,
                    stage=result.stage,
                    parts=json.dumps(result.parts.to_dict(), sort_keys=True),
                    output=result.output.to_json(),
                    run=result.run,
                    notebook=result.notebook,
                    created=result.created,
                    seconds=result.seconds,
                )
            )
            db.execute(
                _node_run.update()
                .where(_node_run.c.run == run, _node_run.c.node == result.node)
                .values(state=State.SUCCEEDED.value, key=result.key, **values)
            )

    def results(self) -> tuple[Result, ...]:
        """The whole cache, oldest first."""
        with self.ledger.begin() as db:
            rows = db.execute(sa.select(_result).order_by(_result.c.created)).mappings().all()
        return tuple(
            Result(
                key=row["key"],
                node=row["node"],
                stage=row["stage"],
                parts=KeyParts.from_dict(json.loads(row["parts"])),
                output=Output.from_json(row["output"]),
                run=row["run"],
                notebook=row["notebook"],
                created=row["created"],
                seconds=row["seconds"],
            )
            for row in rows
        )

    # ------------------------------------------------------------------ sources
    def source(self, name: str) -> dict[str, Any] | None:
        with self.ledger.begin() as db:
            text = db.execute(sa.select(_source.c.state).where(_source.c.name == name)).scalar()
        return json.loads(text) if text else None

    def remember_source(self, name: str, state: Mapping[str, Any]) -> None:
        with self.ledger.begin() as db:
            db.execute(_source.delete().where(_source.c.name == name))
            db.execute(_source.insert().values(name=name, state=json.dumps(state)))


def _alive(row: Mapping[Any, Any], now: float) -> bool:
    if row["host"] != socket.gethostname():
        return now - float(row["heartbeat"]) < LEASE_S
    try:
        os.kill(int(row["pid"]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # The process exists; a recycled pid does not send heartbeats.
    return int(row["pid"]) == os.getpid() or now - float(row["heartbeat"]) < LEASE_S
