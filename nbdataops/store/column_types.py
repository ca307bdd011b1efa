"""Which Arrow types a snapshot may hold, and how their names are read back.

Writers disagree about how to say the same thing (`string`, `large_string`, a dictionary of strings; `date64`), so a
snapshot keeps one spelling of each: text is `large_string` (what pandas 3 uses, hence no copy on the way there), bytes
are `large_binary`, dates are `date32[day]`. Everything else keeps its own type: an `int32` is not an `int64`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pyarrow as pa

from nbdataops.errors import StoreError

_PLAIN: dict[str, pa.DataType] = {
    str(t): t
    for t in (
        pa.null(),
        pa.bool_(),
        pa.int8(),
        pa.int16(),
        pa.int32(),
        pa.int64(),
        pa.uint8(),
        pa.uint16(),
        pa.uint32(),
        pa.uint64(),
        pa.float16(),
        pa.float32(),
        pa.float64(),
        pa.date32(),
        pa.large_string(),
        pa.large_binary(),
        pa.time32("s"),
        pa.time32("ms"),
        pa.time64("us"),
        pa.time64("ns"),
        *(pa.duration(unit) for unit in ("s", "ms", "us", "ns")),
        *(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")),
    )
}

_MADE: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], pa.DataType]], ...] = (
    (re.compile(r"timestamp\[(s|ms|us|ns), tz=(.+)\]"), lambda m: pa.timestamp(m[1], tz=m[2])),
    (re.compile(r"decimal128\((\d+), (-?\d+)\)"), lambda m: pa.decimal128(int(m[1]), int(m[2]))),
    (re.compile(r"decimal256\((\d+), (-?\d+)\)"), lambda m: pa.decimal256(int(m[1]), int(m[2]))),
    (re.compile(r"fixed_size_binary\[(\d+)\]"), lambda m: pa.binary(int(m[1]))),
)


def stored_type(kind: pa.DataType) -> pa.DataType | None:
    """The type in which a column of this type is kept; None when a snapshot cannot hold it.

    >>> str(stored_type(pa.dictionary(pa.int8(), pa.string())))
    'large_string'
    >>> stored_type(pa.list_(pa.int64())) is None
    True
    """
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return stored_type(kind.value_type)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.large_binary()
    if pa.types.is_date(kind):
        return pa.date32()
    if isinstance(kind, pa.Decimal32Type | pa.Decimal64Type):
        return pa.decimal128(kind.precision, kind.scale)
    if isinstance(kind, pa.BaseExtensionType):
        return None
    try:
        return parse_type(str(kind))
    except StoreError:
        return None


def parse_type(name: str) -> pa.DataType:
    """The type that `str(type)` wrote.

    >>> parse_type("timestamp[us, tz=Europe/Berlin]")
    TimestampType(timestamp[us, tz=Europe/Berlin])
    """
    if name in _PLAIN:
        return _PLAIN[name]
    for pattern, make in _MADE:
        match = pattern.fullmatch(name)
        if match:
            return make(match)
    raise StoreError(
        f"a snapshot names the column type {name!r}, which this version does not know",
        todo="it was written by a newer nbdataops, or the record was edited by hand",
    )
