"""The version of a column: a hash of its values, and of nothing else.

`canonical` first gives every value one spelling, and that is what is stored, so that a version stands for bytes:

- one type for text, one for bytes, one for dates (see `column_types`); dictionaries and run-ends are decoded;
- every NaN is the same NaN; `-0.0` is `0.0`; a null is neither NaN nor an empty string;
- what lies under a null does not count, nor do chunks, slices and offsets.

`column_version` hashes type, length, nulls and values in order with xxh3-128 (https://xxhash.com). Values are hashed in
row order, so a version says which rows, in which order. It says nothing of the column's name or table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from nbdataops.errors import StoreError
from nbdataops.store.column_types import stored_type

_NAN: dict[pa.DataType, Any] = {
    pa.float16(): np.float16("nan"),
    pa.float32(): np.float32("nan"),
    pa.float64(): np.float64("nan"),
}
_UNIT: dict[pa.DataType, Any] = {pa.float16(): np.uint16, pa.float32(): np.uint32, pa.float64(): np.uint64}


def canonical(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """The same values in the one spelling that is stored. StoreError names a column whose type cannot be held."""
    wanted = stored_type(column.type)
    if wanted is None:
        raise StoreError(
            f"column {name!r} has type {column.type}, which a table cannot hold",
            todo="flatten nested values into columns of their own, or cast it to text, a number, a date or a timestamp",
            code="table",
        )
    chunks = [_canonical_chunk(chunk, wanted, name) for chunk in column.chunks]
    return pa.chunked_array([chunk for chunk in chunks if len(chunk)], type=wanted)


def _canonical_chunk(chunk: pa.Array, wanted: pa.DataType, name: str) -> pa.Array:
    if pa.types.is_run_end_encoded(chunk.type):
        chunk = pc.run_end_decode(chunk)
    if pa.types.is_dictionary(chunk.type):
        chunk = chunk.dictionary_decode()
    if chunk.type != wanted:
        try:
            chunk = chunk.cast(wanted)
        except pa.ArrowException as error:
            raise StoreError(
                f"column {name!r} does not fit {wanted}: {error}",
                code="table",
                todo="cast it before it is written",
            ) from error
    if not pa.types.is_floating(wanted):
        return chunk
    values = _numbers(chunk)
    odd = np.isnan(values) & (values.view(_UNIT[wanted]) != _NAN[wanted].view(_UNIT[wanted]))
    odd |= (values == 0) & np.signbit(values)
    if not odd.any():
        return chunk
    clean = np.where(np.isnan(values), _NAN[wanted], values + values.dtype.type(0))
    mask = None if not chunk.null_count else np.asarray(chunk.is_null())
    return pa.array(clean, type=wanted, mask=mask)


def column_version(column: pa.ChunkedArray) -> str:
    """32 hex digits for a canonical column; equal exactly when type, length, nulls and values in order are equal.

    >>> column_version(pa.chunked_array([[1, 2], [3]])) == column_version(pa.chunked_array([[1], [2, 3]]))
    True
    """
    return _digest(column, xxhash.xxh3_128)


def column_sha256(column: pa.ChunkedArray) -> str:
    """SHA-256 of the same content: what a release pins. It says nothing of the file that holds the column."""
    return _digest(column, hashlib.sha256)


def _digest(column: pa.ChunkedArray, new: Callable[..., Any]) -> str:
    nulls, lengths, values = new(), new(), new()
    missing = column.null_count
    for chunk in column.chunks:
        # Every part is a plain stream of bytes over the whole column, so where a chunk ends cannot be seen.
        if missing:
            nulls.update(_raw(_booleans(chunk.is_null())))
        if pa.types.is_null(chunk.type):
            continue
        if pa.types.is_large_string(chunk.type) or pa.types.is_large_binary(chunk.type):
            offsets, data = _texts(chunk)
            lengths.update(_raw(np.diff(offsets)))
            values.update(data)
        else:
            values.update(_bytes(chunk))
    head = f"{column.type}|{len(column)}|{missing}|".encode()
    whole = new()
    whole.update(head + nulls.digest() + lengths.digest() + values.digest())
    return str(whole.hexdigest())


def _texts(chunk: pa.Array) -> tuple[npt.NDArray[np.int64], memoryview]:
    filled = chunk
    if chunk.null_count:
        filled = chunk.fill_null("" if pa.types.is_large_string(chunk.type) else b"")
    _, offset_buffer, data = filled.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[filled.offset : filled.offset + len(filled) + 1]
    if data is None:
        return offsets, memoryview(b"")
    return offsets, memoryview(data)[int(offsets[0]) : int(offsets[-1])]


def _raw(values: npt.NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(values).data.cast("B") if values.size else memoryview(b"")


def _bytes(chunk: pa.Array) -> memoryview:
    kind = chunk.type
    if pa.types.is_boolean(kind):
        return _raw(_booleans(chunk.fill_null(False) if chunk.null_count else chunk))
    if pa.types.is_floating(kind):
        values = _numbers(chunk)
        return _raw(
            values
            if not chunk.null_count
            else np.where(_booleans(chunk.is_null()), values.dtype.type(0), values)
        )
    # Integers, dates, times, decimals and fixed binary: rows of `width` bytes, zeroed under nulls.
    width = kind.bit_width // 8
    buffer = chunk.buffers()[1]
    rows = np.frombuffer(buffer, dtype=np.uint8)[chunk.offset * width : (chunk.offset + len(chunk)) * width]
    if chunk.null_count:
        rows = np.where(_booleans(chunk.is_null())[:, None], np.uint8(0), rows.reshape(len(chunk), width))
    return _raw(rows)


def _numbers(chunk: pa.Array) -> npt.NDArray[Any]:
    """The raw floats of a chunk; what lies under a null is arbitrary."""
    dtype = {pa.float16(): np.float16, pa.float32(): np.float32, pa.float64(): np.float64}[chunk.type]
    buffer = chunk.buffers()[1]
    if buffer is None:
        return np.zeros(len(chunk), dtype=dtype)
    return np.frombuffer(buffer, dtype=dtype)[chunk.offset : chunk.offset + len(chunk)]


def _booleans(chunk: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(chunk.to_numpy(zero_copy_only=False), dtype=np.bool_)
