"""Which columns a query needs: the answer is right when the query cannot tell the difference."""

from __future__ import annotations

from datetime import date

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdataops.session.sql import columns_of

DAY = date(1997, 2, 1)
TABLES = {
    "purchases": pa.table(
        {
            "customer_id": pa.array([1, 1, 2, 3, 3, None], pa.int64()),
            "date": pa.array([date(1997, m, 2) for m in (1, 2, 3, 1, 2, 3)], pa.date32()),
            "amount": [10.0, 20.0, 5.0, 1.0, None, 3.0],
            "note": ["a", None, "b", "b", "a", "c"],
            "T": [1, 2, 3, 4, 5, 6],
        }
    ),
    "rfm": pa.table(
        {
            "customer_id": [1, 2, 3, 4],
            "x": [1, 0, 2, 0],
            "cohort": ["q1", "q1", "q2", None],
            'odd "name': [1, 2, 3, 4],
        }
    ),
}
SCHEMAS = {name: table.schema for name, table in TABLES.items()}
KEYS = {"purchases": ("customer_id", "date"), "rfm": ("customer_id",)}

QUERIES = [
    ("select count(*) as n from purchases", {"purchases": ()}),
    ("select count(*) as n, sum(amount) as s from purchases", {"purchases": ("amount",)}),
    ("select sum(amount) from purchases where note = 'a'", {"purchases": ("amount", "note")}),
    ("select count(*) from purchases where note is null", {"purchases": ("note",)}),
    ("select sum(amount) from purchases where date > $start", {"purchases": ("date", "amount")}),
    (
        "select p.amount, r.x from purchases p join rfm r using (customer_id)",
        {"purchases": ("customer_id", "amount"), "rfm": ("customer_id", "x")},
    ),
    (
        "with a as (select * from purchases where note = 'a') select amount from a",
        {"purchases": ("amount", "note")},
    ),
    ("select * from rfm", {"rfm": ("customer_id", "x", "cohort", 'odd "name')}),
    ('select * exclude (x, "odd ""name") from rfm', None),
    (
        "select amount, row_number() over (partition by customer_id order by date) as k from purchases",
        {"purchases": ("customer_id", "date", "amount")},
    ),
    (
        "select x from rfm where customer_id in (select customer_id from purchases where amount > 3)",
        {"purchases": ("customer_id", "amount"), "rfm": ("customer_id", "x")},
    ),
    (
        "select date_trunc('month', date) as month, sum(amount) as s from purchases group by 1",
        {"purchases": ("date", "amount")},
    ),
    ("select T from purchases where t > 3", {"purchases": ("T",)}),
    ('select "odd ""name" from rfm', {"rfm": ('odd "name',)}),
    ("select x from rfm where cohort = $name", {"rfm": ("x", "cohort")}),
    ("select sum(x) from rfm where not $flag or cohort = 'q1'", None),
    ("select sum(x) from rfm where $flag or cohort = 'q1'", None),
    ("select amount from purchases where 1 = 0 and note = 'a'", None),
    (
        "select x from rfm r where exists (select note from purchases p where p.customer_id = r.customer_id)",
        None,
    ),
    ("select r from rfm r", None),
    ("select sum(amount) from purchases natural join rfm", None),
    ("select columns('c.*') from rfm", None),
    ("select x from rfm order by cohort limit 2", None),
    ("select x from rfm union all select customer_id from purchases", None),
    ("select a.x, b.x as y from rfm a, rfm b where a.customer_id = b.customer_id + 1", None),
    ("from rfm select x", None),
    (
        "select x, (select max(amount) from purchases p where p.customer_id = r.customer_id) as m from rfm r",
        None,
    ),
    ("select x from rfm qualify row_number() over (partition by cohort order by x, customer_id) = 1", None),
    (
        "select * from (select customer_id, amount from purchases) pivot (sum(amount) for customer_id in (1, 2))",
        None,
    ),
    ("select distinct on (cohort) cohort, x from rfm order by cohort, x", None),
    ("select case when $flag then x else length(cohort) end as z from rfm", None),
    ("select x from rfm left join (select distinct customer_id from purchases) using (customer_id)", None),
    ("select count(note) from purchases", {"purchases": ("note",)}),
    ("select $flag as f", {}),
]
PARAMETERS = {"start": DAY, "name": "q1", "flag": True, "unused": 3}


CONNECTION = duckdb.connect()


def result(query: str, tables: dict[str, pa.Table]) -> tuple[list[str], list[str]]:
    for name, table in tables.items():
        CONNECTION.register(name, table)
    try:
        used = CONNECTION.extract_statements(query)[0].named_parameters
        relation = CONNECTION.sql(query, params={name: PARAMETERS[name] for name in used})
        return list(relation.columns), sorted(map(repr, relation.fetchall()))
    finally:
        for name in tables:
            CONNECTION.unregister(name)


def projected(query: str, also: dict[str, tuple[str, ...]]) -> dict[str, pa.Table]:
    needed = columns_of(query, SCHEMAS, PARAMETERS)
    tables = {}
    for name, columns in needed.items():
        table = TABLES[name]
        kept = table.column_names if columns is None else [*columns, *also[name]]
        tables[name] = table.select([c for c in table.column_names if c in kept])
    return tables


@pytest.mark.parametrize("query", [query for query, _ in QUERIES])
def test_a_query_gives_the_same_over_its_columns_as_over_all(query: str) -> None:
    assert result(query, projected(query, KEYS)) == result(query, TABLES)


@pytest.mark.parametrize(("query", "needed"), [(q, needed) for q, needed in QUERIES if needed is not None])
def test_no_more_columns_are_needed_than_the_query_uses(
    query: str, needed: dict[str, tuple[str, ...]]
) -> None:
    assert columns_of(query, SCHEMAS, PARAMETERS) == needed


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_columns_that_another_call_of_the_notebook_reads_change_nothing(data: st.DataObject) -> None:
    query = data.draw(st.sampled_from([query for query, _ in QUERIES]))
    also = {
        name: (*KEYS[name], *data.draw(st.lists(st.sampled_from(table.column_names), unique=True)))
        for name, table in TABLES.items()
    }

    assert result(query, projected(query, also)) == result(query, TABLES)


expressions = st.sampled_from(
    [
        "amount",
        "note",
        "T",
        "x",
        "cohort",
        "amount * x",
        "coalesce(note, cohort)",
        "date_trunc('month', date)",
        "count(*)",
    ]
)
predicates = st.sampled_from(
    [
        "true",
        "amount > 2",
        "note like 'b%'",
        "x = 0 and cohort = $name",
        "date > $start",
        "1 = 0",
        "T in (1, 2)",
    ]
)
joins = st.sampled_from(
    ["join rfm using (customer_id)", "left join rfm using (customer_id)", "natural join rfm"]
)


@given(st.lists(expressions, min_size=1, max_size=4), predicates, joins)
@settings(max_examples=30, deadline=None)
def test_composed_queries_cannot_tell_the_difference(chosen: list[str], predicate: str, join: str) -> None:
    names = [f"{e} as c{i}" for i, e in enumerate(chosen)]
    groups = " group by all" if any("count" in e for e in chosen) else ""
    query = f"select {', '.join(names)} from purchases {join} where {predicate}{groups}"

    assert result(query, projected(query, KEYS)) == result(query, TABLES)


@pytest.mark.parametrize(
    "query",
    [
        "select x from rfm join promo using (customer_id)",
        "select nothing from rfm",
        "select x from rfm where cohort = $nobody",
    ],
)
def test_a_query_that_cannot_be_understood_needs_everything(query: str) -> None:
    assert columns_of(query, SCHEMAS, PARAMETERS) == {"rfm": None}


@pytest.mark.parametrize("query", ["select x form rfm", "drop table rfm", "", "select 1; select 2"])
def test_a_text_that_is_no_query_needs_everything(query: str) -> None:
    assert columns_of(query, SCHEMAS, PARAMETERS) == {"purchases": None, "rfm": None}


def test_a_table_of_a_type_that_duckdb_cannot_take_is_needed_whole() -> None:
    odd = pa.schema([("id", pa.int64()), ("wide", pa.decimal256(60, 2))])

    assert columns_of("select id from odd", {"odd": odd}, {}) in ({"odd": None}, {"odd": ("id",)})
    assert columns_of("select x from rfm", SCHEMAS, PARAMETERS) == {"rfm": ("x",)}


def test_nothing_is_read_from_files_while_planning(tmp_path: object) -> None:
    assert columns_of("select x from rfm, read_csv('/etc/passwd')", SCHEMAS, {}) == {"rfm": None}
