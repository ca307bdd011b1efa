"""Reading data contracts: what is understood, and what is refused with its line."""

from __future__ import annotations

import json
from datetime import date
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
import yaml
from open_data_contract_standard.model import OpenDataContractStandard

from nbdataops.errors import SpecError
from nbdataops.ingest.contract_model import DataContract, LogicalType, OnViolation, Severity, Threshold
from nbdataops.ingest.odcs import load_contract

FULL = """\
apiVersion: v3.1.0
kind: DataContract
id: shop-orders
name: Orders of the shop
version: 1.2.0
status: active
domain: sales
description: {purpose: Orders}
team: {name: shop}
servers: [{server: files, type: local, path: ./data, format: csv}]
tags: [a]
slaDefaultElement: orders.at
customProperties: [{property: onViolation, value: quarantine}]
schema:
  - name: orders
    logicalType: object
    physicalType: table
    properties:
      - {name: id, logicalType: integer, physicalType: BIGINT, primaryKey: true, primaryKeyPosition: 1}
      - name: at
        logicalType: date
        required: true
        logicalTypeOptions: {minimum: "1997-01-01", format: yyyy-MM-dd}
      - name: amount
        physicalName: AMT
        logicalType: number
        logicalTypeOptions: {exclusiveMinimum: 0, maximum: 10000.5}
        customProperties: [{property: onViolation, value: stop}, {property: unit, value: USD}]
        quality:
          - {name: few_nulls, metric: nullValues, mustBeLessThan: 5, unit: percent, severity: warning}
          - {type: text, description: Amounts are plausible.}
          - {type: sql, query: "SELECT avg(amount) FROM {object}", mustBeBetween: [20, 60]}
      - {name: mail, logicalType: string, unique: true, logicalTypeOptions: {format: email, maxLength: 80}}
    quality:
      - {metric: rowCount, mustBeGreaterOrEqualTo: 1}
      - {metric: duplicateValues, arguments: {properties: [id, at]}, mustBe: 0}
  - name: customers
    properties:
      - {name: id, logicalType: integer, primaryKey: true, primaryKeyPosition: 2}
      - {name: region, logicalType: string, primaryKey: true, primaryKeyPosition: 1}
slaProperties:
  - {property: latency, value: 2, unit: d}
  - {property: retention, value: 3, unit: y, element: orders.at}
"""


def parsed(tmp_path: Path, text: str) -> DataContract:
    path = tmp_path / "orders.odcs.yaml"
    path.write_text(text)
    return load_contract(path)


def test_a_contract_is_understood(tmp_path: Path) -> None:
    contract = parsed(tmp_path, FULL)
    assert (contract.id, contract.version, contract.status) == ("shop-orders", "1.2.0", "active")
    orders, customers = contract.objects
    number, at, amount, mail = orders.properties
    assert (number.required, orders.primary_key, customers.primary_key) == (True, ("id",), ("region", "id"))
    assert (at.logical_type, at.options.minimum, at.options.format) == (
        LogicalType.DATE,
        date(1997, 1, 1),
        "yyyy-MM-dd",
    )
    assert (amount.source, amount.options.exclusive_minimum, amount.options.maximum) == ("AMT", 0, 10000.5)
    assert (mail.unique, mail.options.format, mail.options.max_length) == (True, "email", 80)
    assert (at.on_violation, amount.on_violation) == (OnViolation.QUARANTINE, OnViolation.STOP)
    nulls, query = amount.quality
    assert (nulls.severity, nulls.on_violation, nulls.unit) == (Severity.WARNING, None, "percent")
    assert (query.metric, query.threshold, query.on_violation) == (
        "sql",
        Threshold("mustBeBetween", (20, 60)),
        OnViolation.STOP,
    )
    assert [q.metric for q in orders.quality] == ["rowCount", "duplicateValues"]
    assert [(f.column, f.days, f.severity) for f in orders.freshness] == [("at", 2, Severity.WARNING)]
    assert contract.object_for("customers") is customers
    with pytest.raises(SpecError, match="none of which is called like the source 'sales'"):
        contract.object_for("sales")


def test_what_we_read_is_what_the_standard_s_own_model_and_schema_read(tmp_path: Path) -> None:
    """The package `open-data-contract-standard` as an oracle."""
    contract = parsed(tmp_path, FULL)
    oracle = OpenDataContractStandard.from_string(FULL)
    schema = json.loads((resources.files("open_data_contract_standard") / "schema.json").read_text())
    jsonschema.validate(yaml.safe_load(FULL), schema)
    assert (contract.id, contract.name, contract.version, contract.api_version, contract.status) == (
        oracle.id,
        oracle.name,
        oracle.version,
        oracle.apiVersion,
        oracle.status,
    )
    assert oracle.schema_ is not None
    for ours, theirs in zip(contract.objects, oracle.schema_, strict=True):
        assert ours.name == theirs.name
        for item, other in zip(ours.properties, theirs.properties or [], strict=True):
            options = other.logicalTypeOptions or {}
            assert (item.name, item.source) == (other.name, other.physicalName or other.name)
            assert (item.logical_type, item.unique) == (other.logicalType, bool(other.unique))
            assert item.required == bool(other.required or other.primaryKey)
            assert item.primary_key == (other.primaryKeyPosition if other.primaryKey else None)
            assert str(item.options.minimum) == str(options.get("minimum"))
            assert item.options.maximum == options.get("maximum")
            judged = [q for q in other.quality or [] if q.type != "text"]
            assert [q.metric for q in item.quality] == [q.metric or q.type for q in judged]
            assert [q.query for q in item.quality] == [q.query for q in judged]


@pytest.mark.parametrize("path", sorted(Path("notebooks").glob("*/contracts/*.yaml")), ids=str)
def test_the_contracts_of_the_reference_products_are_valid_odcs(path: Path) -> None:
    schema = json.loads((resources.files("open_data_contract_standard") / "schema.json").read_text())
    jsonschema.validate(yaml.safe_load(path.read_text()), schema)
    assert load_contract(path).id == OpenDataContractStandard.from_file(str(path)).id


def test_the_digest_is_of_what_is_said_not_of_how_it_is_written(tmp_path: Path) -> None:
    first = parsed(tmp_path, FULL)
    assert parsed(tmp_path, "# note\n" + FULL.replace("[20, 60]", "[ 20,  60 ]")).digest == first.digest
    assert parsed(tmp_path, FULL.replace("[20, 60]", "[20, 61]")).digest != first.digest


@pytest.mark.parametrize(
    ("old", "new", "line", "message", "todo"),
    [
        ("status: active", "staus: active", 6, "no key 'staus'", "did you mean 'status'"),
        ("kind: DataContract", "kind: DataProduct", 2, "should be DataContract", ""),
        ("apiVersion: v3.1.0", "apiVersion: v2.2.2", 1, "v2.2.2", "v3.1.0"),
        ("id: shop-orders\n", "", 1, "id is missing", "add it"),
        ("status: active", "status: active\nstatus: draft", 7, "given twice", ""),
        ("unique: true", "uniqe: true", 33, "no key 'uniqe' in", "did you mean 'unique'"),
        ("required: true", "required: yes", 22, "should be true or false, not 'yes'", ""),
        ("logicalType: date", "logicalType: dat", 21, "'dat', which cannot be checked", "did you mean 'date'"),
        ("logicalType: date", "logicalType: array", 21, "'array', which cannot be checked", ""),
        ("exclusiveMinimum: 0", "exclusiveMin: 0", 27, "no key 'exclusiveMin'", "did you mean 'exclusiveMinimum'"),
        ("exclusiveMinimum: 0", "exclusiveMinimum: zero", 27, "should be a number, not 'zero'", ""),
        ('minimum: "1997-01-01"', "minimum: soon", 23, "is no date: 'soon'", ""),
        ("metric: nullValues", "metric: nulValues", 30, "'nulValues'", "did you mean 'nullValues'"),
        ("mustBeLessThan: 5", "mustBeLess: 5", 30, "no key 'mustBeLess'", "did you mean 'mustBeLessThan'"),
        ("mustBeLessThan: 5", "mustBeLessThan: few", 30, "is 'few'", "a number"),
        ("mustBeLessThan: 5, ", "", 30, "says no condition", "add one of"),
        ("mustBeLessThan: 5", "mustBeLessThan: 5, mustBe: 0", 30, "a rule has exactly one", ""),
        ("[20, 60]", "[60, 20]", 32, "nothing lies between", ""),
        ("[20, 60]", "[20]", 32, "mustBeBetween is", "between"),
        ("unit: percent", "unit: ratio", 30, "'ratio'", "rows or percent"),
        ("severity: warning", "severity: warn", 30, "'warn'", "did you mean 'warning'"),
        ("type: text", "type: custom, engine: soda, implementation: x", 31, "'custom', which cannot be checked", "type: sql"),
        ("onViolation, value: stop", "onViolation, value: halt", 28, "'halt'", "known: keep"),
        ("metric: rowCount", "metric: nullValues", 35, "belongs to a column", ""),
        ("properties: [id, at]", "properties: [id, att]", 36, "no column 'att'", "did you mean 'at'"),
        ("name: mail", "name: AMOUNT", 33, "declared twice", ""),
        ("name: mail", "name: amt", 33, "declared twice", ""),
        ("name: customers", "name: orders", 14, "two tables of the same name", ""),
        ("latency, value: 2, unit: d", "latency, value: 2, unit: ds", 42, "'ds'", "did you mean"),
        ("latency, value: 2", "latency, value: soon", 42, "should be a number", ""),
        ("slaDefaultElement: orders.at", "slaDefaultElement: orders.att", 42, "no column 'att'", "did you mean 'at'"),
        ("slaDefaultElement: orders.at", "slaDefaultElement: orders.id", 42, "'id' is no date", ""),
        ("slaDefaultElement: orders.at", "slaDefaultElement: sales.at", 42, "'sales.at'", ""),
        ("schema:\n", "schema: x\nx:\n", 15, "no key 'x'", ""),
        ("id: shop-orders", "id: &a shop-orders", 3, "anchor", ""),
        ("tags: [a]", "tags: [a", 12, "YAML", ""),
    ],
)  # fmt: skip
def test_a_broken_contract_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, message: str, todo: str
) -> None:
    assert old in FULL
    with pytest.raises(SpecError, match=message) as caught:
        parsed(tmp_path, FULL.replace(old, new, 1))
    assert caught.value.where is not None
    assert caught.value.where.file == "orders.odcs.yaml"
    assert caught.value.where.line == line
    assert todo in caught.value.todo


@pytest.mark.parametrize("text", ["", "[]", "orders", "schema: []\n"])
def test_a_file_that_is_no_contract_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SpecError):
        parsed(tmp_path, text)


def test_a_contract_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="describes no table"):
        parsed(tmp_path, FULL[: FULL.index("schema:")])
