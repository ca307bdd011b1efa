"""The footprint of a run: every file and folder that its outcome hung on, as paths.

The declaration, contracts, notebooks and modules with the folders in which others would appear, the files of the
sources, what is stored of sources and results, the executed notebooks, the installed packages, and this program.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbdataops
from nbdataops.build.environment import environment
from nbdataops.build.execution import Execution
from nbdataops.build.world import World, imports_of
from nbdataops.ingest.delivery import find_files, searched
from nbdataops.product import places
from nbdataops.product.spec import FILE
from nbdataops.store.locations import Store
from nbdataops.store.snapshots import Snapshot


def footprint(world: World, execution: Execution, store: Store) -> tuple[str, ...]:
    """Absolute paths, each once, of what must be there."""
    return _absolute((*_declared(world), *_stored(world, execution, store), *_program()))


def beside(world: World, execution: Execution, store: Store) -> tuple[str, ...]:
    """Absolute paths of what may be missing, in which case it must stay so.

    Executed notebooks, and what the environment was read from with all places in which Python looks for packages.
    """
    notebooks = (store.root / run.notebook for run in execution.nodes if run.notebook is not None)
    return _absolute((*notebooks, *(path for path, _ in environment(imports_of(world.graph)).stamps)))


def _absolute(paths: Iterable[Path | str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(os.path.abspath(path) for path in paths))  # noqa: PTH100 - links stay links


def _declared(world: World) -> Iterator[Path]:
    spec = world.spec
    yield spec.root / FILE
    yield from places.searched(spec.root, Store.of(spec.root, spec.store).root, world.graph.stages.values())
    for source in spec.sources.values():
        if source.contract is not None:
            yield spec.root / source.contract
        yield from searched(spec.root, source.path)
        files, _ = find_files(source.name, spec.root, source.path, source.format)
        yield from (file.path for file in files)


def _stored(world: World, execution: Execution, store: Store) -> Iterator[Path]:
    for state in world.sources.values():
        yield from _files(state.snapshot, store.root)
        if state.quarantine is not None:
            yield from _files(state.quarantine, store.quarantine)
    for run in execution.nodes:
        if run.output is not None:
            for _, snapshot in (*run.output.tables, *run.output.roles):
                yield from _files(snapshot, store.root)


def _files(snapshot: Snapshot, root: Path) -> Iterator[Path]:
    return (root / column.file for part in snapshot.partitions for column in part.columns)


def _program() -> Iterator[Path]:
    for folder, inside, files in os.walk(Path(nbdataops.__file__).parent):
        inside[:] = [name for name in inside if name != "__pycache__"]
        yield from (Path(folder, name) for name in files)
