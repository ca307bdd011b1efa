"""Candidates and releases, in tables of this package's own in the ledger. A release is immutable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from nbdataops.release.gate import Decision
from nbdataops.release.manifest import Manifest
from nbdataops.store.ledger import Ledger

_tables = sa.MetaData()
_candidate = sa.Table(
    "candidate",
    _tables,
    sa.Column("digest", sa.String, primary_key=True),
    sa.Column("run", sa.String, nullable=False),
    sa.Column("created", sa.String, nullable=False),
    sa.Column("manifest", sa.Text, nullable=False),
    sa.Column("decision", sa.Text, nullable=False),
)
_release = sa.Table(
    "release",
    _tables,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("digest", sa.String, nullable=False, unique=True),
    sa.Column("created", sa.String, nullable=False),
    sa.Column("manifest", sa.Text, nullable=False),
    sa.Column("decision", sa.Text, nullable=False),
)


class Registry:
    """Statements over candidates and releases."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        ledger.create(_tables)

    def remember(self, manifest: Manifest, decision: Decision, run: str, now: datetime) -> None:
        """Keep a candidate; the same content again replaces only its receipts and decision."""
        values = _values(manifest, decision, now) | {"run": run}
        with self.ledger.begin() as db:
            db.execute(_candidate.delete().where(_candidate.c.digest == manifest.digest))
            db.execute(_candidate.insert().values(**values))

    def latest(self) -> dict[str, Any] | None:
        """The newest candidate: digest, run, created, manifest, decision."""
        query = sa.select(_candidate).order_by(_candidate.c.created.desc()).limit(1)
        with self.ledger.begin() as db:
            row = db.execute(query).mappings().first()
        return _shown(row) if row else None

    def release(self, manifest: Manifest, decision: Decision, now: datetime) -> int:
        """Record an accepted candidate as a release and return its number; the same content keeps its number."""
        with self.ledger.begin() as db:
            known = db.execute(
                sa.select(_release.c.number).where(_release.c.digest == manifest.digest)
            ).scalar()
            if known is not None:
                return int(known)
            done = db.execute(_release.insert().values(**_values(manifest, decision, now)))
            return int(done.inserted_primary_key[0])  # type: ignore[index]


def _values(manifest: Manifest, decision: Decision, now: datetime) -> dict[str, Any]:
    return {
        "digest": manifest.digest,
        "created": now.isoformat(),
        "manifest": json.dumps(manifest.to_dict(), sort_keys=True),
        "decision": json.dumps(decision.to_dict()),
    }


def _shown(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {**row, "manifest": json.loads(row["manifest"]), "decision": json.loads(row["decision"])}
