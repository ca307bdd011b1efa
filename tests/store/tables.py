"""Tables for tests: strategies and small samples."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta

import pyarrow as pa
from hypothesis import strategies as st

START = date(1997, 1, 1)
DAYS = st.integers(0, 150).map(lambda n: START + timedelta(days=n))
FLOATS = st.one_of(st.none(), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1.5, 2.0]))
TEXTS = st.one_of(
    st.none(), st.sampled_from(["", "NaN", "null", "Köln", "a\x00b", "🎈"]), st.text(max_size=3)
)
INTEGERS = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))
ROWS = st.lists(st.tuples(INTEGERS, DAYS, FLOATS, TEXTS), max_size=25)

SCHEMA = pa.schema(
    [("id", pa.int64()), ("day", pa.date32()), ("amount", pa.float64()), ("note", pa.string())]
)


def table(rows: list[tuple[int | None, date, float | None, str | None]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [[], [], [], []]
    return pa.table(
        [pa.array(list(c), f.type, from_pandas=False) for c, f in zip(columns, SCHEMA, strict=True)], SCHEMA
    )


def purchases() -> pa.Table:
    """Six rows over three months."""
    return pa.table(
        {
            "id": [1, 2, 1, 3, 2, 3],
            "at": [datetime(1997, m, d, 12) for m, d in [(1, 5), (1, 20), (2, 1), (2, 14), (2, 28), (3, 31)]],
            "dollars": [9.5, 0.0, 12.25, 3.0, 7.75, 100.0],
            "title": ["a", None, "b", "", "c", "d"],
        }
    )
