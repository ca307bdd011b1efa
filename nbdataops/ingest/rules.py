"""Compile a contract into rules: which rows each one judges, and which of those are bad, as SQL over one table.

Every rule says for itself what nulls, NaN and infinity mean, so that no engine decides it: a null is judged by
`required` (and `nullValues`, `missingValues`) only; NaN and infinity are bad under every range, set and multiple.
The table has columns `t0`, `t1`, ... (typed values), so nothing that a contract or a delivery names becomes SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nbdataops.errors import SpecError
from nbdataops.ingest.column_values import Kind
from nbdataops.ingest.contract_model import (
    LogicalType,
    OnViolation,
    Property,
    Quality,
    Scalar,
    SchemaObject,
    Severity,
    Threshold,
)
from nbdataops.ingest.predicates import Column, among, literal, not_among, not_matching, or_not_finite

_NONE_BAD = Threshold("mustBe", (0.0,))
_OCTET = "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_FORMATS = {
    "email": r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
    "uuid": r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    "uri": r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$",
    "ipv4": rf"^({_OCTET}\.){{3}}{_OCTET}$",
}
_DESCRIPTIVE = ("password", "byte", "binary")


@dataclass(frozen=True, slots=True)
class Rule:
    """`judged` and `bad` are conditions on a row. Without them the rule needs a query of its own (see `kind`)."""

    id: str
    kind: str
    column: str | None
    severity: Severity
    on_violation: OnViolation
    judged: str = ""
    bad: str = ""
    threshold: Threshold = _NONE_BAD
    unit: str = "rows"
    says: str = ""
    columns: tuple[str, ...] = ()
    query: str = ""
    days: int = 0


def compile_rules(table: SchemaObject, columns: Mapping[str, Column]) -> tuple[Rule, ...]:
    """All rules of a table over the columns that were delivered; a declared column that was not is a rule of its own."""
    rules: list[Rule] = []
    for item in table.properties:
        column = columns.get(item.name)
        if column is None:
            rules.append(_structural(item, "column", says="the column was not delivered"))
            continue
        rules += _of_column(item, column)
        rules += [_of_quality(q, item.name, column, columns) for q in item.quality]
    delivered = all(name in columns for name in table.primary_key)
    if table.primary_key and delivered:
        rules.append(_unique("primary_key", table.primary_key, columns, _key_reaction(table)))
    rules += [_of_quality(q, None, None, columns) for q in table.quality]
    rules += [
        Rule(
            id=f"{promise.column}.freshness",
            kind="freshness",
            column=promise.column,
            severity=promise.severity,
            on_violation=OnViolation.STOP if promise.severity is Severity.ERROR else OnViolation.KEEP,
            says=f"the newest is at most {promise.days} days old",
            columns=(columns[promise.column].sql,),
            days=promise.days,
        )
        for promise in table.freshness
        if promise.column in columns
    ]
    return _with_own_ids(rules)


def key_rule(key: tuple[str, ...], columns: Mapping[str, Column]) -> tuple[Rule, ...]:
    """The rules of a key that the product declares for a source: no nulls, no duplicates."""
    stop = OnViolation.STOP
    nulls = [
        Rule(
            f"{name}.required",
            "required",
            name,
            Severity.ERROR,
            stop,
            "true",
            columns[name].null,
            says="has a value",
        )
        for name in key
    ]
    return (*nulls, _unique("key", key, columns, stop))


def _structural(item: Property, kind: str, bad: str = "", judged: str = "", says: str = "") -> Rule:
    return Rule(
        id=f"{item.name}.{kind}",
        kind=kind,
        column=item.name,
        severity=Severity.ERROR,
        on_violation=item.on_violation or OnViolation.STOP,
        judged=judged,
        bad=bad,
        says=says,
    )


def _of_column(item: Property, column: Column) -> list[Rule]:
    value, options = column.sql, item.options
    filled = f"{value} IS NOT NULL"
    rules: list[Rule] = []

    def add(kind: str, bad: str, says: str, judged: str = filled) -> None:
        rules.append(_structural(item, kind, bad, judged, says))

    if item.logical_type is not None:
        add("type", column.unparsed or "false", f"is a {item.logical_type}{_shown_format(item)}", "true")
    if item.required:
        add("required", column.null, "has a value", "true")
    bounds = [
        (options.minimum, "<", ">="),
        (options.exclusive_minimum, "<=", ">"),
        (options.maximum, ">", "<="),
        (options.exclusive_maximum, ">=", "<"),
    ]
    given = [(bound, outside, inside) for bound, outside, inside in bounds if bound is not None]
    if given:
        outside = " OR ".join(f"{value} {outside} {literal(bound)}" for bound, outside, _ in given)
        says = " and ".join(f"{inside} {bound}" for bound, _, inside in given)
        add("range", or_not_finite(outside, column), f"is {says}")
    if options.multiple_of is not None:
        step = literal(options.multiple_of)
        odd = f"abs({value} / {step} - round({value} / {step})) > 1e-9"
        if column.kind is Kind.INTEGER and isinstance(options.multiple_of, int):
            odd = f"{value} % {step} <> 0"
        add("multiple", or_not_finite(odd, column), f"is a multiple of {options.multiple_of}")
    if item.logical_type is LogicalType.STRING:
        if options.min_length is not None or options.max_length is not None:
            low, high = options.min_length or 0, options.max_length
            outside = f"length({value}) < {low}" + (
                f" OR length({value}) > {high}" if high is not None else ""
            )
            add("length", outside, f"has {low} to {high if high is not None else 'any number of'} characters")
        if options.pattern:
            add("pattern", not_matching(value, options.pattern, item.place), f"matches {options.pattern}")
        if options.format and options.format not in _DESCRIPTIVE:
            if options.format not in _FORMATS:
                raise SpecError(
                    f"column {item.name!r}: format {options.format!r} is not checked",
                    where=item.place,
                    todo=f"use pattern, or one of {', '.join([*_FORMATS, *_DESCRIPTIVE])}",
                )
            add(
                "format",
                not_matching(value, _FORMATS[options.format], item.place),
                f"is written as {options.format}",
            )
    if item.enum is not None:
        add("enum", not_among(column, item.enum), f"is one of {_list(item.enum)}")
    if item.unique:
        rules.append(
            _unique(f"{item.name}.unique", (item.name,), {item.name: column}, item.on_violation, item.name)
        )
    return rules


def _of_quality(
    quality: Quality, name: str | None, column: Column | None, columns: Mapping[str, Column]
) -> Rule:
    reaction = quality.on_violation
    if reaction is None:
        reaction = OnViolation.STOP if quality.severity is Severity.ERROR else OnViolation.KEEP
    plain = Rule(
        id=quality.name or ".".join(part for part in (name, quality.metric) if part),
        kind=quality.metric,
        column=name,
        severity=quality.severity,
        on_violation=reaction,
        threshold=quality.threshold,
        unit=quality.unit,
        says=f"{quality.metric} {quality.threshold}{' percent' if quality.unit == 'percent' else ''}",
    )
    if quality.metric == "sql":
        return replace(plain, query=quality.query or "", says=f"query {quality.threshold}")
    if quality.metric == "duplicateValues":
        lacking = [p for p in quality.properties if p not in columns]
        if lacking:
            return replace(plain, kind="column", says=f"the column {lacking[0]!r} was not delivered")
        return replace(plain, columns=tuple(columns[p].sql for p in quality.properties))
    if column is None or quality.metric == "rowCount":
        return plain
    filled = f"{column.sql} IS NOT NULL"
    if quality.metric == "nullValues":
        return replace(plain, judged="true", bad=column.null)
    if quality.metric == "missingValues":
        missing = quality.missing_values or ()
        bad = (
            f"{column.null} OR coalesce({among(column, missing)}, false)"
            if None in missing
            else among(column, missing)
        )
        return replace(plain, judged="true", bad=bad)
    wrong: list[str] = []
    if quality.valid_values is not None:
        wrong.append(not_among(column, quality.valid_values))
    if quality.pattern:
        wrong.append(not_matching(f"CAST({column.sql} AS VARCHAR)", quality.pattern, quality.place))
    return replace(plain, judged=filled, bad=" OR ".join(f"({w})" for w in wrong))


def _unique(
    name: str,
    key: tuple[str, ...],
    columns: Mapping[str, Column],
    reaction: OnViolation | None,
    column: str | None = None,
) -> Rule:
    return Rule(
        id=name,
        kind="unique",
        column=column,
        severity=Severity.ERROR,
        on_violation=reaction or OnViolation.STOP,
        says=f"no two rows share {', '.join(key)}",
        columns=tuple(columns[k].sql for k in key),
    )


def _key_reaction(table: SchemaObject) -> OnViolation | None:
    reactions = {p.on_violation for p in table.properties if p.primary_key is not None}
    return reactions.pop() if len(reactions) == 1 else None


def _list(values: tuple[Scalar, ...]) -> str:
    shown = ", ".join(map(str, values[:8]))
    return f"{shown}, ..." if len(values) > 8 else shown


def _shown_format(item: Property) -> str:
    return (
        f" ({item.options.format})"
        if item.options.format and item.logical_type is not LogicalType.STRING
        else ""
    )


def _with_own_ids(rules: list[Rule]) -> tuple[Rule, ...]:
    taken: dict[str, int] = {}
    found = []
    for rule in rules:
        taken[rule.id] = taken.get(rule.id, 0) + 1
        found.append(replace(rule, id=f"{rule.id}#{taken[rule.id]}") if taken[rule.id] > 1 else rule)
    return tuple(found)
