"""The tables of a query, by DuckDB's own parser."""

from __future__ import annotations

import ast

import pytest

from nbdataops.product.faults import Spot
from nbdataops.product.sql_text import read_sql

NODE = ast.parse("x").body[0]


@pytest.mark.parametrize(
    ("text", "tables", "values"),
    [
        ("select * from a", {"a"}, set()),
        ("from a", {"a"}, set()),
        ("select * from a, b join c using (k)", {"a", "b", "c"}, set()),
        ("with x as (select * from a) select * from x", {"a"}, set()),
        ("with x as (select * from a), y as (select * from X) select * from Y", {"a"}, set()),
        ("with a as (select * from a) select * from a", {"a"}, set()),
        (
            "with recursive t as (select 1 as n union all select n + 1 from t join e on true) select * from t",
            {"e"},
            set(),
        ),
        ("select * from (with z as (select 1) select * from z), z", {"z"}, set()),
        ("select (select max(d) from a) from b where k in (select k from c)", {"a", "b", "c"}, set()),
        ("select * from a union all select * from b order by (select 1 from c)", {"a", "b", "c"}, set()),
        ('select * from "My table"', {"My table"}, set()),
        ("select * from main.a", {"a"}, set()),
        ("select '$no' -- $no\n, $as_of /* from b */ from a", {"a"}, {"as_of"}),
        (
            "select * from a where d between $as_of and $as_of + interval ($horizon) week",
            {"a"},
            {"as_of", "horizon"},
        ),
        ("select * from range(3), unnest([1, 2])", set(), set()),
        ("select * from a pivot (sum(x) for y in ('p', 'q'))", {"a"}, set()),
        ("select date_trunc('month', date) as month, sum(amount) from a group by all;", {"a"}, set()),
        ("summarize a", {"a"}, set()),
        ("select a.b.c from a", {"a"}, set()),
        ("select 1", set(), set()),
    ],
)
def test_tables_and_values_are_found(text: str, tables: set[str], values: set[str]) -> None:
    found = read_sql(text, Spot("a.ipynb", 1), NODE)

    assert set(found.tables) == tables
    assert set(found.values) == values


@pytest.mark.parametrize(
    "text",
    [
        "select * from read_parquet('x')",
        "from glob('*')",
        "from query('select 1')",
        "from sniff_csv('x')",
        "show tables",
        "copy a to 'x'",
        "attach 'x'",
        "pivot a on b using sum(c)",
        "delete from a",
        "set threads = 1",
        "install x",
    ],
)
def test_whatever_is_no_select_of_tables_is_refused(text: str) -> None:
    with pytest.raises(Exception, match=r"query|SELECT") as caught:
        read_sql(text, Spot("a.ipynb", 3), NODE)

    assert str(caught.value).startswith("a.ipynb, cell 3, line 1: ")


def test_a_mistake_names_the_line_of_the_query() -> None:
    with pytest.raises(Exception, match="cannot be parsed") as caught:
        read_sql("select 'ü',\n  * frm a", Spot("a.ipynb", 3), NODE)

    assert "mend line 2 of the query: '* frm a'" in str(caught.value)
