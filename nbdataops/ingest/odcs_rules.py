"""The parts of a contract that judge: `quality` items, `slaProperties`, and what happens on a violation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nbdataops.errors import did_you_mean
from nbdataops.ingest.contract_fields import Fields
from nbdataops.ingest.contract_model import (
    Freshness,
    LogicalType,
    OnViolation,
    Quality,
    SchemaObject,
    Severity,
    Threshold,
)
from nbdataops.ingest.odcs_keys import ARGUMENTS, METRICS, OPERATORS, QUALITY_KEYS, SLA_KEYS

_DAYS = {
    "d": 1,
    "day": 1,
    "days": 1,
    "w": 7,
    "week": 7,
    "weeks": 7,
    "y": 366,
    "yr": 366,
    "year": 366,
    "years": 366,
}
_DAYS |= {"mo": 31, "month": 31, "months": 31}
_DAYS_PER = {"h": 24, "hr": 24, "hour": 24, "hours": 24, "min": 1440, "minute": 1440, "minutes": 1440}


def read_quality(fields: Fields, column: str | None, inherited: OnViolation | None) -> Quality | None:
    fields.only(QUALITY_KEYS)
    metric = fields.text("metric") or fields.text("rule")
    kind = fields.text("type") or ("sql" if fields.value("query") is not None else "library")
    if kind == "text":
        return None
    if kind not in ("library", "sql"):
        raise fields.wrong(
            "type",
            f"is {kind!r}, which cannot be checked here",
            "use a library metric, `type: sql`, or `type: text` for what only people check",
        )
    if kind == "library" and metric not in METRICS:
        raise fields.wrong(
            "metric", f"is {metric!r}" if metric else "is missing", did_you_mean(metric, METRICS)
        )
    if kind == "library" and column is None and metric not in ("rowCount", "duplicateValues"):
        raise fields.wrong("metric", f"{metric} belongs to a column", "move the rule under that column")
    severity = _severity(fields, fields.text("severity"), Severity.ERROR)
    on_violation = read_on_violation(fields) or (inherited if severity is Severity.ERROR else None)
    unattributed = kind == "sql" or metric == "rowCount"
    if unattributed and on_violation is OnViolation.QUARANTINE:
        if read_on_violation(fields) is not None:
            raise fields.wrong(
                "customProperties",
                "cannot quarantine: this rule gives a number and does not say which rows are bad",
                "use onViolation: stop or keep",
            )
        on_violation = None
    arguments = fields.inner("arguments")
    if arguments is not None:
        arguments.only(ARGUMENTS.get(metric, ()))
    quality = Quality(
        name=fields.text("name") or fields.text("id") or None,
        metric="sql" if kind == "sql" else metric,
        threshold=_threshold(fields),
        unit=_unit(fields),
        severity=severity,
        on_violation=on_violation,
        place=fields.place(),
        query=fields.text("query", required=True) if kind == "sql" else None,
    )
    return _with_arguments(quality, fields, arguments, column)


def _with_arguments(
    quality: Quality, fields: Fields, arguments: Fields | None, column: str | None
) -> Quality:
    if quality.metric == "missingValues":
        values = arguments.scalars("missingValues") if arguments else None
        return replace(quality, missing_values=values if values is not None else (None, ""))
    if quality.metric == "invalidValues":
        values = arguments.scalars("validValues") if arguments else None
        pattern = arguments.text("pattern") if arguments else ""
        if values is None and not pattern:
            raise fields.wrong(
                "metric",
                "invalidValues does not say what is valid",
                "add arguments: {validValues: [...]} or {pattern: ...}",
            )
        return replace(quality, valid_values=values, pattern=pattern or None)
    if quality.metric == "duplicateValues":
        named = arguments.scalars("properties") if arguments else None
        properties = tuple(str(v) for v in named or ()) or ((column,) if column else ())
        if not properties:
            raise fields.wrong(
                "metric", "duplicateValues names no columns", "add arguments: {properties: [...]}"
            )
        return replace(quality, properties=properties)
    return quality


def _threshold(fields: Fields) -> Threshold:
    given = [key for key in OPERATORS if fields.value(key) is not None]
    if len(given) != 1:
        raise fields.wrong(
            given[1] if given else "metric",
            "says " + (" and ".join(given) if given else "no condition") + "; a rule has exactly one",
            f"add one of {', '.join(OPERATORS)}" if not given else "make two rules of it",
        )
    key = given[0]
    raw = fields.value(key)
    values = raw if isinstance(raw, list) else [raw]
    if len(values) != (2 if key.endswith("Between") else 1) or not all(
        isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in values
    ):
        raise fields.wrong(key, f"is {raw!r}", "write a number, or [low, high] for between")
    if len(values) == 2 and values[0] > values[1]:
        raise fields.wrong(key, f"is {raw!r}: nothing lies between", "write the smaller number first")
    return Threshold(key, tuple(float(v) for v in values))  # type: ignore[arg-type]


def _unit(fields: Fields) -> str:
    unit = fields.text("unit") or "rows"
    if unit not in ("rows", "percent"):
        raise fields.wrong("unit", f"is {unit!r}", "use rows or percent")
    return unit


def _severity(fields: Fields, text: str, default: Severity) -> Severity:
    if not text:
        return default
    if text not in set(Severity):
        raise fields.wrong(
            "severity", f"is {text!r}", did_you_mean(text, [known.value for known in Severity])
        )
    return Severity(text)


def _custom(fields: Fields) -> Mapping[str, Any]:
    return {str(item.value("property")): item.value("value") for item in fields.items("customProperties")}


def read_on_violation(fields: Fields) -> OnViolation | None:
    value = _custom(fields).get("onViolation")
    if value is None:
        return None
    if value not in set(OnViolation):
        raise fields.wrong(
            "customProperties",
            f"onViolation is {value!r}",
            did_you_mean(str(value), [known.value for known in OnViolation]),
        )
    return OnViolation(value)


def add_freshness(fields: Fields, default_element: str, objects: list[SchemaObject]) -> None:
    """Adds what `freshness` or `latency` promises to the table that it speaks of; other agreements only describe."""
    fields.only(SLA_KEYS)
    if fields.text("property", required=True) not in ("freshness", "latency"):
        return
    element = fields.text("element") or default_element
    table, _, column = element.rpartition(".")
    position = next((i for i, o in enumerate(objects) if o.name == (table or objects[0].name)), None)
    if not element or position is None:
        raise fields.wrong(
            "element", f"is {element!r}", "write table.column, the date by which freshness is judged"
        )
    found = objects[position]
    declared = next((p for p in found.properties if p.name == column), None)
    if declared is None:
        raise fields.wrong(
            "element", f"names no column {column!r}", did_you_mean(column, [p.name for p in found.properties])
        )
    if declared.logical_type not in (LogicalType.DATE, LogicalType.TIMESTAMP):
        raise fields.wrong(
            "element", f"{column!r} is no date", "name a column of logicalType date or timestamp"
        )
    value, unit = fields.number("value"), fields.text("unit") or "d"
    if value is None or value < 0:
        raise fields.wrong("value", f"is {fields.value('value')!r}", "write a number of days, weeks, ...")
    if unit in _DAYS:
        days = math.ceil(value * _DAYS[unit])
    elif unit in _DAYS_PER:
        days = math.ceil(value / _DAYS_PER[unit])
    else:
        raise fields.wrong("unit", f"is {unit!r}", did_you_mean(unit, [*_DAYS, *_DAYS_PER]))
    severity = _severity(fields, str(_custom(fields).get("severity") or ""), Severity.WARNING)
    promise = Freshness(column, days, severity, fields.place())
    objects[position] = replace(found, freshness=(*found.freshness, promise))
