"""Parameters of a node: which names may be set, where their values come from, and which of them wins."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from nbdataops.errors import ParameterError, Place, did_you_mean
from nbdataops.product.declared import SCOPE_NAMES, NotebookStage
from nbdataops.product.parameter_values import coerce, from_text, show, source, to_json

if TYPE_CHECKING:
    from nbdataops.product.spec import ProductSpec

__all__ = [
    "check_declared",
    "check_name",
    "check_overrides",
    "coerce",
    "from_text",
    "resolve",
    "source",
    "to_json",
]


def check_name(name: Any, known: Iterable[str], where: Place | None = None) -> str:
    """A name that may be set: an identifier that is declared. ParameterError otherwise."""
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise ParameterError(
            f"{show(name)} is no name of a parameter",
            where=where,
            todo="a name is letters, digits and underscores, and no word of Python",
        )
    names = list(known)
    if name not in names:
        todo = did_you_mean(name, names) if names else "no notebook there has a cell tagged 'parameters'"
        raise ParameterError(f"there is no parameter {name!r}", where=where, todo=todo)
    return name


def check_overrides(stages: Iterable[NotebookStage], overrides: Mapping[str, Any]) -> None:
    """Every name given on a command line is a parameter of some stage, and may be set. ParameterError otherwise."""
    found = list(stages)
    known = {p.name for stage in found for p in stage.parameters}
    for name in overrides:
        check_name(name, known)
        _refuse_scope(name, None)
    for stage in found:
        _typed(stage, overrides, Place(file=stage.file), text=True)


def check_declared(spec: ProductSpec, stages: Sequence[NotebookStage]) -> None:
    """`parameters` and `variants` of dataproduct.yaml name stages and parameters that exist, with fitting values."""
    by_name = {stage.name: stage for stage in stages}
    known = {p.name for stage in stages for p in stage.parameters}
    for name, value in spec.parameters.items():
        where = spec.place("parameters", name)
        if not isinstance(value, Mapping):
            check_name(name, known, where)
            _refuse_scope(name, where)
            for stage in stages:
                _typed(stage, {name: value}, where)
            continue
        _check_values(_stage(by_name, name, where), value, spec, ("parameters", name))
    for name, variants in spec.variants.items():
        stage = _stage(by_name, name, spec.place("variants", name))
        for variant, values in variants.items():
            _check_values(stage, values, spec, ("variants", name, variant))


def resolve(
    stage: NotebookStage,
    spec: ProductSpec,
    variant: str | None,
    overrides: Mapping[str, Any],
    scope: Mapping[str, Any],
) -> dict[str, Any]:
    """Typed values of all parameters of one node, in the order of the notebook.

    Later wins: the notebook's default, dataproduct.yaml by name, by stage, the variant, `overrides` (a command
    line; texts are read by `from_text`, names of other stages are left alone: see `check_overrides`). Parameters
    called `as_of`, `until` and `horizon` always take the value of the scope; a scope that lacks one means the
    contract's. ParameterError for unknown names and wrong values.
    """
    values = {p.name: p.default for p in stage.parameters}
    by_name = {n: v for n, v in spec.parameters.items() if not isinstance(v, Mapping)}
    for name, value in by_name.items():
        values.update(_typed(stage, {name: value}, spec.place("parameters", name)))
    if isinstance(by_stage := spec.parameters.get(stage.name), Mapping):
        values.update(_check_values(stage, by_stage, spec, ("parameters", stage.name)))
    if variant is not None:
        variants = spec.variants.get(stage.name, {})
        if variant not in variants:
            raise ParameterError(
                f"stage {stage.name!r} has no variant {variant!r}",
                where=spec.place("variants", stage.name),
                todo=did_you_mean(variant, variants),
            )
        values.update(_check_values(stage, variants[variant], spec, ("variants", stage.name, variant)))
    for name in overrides:
        check_name(name, [name])
    values.update(_typed(stage, overrides, Place(file=stage.file), text=True))
    for name, value in _scope(spec, scope).items():
        parameter = stage.parameter(name)
        if parameter is not None:
            fits = value.isoformat() if parameter.type.kind == "str" and isinstance(value, date) else value
            values[name] = coerce(parameter, fits, Place(stage.file, parameter.cell, parameter.line))
    return values


def _scope(spec: ProductSpec, scope: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: scope.get(name) for name in SCOPE_NAMES}
    if values["horizon"] is None:
        values["horizon"] = spec.metric.horizon
    as_of, horizon = values["as_of"], values["horizon"]
    if values["until"] is None and as_of is not None and horizon is not None:
        values["until"] = spec.metric.until(as_of, horizon)
    return {name: value for name, value in values.items() if value is not None}


def _check_values(
    stage: NotebookStage, values: Mapping[str, Any], spec: ProductSpec, path: tuple[str, ...]
) -> dict[str, Any]:
    typed: dict[str, Any] = {}
    for name, value in values.items():
        where = spec.place(*path, name)
        check_name(name, [p.name for p in stage.parameters], where)
        _refuse_scope(name, where)
        typed.update(_typed(stage, {name: value}, where))
    return typed


def _typed(
    stage: NotebookStage, values: Mapping[str, Any], where: Place | None, *, text: bool = False
) -> dict[str, Any]:
    typed: dict[str, Any] = {}
    for name, value in values.items():
        parameter = stage.parameter(name)
        if parameter is None or name in SCOPE_NAMES:
            continue
        read = from_text if text and isinstance(value, str) else coerce
        typed[name] = read(parameter, value, where)
        if name in stage.fixed and to_json(typed[name]) != to_json(parameter.default):
            raise ParameterError(
                f"parameter {name!r} of {stage.name} names a table or columns, so the graph hangs on it",
                where=where,
                todo="change its default in the notebook",
            )
    return typed


def _refuse_scope(name: str, where: Place | None) -> None:
    if name in SCOPE_NAMES:
        todo = {
            "as_of": "give `as_of:` of dataproduct.yaml, or --as-of",
            "horizon": "give `metric: horizon:`, or `validation: horizons:`, of dataproduct.yaml",
            "until": "it is as_of plus the horizon",
        }[name]
        raise ParameterError(
            f"{name!r} comes from the scope and cannot be set as a parameter", where=where, todo=todo
        )


def _stage(stages: Mapping[str, NotebookStage], name: str, where: Place) -> NotebookStage:
    if name not in stages:
        raise ParameterError(f"there is no stage {name!r}", where=where, todo=did_you_mean(name, stages))
    return stages[name]
