"""A second look after a run: is anything left to do? If not, a witness says so to whoever runs it again.

The order makes it safe. First everything that the run hung on is stamped; then, when a tick of the file systems'
clocks has passed, the product is looked at anew, and must be the world that the run saw, with nothing left to do. A
file that changed before the stamps is seen by the second look; one that changes after that look changes its stamp,
since a tick lies between. In doubt there is no witness, and the next run takes the long way.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nbdataops.build.execution import Execution
from nbdataops.build.footprint import beside, footprint
from nbdataops.build.nodes import State
from nbdataops.build.world import World
from nbdataops.errors import ExitCode, NbdataopsError
from nbdataops.store.locations import atomic_write
from nbdataops.store.witness import NAME, Stamp, Witness, facts_of, stamp
from nbdataops.verbs import RunReport, evidence_expires, reused, stale_nodes

if TYPE_CHECKING:
    from nbdataops.workspace import Options, Product

TICK_S = 0.02
"""Two changes of a file further apart than this have different times: twice the slowest tick of a kernel's clock."""

COARSE_S = 3600
"""Files on a file system whose times are whole milliseconds, or seconds, must have been left alone for this long."""

Say = Callable[[RunReport], tuple[str, str]]
"""What a run would say: text for people, without the line that names the report, and the line of `--json`."""


def leave_witness(
    product: Product, options: Options, report: RunReport, arguments: dict[str, object], say: Say
) -> bool:
    """Write the witness of a run that has ended, if running again would do nothing; tells whether it was written.

    `arguments` are those of the command line that count. Nothing fails: a run that succeeded is not undone by a
    disk that is full.
    """
    try:
        witness = _look(product, options, report, arguments, say)
        if witness is not None:
            atomic_write(product.store.root / NAME, witness.to_bytes())
    except (NbdataopsError, OSError, KeyboardInterrupt):
        return False
    return witness is not None


def _look(
    product: Product, options: Options, report: RunReport, arguments: dict[str, object], say: Say
) -> Witness | None:
    product.close()  # the ledger is then one file, and as it will lie there
    if options.force or not _sound(report):
        return None
    written = (str(report.report), str(report.report_json), str(product.store.ledger_path))
    needed, others = _paths(product, report.world, report.execution)
    before = {path: stamp(path) for path in (*needed, *written, *others)}
    if not _trusted(before, needed=(*needed, *written)):
        return None
    time.sleep(TICK_S)

    again = type(product)(product.root)
    plan = again.plan(options)
    execution = reused(plan, again.journal)
    again.close()
    if stale_nodes(plan) or not _same(report, plan.world, execution):
        return None
    if (needed, others) != _paths(again, plan.world, execution):
        return None
    if before != {path: stamp(path) for path in before}:
        return None

    midnight = datetime.combine(plan.world.observed + timedelta(days=1), datetime.min.time(), UTC)
    notebooks = {n.node.id: again.store.root / n.notebook for n in execution.nodes if n.notebook}
    text, line = say(replace(report, execution=execution, notebooks=notebooks))
    return Witness(
        facts_of(str(product.root), str(product.store.root), arguments),
        _by_folder(before),
        time.time(),
        min(midnight, evidence_expires(plan.world, execution) or midnight).timestamp(),
        str(report.report),
        text,
        line,
    )


def _sound(report: RunReport) -> bool:
    """Whether every node has all that it can have: only those without history were skipped."""
    ended = {(n.state, bool(n.node.unavailable)) for n in report.execution.nodes}
    well = ended <= {(State.SUCCEEDED, False), (State.SKIPPED, True)}
    return os.name == "posix" and report.exit_code is ExitCode.OK and well


def _paths(product: Product, world: World, execution: Execution) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What must be there, and what may be missing: a log beside the ledger is another process that writes in it."""
    log = f"{product.store.ledger_path}-wal"
    return (
        footprint(world, execution, product.store),
        (*beside(world, execution, product.store), log),
    )


def _trusted(stamps: Mapping[str, Stamp | None], *, needed: Iterable[str]) -> bool:
    """Whether all that is needed is there, and no time is so coarse that a later change could bear the same one."""
    now_ns = time.time_ns()
    coarse = (s[1] for s in stamps.values() if s is not None and s[1] % 1_000_000 == 0)
    return all(stamps[path] is not None for path in needed) and all(
        now_ns - changed_ns > COARSE_S * 1_000_000_000 for changed_ns in coarse
    )


def _same(report: RunReport, world: World, execution: Execution) -> bool:
    """Whether the world is the one that the run saw, on the same day, and every node has the key that it had."""
    saw = report.world
    return (
        saw.spec == world.spec
        and saw.declared == world.declared
        and saw.sources == world.sources
        and (saw.as_of, saw.first, saw.complete_to) == (world.as_of, world.first, world.complete_to)
        and (saw.environment, saw.packages) == (world.environment, world.packages)
        and saw.overrides == world.overrides
        and saw.observed.date() == world.observed.date()
        and [(n.node.id, n.key) for n in report.execution.nodes if not n.node.unavailable]
        == [(n.node.id, n.key) for n in execution.nodes if not n.node.unavailable]
    )


def _by_folder(stamps: Mapping[str, Stamp | None]) -> dict[str, dict[str, Stamp | None]]:
    found: dict[str, dict[str, Stamp | None]] = {}
    for path, seen in stamps.items():
        folder, _, name = path.rpartition("/")
        found.setdefault(f"{folder}/", {})[name] = seen
    return found
