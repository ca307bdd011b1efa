"""Read a data contract of the Open Data Contract Standard v3.1 (`*.odcs.yaml`).

Everything that is checked is parsed strictly: unknown keys, wrong types and rules that could not be checked are
SpecErrors with file, line and "did you mean", since a rule that is silently not checked looks like one that passed.
What only describes (team, price, support, descriptions, servers) is accepted as it is.

Extensions, by `customProperties` of a rule, a column, a table or the contract:

- `onViolation: stop | quarantine | keep` says what happens to bad rows. A rule's own setting counts first. For the
  rules of severity `error` then that of its column, of its table, of the contract. Otherwise `error` stops the run,
  `warning` and `info` keep the rows.
- `severity: error | warning | info` on a `freshness` or `latency` of `slaProperties` (default: warning).
"""

from __future__ import annotations

import hashlib
import json
from datetime import date, datetime
from pathlib import Path

from nbdataops.errors import SpecError, did_you_mean
from nbdataops.ingest.contract_fields import Fields
from nbdataops.ingest.contract_model import (
    DataContract,
    LogicalType,
    OnViolation,
    Options,
    Property,
    Scalar,
    SchemaObject,
)
from nbdataops.ingest.odcs_keys import CONTRACT_KEYS, OBJECT_KEYS, PROPERTY_KEYS
from nbdataops.ingest.odcs_rules import add_freshness, read_on_violation, read_quality
from nbdataops.product.yaml_lines import load_yaml

_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_OPTIONS = {
    LogicalType.STRING: ("minLength", "maxLength", "pattern", "format"),
    LogicalType.DATE: (*_BOUNDS, "format"),
    LogicalType.TIMESTAMP: (*_BOUNDS, "format", "timezone", "defaultTimezone"),
    LogicalType.INTEGER: (*_BOUNDS, "multipleOf", "format"),
    LogicalType.NUMBER: (*_BOUNDS, "multipleOf", "format"),
    LogicalType.BOOLEAN: (),
}


def load_contract(path: Path, file: str | None = None) -> DataContract:
    """Read a contract file; `file` is what errors call it. SpecError for whatever cannot be checked as written."""
    document = load_yaml(path, file)
    root = Fields.of(document)
    root.only(CONTRACT_KEYS)
    kind, api = root.text("kind", required=True), root.text("apiVersion", required=True)
    if kind != "DataContract":
        raise root.wrong("kind", f"should be DataContract, not {kind!r}", "this file is no data contract")
    if not api.startswith("v3."):
        raise root.wrong(
            "apiVersion", f"is {api!r}; versions v3.0 and v3.1 are read", "write apiVersion: v3.1.0"
        )
    on_violation = read_on_violation(root)
    objects = [_object(fields, on_violation) for fields in root.items("schema")]
    if not objects:
        raise root.wrong("schema", "describes no table", "add `schema:` with one item that has `properties:`")
    names = [found.name for found in objects]
    if len(set(names)) < len(names):
        raise root.wrong("schema", "has two tables of the same name", "rename one of them")
    default_element = root.text("slaDefaultElement")
    for fields in root.items("slaProperties"):
        add_freshness(fields, default_element, objects)
    return DataContract(
        id=root.text("id", required=True),
        name=root.text("name") or None,
        version=root.text("version", required=True),
        api_version=api,
        status=root.text("status") or None,
        objects=tuple(objects),
        file=document.file,
        digest=hashlib.sha256(json.dumps(document.value, sort_keys=True, default=str).encode()).hexdigest(),
    )


def _object(fields: Fields, inherited: OnViolation | None) -> SchemaObject:
    fields.only(OBJECT_KEYS)
    on_violation = read_on_violation(fields) or inherited
    found = tuple(_property(item, on_violation) for item in fields.items("properties"))
    folded: dict[str, str] = {}
    for item in found:
        for name in {item.name.casefold(), item.source.casefold()}:
            if (
                folded.setdefault(name, item.name) != item.name
                or [p.name for p in found].count(item.name) > 1
            ):
                raise SpecError(
                    f"column {item.name!r} is declared twice (names that differ by case only count as the same)",
                    where=item.place,
                    todo="keep one of them",
                )
    names = {item.name for item in found}
    quality = tuple(
        q for item in fields.items("quality") if (q := read_quality(item, None, on_violation)) is not None
    )
    for rule in [*quality, *(q for item in found for q in item.quality)]:
        for name in rule.properties:
            if name not in names:
                raise SpecError(
                    f"there is no column {name!r}", where=rule.place, todo=did_you_mean(name, names)
                )
    return SchemaObject(fields.text("name", required=True), found, fields.place(), quality)


def _property(fields: Fields, inherited: OnViolation | None) -> Property:
    fields.only(PROPERTY_KEYS)
    name = fields.text("name", required=True)
    logical = None
    if fields.value("logicalType") is not None:
        text = fields.text("logicalType")
        if text not in set(LogicalType):
            raise fields.wrong(
                "logicalType",
                f"of {name!r} is {text!r}, which cannot be checked",
                did_you_mean(text, [known.value for known in LogicalType]),
            )
        logical = LogicalType(text)
    on_violation = read_on_violation(fields) or inherited
    quality = [read_quality(item, name, on_violation) for item in fields.items("quality")]
    position = None
    if fields.flag("primaryKey"):
        declared = fields.whole("primaryKeyPosition")
        position = declared if declared is not None and declared > 0 else 1
    enum = None
    if fields.value("enum") is not None:
        enum = tuple(item.value("value") for item in fields.items("enum"))
    return Property(
        name=name,
        source=fields.text("physicalName") or name,
        place=fields.place(),
        logical_type=logical,
        required=fields.flag("required") or position is not None,
        unique=fields.flag("unique"),
        primary_key=position,
        options=_options(fields, logical),
        enum=enum,
        quality=tuple(q for q in quality if q is not None),
        on_violation=on_violation,
    )


def _options(fields: Fields, logical: LogicalType | None) -> Options:
    options = fields.inner("logicalTypeOptions")
    if options is None:
        return Options()
    if logical is None:
        raise fields.wrong("logicalTypeOptions", "needs a logicalType", "add logicalType")
    options.only(_OPTIONS[logical])
    bounds = {key: _bound(options, key, logical) for key in _BOUNDS}
    multiple = options.number("multipleOf")
    if multiple is not None and multiple <= 0:
        raise options.wrong("multipleOf", "should be greater than zero", "")
    return Options(
        minimum=bounds["minimum"],
        maximum=bounds["maximum"],
        exclusive_minimum=bounds["exclusiveMinimum"],
        exclusive_maximum=bounds["exclusiveMaximum"],
        multiple_of=multiple,
        pattern=options.text("pattern") or None,
        min_length=options.whole("minLength"),
        max_length=options.whole("maxLength"),
        format=options.text("format") or None,
        timezone=options.flag("timezone"),
        default_timezone=options.text("defaultTimezone") or None,
    )


def _bound(options: Fields, key: str, logical: LogicalType) -> Scalar:
    value = options.value(key)
    if value is None:
        return None
    if logical in (LogicalType.INTEGER, LogicalType.NUMBER):
        return options.number(key)
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
    except ValueError as error:
        raise options.wrong(key, f"is no date: {value!r}", 'write it as "2024-12-31"') from error
    if isinstance(value, datetime) and logical is LogicalType.TIMESTAMP:
        return value
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise options.wrong(key, f"should be a {logical}, not {value!r}", 'write it as "2024-12-31"')
