"""The world: everything observed before planning, frozen.

Observing is the only step before execution that has effects: changed sources are ingested (contract checked,
content-addressed, invisible until used), notebooks are copied, `as_of` is resolved. A notebook edited during
the run, or a plan that no longer fits, is then a plain comparison.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nbdataops.build.environment import environment
from nbdataops.build.journal import Journal, Result
from nbdataops.errors import SourceError, SpecError
from nbdataops.ingest.source import SourceState, ingest
from nbdataops.product.graph import Graph, build_graph
from nbdataops.product.notebook import find_notebooks
from nbdataops.product.parameters import check_overrides
from nbdataops.product.spec import ProductSpec
from nbdataops.store.locations import Store
from nbdataops.store.snapshots import SnapshotStore, whole


@dataclass(frozen=True, slots=True)
class Declared:
    """What the files say, before any data is looked at: `doctor`, `plan` and interactive use start here."""

    spec: ProductSpec
    graph: Graph
    ignored: tuple[tuple[str, str], ...]
    notebooks: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class World:
    """`first` is the first day with events, `complete_to` the last day that all event-time sources delivered."""

    declared: Declared
    sources: Mapping[str, SourceState]
    as_of: date
    first: date | None
    complete_to: date | None
    environment: str
    packages: tuple[tuple[str, str], ...]
    results: tuple[Result, ...]
    observed: datetime
    overrides: Mapping[str, Any]

    @property
    def spec(self) -> ProductSpec:
        return self.declared.spec

    @property
    def graph(self) -> Graph:
        return self.declared.graph

    @property
    def may_leak(self) -> tuple[str, ...]:
        """Sources without event time: at a past origin they may show what was not known then."""
        return tuple(sorted(name for name, s in self.sources.items() if s.may_leak))


def declare(spec: ProductSpec) -> Declared:
    """Read every notebook and fit the graph; raises the declaration errors of `product`."""
    folder = Store.of(spec.root, spec.store).root
    while True:
        before = _notebooks(spec.root)
        stages, ignored = find_notebooks(spec.root, store=folder)
        notebooks = {stage.name: stage.path.read_bytes() for stage in stages}
        # What was analysed must be what is executed: a notebook saved in between is read again.
        if all(before.get(stage.path) == notebooks[stage.name] for stage in stages):
            break
    shown = tuple((str(path), reason) for path, reason in ignored)
    return Declared(spec, build_graph(spec, stages), shown, MappingProxyType(notebooks))


def imports_of(graph: Graph) -> frozenset[str]:
    """Top-level names of all modules that the notebooks import, and the project's modules for them."""
    return frozenset(name for stage in graph.stages.values() for name in stage.imports)


def _notebooks(root: Path) -> dict[Path, bytes]:
    visible = (
        p
        for p in root.rglob("*.ipynb")
        if not any(part.startswith(".") for part in p.relative_to(root).parts)
    )
    return {path: path.read_bytes() for path in visible if path.is_file()}


def observe(
    spec: ProductSpec,
    store: Store,
    journal: Journal,
    *,
    as_of: date | None = None,
    overrides: Mapping[str, Any] = MappingProxyType({}),
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    report: Callable[[str], None] = lambda text: None,
) -> World:
    """Look at everything once. `as_of` and `overrides` (parameters of notebooks) win over what is declared."""
    declared = declare(spec)
    check_overrides(declared.graph.stages.values(), overrides)
    snapshots = SnapshotStore(store.root)
    sources: dict[str, SourceState] = {}
    for name, source in spec.sources.items():
        remembered = journal.source(name)
        previous = SourceState.from_dict(remembered) if remembered else None
        if previous is not None and not whole(store.root, previous.snapshot):
            previous = None  # what was stored of it is gone or cut short: read the files again
        state = ingest(
            source,
            snapshots,
            store,
            time_zone=spec.metric.time_zone,
            today=now().date(),
            previous=previous,
        )
        if state != previous:
            journal.remember_source(name, state.to_dict())
        if previous is None or state.snapshot.digest != previous.snapshot.digest:
            report(f"ingested {name}: {state.snapshot.rows:,} rows")
        sources[name] = state
    resolved, first, complete_to = _resolve(as_of or spec.as_of, spec, sources, now().date())
    installed = environment(imports_of(declared.graph), store.root / "environment.json")
    return World(
        declared=declared,
        sources=MappingProxyType(sources),
        as_of=resolved,
        first=first,
        complete_to=complete_to,
        environment=installed.digest,
        packages=installed.packages,
        results=journal.results(),
        observed=now(),
        overrides=MappingProxyType(dict(overrides)),
    )


def _resolve(
    as_of: date | str, spec: ProductSpec, sources: Mapping[str, SourceState], today: date
) -> tuple[date, date | None, date | None]:
    """(as_of, first day with events, last complete day)."""
    timed = {name: s for name, s in sources.items() if not s.may_leak}
    first = min((s.first for s in timed.values() if s.first is not None), default=None)
    complete_to = min((s.complete_to for s in timed.values() if s.complete_to is not None), default=None)
    if isinstance(as_of, date):
        if complete_to is not None and as_of > complete_to:
            raise SourceError(
                f"as_of is {as_of}, but the sources are complete only to {complete_to}",
                todo=f"use --as-of {complete_to} or wait for the next delivery",
            )
        if first is not None and as_of < first:
            raise SourceError(
                f"as_of is {as_of}, but the data begin on {first}", todo=f"use a date from {first} on"
            )
        return as_of, first, complete_to
    if complete_to is None:
        raise SpecError(
            "as_of is 'latest', but no source has an event time to tell the latest day by",
            todo="declare event_time for a source, or give as_of a date",
        )
    if complete_to > today + timedelta(days=1):  # a day for time zones that are ahead of this machine's
        name = min(timed, key=lambda n: timed[n].complete_to or date.max)
        raise SourceError(
            f"source {name!r} has an event on {complete_to}, which is after today ({today})",
            where=spec.place("sources", name),
            todo="mend that row, or declare how far the source is complete: complete_to",
        )
    return complete_to, first, complete_to


def fingerprint(data: bytes | Any) -> str:
    """SHA-256 of a file as it was observed."""
    return hashlib.sha256(data).hexdigest()
