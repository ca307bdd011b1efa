"""`open_product`: everything that the command line and JupyterLab can do with a product, one line a verb.

>>> from nbdataops import open_product
>>> product = open_product("notebooks/cdnow")        # doctest: +SKIP
>>> product.run().study.label                        # doctest: +SKIP
'unverified'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdataops.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbdataops.build.executors import Executor
    from nbdataops.build.journal import Journal
    from nbdataops.build.plan import Plan
    from nbdataops.build.runner import Runner
    from nbdataops.build.world import World
    from nbdataops.product.spec import ProductSpec
    from nbdataops.store.locations import Store
    from nbdataops.store.read_only import ReadOnlyView
    from nbdataops.verbs import BuildReport, Released, Reported, RunReport, Status

Listener = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What a run may be told beyond the declaration. `horizon` counts in the metric's time unit.

    `keep_going`: after a failure execute all that does not need what failed, too.
    """

    as_of: date | None = None
    horizon: int | None = None
    jobs: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    force: frozenset[str] = frozenset()
    keep_going: bool = False


def open_product(path: str | Path = ".") -> Product:
    """The product whose folder is `path`, or contains it. Raises UsageError when there is none."""
    start = Path(path).resolve()
    if not start.exists():
        raise UsageError(f"{path} does not exist", todo="name the folder that holds dataproduct.yaml")
    for folder in (start, *start.parents):
        if (folder / "dataproduct.yaml").is_file():
            return Product(folder)
    raise UsageError(
        f"no dataproduct.yaml in {start} or above",
        todo="give --product DIR, or start one with: nbdataops init my-product",
    )


class Product:
    """A product's folder, with what is declared there and what was built of it."""

    _view: ReadOnlyView | None = None

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def spec(self) -> ProductSpec:
        from nbdataops.product.spec import load_spec

        return load_spec(self.root)

    @cached_property
    def store(self) -> Store:
        """The product's store; where it cannot be written, a view of it that ends with this object."""
        from nbdataops.store.locations import Store
        from nbdataops.store.read_only import ReadOnlyView, unwritable

        store = Store.of(self.root, self.spec.store)
        refused = unwritable(store)
        if refused is None:
            return store.open()
        self._view = ReadOnlyView(store, refused)
        return self._view.store

    @cached_property
    def journal(self) -> Journal:
        from nbdataops.build.journal import Journal
        from nbdataops.store.ledger import Ledger

        path = self.store.ledger_path
        return Journal(Ledger(path, copy_of=self._view.of.ledger_path if self._view else None))

    def writable_store(self) -> Store:
        """The store, for whoever does more than look. Raises StoreError when it cannot be written."""
        store = self.store
        if self._view is not None:
            from nbdataops.store.read_only import cannot_write

            raise cannot_write(self._view.refused)
        return store

    @cached_property
    def executor(self) -> Executor:
        from nbdataops.build.executors.notebook import NotebookExecutor

        return NotebookExecutor()

    # ------------------------------------------------------------------ look
    def world(self, options: Options = Options(), report: Callable[[str], None] = lambda text: None) -> World:
        """Observe: ingest what changed, read the notebooks, resolve as_of."""
        from nbdataops.build.world import observe

        return observe(
            self.spec,
            self.store,
            self.journal,
            as_of=options.as_of,
            overrides=options.parameters,
            report=report,
        )

    def plan(self, options: Options = Options()) -> Plan:
        """What `run` would do now."""
        from nbdataops.validate.goals import study_goals

        return self._plan(self.world(options), study_goals, options)

    def status(self, run: str | None = None, limit: int = 5) -> Status:
        from nbdataops.verbs import status_of

        return status_of(self.journal, run, limit)

    # ------------------------------------------------------------------ do
    def run(self, options: Options = Options(), *, listener: Listener | None = None) -> RunReport:
        """The main job: build, validate, judge, report, candidate."""
        from nbdataops.validate.goals import study_goals
        from nbdataops.verbs import finish_run

        with self._runner(options, listener) as runner:
            world = self.world(options, lambda text: runner.events.emit("message", text=text))
            execution = runner.execute(self._plan(world, study_goals, options))
            return finish_run(self, runner, world, execution)

    def build(
        self, stages: Sequence[str] = (), options: Options = Options(), *, listener: Listener | None = None
    ) -> BuildReport:
        """Execute stages (all when none is named) at one as_of; no backtests, no study."""
        from nbdataops.validate.goals import product_goals, stage_goals
        from nbdataops.verbs import BuildReport

        def goals(world: World) -> Any:
            if stages:
                return stage_goals(world, stages, options.horizon)
            return product_goals(world, options.horizon)

        with self._runner(options, listener) as runner:
            world = self.world(options, lambda text: runner.events.emit("message", text=text))
            execution = runner.execute(self._plan(world, goals, options))
            return BuildReport(self.spec.product, world.as_of, execution)

    def validate(self, options: Options = Options(), *, listener: Listener | None = None) -> RunReport:
        """As `run`; its exit code tells whether the label meets the policy."""
        from dataclasses import replace

        return replace(self.run(options, listener=listener), strict=True)

    def report(self, folder: Path | None = None) -> Reported:
        """Judge what is built under today's margins and write the report; executes nothing."""
        from nbdataops.verbs import report_built

        if folder is None:
            self.writable_store()
        plan = self.plan()
        return report_built(self, plan, folder)

    def release(self) -> Released:
        """Accept the last candidate as a release, or refuse it with every reason."""
        from nbdataops.verbs import release_candidate

        self.writable_store()
        return release_candidate(self, self.plan(), datetime.now(UTC))

    def close(self) -> None:
        """Close the ledger, if it was opened; asking for anything opens it again."""
        if "journal" in self.__dict__:
            self.journal.ledger.close()
        if self._view is not None:
            self._view.close()
            self._view = None
            for name in ("store", "journal"):
                self.__dict__.pop(name, None)

    # ------------------------------------------------------------------ inside
    def _plan(self, world: World, goals: Callable[[World], Any], options: Options) -> Plan:
        from nbdataops.build.expand import expand
        from nbdataops.build.plan import make_plan
        from nbdataops.build.reader import SnapshotReader

        nodes = expand(world.spec, world.graph, goals(world), first=world.first, overrides=world.overrides)
        known = {n.stage for n in nodes} | {n.method for n in nodes}
        for name in options.force - known:
            from nbdataops.errors import did_you_mean

            raise UsageError(f"--force {name}: no such stage", todo=did_you_mean(name, known))
        return make_plan(world, nodes, SnapshotReader(self.store.root), force=options.force)

    @contextmanager
    def _runner(self, options: Options, listener: Listener | None) -> Iterator[Runner]:
        from nbdataops.build.runner import Runner

        listeners = (listener,) if listener else ()
        with Runner(
            self.writable_store(),
            self.journal,
            lambda: self.executor,
            product=self.spec.product,
            jobs=options.jobs,
            keep_going=options.keep_going,
            listeners=listeners,
        ) as runner:
            yield runner
