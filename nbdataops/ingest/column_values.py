"""What a cell means: text becomes the declared type, or is a cell that does not parse; never a guess, never a crash.

Accepted texts, by logical type (an empty cell is null except for `string`, where a quoted empty cell is a text):

- integer: digits with a sign; 64 bits unless `format` says i8 to u64. `1.0`, `1e3`, ` 1` and `1,000` do not parse.
- number: decimal point, optional exponent; `nan` and `inf` parse (range rules then refuse them). `1,5` does not.
- boolean: true, false, yes, no, t, f, 1, 0 in any case.
- date: `1997-12-31`, or exactly the declared `format` (Java letters, e.g. dd/MM/yyyy).
- timestamp: `1997-12-31 23:59[:59[.123456]]`, also with `T`; with offset or `Z` exactly when `timezone: true`.

Without a declared type, the narrowest type into which every value of the column parses is taken, in the order boolean
(only true and false), integer (only without leading zeros: `007` is a text), number, date, timestamp; else text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

import duckdb
import pyarrow as pa

from nbdataops.errors import SpecError, did_you_mean
from nbdataops.ingest.contract_model import LogicalType, Property


class Kind(Enum):
    """How the values of a column compare and whether they can be NaN."""

    FLOAT = "float"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    TIMESTAMP = "timestamp"
    INSTANT = "instant"
    BOOLEAN = "boolean"
    TEXT = "text"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Reading:
    """How a delivered column becomes a typed one: `sql` over the delivered column; None takes it as it is."""

    sql: str | None
    kind: Kind


_INTEGERS = {
    **{
        f"i{bits}": name for bits, name in ((8, "TINYINT"), (16, "SMALLINT"), (32, "INTEGER"), (64, "BIGINT"))
    },
    **{
        f"u{bits}": name
        for bits, name in ((8, "UTINYINT"), (16, "USMALLINT"), (32, "UINTEGER"), (64, "UBIGINT"))
    },
}
_FLOATS = {"f32": "FLOAT", "f64": "DOUBLE"}
_NUMBER = "[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = _DATE + "[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?"
_OFFSET = "(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
_JAVA = {
    "yyyy": "%Y", "yy": "%y", "MM": "%m", "M": "%-m", "dd": "%d", "d": "%-d", "HH": "%H", "H": "%-H", "mm": "%M",
    "ss": "%S", "SSS": "%g", "SSSSSS": "%f", "MMM": "%b", "MMMM": "%B", "hh": "%I", "a": "%p",
}  # fmt: skip


# A quoted text, a run of one letter, or any other character.
_PIECES = re.compile(r"'[^']*'|([A-Za-z])\1*|[^A-Za-z]")


def kind_of(column: pa.DataType) -> Kind:
    """The kind of a column that is taken as it is."""
    if pa.types.is_dictionary(column):
        return kind_of(column.value_type)
    if pa.types.is_floating(column):
        return Kind.FLOAT
    if pa.types.is_integer(column):
        return Kind.INTEGER
    if pa.types.is_decimal(column):
        return Kind.DECIMAL
    if pa.types.is_date(column):
        return Kind.DATE
    if pa.types.is_timestamp(column):
        return Kind.TIMESTAMP if column.tz is None else Kind.INSTANT
    if pa.types.is_boolean(column):
        return Kind.BOOLEAN
    if _is_text(column):
        return Kind.TEXT
    return Kind.OTHER


def reading(declared: Property, column: pa.DataType, name: str) -> Reading:
    """How a column is read as its declared type; `name` is the delivered column as SQL. SpecError for a bad format."""
    logical = declared.logical_type
    if logical is None:
        return Reading(None, kind_of(column))
    return _from_text(declared, name) if _is_text(column) else _from_typed(declared, column, name)


def infer(connection: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str]) -> dict[str, Reading]:
    """Readings for text columns without a declared type: `{name: column as SQL}`, by one pass over `table`."""
    candidates = {name: _candidates(sql) for name, sql in columns.items()}
    asked = [
        f"count(*) FILTER (WHERE {sql} IS NOT NULL AND {sql} <> '' AND ({reading.sql}) IS NULL)"
        for name, sql in columns.items()
        for reading in candidates[name]
    ]
    filled = [f"count(nullif({sql}, ''))" for sql in columns.values()]
    (row,) = connection.execute(f"SELECT {', '.join([*filled, *asked])} FROM {table}").fetchall()
    values, failures = row[: len(filled)], iter(row[len(filled) :])
    found: dict[str, Reading] = {}
    for (name, readings), value in zip(candidates.items(), values, strict=True):
        counted = [(reading, next(failures)) for reading in readings]
        fitting = [reading for reading, bad in counted if bad == 0]
        found[name] = fitting[0] if fitting and value else Reading(None, Kind.TEXT)
    return found


def _is_text(column: pa.DataType) -> bool:
    if pa.types.is_dictionary(column):
        return _is_text(column.value_type)
    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(check(column) for check in checks)


def _candidates(name: str) -> list[Reading]:
    plain = f"CASE WHEN NOT regexp_matches({name}, '^[+-]?0[0-9]') THEN"
    return [
        Reading(
            f"CASE WHEN regexp_full_match({name}, '(?i)true|false') THEN TRY_CAST({name} AS BOOLEAN) END",
            Kind.BOOLEAN,
        ),
        Reading(f"{plain} {_integer(name, 'BIGINT')} END", Kind.INTEGER),
        Reading(f"{plain} {_number(name, 'DOUBLE')} END", Kind.FLOAT),
        Reading(_matching(name, _DATE, "DATE"), Kind.DATE),
        Reading(_matching(name, _TIME, "TIMESTAMP"), Kind.TIMESTAMP),
        Reading(_matching(name, _TIME + _OFFSET, "TIMESTAMPTZ"), Kind.INSTANT),
    ]


def _matching(name: str, pattern: str, kind: str) -> str:
    return f"CASE WHEN regexp_full_match({name}, '{pattern}') THEN TRY_CAST({name} AS {kind}) END"


def _integer(name: str, kind: str) -> str:
    return _matching(name, "[+-]?[0-9]+", kind)


def _number(name: str, kind: str) -> str:
    # Digits that overflow become infinity, which nobody wrote.
    return (
        f"CASE WHEN regexp_full_match({name}, '{_NUMBER}') AND NOT isinf(TRY_CAST({name} AS {kind})) "
        f"OR regexp_full_match({name}, '(?i)nan|[+-]?inf(inity)?') THEN TRY_CAST({name} AS {kind}) END"
    )


def _from_text(declared: Property, name: str) -> Reading:
    form = declared.options.format
    match declared.logical_type:
        case LogicalType.INTEGER:
            return Reading(_integer(name, _sized(declared, _INTEGERS, "BIGINT")), Kind.INTEGER)
        case LogicalType.NUMBER:
            return Reading(_number(name, _sized(declared, _FLOATS, "DOUBLE")), Kind.FLOAT)
        case LogicalType.BOOLEAN:
            words = "CASE WHEN {0} IN ('true','yes','t','1') THEN true WHEN {0} IN ('false','no','f','0') THEN false END"
            return Reading(words.format(f"lower({name})"), Kind.BOOLEAN)
        case LogicalType.DATE:
            if form:
                return Reading(f"CAST({_formatted(declared, name)} AS DATE)", Kind.DATE)
            return Reading(_matching(name, _DATE, "DATE"), Kind.DATE)
        case LogicalType.TIMESTAMP:
            if declared.options.timezone:
                if form:
                    raise _unusable(declared, "a format cannot be combined with timezone: true")
                return Reading(_matching(name, _TIME + _OFFSET, "TIMESTAMPTZ"), Kind.INSTANT)
            sql = _formatted(declared, name) if form else _matching(name, _TIME, "TIMESTAMP")
            return Reading(sql, Kind.TIMESTAMP)
    return Reading(None, Kind.TEXT)


def _from_typed(declared: Property, column: pa.DataType, name: str) -> Reading:
    """Typed deliveries are kept as they are where they fit; a fitting value of another type is converted."""
    kind = kind_of(column)
    nothing = "CAST(NULL AS {})".format
    match declared.logical_type, kind:
        case LogicalType.INTEGER, Kind.FLOAT | Kind.DECIMAL:
            # Beyond 2**53 a float no longer says which integer was meant.
            return Reading(
                f"CASE WHEN {name} = floor({name}) AND abs({name}) <= 9007199254740992 THEN CAST({name} AS BIGINT) END",
                Kind.INTEGER,
            )
        case LogicalType.DATE, Kind.TIMESTAMP:
            return Reading(
                f"CASE WHEN {name} = date_trunc('day', {name}) THEN CAST({name} AS DATE) END", Kind.DATE
            )
        case LogicalType.TIMESTAMP, Kind.DATE if not declared.options.timezone:
            return Reading(f"CAST({name} AS TIMESTAMP)", Kind.TIMESTAMP)
        case LogicalType.TIMESTAMP, Kind.TIMESTAMP | Kind.INSTANT if declared.options.timezone == (
            kind is Kind.INSTANT
        ):
            return Reading(None, kind)
    fits = {
        LogicalType.INTEGER: ((Kind.INTEGER,), nothing("BIGINT"), Kind.INTEGER),
        LogicalType.NUMBER: ((Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL), nothing("DOUBLE"), Kind.FLOAT),
        LogicalType.DATE: ((Kind.DATE,), nothing("DATE"), Kind.DATE),
        LogicalType.BOOLEAN: ((Kind.BOOLEAN,), nothing("BOOLEAN"), Kind.BOOLEAN),
        LogicalType.STRING: ((Kind.TEXT,), nothing("VARCHAR"), Kind.TEXT),
        LogicalType.TIMESTAMP: ((), nothing("TIMESTAMP"), Kind.TIMESTAMP),
    }
    assert declared.logical_type is not None
    kinds, sql, otherwise = fits[declared.logical_type]
    return Reading(None, kind) if kind in kinds else Reading(sql, otherwise)


def _sized(declared: Property, sizes: dict[str, str], default: str) -> str:
    form = declared.options.format
    if form is None:
        return default
    if form not in sizes:
        raise _unusable(declared, f"format {form!r} cannot be read", did_you_mean(form, sizes))
    return sizes[form]


def _formatted(declared: Property, name: str) -> str:
    """Text in the declared format. What it means must be written exactly so: `1/2/97` is no `dd/MM/yyyy`."""
    form = strptime_format(declared)
    return f"CASE WHEN strftime(try_strptime({name}, '{form}'), '{form}') = {name} THEN try_strptime({name}, '{form}') END"


def strptime_format(declared: Property) -> str:
    """The declared Java format (`dd/MM/yyyy`) in the letters of strptime; SpecError for letters it cannot say."""
    form = declared.options.format or ""
    found = ""
    for match in _PIECES.finditer(form):
        piece = match[0]
        if piece.startswith("'"):
            found += piece.strip("'").replace("%", "%%")
        elif piece[0].isalpha():
            if piece not in _JAVA:
                raise _unusable(
                    declared,
                    f"format {form!r} has {piece!r}, which cannot be read",
                    "use yyyy MM dd HH mm ss",
                )
            found += _JAVA[piece]
        else:
            found += piece.replace("%", "%%")
    return found.replace("'", "''")


def _unusable(declared: Property, what: str, todo: str = "") -> SpecError:
    return SpecError(f"column {declared.name!r}: {what}", where=declared.place, todo=todo)
