"""docs/contracts.md is a contract: every part of ODCS that is read, every kind of rule, and what they make of odd values."""

from __future__ import annotations

import ast
import inspect
import math
import re
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from nbdataops.errors import ExitCode, SourceError
from nbdataops.ingest import inspection, odcs, rules
from nbdataops.ingest.contract import State
from nbdataops.ingest.contract_model import LogicalType, OnViolation, Options, Severity
from nbdataops.ingest.odcs import load_contract
from nbdataops.ingest.odcs_keys import METRICS, OPERATORS
from nbdataops.ingest.source import SourceState, ingest
from nbdataops.product.spec import SourceSpec
from nbdataops.store.locations import Store
from nbdataops.store.snapshots import SnapshotStore

TEXT = (Path(__file__).parent.parent / "docs" / "contracts.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.M | re.S))
TODAY = date(1998, 6, 4)


def rows(head: str) -> dict[str, list[str]]:
    """The rows of the table that begins with a line, by their first cell without backticks."""
    body = re.search(rf"^{re.escape(head)}\n\|[-|]+\|\n((?:\|.*\n)+)", TEXT, re.M)[1]  # type: ignore[index]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines()]
    return {first.strip("`"): rest for first, *rest in cells}


def kinds_of_the_compiler() -> set[str]:
    """Kinds that `compile_rules` gives by name, read from its code, and the metrics that it takes from a contract."""
    found = {*METRICS, "sql"}
    for node in ast.walk(ast.parse(inspect.getsource(rules))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", "")
        given = {"add": 0, "_structural": 1, "Rule": 1}
        if name in given and len(node.args) > given[name]:
            found |= {n.value for n in [node.args[given[name]]] if isinstance(n, ast.Constant)}
        found |= {
            k.value.value for k in node.keywords if k.arg == "kind" and isinstance(k.value, ast.Constant)
        }
    return found


def test_the_documented_rules_are_those_of_the_compiler() -> None:
    assert {"type", "unique", "freshness", "rowCount"} <= kinds_of_the_compiler()
    assert set(rows("| kind | from | what it refuses |")) == kinds_of_the_compiler()


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("operators", set(OPERATORS)),
        ("`logicalType`", set(LogicalType)),
        ("`logicalTypeOptions`", {option for options in odcs._OPTIONS.values() for option in options}),
    ],
)
def test_a_part_of_the_standard_is_named_in_full(part: str, words: set[str]) -> None:
    (documented,) = rows("| part | read |")[part.strip("`")]

    assert set(re.findall(r"`(\w+)`", documented)) == words


def test_every_option_is_documented_once_for_each_that_is_kept() -> None:
    assert len({option for options in odcs._OPTIONS.values() for option in options}) == len(
        Options.__dataclass_fields__
    )


def test_formats_severities_reactions_and_states_are_named() -> None:
    formats = set(re.findall(r"`(\w+)`", rows("| kind | from | what it refuses |")["format"][0])) - {"format"}
    reactions = {
        first.split("`")[0].strip("`")
        for first in rows("| onViolation | rows that break the rule | the delivery |")
    }

    assert formats == {*rules._FORMATS, *rules._DESCRIPTIVE}
    assert reactions == set(OnViolation)
    assert all(f"`{severity}`" in TEXT for severity in Severity)
    assert set(rows("| state | means |")) == set(State.__args__)  # type: ignore[attr-defined]


DECLARED = {
    "type": "logicalType: number",
    "required": "required: true",
    "range": "logicalType: number, logicalTypeOptions: {minimum: 0}",
    "multiple": "logicalType: number, logicalTypeOptions: {multipleOf: 1}",
    "enum": "logicalType: number, enum: [{value: 1}]",
    "unique": "unique: true",
    "nullValues": "quality: [{metric: nullValues, mustBe: 0}]",
    "missingValues": "quality: [{metric: missingValues, mustBe: 0}]",
    "invalidValues": "quality: [{metric: invalidValues, arguments: {validValues: [1]}, mustBe: 0}]",
    "duplicateValues": "quality: [{metric: duplicateValues, mustBe: 0}]",
}
ODD = rows("| rule | null | NaN | infinity |")


def test_every_rule_over_numbers_says_what_it_makes_of_odd_values() -> None:
    assert set(ODD) == set(DECLARED)


@pytest.mark.parametrize("rule", DECLARED)
def test_an_odd_value_is_judged_as_the_table_says(tmp_path: Path, rule: str) -> None:
    head = BLOCKS["yaml"].partition("schema:")[0]
    path = tmp_path / "odd.odcs.yaml"
    path.write_text(f"{head}schema:\n  - name: odd\n    properties:\n      - {{name: x, {DECLARED[rule]}}}\n")
    table = load_contract(path).objects[0]
    found = []
    for odd in (None, math.nan, math.inf):
        delivered = pa.table({"x": pa.array([1.0, odd, odd], pa.float64(), from_pandas=False)})
        inspected = inspection.inspect(delivered, table, today=TODAY)
        (result,) = [r for r in inspected.rules if r.kind == rule]
        found.append(
            "not judged" if result.evaluated == 1 else {0: "fine", 1: "a value", 2: "bad"}[result.bad or 0]
        )

    assert found == ODD[rule]


def deliver(folder: Path, text: str) -> SourceState:
    (folder / "orders.odcs.yaml").write_text(BLOCKS["yaml"])
    (folder / "orders.csv").write_text(text)
    source = SourceSpec(path="orders.csv", contract="orders.odcs.yaml", event_time="date")
    source._name, source._root = "orders", folder
    store = Store(folder / "store")
    return ingest(source, SnapshotStore(store.root), store, today=TODAY)


def test_the_delivery_of_the_page_is_refused_with_these_words(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as error:
        deliver(tmp_path, BLOCKS["csv"])

    assert str(error.value) == BLOCKS["text"].strip()
    assert error.value.exit_code == ExitCode.REFUSED == 3


def test_without_its_last_row_it_goes_on_and_the_negative_amount_is_set_aside(tmp_path: Path) -> None:
    state = deliver(tmp_path, "".join(BLOCKS["csv"].splitlines(keepends=True)[:-1]))

    assert state.snapshot.rows == 1
    assert state.quarantine is not None
    assert set(state.quarantine.column_names) >= {"amount", "nbdataops_row", "nbdataops_rules"}
    assert any((tmp_path / "store" / "quarantine").rglob("*.arrow"))
