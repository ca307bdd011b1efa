"""Every kind of rule: what it counts, and what nulls, NaN and infinity are to it."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdataops.errors import ExitCode, SourceError
from nbdataops.ingest.contract import RuleResult
from nbdataops.ingest.contract_model import Threshold

from .conftest import Desk

KEEP = "\ncustomProperties: [{property: onViolation, value: keep}]\n"
Results = Callable[..., dict[str, tuple[str, int, int | None]]]


def took(desk: Desk, properties: str, data: dict[str, Any] | str, rest: str = "", **declared: Any) -> Any:
    """Ingests with all rows kept, so that every result can be looked at."""
    path = "orders.csv"
    if isinstance(data, str):
        desk.put(data)
    else:
        path = "orders.parquet"
        columns = {name: pa.array(values, from_pandas=False) for name, values in data.items()}
        pq.write_table(pa.table(columns), desk.root / path)
    return desk.take(path=path, contract=desk.agree(properties, rest + KEEP), **declared)


ODD = [1.0, math.nan, math.inf, -math.inf, -1.0, None]


@pytest.mark.parametrize(
    ("declared", "rule", "data", "expected"),
    [
        ("required: true", "required", [1, None, 3], ("fail", 3, 1)),
        ("logicalType: number, required: true", "required", ODD, ("fail", 6, 1)),
        ("logicalType: number, logicalTypeOptions: {minimum: 0}", "range", ODD, ("fail", 5, 4)),
        ("logicalType: number, logicalTypeOptions: {maximum: 5}", "range", ODD, ("fail", 5, 3)),
        ("logicalType: number, logicalTypeOptions: {exclusiveMinimum: 1}", "range", [1.0, 1.5], ("fail", 2, 1)),
        ("logicalType: integer, logicalTypeOptions: {exclusiveMaximum: 2}", "range", [1, 2, None], ("fail", 2, 1)),
        ("logicalType: integer, logicalTypeOptions: {minimum: 1, maximum: 2}", "range", [0, 1, 2, 3], ("fail", 4, 2)),
        ("logicalType: integer, logicalTypeOptions: {maximum: 9007199254740993}", "range", [2**53 + 1, 2**53 + 2], ("fail", 2, 1)),
        ('logicalType: date, logicalTypeOptions: {minimum: "1997-01-02"}', "range", [date(1997, 1, 1), date(1997, 1, 2)], ("fail", 2, 1)),
        ("logicalType: integer, logicalTypeOptions: {multipleOf: 5}", "multiple", [5, 0, -10, 3], ("fail", 4, 1)),
        ("logicalType: number, logicalTypeOptions: {multipleOf: 0.1}", "multiple", [0.3, 0.35, math.nan], ("fail", 3, 2)),
        ("logicalType: string, logicalTypeOptions: {minLength: 2, maxLength: 3}", "length", ["ä", "äö", "äöü", "äöüß", None], ("fail", 4, 2)),
        ("logicalType: string, logicalTypeOptions: {pattern: '^[A-Z]+$'}", "pattern", ["AB", "Ab", "", None], ("fail", 3, 2)),
        ("logicalType: string, logicalTypeOptions: {pattern: B}", "pattern", ["ABC", "AC"], ("fail", 2, 1)),
        ("logicalType: string, logicalTypeOptions: {format: email}", "format", ["a@b.de", "a@b", "a b@c.de"], ("fail", 3, 2)),
        ("logicalType: string, logicalTypeOptions: {format: ipv4}", "format", ["1.2.3.255", "1.2.3.256", "1.2.3", "1.2.3.4."], ("fail", 4, 3)),
        ("logicalType: string, enum: [{value: US}, {value: DE}]", "enum", ["US", "us", None], ("fail", 2, 1)),
        ("logicalType: integer, unique: true", "unique", [1, 2, 1, 1, None, None], ("fail", 4, 2)),
        ("logicalType: number, unique: true", "unique", [math.nan, math.nan, 1.0], ("fail", 3, 1)),
        ("logicalType: string, unique: true", "unique", ["a", "A", ""], ("pass", 3, 0)),
        ("quality: [{metric: nullValues, mustBe: 0}]", "nullValues", [1, None], ("fail", 2, 1)),
        ("quality: [{metric: nullValues, mustBeLessOrEqualTo: 50, unit: percent}]", "nullValues", [1, None], ("pass", 2, 1)),
        ("quality: [{metric: nullValues, mustBeLessThan: 50, unit: percent}]", "nullValues", [1, None], ("fail", 2, 1)),
        ("quality: [{metric: missingValues, arguments: {missingValues: [null, N/A]}, mustBe: 0}]", "missingValues", ["a", "N/A", None, ""], ("fail", 4, 2)),
        ("quality: [{metric: missingValues, mustBe: 0}]", "missingValues", ["a", "N/A", None, ""], ("fail", 4, 2)),
        ("quality: [{metric: missingValues, arguments: {missingValues: [-1]}, mustBe: 0}]", "missingValues", [1, -1, None], ("fail", 3, 1)),
        ("quality: [{metric: invalidValues, arguments: {validValues: [a, b]}, mustBe: 0}]", "invalidValues", ["a", "c", None], ("fail", 2, 1)),
        ("quality: [{metric: invalidValues, arguments: {validValues: [1, 2]}, mustBe: 0}]", "invalidValues", [1.0, math.nan, 2.0], ("fail", 3, 1)),
        ("quality: [{metric: invalidValues, arguments: {pattern: '^a'}, mustBeLessThan: 2}]", "invalidValues", ["ab", "b"], ("pass", 2, 1)),
        ("quality: [{metric: duplicateValues, mustBeBetween: [1, 2]}]", "duplicateValues", [1, 1, 1], ("pass", 3, 2)),
        ("quality: [{metric: duplicateValues, mustNotBeBetween: [1, 2]}]", "duplicateValues", [1, 1, 1], ("fail", 3, 2)),
        ("quality: [{metric: rowCount, mustBeGreaterThan: 3}]", "rowCount", [1, 2, 3], ("fail", 3, None)),
        ("quality: [{metric: nullValues, mustBe: 0, severity: warning}]", "nullValues", [None, 1], ("warn", 2, 1)),
        ("quality: [{metric: nullValues, mustNotBe: 0, severity: info}]", "nullValues", [1, 1], ("warn", 2, 0)),
    ],
)  # fmt: skip
def test_a_rule_counts_what_it_judged_and_what_was_bad(
    desk: Desk,
    results: Results,
    declared: str,
    rule: str,
    data: list[Any],
    expected: tuple[str, int, int | None],
) -> None:
    state = took(desk, f"{{name: x, {declared}}}", {"x": data, "n": [0] * len(data)})
    assert results(state)[f"x.{rule}"] == expected


FLOATS = st.one_of(
    st.none(), st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 0.0]), st.floats(width=32)
)


@settings(max_examples=25)
@given(st.lists(FLOATS, min_size=1, max_size=20), st.sampled_from(["minimum", "exclusiveMaximum"]))
def test_a_range_agrees_with_arithmetic_and_nan_never_passes(values: list[float | None], bound: str) -> None:
    inside = (lambda v: v >= 0) if bound == "minimum" else (lambda v: v < 0)
    filled = [v for v in values if v is not None]
    bad = sum(not (math.isfinite(v) and inside(v)) for v in filled)
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        options = f"{{name: x, logicalType: number, logicalTypeOptions: {{{bound}: 0}}}}"
        table = {"x": pa.array(values, pa.float64(), from_pandas=False), "n": [0] * len(values)}
        pq.write_table(pa.table(table), desk.root / "orders.parquet")
        contract = desk.agree(options, "\n    quality: [{metric: rowCount, mustBeGreaterThan: 0}]" + KEEP)
        if not filled:
            with pytest.raises(SourceError, match="breaks 1 rule"):
                desk.take(path="orders.parquet", contract=contract)
            return
        state = desk.take(path="orders.parquet", contract=contract)
        found = next(r for r in state.contract.rules if r.kind == "range")
        assert (found.evaluated, found.bad) == (len(filled), bad)
        assert found.state == ("fail" if bad else "pass")


def test_rules_over_several_columns_count_rows_that_repeat_an_earlier_one(
    desk: Desk, results: Results
) -> None:
    rest = """    quality:
      - {name: twice, metric: duplicateValues, arguments: {properties: [a, b]}, mustBe: 0}
"""
    properties = "{name: a, primaryKey: true, primaryKeyPosition: 2}\n{name: b, primaryKey: true, primaryKeyPosition: 1}"
    data = {"a": [1, 1, 1, 2, None], "b": ["x", "x", "y", "x", "x"]}
    state = took(desk, properties, data, rest)
    assert results(state)["primary_key"] == ("fail", 4, 1)
    assert results(state)["twice"] == ("fail", 4, 1)
    assert results(state)["a.required"] == ("fail", 5, 1)
    assert state.snapshot.key == ("b", "a")
    assert next(r for r in state.contract.rules if r.id == "primary_key").samples == ("b=x, a=1",)


@pytest.mark.parametrize(
    ("query", "operator", "expected"),
    [
        ("SELECT count(*) FROM {object} WHERE {property} = 0", "mustBe: 0", ("warn", 3, 1)),
        ("SELECT count(*) FROM ${table} WHERE ${column} > 9", "mustBe: 0", ("pass", 3, 0)),
        ("SELECT avg({property}) FROM {object}", "mustBeBetween: [1, 2]", ("pass", 3, None)),
        ("SELECT max(amount) FROM orders", "mustBeLessThan: 3", ("warn", 3, None)),
        ("SELECT sum(amount) > 1 FROM orders", "mustBe: 1", ("pass", 3, None)),
        ("SELECT NULL", "mustBe: 0", ("error", 3, None)),
        ("SELECT 'many'", "mustBe: 0", ("error", 3, None)),
        ("SELECT 0/0.0", "mustBe: 0", ("error", 3, None)),
        ("SELECT 1, 2", "mustBe: 1", ("error", 0, None)),
        ("SELECT amount FROM orders", "mustBe: 1", ("error", 0, None)),
        ("SELECT nothing FROM orders", "mustBe: 0", ("error", 0, None)),
        ("SELEC", "mustBe: 0", ("error", 0, None)),
        ("SELECT 0; SELECT 0", "mustBe: 0", ("error", 0, None)),
        ("CREATE TABLE x AS SELECT 1", "mustBe: 0", ("error", 0, None)),
        ("SELECT count(*) FROM read_csv('/etc/passwd')", "mustBeGreaterThan: 0", ("error", 0, None)),
        ("SET threads = 1", "mustBe: 0", ("error", 0, None)),
    ],
)
def test_a_query_gives_one_number_and_reaches_nothing_but_the_delivery(
    desk: Desk, results: Results, query: str, operator: str, expected: tuple[str, int, int | None]
) -> None:
    quality = f'quality: [{{name: q, type: sql, query: "{query}", {operator}, severity: warning}}]'
    state = took(desk, f"{{name: amount, logicalType: number, {quality}}}", {"amount": [0.0, 2.0, 3.0]})
    assert results(state)["q"] == expected


def test_a_rule_that_cannot_be_evaluated_refuses_the_delivery(desk: Desk) -> None:
    desk.put("amount\n1\n")
    contract = desk.agree("{name: amount, quality: [{name: q, type: sql, query: 'SELECT nix', mustBe: 0}]}")
    with pytest.raises(SourceError, match="breaks 1 rule") as caught:
        desk.take(contract=contract)
    assert "q: the query cannot be run" in caught.value.detail


@pytest.mark.parametrize(
    "name", ['a"; drop table orders; --', "select", "a b", "naïve 🎈", "it's", "a.b", "{object}", "c0", "row"]
)
def test_a_column_may_be_called_anything(desk: Desk, results: Results, name: str) -> None:
    quoted = "'" + name.replace("'", "''") + "'"
    properties = (
        f"{{name: {quoted}, logicalType: integer, required: true, unique: true, logicalTypeOptions: {{minimum: 2}}, "
        "quality: [{name: q, type: sql, query: 'SELECT count(*) FROM {object} WHERE {property} > 2', mustBe: 0}]}\n"
        "{name: nbdataops_row, logicalType: integer}"
    )
    state = took(desk, properties, {name: [1, 2, 3], "nbdataops_row": [7, 8, 9]}, key=(name,))
    assert results(state)[f"{name}.range"] == ("fail", 3, 1)
    assert results(state)["q"] == ("fail", 3, 1)
    assert next(r for r in state.contract.rules if r.kind == "range").samples == (f"{name}=1",)


def test_samples_are_keys_or_row_numbers_at_most_twenty_and_stay_out_of_records(desk: Desk) -> None:
    properties = "{name: x, logicalType: integer, logicalTypeOptions: {minimum: 100}}"
    state = took(desk, properties, "x\n" + "".join(f"{i}\n" for i in range(60)))
    (found,) = (r for r in state.contract.rules if r.kind == "range")
    assert (found.bad, len(found.samples), found.samples[:2]) == (60, 20, ("row 1", "row 2"))
    assert "samples" not in found.to_dict()
    assert "row 1" not in str(state.to_dict())
    assert RuleResult.from_dict(found.to_dict()).samples == ()


def test_a_declared_column_that_was_not_delivered_is_a_violation_with_the_nearest_name(desk: Desk) -> None:
    desk.put("Amount,id\n1,2\n")
    with pytest.raises(SourceError) as caught:
        desk.take(contract=desk.agree("{name: amount, logicalType: number}\n{name: id}"))
    assert caught.value.exit_code is ExitCode.REFUSED
    assert "amount.column: the column was not delivered; did you mean 'Amount'?" in caught.value.detail


def test_all_reasons_are_told_at_once_with_keys_of_some_bad_rows(desk: Desk) -> None:
    desk.put("id,amount,country\n1,-5,US\n2,x,usa\n2,3,US\n")
    contract = desk.agree(
        "{name: id, logicalType: integer, primaryKey: true}\n"
        "{name: amount, logicalType: number, logicalTypeOptions: {minimum: 0}}\n"
        "{name: country, logicalType: string, enum: [{value: US}]}"
    )
    with pytest.raises(
        SourceError, match="source 'orders' breaks 4 rules of its contract; nothing was ingested"
    ) as caught:
        desk.take(contract=contract)
    assert caught.value.detail.splitlines() == [
        "- amount.type: 1 of 3 rows break it: is a number [id=2]",
        "- amount.range: 1 of 2 rows break it: is >= 0 [id=1]",
        "- country.enum: 1 of 3 rows break it: is one of US [id=2]",
        "- primary_key: 1 of 3 rows break it: no two rows share id [id=2]",
    ]
    assert caught.value.where is not None
    assert caught.value.where.file == "orders.csv"
    assert desk.files() == set()


SLA = "\nslaProperties: [{property: freshness, value: %s, unit: %s, element: orders.at%s}]\n"


@pytest.mark.parametrize(
    ("value", "unit", "today", "state"),
    [
        (2, "d", date(1997, 1, 12), "pass"),
        (2, "d", date(1997, 1, 13), "warn"),
        (1, "weeks", date(1997, 1, 17), "pass"),
        (36, "h", date(1997, 1, 12), "pass"),
        (36, "h", date(1997, 1, 13), "warn"),
    ],
)
def test_freshness_is_judged_by_the_newest_date(
    desk: Desk, results: Results, value: int, unit: str, today: date, state: str
) -> None:
    desk.put("at\n1997-01-10\n1997-01-02\n\n")
    contract = desk.agree("{name: at, logicalType: date}", SLA % (value, unit, ""))
    assert results(desk.take(contract=contract, today=today))["at.freshness"] == (state, 2, None)


def test_a_delivery_that_did_not_change_can_become_stale(desk: Desk, results: Results) -> None:
    desk.put("at\n1997-01-10\n")
    severity = ", customProperties: [{property: severity, value: error}]"
    contract = desk.agree("{name: at, logicalType: date}", SLA % (2, "d", severity))
    first = desk.take(contract=contract, today=date(1997, 1, 10))
    again = desk.take(contract=contract, previous=first, today=date(1997, 1, 12))
    assert again == first
    with pytest.raises(SourceError, match="breaks 1 rule") as caught:
        desk.take(contract=contract, previous=first, today=date(1997, 1, 20))
    assert "the newest is of 1997-01-10, 10 days ago" in caught.value.detail


def test_a_rule_without_anything_to_judge_is_an_error_never_a_pass(desk: Desk, results: Results) -> None:
    desk.put("id,x\n1,\n2,\n")
    bounded = "{name: x, logicalType: number, logicalTypeOptions: {minimum: 0}%s}"
    with pytest.raises(SourceError, match="breaks 1 rule") as caught:
        desk.take(contract=desk.agree(bounded % ""))
    assert "x.range: there was nothing to judge" in caught.value.detail
    soft = desk.agree(
        "{name: x, quality: [{metric: invalidValues, severity: warning, mustBe: 0, arguments: {pattern: a}}]}"
    )
    assert results(desk.take(contract=soft))["x.invalidValues"] == ("error", 0, None)


@pytest.mark.parametrize("operator", ["mustBeGreaterOrEqualTo: 0", "mustBe: 0"])
def test_a_delivery_without_rows_is_taken_only_if_the_contract_says_so(
    desk: Desk, results: Results, operator: str
) -> None:
    desk.put("id,at\n")
    column = "{name: id, logicalType: integer, required: true}\n{name: at, logicalType: date}"
    for contract in (None, desk.agree(column)):
        with pytest.raises(SourceError, match="without rows"):
            desk.take(contract=contract, event_time="at")
    allowed = desk.agree(column, f"    quality: [{{metric: rowCount, {operator}}}]\n")
    state = desk.take(contract=allowed, event_time="at")
    assert (state.snapshot.rows, state.first, state.complete_to) == (0, None, None)
    assert state.snapshot.schema == (("id", "int64"), ("at", "date32[day]"))
    assert results(state)["id.required"] == ("error", 0, None)
    with pytest.raises(SourceError, match="without rows"):
        desk.take(contract=desk.agree(column, "    quality: [{metric: rowCount, mustBeGreaterThan: 0}]\n"))


@pytest.mark.parametrize(
    ("operator", "values", "holds", "fails"),
    [
        ("mustBe", (2,), [2], [1, 3]),
        ("mustNotBe", (2,), [1], [2]),
        ("mustBeGreaterThan", (2,), [3], [2]),
        ("mustBeGreaterOrEqualTo", (2,), [2], [1.9]),
        ("mustBeLessThan", (2,), [1], [2]),
        ("mustBeLessOrEqualTo", (2,), [2], [2.1]),
        ("mustBeBetween", (2, 4), [2, 3, 4], [1, 5]),
        ("mustNotBeBetween", (2, 4), [1, 5], [2, 3, 4]),
    ],
)
def test_a_threshold_compares_as_its_name_says(
    operator: Any, values: tuple[float, ...], holds: list[float], fails: list[float]
) -> None:
    threshold = Threshold(operator, values)
    assert [threshold.holds(v) for v in holds] == [True] * len(holds)
    assert [threshold.holds(v) for v in fails] == [False] * len(fails)
