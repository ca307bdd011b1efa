"""What a cell means, by declaration and without one."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nbdataops.errors import SourceError, SpecError

from .conftest import Desk

KEEP = "customProperties: [{property: onViolation, value: keep}]"


@pytest.mark.parametrize(
    ("declared", "good", "bad"),
    [
        ("logicalType: integer", {"1": 1, "-007": -7, "+9223372036854775807": 2**63 - 1}, ["1.0", "1e3", " 1", "1,000", "0x1", "9223372036854775808", "nan", "1_0"]),
        ("logicalType: integer, logicalTypeOptions: {format: i8}", {"127": 127}, ["128"]),
        ("logicalType: integer, logicalTypeOptions: {format: u64}", {"18446744073709551615": 2**64 - 1}, ["-1"]),
        ("logicalType: number", {"1.5": 1.5, ".5": 0.5, "5.": 5.0, "-1e3": -1000.0, "inf": math.inf}, ["1,5", "1 000", "1e999", "--1", "abc", "$1"]),
        ("logicalType: boolean", {"true": True, "FALSE": False, "1": True, "no": False}, ["2", "on", "maybe"]),
        ("logicalType: date", {"1997-12-31": date(1997, 12, 31)}, ["1997-02-30", "1997-1-2", "31/12/1997", "1997-12-31 00:00", "19971231"]),
        ("logicalType: date, logicalTypeOptions: {format: dd/MM/yyyy}", {"31/12/1997": date(1997, 12, 31)}, ["12/31/1997", "1/2/1997", "1997-12-31"]),
        ("logicalType: timestamp", {"1997-12-31T23:59": datetime(1997, 12, 31, 23, 59), "1997-12-31 23:59:59.5": datetime(1997, 12, 31, 23, 59, 59, 500000)}, ["1997-12-31", "1997-12-31T23:59:59Z", "1997-12-31 25:00"]),
        ("logicalType: timestamp, logicalTypeOptions: {timezone: true}", {"1997-12-31T23:59:59Z": datetime(1997, 12, 31, 23, 59, 59, tzinfo=UTC), "1997-12-31 23:00:00+02:00": datetime(1997, 12, 31, 21, tzinfo=UTC)}, ["1997-12-31 23:59:59"]),
        ("logicalType: timestamp, logicalTypeOptions: {format: \"yyyy/MM/dd HH'h'mm\"}", {"1997/12/31 23h59": datetime(1997, 12, 31, 23, 59)}, ["1997/12/31 23:59"]),
        ("logicalType: string", {"007": "007", "1.0": "1.0"}, []),
    ],
)  # fmt: skip
def test_a_cell_is_its_declared_type_or_is_counted(
    desk: Desk, results: Callable[..., Any], declared: str, good: dict[str, Any], bad: list[str]
) -> None:
    cells = [*good, *bad, ""]
    desk.put("n|x\n" + "".join(f"{i}|{cell}\n" for i, cell in enumerate(cells)))
    state = desk.take(contract=desk.agree(f"{{name: x, {declared}, {KEEP}}}"))
    assert [row["x"] for row in desk.rows(state)] == [*good.values(), *([None] * len(bad)), None]
    assert results(state)["x.type"] == ("fail" if bad else "pass", len(cells), len(bad))


def test_an_empty_cell_is_null_and_a_quoted_one_is_an_empty_text(
    desk: Desk, results: Callable[..., Any]
) -> None:
    desk.put('n,t,x\n1,,\n2,"",""\n')
    contract = desk.agree("{name: t, logicalType: string}\n{name: x, logicalType: integer}")
    state = desk.take(contract=contract)
    assert [(row["t"], row["x"]) for row in desk.rows(state)] == [(None, None), ("", None)]
    assert results(state)["x.type"] == ("pass", 2, 0)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "", "-2"], "int64"),
        (["007", "8"], "large_string"),
        (["9223372036854775808"], "double"),
        (["1", "2.5"], "double"),
        (["0.5", "-0"], "double"),
        (["1,5"], "large_string"),
        (["true", "False"], "bool"),
        (["1", "true"], "large_string"),
        (["1997-01-01", "1998-12-31"], "date32[day]"),
        (["1997-01-01", "01/02/1997"], "large_string"),
        (["1997-01-01 10:00"], "timestamp[us]"),
        (["1997-01-01T10:00:00Z"], "timestamp[us, tz=UTC]"),
        (["1997-01-01 10:00", "1997-01-01T10:00:00Z"], "large_string"),
        (["", ""], "large_string"),
        (["nan", "1"], "double"),
    ],
)
def test_without_a_contract_the_narrowest_type_that_fits_every_value_is_taken(
    desk: Desk, cells: list[str], kind: str
) -> None:
    desk.put("n|x\n" + "".join(f"a|{cell}\n" for cell in cells))
    state = desk.take()
    assert dict(state.snapshot.schema)["x"] == kind
    assert state.inferred == ("n", "x")


def test_columns_that_the_contract_does_not_name_are_inferred_and_said_so(desk: Desk) -> None:
    desk.put("id,extra\n1,2\n")
    state = desk.take(contract=desk.agree("{name: id, logicalType: string}"))
    assert state.snapshot.schema == (("id", "large_string"), ("extra", "int64"))
    assert state.inferred == ("extra",)


@pytest.mark.parametrize(
    ("declared", "values", "expected", "bad"),
    [
        ("integer", pa.array([1, 2], pa.int32()), [1, 2], 0),
        ("integer", pa.array([1.0, 2.5, None]), [1, None, None], 1),
        ("integer", pa.array([2.0**53 + 2]), [None], 1),
        ("integer", pa.array([math.inf, math.nan, 1.0]), [None, None, 1], 2),
        ("integer", pa.array(["7", "x"]), [7, None], 1),
        ("integer", pa.array([True]), [None], 1),
        ("number", pa.array([1, 2]), [1, 2], 0),
        ("number", pa.array([Decimal("1.50")]), [Decimal("1.50")], 0),
        ("string", pa.array([1]), [None], 1),
        ("string", pa.array(["a", "b"]).dictionary_encode(), ["a", "b"], 0),
        ("date", pa.array([datetime(1997, 1, 1), datetime(1997, 1, 1, 5)]), [date(1997, 1, 1), None], 1),
        ("timestamp", pa.array([date(1997, 1, 1)]), [datetime(1997, 1, 1)], 0),
        ("timestamp", pa.array([datetime(1997, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC")), [None], 1),
        ("boolean", pa.array([True, None]), [True, None], 0),
        ("boolean", pa.array([1]), [None], 1),
    ],
)
def test_typed_values_are_kept_where_they_fit_the_contract(
    desk: Desk, results: Callable[..., Any], declared: str, values: pa.Array, expected: list[Any], bad: int
) -> None:
    table = pa.table({"x": values, "half": pa.array([0.5] * len(values), pa.float16())})
    pq.write_table(table, desk.root / "orders.parquet")
    contract = desk.agree(f"{{name: x, logicalType: {declared}, {KEEP}}}")
    state = desk.take(path="orders.parquet", contract=contract)
    assert [row["x"] for row in desk.rows(state)] == expected
    assert results(state)["x.type"][1:] == (len(values), bad)


def test_a_contract_may_rename_a_delivered_column(desk: Desk) -> None:
    desk.put("CUST_NO\n5\n")
    contract = desk.agree("{name: customer_id, physicalName: CUST_NO, logicalType: integer, required: true}")
    assert desk.rows(desk.take(contract=contract)) == [{"customer_id": 5}]
    desk.put("CUST_NO,customer_id\n5,6\n")
    with pytest.raises(SourceError, match="two delivered columns would be called 'customer_id'"):
        desk.take(contract=contract)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("logicalType: date, logicalTypeOptions: {format: dd.QQ.yyyy}", "'QQ', which cannot be read"),
        ("logicalType: integer, logicalTypeOptions: {format: i128}", "'i128' cannot be read"),
        ("logicalType: string, logicalTypeOptions: {format: hostname}", "'hostname' is not checked"),
        ("logicalType: string, logicalTypeOptions: {pattern: '(?=a)b'}", "cannot be used"),
    ],
)
def test_what_cannot_be_checked_is_a_broken_contract_with_its_line(
    desk: Desk, declared: str, message: str
) -> None:
    desk.put("x\na\n")
    with pytest.raises(SpecError, match=message) as caught:
        desk.take(contract=desk.agree(f"{{name: x, {declared}}}"))
    assert caught.value.where is not None
    assert (caught.value.where.file, caught.value.where.line) == ("orders.odcs.yaml", 10)
