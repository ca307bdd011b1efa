"""Make the assignment of a stage: everything its kernel will see, as local files and plain values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbdataops.build.keys import Versions, handed_columns
from nbdataops.build.nodes import Feed, Node
from nbdataops.build.world import World
from nbdataops.product.metric import MetricContract
from nbdataops.product.notebook import NotebookStage
from nbdataops.product.parameters import source as parameter_source
from nbdataops.product.parameters import to_json
from nbdataops.session.assignment import Assignment, LabelledInput, LabelledOrigin, Mode
from nbdataops.session.scope import Scope
from nbdataops.store.snapshots import Snapshot, SnapshotStore


def make_assignment(
    node: Node,
    world: World,
    inputs: Mapping[Feed, Any],
    snapshots: SnapshotStore,
    reader: Versions,
    deposit: Path,
    *,
    mode: Mode = "run",
    replicates: int | None = None,
) -> Assignment:
    """Only what the node may see is named in it: declared columns, cut by its scope."""
    spec = world.spec
    metric = spec.metric
    columns = handed_columns(node, inputs, reader)
    tables: dict[str, Snapshot] = {}
    population: Snapshot | None = None
    origins: dict[int, dict[int, dict[str, Snapshot]]] = {}
    for feed, value in inputs.items():
        if not isinstance(value, Snapshot):
            continue
        handed = snapshots.materialise(value, columns[feed], feed.until)
        if feed.role == "table":
            tables[feed.table] = handed
        elif feed.role == "population":
            population = handed
        else:
            origins.setdefault(feed.call, {}).setdefault(feed.position, {})[feed.role] = handed
    stage = world.graph.stages[node.stage]
    settings = dict(node.settings)
    return Assignment(
        node=node.id,
        stage=node.stage,
        product_root=str(spec.root),
        store_root=str(snapshots.root),
        scope=Scope(
            as_of=node.scope.as_of,
            horizon=node.scope.horizon if node.scope.horizon is not None else metric.horizon,
            until=node.scope.until,
            time_unit=metric.time_unit,
            time_zone=metric.time_zone,
        ),
        parameters=typed_parameters(stage, node),
        inputs=tables,
        labelled=_labelled(node, stage, metric, origins),
        deposit=str(deposit),
        metric=describe(metric),
        population=population,
        replicates=int(settings.get("replicates", 0)) if replicates is None else replicates,
        seed=int(settings.get("seed", 0)),
        secrets={name: provider for name, provider in spec.secret_providers.items() if name in stage.secrets},
        mode=mode,
    )


def _labelled(
    node: Node,
    stage: NotebookStage,
    metric: MetricContract,
    origins: Mapping[int, Mapping[int, Mapping[str, Snapshot]]],
) -> tuple[LabelledInput, ...]:
    found = []
    for number, call in enumerate(stage.labelled):
        rows = origins.get(number, {})
        if not rows:
            continue
        feeds = {f.position: f for f in node.feeds if f.role == "labelled" and f.call == number}
        span = feeds[1].span
        found.append(
            LabelledInput(
                table=call.table,
                columns=call.columns,
                horizon=span,
                origins=tuple(
                    LabelledOrigin(
                        as_of=(origin := feeds[k].until or node.scope.as_of),
                        until=metric.until(origin, span),
                        table=rows[k]["labelled"],
                        outcome=rows[k]["label"],
                    )
                    for k in sorted(rows)
                ),
            )
        )
    return tuple(found)


def describe(metric: MetricContract) -> dict[str, Any]:
    """What a kernel and a check need to know of the metric contract, as plain JSON."""
    return {
        "name": metric.name,
        "entity": metric.entity,
        "value": metric.value,
        "unit": metric.unit,
        "components": dict(metric.components),
        "population": {
            "table": metric.population.table,
            "cohort": metric.population.cohort,
            "segments": list(metric.population.segments),
        },
        "time_unit": metric.time_unit,
        "time_zone": metric.time_zone,
        "horizon": metric.horizon,
        "discount_rate": metric.discount_rate,
        "settle_days": metric.settle_days,
        "primary": metric.primary,
        "digest": metric.digest,
    }


def typed_parameters(stage: NotebookStage, node: Node) -> dict[str, Any]:
    declared = {p.name for p in stage.parameters}
    return {name: value for name, value in node.parameters if name in declared}


def json_parameters(stage: NotebookStage, node: Node) -> dict[str, Any]:
    """As papermill carries them."""
    return {name: to_json(value) for name, value in typed_parameters(stage, node).items()}


def injected_source(stage: NotebookStage, node: Node) -> str:
    """Source of the injected parameters cell: typed by the notebook's own annotations."""
    declared = {p.name: p for p in stage.parameters}
    lines = [parameter_source(declared[name], value) for name, value in node.parameters if name in declared]
    return "\n".join(["# Parameters of this run", *lines]) if lines else ""


def kernel_environment(assignment: Path, ipython: Path, *, threads: int) -> dict[str, str]:
    """The environment of a stage's kernel: the assignment, its share of the cores, IPython's own folder.

    Nothing in it but the assignment is of this stage or this product: kernels share what was prepared for them only
    if they would have read the same. The product's modules are found since its folder is the kernel's.
    """
    env = dict(os.environ)
    env["NBDATAOPS_ASSIGNMENT"] = str(assignment)
    env["IPYTHONDIR"] = str(ipython)
    env["PYTHONHASHSEED"] = "0"
    env["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        env[name] = str(threads)
    return env


def write_assignment(assignment: Assignment, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(assignment.to_json(), encoding="utf-8")
    return path
