from __future__ import annotations

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from nbdataops.errors import OutputError
from nbdataops.session.frames import to_arrow

EXPECTED = pa.table({"a": [1, 2], "b": ["x", "y"]})
FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})


class Capsule:
    """Like a polars frame: nothing but the Arrow protocol."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return EXPECTED.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    "frame",
    [
        FRAME,
        FRAME.set_index("a"),
        FRAME.set_index(["a", "b"]),
        FRAME.set_index(pd.Index([7, 8])),
        FRAME.set_index(pd.Index(["x", "y"], name="b")),
        EXPECTED,
        EXPECTED.to_batches()[0],
        EXPECTED.to_reader(),
        Capsule(),
    ],
    ids=lambda f: type(f).__name__,
)
def test_anything_frame_like_becomes_the_same_table(frame: object) -> None:
    table = to_arrow(frame, "stage.write")

    assert table.to_pydict() == EXPECTED.to_pydict()
    assert table.schema.metadata is None


def test_a_duckdb_relation_is_a_frame() -> None:
    relation = duckdb.connect().sql("select 1 as a, 'x' as b")

    assert to_arrow(relation, "stage.write").to_pydict() == {"a": [1], "b": ["x"]}


def test_only_the_named_index_is_kept_where_one_is_named() -> None:
    frame = FRAME.set_index(["a", "b"]).assign(c=1)

    assert to_arrow(frame, "stage.estimate", index={"a"}).column_names == ["a", "c"]


def test_periods_intervals_and_categories_become_plain_columns() -> None:
    frame = pd.DataFrame(
        {
            "month": pd.period_range("1997-01", periods=2, freq="M"),
            "bin": pd.cut(pd.Series([1, 5]), [0, 2, 9]),
            "kind": pd.Categorical(["x", None]),
            "size": pd.Categorical([1, None]),
            "month_kind": pd.Categorical(pd.PeriodIndex(["1997-01", None], freq="M")),
        }
    )

    assert to_arrow(frame, "stage.write").to_pydict() == {
        "month": ["1997-01", "1997-02"],
        "bin": ["(0, 2]", "(2, 9]"],
        "kind": ["x", None],
        "size": [1, None],
        "month_kind": ["1997-01", None],
    }


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        (pd.concat([FRAME, FRAME], axis=1), "two columns named 'a'"),
        (pa.table([[1], [2]], names=["a", "a"]), "two columns named 'a'"),
        (FRAME.rename(columns={"a": 1}), "a column named 1"),
        (FRAME.assign(a=[1, "x"]), r"column 'a' \(object\) cannot be stored"),
        (FRAME.a, "needs a frame"),
        ({"a": [1]}, "got a dict, and needs a frame"),
        (None, "got a NoneType"),
        (pd.DataFrame({("a", "b"): [1]}), "a column named"),
    ],
)
def test_what_is_no_frame_is_refused_by_the_name_of_the_call(frame: object, what: str) -> None:
    with pytest.raises(OutputError, match=f"stage.write.*{what}"):
        to_arrow(frame, "stage.write")


def test_a_frame_without_columns_is_a_table_without_columns() -> None:
    assert to_arrow(pd.DataFrame(), "stage.write").num_columns == 0
