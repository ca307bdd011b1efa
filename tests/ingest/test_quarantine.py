"""What is done with bad rows: stop, quarantine, keep, by whose word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nbdataops.errors import SourceError, SpecError
from nbdataops.store.snapshots import load

from .conftest import Desk

DATA = "id,amount,country\n1,5,US\n2,-1,US\n3,x,usa\n4,7,\n4,8,DE\n"
ASIDE = "customProperties: [{property: onViolation, value: quarantine}]"
STOP = "customProperties: [{property: onViolation, value: stop}]"
KEEP = "customProperties: [{property: onViolation, value: keep}]"
AMOUNT = "{name: amount, logicalType: number, logicalTypeOptions: {minimum: 0}%s}"


def test_bad_rows_are_set_aside_as_delivered_with_their_rules_and_the_others_go_on(
    desk: Desk, results: Callable[..., Any]
) -> None:
    desk.put(DATA)
    contract = desk.agree(
        "{name: id, logicalType: integer, unique: true}\n"
        + AMOUNT % ""
        + "\n{name: country, logicalType: string, required: true, enum: [{value: US}, {value: DE}]}",
        ASIDE,
    )
    state = desk.take(contract=contract)
    assert [(row["id"], row["amount"]) for row in desk.rows(state)] == [(1, 5.0)]
    assert state.quarantine is not None
    assert load(desk.root / "store" / "quarantine", state.quarantine).to_pylist() == [
        {"id": "2", "amount": "-1", "country": "US", "nbdataops_row": 2, "nbdataops_rules": "amount.range"},
        {
            "id": "3",
            "amount": "x",
            "country": "usa",
            "nbdataops_row": 3,
            "nbdataops_rules": "amount.type; country.enum",
        },
        {
            "id": "4",
            "amount": "7",
            "country": None,
            "nbdataops_row": 4,
            "nbdataops_rules": "country.required",
        },
        {"id": "4", "amount": "8", "country": "DE", "nbdataops_row": 5, "nbdataops_rules": "id.unique"},
    ]
    assert state.contract is not None
    assert (state.contract.rows, state.contract.quarantined, state.contract.accepted) == (5, 4, True)
    assert results(state)["amount.range"] == ("fail", 4, 1)


@pytest.mark.parametrize(
    ("column", "table", "outcome"),
    [
        ("", "", "stop"),
        (", " + ASIDE, "", "quarantine"),
        (", " + KEEP, "", "keep"),
        ("", ASIDE, "quarantine"),
        (", " + STOP, ASIDE, "stop"),
        (", " + KEEP, ASIDE, "keep"),
    ],
)
def test_the_nearest_word_counts(desk: Desk, column: str, table: str, outcome: str) -> None:
    desk.put("id,amount\n1,5\n2,-1\n")
    contract = desk.agree(AMOUNT % column, f"    {table}\n" if table else "")
    if outcome == "stop":
        with pytest.raises(SourceError, match="breaks 1 rule"):
            desk.take(contract=contract)
        assert desk.files() == set()
    else:
        state = desk.take(contract=contract)
        assert len(desk.rows(state)) == (1 if outcome == "quarantine" else 2)
        assert (state.quarantine is None) == (outcome == "keep")


@pytest.mark.parametrize(
    ("rule", "rows"),
    [
        ("severity: warning", 2),
        ("severity: info", 2),
        ("severity: warning, " + ASIDE, 1),
        ("severity: warning, " + STOP, None),
        ("severity: error", None),
        ("severity: error, " + KEEP, 2),
        ("severity: error, " + ASIDE, 1),
    ],
)
def test_a_rule_of_a_contract_keeps_sets_aside_or_stops(desk: Desk, rule: str, rows: int | None) -> None:
    desk.put("country\nUS\nusa\n")
    quality = f"quality: [{{metric: invalidValues, arguments: {{validValues: [US]}}, mustBe: 0, {rule}}}]"
    contract = desk.agree(f"{{name: country, {quality}}}")
    if rows is None:
        with pytest.raises(SourceError, match="breaks 1 rule"):
            desk.take(contract=contract)
    else:
        assert len(desk.rows(desk.take(contract=contract))) == rows


def test_a_warning_does_not_inherit_quarantine(desk: Desk) -> None:
    desk.put("country\nUS\nusa\n")
    rule = "{metric: invalidValues, arguments: {validValues: [US]}, mustBe: 0, severity: warning}"
    state = desk.take(contract=desk.agree(f"{{name: country, quality: [{rule}]}}", ASIDE))
    assert len(desk.rows(state)) == 2


def test_rows_within_what_a_rule_allows_stay(desk: Desk) -> None:
    desk.put("country\n" + "US\n" * 9 + "usa\n")
    rule = "{metric: invalidValues, arguments: {validValues: [US]}, mustBeLessOrEqualTo: %s, unit: percent}"
    allowed = desk.agree(f"{{name: country, quality: [{rule % 10}]}}", ASIDE)
    assert len(desk.rows(desk.take(contract=allowed))) == 10
    strict = desk.agree(f"{{name: country, quality: [{rule % 9}]}}", ASIDE)
    assert len(desk.rows(desk.take(contract=strict))) == 9


def test_a_delivery_of_bad_rows_only_is_refused(desk: Desk) -> None:
    desk.put("id,amount\n1,-5\n2,-1\n")
    with pytest.raises(SourceError, match=r"every row .* would go to quarantine"):
        desk.take(contract=desk.agree(AMOUNT % (", " + ASIDE)))
    assert desk.files() == set()


def test_one_rule_that_stops_keeps_everything_out(desk: Desk) -> None:
    desk.put(DATA)
    contract = desk.agree(AMOUNT % (", " + ASIDE) + "\n{name: country, required: true}")
    with pytest.raises(SourceError) as caught:
        desk.take(contract=contract)
    assert caught.value.detail.startswith("- country.required")
    assert desk.files() == set()


def test_a_rule_that_names_no_rows_cannot_quarantine(desk: Desk) -> None:
    desk.put("x\n1\n")
    rule = f"{{metric: rowCount, mustBe: 2, {ASIDE}}}"
    with pytest.raises(SpecError, match="cannot quarantine"):
        desk.take(contract=desk.agree("{name: x}", f"    quality: [{rule}]\n"))
    inherited = desk.agree("{name: x}", "    quality: [{metric: rowCount, mustBe: 2}]\n" + ASIDE)
    with pytest.raises(SourceError, match="breaks 1 rule"):
        desk.take(contract=inherited)


def test_delivered_columns_may_have_the_names_of_the_quarantine(desk: Desk) -> None:
    desk.put("nbdataops_rules,amount\nmine,5\nmine,-1\n")
    state = desk.take(contract=desk.agree(AMOUNT % (", " + ASIDE)))
    assert state.quarantine is not None
    assert state.quarantine.column_names == ("nbdataops_rules", "amount", "nbdataops_row", "nbdataops_rules_")
