"""From a declaration to goals: which methods run at which origins, and which checks measure them.

The build executes goals without knowing what evidence means. A check is a function of the tables that it needs
and of plain settings; margins are not among them, so a changed margin re-judges and recomputes nothing.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import combinations, pairwise
from types import ModuleType
from typing import Any

from nbdataops.build.assign import describe
from nbdataops.build.nodes import CheckGoal, Goal, Need, NodeScope, StageGoal
from nbdataops.build.world import World
from nbdataops.errors import UsageError, did_you_mean
from nbdataops.product.metric import MetricContract
from nbdataops.product.notebook import Literal, NotebookStage, ParameterRef
from nbdataops.product.parameters import resolve
from nbdataops.validate import measuring


@dataclass(frozen=True, slots=True)
class Method:
    """A stage that publishes an estimate, or a variant of it."""

    stage: str
    variant: str | None
    family: str
    is_fit: bool

    @property
    def name(self) -> str:
        return f"{self.stage}[{self.variant}]" if self.variant else self.stage

    def at(self, as_of: date, horizon: int) -> StageGoal:
        return StageGoal(self.stage, as_of, horizon, self.variant)


def methods_of(world: World) -> tuple[Method, ...]:
    """All methods of the product, the primary first, variants after their stage."""
    found = []
    for name, stage in world.graph.stages.items():
        if stage.role == "method":
            for variant in (None, *world.spec.variants.get(name, {})):
                found.append(Method(name, variant, stage.family or name, bool(stage.is_fit)))
    primary = world.spec.metric.primary
    return tuple(sorted(found, key=lambda m: (m.stage != primary, m.stage, m.variant or "")))


def product_goals(world: World, horizon: int | None = None) -> tuple[StageGoal, ...]:
    """Every stage at the product's as_of, but outcomes: what will happen is not known yet."""
    horizon = horizon or world.spec.metric.horizon
    goals = [m.at(world.as_of, horizon) for m in methods_of(world)]
    others = [n for n, s in world.graph.stages.items() if s.role not in ("method", "outcome")]
    return (*goals, *(StageGoal(name, world.as_of, horizon) for name in others))


def stage_goals(world: World, names: Sequence[str], horizon: int | None = None) -> tuple[StageGoal, ...]:
    """The named stages at the product's as_of (an outcome at its horizon before). `stage[variant]` is understood."""
    metric = world.spec.metric
    horizon = horizon or metric.horizon
    goals = []
    for text in names:
        name, _, rest = text.removesuffix(".ipynb").partition("[")
        stage = world.graph.stages.get(name)
        variant = rest.removesuffix("]") or None
        if stage is None or (variant and variant not in world.spec.variants.get(name, {})):
            raise UsageError(f"no stage {text!r}", todo=did_you_mean(name, world.graph.stages))
        as_of = world.as_of
        if stage.outcome and metric.until(as_of, horizon) > (world.complete_to or as_of):
            as_of = metric.back(as_of, horizon)
        goals.append(StageGoal(name, as_of, horizon, variant))
    return tuple(goals)


def origins(world: World, horizon: int) -> tuple[date, ...]:
    """Past dates whose outcome over `horizon` has matured, latest first: `validation.origins` of them at most.

    The latest lies one horizon (and `settles_after`) before the last complete day; the others step back from it
    while there are data at all.
    """
    spec = world.spec
    if spec.validation is None or world.complete_to is None:
        return ()
    settled = min(world.as_of, world.complete_to - timedelta(days=spec.metric.settle_days))
    latest = spec.metric.back(settled, horizon)
    found = []
    for number in range(spec.validation.origins):
        origin = spec.origin_step.before(latest, number)
        if world.first is not None and origin < world.first:
            break
        found.append(origin)
    return tuple(found)


def horizons(world: World) -> tuple[int, ...]:
    """The contract's horizon and those of the validation, each once, the contract's first."""
    return tuple(dict.fromkeys((world.spec.metric.horizon, *world.spec.horizons)))


def study_goals(world: World) -> tuple[Goal, ...]:
    """Everything that `nbdataops run` needs: the product, its backtests, its checks."""
    return (*product_goals(world), *_checks_now(world), *_backtests(world))


def _checks_now(world: World) -> Iterator[CheckGoal]:
    """At the product's as_of: the number, invariants, method against method, and the product's own evidence."""
    methods = methods_of(world)
    scope = NodeScope(world.as_of, world.spec.metric.horizon)
    for method in methods:
        yield check_goal(world, "number", method, scope)
        yield check_goal(world, "invariant", method, scope)
    # pairs by name: another primary is another judgement, and measures nothing anew
    for one, other in combinations(sorted(methods, key=lambda m: m.name), 2):
        yield check_goal(world, "triangulation", one, scope, other=other)
    for name, stage in world.graph.stages.items():
        if stage.evidence:
            yield _own_evidence(world, stage, name)


def _backtests(world: World) -> Iterator[CheckGoal]:
    if world.graph.outcome is None:
        return
    naive = next((m for m in methods_of(world) if m.family == "naive"), None)
    for horizon in horizons(world):
        for origin in origins(world, horizon):
            scope = NodeScope(origin, horizon, world.spec.metric.until(origin, horizon))
            for method in methods_of(world):
                yield check_goal(world, "holdout", method, scope, outcome=True)
                yield check_goal(world, "calibration", method, scope, outcome=True)
                if naive is not None and naive != method:
                    yield check_goal(world, "discrimination", method, scope, other=naive, outcome=True)
    yield from _growth(world)


def _growth(world: World) -> Iterator[CheckGoal]:
    """A value never falls when its horizon grows: told at the latest origin that has two horizons."""
    asked = sorted(horizons(world))
    for short, long in pairwise(asked):
        shared = [o for o in origins(world, short) if o in origins(world, long)]
        for method in methods_of(world) if shared else ():
            scope = NodeScope(shared[0], short)
            yield check_goal(world, "invariant", method, scope, other=method, other_horizon=long)


def check_goal(
    world: World,
    kind: str,
    method: Method,
    scope: NodeScope,
    *,
    other: Method | None = None,
    other_horizon: int | None = None,
    outcome: bool = False,
) -> CheckGoal:
    """The goal of one check of one method at one scope; `other` is whom it is held against."""
    horizon = scope.horizon or world.spec.metric.horizon
    population = world.spec.metric.population
    columns = tuple(c for c in (population.cohort, *population.segments) if c)
    writer = world.graph.writers.get(population.table)
    needs = [
        Need(
            "population",
            StageGoal(writer, scope.as_of, horizon) if writer else None,
            population.table,
            columns,
        ),
        *_estimate_needs("subject", method, scope.as_of, horizon),
    ]
    if other is not None:
        needs += _estimate_needs("other", other, scope.as_of, other_horizon or horizon)
    if outcome and world.graph.outcome is not None:
        needs.append(Need("outcome", StageGoal(world.graph.outcome, scope.as_of, horizon), "outcome"))
    validation = world.spec.validation
    settings: dict[str, Any] = {
        "kind": kind,
        "metric": measured_metric(world.spec.metric),
        "as_of": scope.as_of.isoformat(),
        "until": scope.until.isoformat() if scope.until else None,
        "horizon": horizon,
        "replicates": validation.replicates if validation else 50,
        "seed": validation.seed if validation else 0,
        "subject": _described(world, method, scope.as_of) | {"horizon": horizon},
        "other": _described(world, other, scope.as_of) | {"horizon": other_horizon or horizon}
        if other
        else None,
    }
    against = f":{other.name}" if other is not None and kind == "triangulation" else ""
    return CheckGoal(
        name=f"check:{kind}:{method.name}{against}",
        scope=scope,
        needs=tuple(needs),
        settings=tuple(sorted(settings.items())),
        compute=_compute(kind),
        code=_code_digest(),
        subject=method.name,
    )


def _estimate_needs(prefix: str, method: Method, as_of: date, horizon: int) -> list[Need]:
    goal = method.at(as_of, horizon)
    needs = [Need(f"{prefix}_estimate", goal, "estimate")]
    if method.is_fit:
        needs.append(Need(f"{prefix}_replicates", goal, "replicates"))
    return needs


def _described(world: World, method: Method, as_of: date) -> dict[str, Any]:
    return {
        "stage": method.name,
        "family": method.family,
        "label_windows": _label_windows(world, method, as_of),
    }


def measured_metric(metric: MetricContract) -> dict[str, Any]:
    """What a check needs of the contract: names and descriptions change no figure, so they are not in its key."""
    described = describe(metric)
    wanted = {k: described[k] for k in ("entity", "value", "population")}
    return wanted | {"components": dict.fromkeys(metric.components, "")}


def _label_windows(world: World, method: Method, as_of: date) -> list[list[str]]:
    """The outcome windows (from, to] that a method learnt from at `as_of`, for judging independence."""
    spec, stage = world.spec, world.graph.stages[method.stage]
    scope = {"as_of": as_of, "horizon": spec.metric.horizon}
    parameters = resolve(stage, spec, method.variant, world.overrides, scope) if stage.labelled else {}
    windows = []
    for call in stage.labelled:
        values = []
        for argument in (call.horizon, call.origins):
            match argument:
                case Literal(value=value):
                    values.append(value)
                case ParameterRef(name=name):
                    values.append(parameters.get(name))
                case _:
                    values.append(spec.metric.horizon)
        horizon, count = values
        if isinstance(horizon, int) and isinstance(count, int):
            for k in range(1, count + 1):
                start = spec.metric.back(as_of, horizon, k)
                windows.append([start.isoformat(), spec.metric.until(start, horizon).isoformat()])
    return windows


def _own_evidence(world: World, stage: NotebookStage, name: str) -> CheckGoal:
    metric = world.spec.metric
    goal = StageGoal(name, world.as_of, metric.horizon)
    settings = {
        "kind": "reconciliation",
        "metric": measured_metric(metric),
        "as_of": world.as_of.isoformat(),
        "until": None,
        "horizon": None,
        "replicates": 0,
        "seed": 0,
        "subject": {"stage": name, "family": "", "label_windows": []},
        "other": None,
    }
    return CheckGoal(
        name=f"check:reconciliation:{name}",
        scope=NodeScope(world.as_of),
        needs=(Need("records", goal, "evidence"),),
        settings=tuple(sorted(settings.items())),
        compute=_compute("reconciliation"),
        code=_code_digest(),
        subject=name,
    )


def _compute(kind: str) -> Callable[[Mapping[str, Any], Mapping[str, Any]], list[dict[str, Any]]]:
    def compute(tables: Mapping[str, Any], settings: Mapping[str, Any]) -> list[dict[str, Any]]:
        return measuring.measure(kind, tables, settings)

    return compute


@cache
def _code_digest() -> str:
    """A digest of all code that measures: a changed check measures again."""
    modules: list[ModuleType] = measuring.code()
    text = "\n".join(inspect.getsource(module) for module in modules)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
