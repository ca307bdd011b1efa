"""What the version of a column depends on, and what it does not."""

from __future__ import annotations

import math
import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdataops.errors import StoreError
from nbdataops.store.column_types import parse_type, stored_type
from nbdataops.store.versions import canonical, column_version

from .tables import FLOATS, INTEGERS, TEXTS


def version(values: Any, kind: pa.DataType | None = None) -> str:
    column = (
        values
        if isinstance(values, pa.ChunkedArray | pa.Array)
        else pa.array(values, kind, from_pandas=False)
    )
    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    return column_version(canonical(column, "x"))


COLUMNS = st.one_of(
    st.lists(FLOATS, max_size=30).map(lambda v: pa.array(v, pa.float64(), from_pandas=False)),
    st.lists(TEXTS, max_size=30).map(lambda v: pa.array(v, pa.string())),
    st.lists(INTEGERS, max_size=30).map(lambda v: pa.array(v, pa.int64())),
    st.lists(st.one_of(st.none(), st.booleans()), max_size=30).map(lambda v: pa.array(v, pa.bool_())),
    st.lists(st.one_of(st.none(), st.binary(max_size=4)), max_size=30).map(
        lambda v: pa.array(v, pa.binary())
    ),
    st.lists(st.one_of(st.none(), st.decimals(-99, 99, places=2)), max_size=30).map(
        lambda v: pa.array(v, pa.decimal128(10, 2))
    ),
)


@given(COLUMNS, st.lists(st.integers(0, 30), max_size=5), st.integers(0, 9), st.integers(0, 9))
def test_chunks_slices_and_offsets_do_not_count(
    column: pa.Array, cuts: list[int], before: int, after: int
) -> None:
    bounds = sorted({0, len(column), *(c for c in cuts if c < len(column))})
    chunks = [column.slice(a, b - a) for a, b in pairwise(bounds)]
    padded = pa.concat_arrays([pa.nulls(before, column.type), column, pa.nulls(after, column.type)])
    assert version(pa.chunked_array(chunks, column.type)) == version(column)
    assert version(padded.slice(before, len(column))) == version(column)


@given(st.lists(TEXTS, max_size=30))
def test_every_way_to_hold_text_has_the_same_version(values: list[str | None]) -> None:
    kinds = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
    found = {version(pa.array(values, kind)) for kind in kinds}
    assert len(found) == 1


@given(COLUMNS, COLUMNS)
def test_two_columns_have_the_same_version_exactly_when_they_hold_the_same_values(
    a: pa.Array, b: pa.Array
) -> None:
    def spelt(column: pa.Array) -> list[Any]:
        return [
            str(column.type),
            *("NaN!" if v != v else v + 0 if isinstance(v, float) else v for v in column.to_pylist()),
        ]

    assert (version(a) == version(b)) == (repr(spelt(a)) == repr(spelt(b)))


def test_null_nan_and_empty_text_are_three_things() -> None:
    assert (
        len({version([None], pa.float64()), version([math.nan], pa.float64()), version([0.0], pa.float64())})
        == 3
    )
    assert len({version([None], pa.string()), version([""], pa.string()), version(["NaN"], pa.string())}) == 3


@pytest.mark.parametrize(
    ("kind", "code", "bits"),
    [
        (pa.float64(), "Q", 0xFFF8_0000_0000_1234),
        (pa.float32(), "I", 0xFFC0_0001),
        (pa.float16(), "H", 0xFE01),
    ],
)
def test_every_nan_is_the_same_and_minus_zero_is_zero(kind: pa.DataType, code: str, bits: int) -> None:
    dtype = kind.to_pandas_dtype()
    strange = np.frombuffer(struct.pack(f"={code}", bits), dtype=dtype)
    assert np.isnan(strange).all()
    assert version(pa.array(strange, kind)) == version(pa.array(np.array([np.nan], dtype), kind))
    assert version(pa.array(np.array([-0.0], dtype), kind)) == version(pa.array(np.array([0.0], dtype), kind))


def test_what_is_stored_is_canonical_too() -> None:
    column = canonical(pa.chunked_array([pa.array([-0.0, None, 3.0])]), "x")
    assert [math.copysign(1, v) if v is not None else None for v in column.to_pylist()] == [1, None, 1]


def test_what_lies_under_a_null_does_not_count() -> None:
    mask = np.array([False, True])
    assert version(pa.array(np.array([1, 7]), mask=mask)) == version(pa.array(np.array([1, 8]), mask=mask))
    assert version(pa.array(np.array([1.0, 7.0]), mask=mask)) == version(
        pa.array(np.array([1.0, np.nan]), mask=mask)
    )


def test_where_one_text_ends_and_the_next_begins_counts() -> None:
    assert version(["ab", "c"]) != version(["a", "bc"])
    assert version([None, "a"]) != version(["a", None])


def test_the_type_counts_where_values_look_alike() -> None:
    found = {
        version([1, 2], kind)
        for kind in [pa.int64(), pa.int32(), pa.uint64(), pa.float64(), pa.duration("s")]
    }
    assert len(found) == 5
    assert version([date(1997, 1, 1)], pa.date64()) == version([date(1997, 1, 1)], pa.date32())


@pytest.mark.parametrize(
    "column",
    [
        pa.array([None, None], pa.null()),
        pa.array([True, None]),
        pa.array([1, None], pa.uint8()),
        pa.array([1.5, None], pa.float16()),
        pa.array([Decimal("1.50"), None]),
        pa.array([Decimal("1.50"), None], pa.decimal256(60, 2)),
        pa.array([date(1997, 1, 1), None]),
        pa.array([datetime(1997, 1, 1), None], pa.timestamp("ns")),
        pa.array([datetime(1997, 1, 1, tzinfo=UTC), None], pa.timestamp("us", "Europe/Berlin")),
        pa.array([1, None], pa.time64("ns")),
        pa.array([1, None], pa.duration("ms")),
        pa.array([b"ab", None], pa.binary(2)),
        pa.array([b"ab", None], pa.binary_view()),
        pa.array(["a", "a", None]).dictionary_encode(),
        pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"]),
    ],
    ids=lambda column: str(column.type).split("<")[0],
)
def test_every_flat_type_can_be_held_and_its_name_can_be_read_back(column: pa.Array) -> None:
    kept = canonical(pa.chunked_array([column]), "x")
    assert kept.to_pylist() == column.to_pylist()
    assert parse_type(str(kept.type)) == kept.type
    assert len(column_version(kept)) == 32


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.int64()),
        pa.struct([("a", pa.int64())]),
        pa.map_(pa.string(), pa.int64()),
        pa.month_day_nano_interval(),
        pa.dictionary(pa.int8(), pa.list_(pa.int8())),
        pa.uuid(),
    ],
    ids=str,
)
def test_a_type_that_cannot_be_held_is_refused_with_the_name_of_its_column(kind: pa.DataType) -> None:
    assert stored_type(kind) is None
    with pytest.raises(StoreError, match="'basket' has type"):
        canonical(pa.chunked_array([], kind), "basket")


def test_an_unknown_type_name_is_refused() -> None:
    with pytest.raises(StoreError, match="quaternion"):
        parse_type("quaternion")
