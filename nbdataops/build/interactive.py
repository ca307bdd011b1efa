"""Interactive use: the same stage calls in JupyterLab, outside of any run.

A table is read from the person's own `dev` writes, else from the last batch build, else it is built on demand;
every read says which. Writes go to `dev/<person>/` and are never seen by a run.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from nbdataops.build.assign import make_assignment
from nbdataops.build.expand import expand
from nbdataops.build.journal import Journal, Result
from nbdataops.build.nodes import Feed, Node, StageGoal
from nbdataops.build.reader import SnapshotReader
from nbdataops.build.world import World, observe
from nbdataops.errors import StageError, UsageError
from nbdataops.product.spec import load_spec
from nbdataops.session.assignment import Assignment
from nbdataops.session.deposit import read_deposit, read_file
from nbdataops.store.ledger import Ledger
from nbdataops.store.locations import Store
from nbdataops.store.snapshots import Snapshot


def open_session(notebook: Path | None, caller: Mapping[str, Any]) -> tuple[Assignment, Path]:
    """The assignment of an interactive notebook and the folder of its deposit.

    `notebook` is what `stage.here` fixed, or None to find it out. Raises UsageError when it cannot be told.
    """
    path = (notebook or find_notebook(caller)).resolve()
    root = product_root(path)
    desk = Desk(root)
    name = path.relative_to(root).with_suffix("").as_posix()
    if name not in desk.world.graph.stages:
        raise UsageError(
            f"{name}.ipynb is not a stage of {desk.world.spec.product} as it is saved on disk",
            todo="save the notebook (Ctrl-S) once it calls stage, and run the cell again",
        )
    return desk.assignment(name, caller)


class Desk:
    """A product as one person works on it."""

    def __init__(self, root: Path) -> None:
        spec = load_spec(root)
        self.store = Store.of(root, spec.store)
        self.store.open()
        self.journal = Journal(Ledger(self.store.ledger_path))
        self.world: World = observe(spec, self.store, self.journal)
        self.reader = SnapshotReader(self.store.root)
        self.mine = self.store.dev / re.sub(r"[^A-Za-z0-9_.-]", "_", _person())

    def assignment(self, stage: str, caller: Mapping[str, Any]) -> tuple[Assignment, Path]:
        """The stage at the scope that its parameters cell says, else at the product's own as_of and horizon."""
        world = self.world
        as_of, horizon = world.as_of, world.spec.metric.horizon
        declared = {p.name for p in world.graph.stages[stage].parameters}
        if "as_of" in declared and isinstance(caller.get("as_of"), date):
            as_of = caller["as_of"]
        if "horizon" in declared and isinstance(caller.get("horizon"), int):
            horizon = caller["horizon"]
        goal = StageGoal(stage, as_of, horizon)
        nodes = expand(world.spec, world.graph, [goal], first=world.first)
        node = nodes[-1]
        deposit = self.mine / node.id.replace("/", "--")
        deposit.mkdir(parents=True, exist_ok=True)
        tables = TablesOnDemand(self, {n.id: n for n in nodes}, node)
        feeds = [f for f in node.feeds if f.role != "table"]
        inputs = {feed: self.feed(feed, {n.id: n for n in nodes})[0] for feed in feeds}
        assignment = make_assignment(
            node, world, inputs, self.reader.store, self.reader, deposit, mode="interactive", replicates=0
        )
        return replace(assignment, inputs=tables, messages=tables.messages), deposit

    def feed(self, feed: Feed, nodes: Mapping[str, Node]) -> tuple[Snapshot, str]:
        """What feeds a node, and in words where it comes from."""
        if feed.node is None:
            return self.world.sources[feed.table].snapshot, "source"
        if feed.role == "table" and (own := self.own(feed.table, nodes[feed.node])) is not None:
            return own, "your dev"
        result = self.latest(feed.node)
        if result is None:
            self.build(nodes[feed.node])
            result = self.latest(feed.node)
        found = None if result is None else result.output.role(feed.table) or result.output.table(feed.table)
        if result is None or not isinstance(found, Snapshot):
            raise StageError(
                f"{feed.table} is not built and could not be built on demand",
                todo=f"look at: nbdataops build {nodes[feed.node].stage}",
            )
        return found, f"run {result.run}"

    def latest(self, node: str) -> Result | None:
        found = [r for r in self.journal.results() if r.node == node and self.reader.present(r.output)]
        return found[-1] if found else None

    def own(self, table: str, writer: Node) -> Snapshot | None:
        """The table as this person last wrote it at this scope, in an interactive kernel."""
        folder = self.mine / writer.id.replace("/", "--")
        written = read_deposit(folder).tables.get(table)
        if written is None:
            return None
        data = read_file(folder, written.file)
        zone = self.world.spec.metric.time_zone
        return self.reader.store.write(
            table, data, key=written.key, event_time=written.event_time, time_zone=zone
        )

    def build(self, node: Node) -> None:
        """Build a node in a process of its own: this kernel's event loop is busy with the cell."""
        print(f"{node.id} is not built yet: building it")
        command = [
            sys.executable,
            "-m",
            "nbdataops",
            "build",
            node.stage,
            "--product",
            str(self.world.spec.root),
        ]
        command += ["--as-of", node.scope.as_of.isoformat()]
        if node.scope.horizon is not None:
            command += ["--horizon", str(node.scope.horizon)]
        environment = {k: v for k, v in os.environ.items() if k != "NBDATAOPS_ASSIGNMENT"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode != 0:
            raise StageError(
                f"building {node.id} failed", detail=done.stderr[-4000:], todo="mend that notebook first"
            )


class TablesOnDemand(Mapping[str, Snapshot]):
    """The inputs of an interactive notebook: every table of the product, resolved when it is read."""

    def __init__(self, desk: Desk, nodes: Mapping[str, Node], node: Node) -> None:
        self._desk, self._nodes, self._node = desk, dict(nodes), node
        self._found: dict[str, Snapshot] = {}
        self.messages: dict[str, str] = {}

    def __getitem__(self, table: str) -> Snapshot:
        if table not in self._found:
            desk, graph = self._desk, self._desk.world.graph
            cut = self._node.scope.cut
            if table in desk.world.sources:
                feed = Feed("table", table, None, None, cut)
            elif table in graph.writers:
                goal = StageGoal(graph.writers[table], cut, self._node.scope.horizon)
                for node in expand(desk.world.spec, graph, [goal], first=desk.world.first):
                    self._nodes[node.id] = last = node
                feed = Feed("table", table, last.id, None, cut)
            else:
                raise KeyError(table)
            snapshot, origin = desk.feed(feed, self._nodes)
            self._found[table] = desk.reader.store.materialise(snapshot, None, cut)
            self.messages[table] = f"{table}: {origin}, as of {cut}"
        return self._found[table]

    def __iter__(self) -> Iterator[str]:
        return iter({*self._desk.world.sources, *self._desk.world.graph.writers})

    def __len__(self) -> int:
        return len(set(self))

    def __contains__(self, table: object) -> bool:
        return table in set(self)


def product_root(path: Path) -> Path:
    for folder in path.parents:
        if (folder / "dataproduct.yaml").is_file():
            return folder
    raise UsageError(
        f"{path} lies in no product", todo="put the notebook into a folder with a dataproduct.yaml"
    )


def find_notebook(caller: Mapping[str, Any]) -> Path:
    """Which notebook is running: told by Jupyter, by VS Code, or by being the only one with the running cell."""
    for told in (os.environ.get("JPY_SESSION_NAME"), caller.get("__vsc_ipynb_file__")):
        if told and str(told).endswith(".ipynb"):
            path = Path(told)
            for candidate in (path, Path.cwd() / path, Path.cwd() / path.name):
                if candidate.is_file():
                    return candidate
    source = str(caller.get("In", [""])[-1]).strip()
    matching = [p for p in sorted(Path.cwd().glob("*.ipynb")) if source and _holds(p, source)]
    if len(matching) == 1:
        return matching[0]
    raise UsageError(
        "cannot tell which notebook this is",
        todo='say it in a cell before: stage.here("methods/my_method.ipynb")',
    )


def _holds(path: Path, source: str) -> bool:
    try:
        cells = json.loads(path.read_text(encoding="utf-8")).get("cells", [])
    except (OSError, ValueError):
        return False
    return any("".join(c.get("source", "")).strip() == source for c in cells if c.get("cell_type") == "code")


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
