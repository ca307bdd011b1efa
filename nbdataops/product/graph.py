"""The graph of a product: who writes which table and who reads it; every misfit is an error with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nbdataops.errors import GraphError, Place, did_you_mean
from nbdataops.product.declared import NotebookStage
from nbdataops.product.parameters import check_declared

if TYPE_CHECKING:
    from nbdataops.product.spec import ProductSpec, SourceSpec


@dataclass(frozen=True, slots=True)
class Use:
    """One place where a stage reads a table; `labelled` when it does so at past origins."""

    stage: str
    table: str
    cell: int
    line: int
    labelled: bool = False

    @property
    def place(self) -> Place:
        """Where it is read."""
        return Place(file=f"{self.stage}.ipynb", cell=self.cell, line=self.line)


@dataclass(frozen=True)
class Graph:
    """Stages and tables that fit together; build it with `build_graph`.

    `stages` by name; `writers`: the stage that writes a table (sources are not in it); `sources` by table name;
    `outcome`: the name of the stage that publishes what happened; `order`: stage names, writers before readers.
    """

    stages: Mapping[str, NotebookStage]
    sources: Mapping[str, SourceSpec]
    writers: Mapping[str, str]
    outcome: str | None
    order: tuple[str, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        plain = (dict(self.stages), dict(self.sources), dict(self.writers), self.outcome, self.order)
        return (_restore, plain)

    @property
    def methods(self) -> tuple[str, ...]:
        """Stages that publish an estimate, in order."""
        return tuple(name for name in self.order if self.stages[name].role == "method")

    @property
    def tables(self) -> tuple[str, ...]:
        """All tables: of sources and of stages."""
        return tuple(sorted({*self.sources, *self.writers}))

    def writer(self, table: str) -> SourceSpec | str:
        """The source a table comes from, or the name of the stage that writes it. GraphError when there is none."""
        if table in self.writers:
            return self.writers[table]
        if table in self.sources:
            return self.sources[table]
        raise GraphError(f"there is no table {table!r}", todo=did_you_mean(table, self.tables))

    def inputs(self, stage: str) -> tuple[str, ...]:
        """Tables that a stage reads in its own scope (not by `labelled`)."""
        return tuple(dict.fromkeys(u.table for u in uses(self.stages[stage]) if not u.labelled))

    def readers(self, table: str) -> tuple[str, ...]:
        """Stages that read a table, in whatever scope, in order."""
        return tuple(n for n in self.order if any(u.table == table for u in uses(self.stages[n])))

    def parents(self, stage: str) -> tuple[str, ...]:
        """Stages that write what a stage reads in its own scope."""
        return tuple(dict.fromkeys(self.writers[t] for t in self.inputs(stage) if t in self.writers))

    def upstream(self, stage: str) -> tuple[str, ...]:
        """All stages that a stage needs in its own scope, directly or indirectly, writers before readers.

        What `labelled` hands over comes from past origins, so it is no part of this.
        """
        return self._upstream[stage]

    @cached_property
    def _upstream(self) -> dict[str, tuple[str, ...]]:
        position = {name: n for n, name in enumerate(self.order)}
        found: dict[str, tuple[str, ...]] = {}
        for name in self.order:
            parents = self.parents(name)
            every = {*parents, *(a for parent in parents for a in found[parent])}
            found[name] = tuple(sorted(every, key=position.__getitem__))
        return found


def _restore(
    stages: dict[str, NotebookStage],
    sources: dict[str, SourceSpec],
    writers: dict[str, str],
    outcome: str | None,
    order: tuple[str, ...],
) -> Graph:
    return Graph(
        MappingProxyType(stages), MappingProxyType(sources), MappingProxyType(writers), outcome, order
    )


def uses(stage: NotebookStage) -> Iterator[Use]:
    """Every table that a stage reads, with its place, in the order of the notebook's kinds of calls."""
    for read in stage.reads:
        yield Use(stage.name, read.table, read.cell, read.line)
    for sql in stage.sqls:
        for table in sql.tables:
            yield Use(stage.name, table, sql.cell, sql.line)
    for labelled in stage.labelled:
        yield Use(stage.name, labelled.table, labelled.cell, labelled.line, labelled=True)


def build_graph(spec: ProductSpec, stages: Iterable[NotebookStage]) -> Graph:
    """Fit stages and sources together.

    GraphError for: a table that nobody writes, two writers, a stage that writes a source's name, names that differ
    only by case, a ring, two outcomes, validation or `labelled` without an outcome, a population or a primary method
    that does not exist. ParameterError for `parameters` and `variants` that name what does not exist.
    """
    found = sorted(stages, key=lambda s: s.name)
    writers = _writers(spec, found)
    found = [_as_written(stage, {*spec.sources, *writers}) for stage in found]
    by_name = {stage.name: stage for stage in found}
    _check_reads(spec, found, writers)
    outcome = _outcome(spec, found)
    order = _order(found, writers, outcome)
    _check_contract(spec, by_name, writers)
    check_declared(spec, found)
    return _restore(by_name, dict(spec.sources), writers, outcome, order)


def _writers(spec: ProductSpec, stages: Sequence[NotebookStage]) -> dict[str, str]:
    writers: dict[str, str] = {}
    folded = {name.lower(): name for name in spec.sources}
    for stage in stages:
        for write in stage.writes:
            where = Place(file=stage.file, cell=write.cell, line=write.line)
            other = folded.get(write.table.lower())
            if write.table in spec.sources:
                line = spec.place("sources", write.table)
                raise GraphError(
                    f"table {write.table!r} is a source ({line}), so no stage can write it",
                    where=where,
                    todo="give the stage's table another name",
                )
            if write.table in writers:
                first = next(w for w in _stage(stages, writers[write.table]).writes if w.table == write.table)
                raise GraphError(
                    f"table {write.table!r} has two writers: {writers[write.table]} "
                    f"(cell {first.cell}, line {first.line}) and {stage.name}",
                    where=where,
                    todo="one stage writes a table: rename one of the two",
                )
            if other is not None:
                raise GraphError(
                    f"tables {other!r} and {write.table!r} differ only by case, which SQL does not see",
                    where=where,
                    todo="rename one of the two",
                )
            writers[write.table] = stage.name
            folded[write.table.lower()] = write.table
    return writers


def _as_written(stage: NotebookStage, known: Iterable[str]) -> NotebookStage:
    """SQL does not see case: the tables of a query get the case in which they are written."""
    folded = {name.lower(): name for name in known}
    sqls = tuple(replace(s, tables=tuple(folded.get(t.lower(), t) for t in s.tables)) for s in stage.sqls)
    return stage if sqls == stage.sqls else replace(stage, sqls=sqls)


def _stage(stages: Sequence[NotebookStage], name: str) -> NotebookStage:
    return next(stage for stage in stages if stage.name == name)


def _check_reads(spec: ProductSpec, stages: Sequence[NotebookStage], writers: Mapping[str, str]) -> None:
    known = {*spec.sources, *writers}
    faults: list[GraphError] = []
    for stage in stages:
        for use in uses(stage):
            if use.table not in known:
                todo = did_you_mean(use.table, known)
                if any(use.table in sql.tables for sql in stage.sqls):
                    todo += f"\n  (a frame is passed by name: stage.sql(..., {_word(use.table)}=frame))"
                faults.append(GraphError(f"there is no table {use.table!r}", where=use.place, todo=todo))
    if faults:
        first, *others = faults
        first.detail = "\n".join(["also:", *map(str, others)]) if others else ""
        raise first


def _word(table: str) -> str:
    return table if table.isidentifier() else "name"


def _outcome(spec: ProductSpec, stages: Sequence[NotebookStage]) -> str | None:
    outcomes = [stage for stage in stages if stage.outcome]
    if len(outcomes) > 1:
        raise GraphError(
            f"two notebooks publish an outcome: {' and '.join(s.name for s in outcomes)}",
            where=Place(file=outcomes[1].file),
            todo="there is one truth about what happened: keep one call of stage.outcome",
        )
    if outcomes:
        return outcomes[0].name
    todo = "add a notebook that calls stage.outcome(frame), e.g. checks/outcome.ipynb"
    if spec.validation is not None:
        raise GraphError(
            "validation is declared, but no notebook publishes an outcome",
            where=spec.place("validation"),
            todo=f"{todo}, or delete the section",
        )
    for stage in stages:
        for call in stage.labelled:
            where = Place(file=stage.file, cell=call.cell, line=call.line)
            raise GraphError(
                "stage.labelled needs an outcome, and no notebook publishes one", where=where, todo=todo
            )
    return None


def _order(
    stages: Sequence[NotebookStage], writers: Mapping[str, str], outcome: str | None
) -> tuple[str, ...]:
    """Names, writers before readers, else by name. An outcome reaches a method only by `labelled`."""
    needs: dict[str, dict[str, Use]] = {}
    for stage in stages:
        needs[stage.name] = {}
        for use in uses(stage):
            if use.table in writers:
                needs[stage.name].setdefault(writers[use.table], use)
            if use.labelled and outcome is not None:
                needs[stage.name].setdefault(outcome, use)
    order: list[str] = []
    waiting = {name: set(parents) for name, parents in needs.items()}
    while waiting:
        ready = sorted(name for name, parents in waiting.items() if not parents)
        if not ready:
            raise _ring(needs, waiting)
        for name in ready:
            order.append(name)
            del waiting[name]
        for parents in waiting.values():
            parents.difference_update(ready)
    return tuple(order)


def _ring(needs: Mapping[str, Mapping[str, Use]], waiting: Mapping[str, set[str]]) -> GraphError:
    name = min(waiting)
    path: list[str] = []
    while name not in path:
        path.append(name)
        name = min(waiting[name])
    ring = path[path.index(name) :]
    ring = ring[ring.index(min(ring)) :] + ring[: ring.index(min(ring))]
    ring.append(ring[0])
    steps = [needs[reader][writer] for reader, writer in pairwise(ring)]
    if len(ring) == 2:
        what = f"{ring[0]} reads {steps[0].table!r}, which it writes itself"
    else:
        what = "these stages wait for each other: " + ", which ".join(
            [f"{ring[0]} needs {ring[1]}", *(f"needs {writer}" for writer in ring[2:])]
        )
    detail = "\n".join(f"{use.place}: {use.stage} reads {use.table!r}" for use in steps)
    return GraphError(
        what,
        where=steps[0].place,
        todo="split one of them, so that what the others need comes first",
        detail=detail,
    )


def _check_contract(
    spec: ProductSpec, stages: Mapping[str, NotebookStage], writers: Mapping[str, str]
) -> None:
    table = spec.metric.population.table
    known = {*spec.sources, *writers}
    if table not in known:
        raise GraphError(
            f"the population is table {table!r}, and there is no such table",
            where=spec.place("metric", "population", "table"),
            todo=did_you_mean(table, known),
        )
    primary, _, variant = spec.metric.primary.removesuffix("]").partition("[")
    where = spec.place("metric", "primary")
    methods = [s.name for s in stages.values() if s.role == "method"]
    if primary not in stages:
        todo = did_you_mean(primary, methods or stages)
        raise GraphError(
            f"the primary method is {primary!r}, and there is no such notebook", where=where, todo=todo
        )
    if primary not in methods:
        raise GraphError(
            f"the primary method is {primary!r}, and that notebook publishes no estimate",
            where=where,
            todo=f"call stage.estimate in it, or name a method: {did_you_mean(primary, methods)}",
        )
    if variant and variant not in spec.variants.get(primary, {}):
        todo = did_you_mean(variant, spec.variants.get(primary, {}))
        raise GraphError(f"the primary method {primary!r} has no variant {variant!r}", where=where, todo=todo)
