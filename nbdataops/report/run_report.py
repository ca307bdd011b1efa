"""The report of a run: executed notebooks exported, the study filled in, one page written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdataops.build.execution import Execution, NodeRun
from nbdataops.build.nodes import NodeKind
from nbdataops.build.signing import sign
from nbdataops.build.world import World
from nbdataops.report.html import write_report
from nbdataops.report.notebooks import fill_validate, notebook_html
from nbdataops.report.pages import Pages
from nbdataops.report.view import ReportView
from nbdataops.store.locations import Store, atomic_write
from nbdataops.validate.study import Study


@dataclass(frozen=True, slots=True)
class Written:
    """Where it lies. `notebooks` maps a node to its executed notebook (.ipynb)."""

    html: Path
    json: Path
    notebooks: Mapping[str, Path]


def write_run_report(
    world: World,
    execution: Execution,
    study: Study,
    candidate: Mapping[str, Any],
    store: Store,
    folder: Path,
    *,
    version: str,
) -> Written:
    """Write report.html, report.json and notebooks/*.html into `folder`.

    In the executed notebooks of the product's own as_of, the place that `stage.validate()` marked is filled with
    the panel, in the .ipynb as well.
    """
    shown = study.to_dict()
    links: list[dict[str, Any]] = []
    notebooks: dict[str, Path] = {}
    pages = Pages(store.root / "pages")
    for run in execution.nodes:
        if run.node.kind is not NodeKind.STAGE or run.notebook is None:
            continue
        path = store.root / run.notebook
        if not path.is_file():
            continue
        notebooks[run.node.id] = path
        links.append(_export(run, path, shown, world, folder, pages))
    pages.forget_unused()
    view = ReportView.from_run(
        {
            "run": execution.run,
            "product": world.spec.product,
            "as_of": world.as_of.isoformat(),
            "horizon": world.spec.metric.horizon,
            "time_unit": world.spec.metric.time_unit,
            "started": world.observed.isoformat(),
            "seconds": round(execution.seconds, 1),
            "version": version,
            "may_leak": list(world.may_leak),
        },
        shown,
        [s.contract.to_dict() | {"source": n} for n, s in world.sources.items() if s.contract is not None],
        [_stage(run) for run in execution.nodes if run.node.kind is NodeKind.STAGE],
        candidate,
        links,
    )
    html, data = write_report(folder, view)
    return Written(html, data, notebooks)


def _export(
    run: NodeRun, path: Path, study: Mapping[str, Any], world: World, folder: Path, pages: Pages
) -> dict[str, Any]:
    node = run.node
    notebook = json.loads(path.read_text(encoding="utf-8"))
    current = node.scope.as_of == world.as_of and node.scope.horizon == world.spec.metric.horizon
    if node.role == "method" and current:
        notebook = fill_validate(notebook, study, node.method)
        atomic_write(
            path, (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace")
        )
        sign(path)
    target = folder / "notebooks" / f"{path.stem}.html"
    title = f"{node.method}, {node.scope}"
    around = {"title": title, "subtitle": f"run {execution_of(run, path)}", "back": "../report.html"}
    atomic_write(target, pages.page(notebook, around, lambda: notebook_html(notebook, **around)))
    return {
        "stage": node.stage,
        "node": node.id,
        "as_of": node.scope.as_of.isoformat(),
        "horizon": node.scope.horizon,
        "href": f"notebooks/{target.name}",
        "title": title,
    }


def execution_of(run: NodeRun, path: Path) -> str:
    """The run that executed a notebook: its folder's name."""
    return path.parent.parent.name if run.notebook else ""


def _stage(run: NodeRun) -> dict[str, Any]:
    sources = dict.fromkeys(f.table for f in run.node.feeds if f.node is None)
    return run.to_dict() | {"role": run.node.role, "after": [*sources, *run.node.after]}
