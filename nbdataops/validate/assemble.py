"""The study of a run: what its check nodes measured, and the trace of those that could not, judged."""

from __future__ import annotations

import json
from collections.abc import Iterator

from nbdataops.build.execution import Execution, NodeRun
from nbdataops.build.nodes import NodeKind, State
from nbdataops.build.world import World
from nbdataops.validate.goals import methods_of, origins
from nbdataops.validate.measurement import Measurement, absent
from nbdataops.validate.measurement import State as Measured
from nbdataops.validate.study import Study, judge


def study_of(world: World, execution: Execution) -> Study:
    """Judge a run under the margins that are declared now."""
    spec = world.spec
    validation = spec.validation
    return judge(
        (*measurements(execution), *_no_origin(world)),
        validation.margins.model_dump() if validation else {},
        spec.metric,
        as_of=world.as_of,
        seed=validation.seed if validation else 0,
        replicates=validation.replicates if validation else 0,
    )


def _no_origin(world: World) -> Iterator[Measurement]:
    """The trace of a holdout that no origin can have yet: the history is shorter than the horizon."""
    metric = world.spec.metric
    if world.spec.validation is None or world.graph.outcome is None or world.first is None:
        return  # nobody asked for a test at past dates: that is no excuse for not having one
    if origins(world, metric.horizon):
        return
    suffices = metric.until(world.first, metric.horizon)
    for method in methods_of(world):
        yield absent(
            "holdout",
            method.name,
            as_of=world.as_of,
            until=None,
            horizon=metric.horizon,
            reason=f"no past date has a whole outcome window yet; an as_of of {suffices} would suffice",
            families=(method.family,),
            suffices=suffices,
        )


def measurements(execution: Execution) -> Iterator[Measurement]:
    """Of every check node what it measured, or why it did not: skipped for want of history, or an error."""
    for run in execution.nodes:
        if run.node.kind is NodeKind.CHECK:
            yield from _measured(run)


def _measured(run: NodeRun) -> Iterator[Measurement]:
    node = run.node
    if run.state is State.SUCCEEDED and run.output is not None:
        for data in json.loads(run.output.facts)["measurements"]:
            yield Measurement.from_dict(data)
        return
    settings = dict(node.settings)
    other = settings["other"]
    kind = str(settings["kind"])
    families = tuple(
        m["family"] for m in (settings["subject"], other if kind == "triangulation" else None) if m
    )
    short = bool(node.unavailable)
    yield absent(
        kind,
        settings["subject"]["stage"],
        as_of=node.scope.as_of,
        until=node.scope.until,
        horizon=node.scope.horizon,
        reason=node.unavailable or (run.error.what if run.error else "; ".join(run.reasons)),
        state=Measured.SKIPPED if short else Measured.ERROR,
        against=other["stage"] if other and kind == "triangulation" else None,
        families=families,
        suffices=node.suffices,
    )
