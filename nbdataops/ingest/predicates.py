"""Conditions on the values of a column, as SQL. Values of a contract become literals, never anything else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

import duckdb

from nbdataops.errors import Place, SpecError
from nbdataops.ingest.column_values import Kind
from nbdataops.ingest.contract_model import Scalar


@dataclass(frozen=True, slots=True)
class Column:
    """A typed column: `sql` its values, `null` where nothing was delivered, `unparsed` where a cell has no meaning."""

    name: str
    sql: str
    kind: Kind
    null: str
    unparsed: str | None


def literal(value: Scalar) -> str:
    """A value as SQL.

    >>> literal("it's"), literal(date(1997, 1, 1)), literal(0.5)
    ("'it''s'", "DATE '1997-01-01'", '0.5')
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return (
            f"CAST('{value!r}' AS DOUBLE)"
            if value != value or value in (float("inf"), float("-inf"))
            else repr(value)
        )
    if isinstance(value, datetime):
        kind = "TIMESTAMP" if value.tzinfo is None else "TIMESTAMPTZ"
        return f"CAST('{value.isoformat(sep=' ')}' AS {kind})"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    return "'" + value.replace("'", "''") + "'"


def or_not_finite(bad: str, column: Column) -> str:
    """A condition for bad values, under which NaN and infinity are bad too."""
    if column.kind is not Kind.FLOAT:
        return bad
    return f"isnan({column.sql}) OR isinf({column.sql}) OR {bad}"


def not_matching(value: str, pattern: str, place: Place) -> str:
    """Values in which the pattern is not found (unanchored, RE2). SpecError when it is no such pattern."""
    why = _refused_pattern(pattern)
    if why:
        raise SpecError(
            f"the pattern {pattern!r} cannot be used: {why}",
            where=place,
            todo="patterns are regular expressions of RE2: no look-ahead, look-behind or back references",
        )
    return f"NOT regexp_matches({value}, {literal(pattern)})"


@lru_cache(maxsize=256)
def _refused_pattern(pattern: str) -> str:
    with duckdb.connect() as connection:
        try:
            connection.execute(f"SELECT regexp_matches('', {literal(pattern)})")
        except duckdb.Error as error:
            return str(error).partition("\n")[0]
    return ""


def among(column: Column, values: tuple[Scalar, ...]) -> str:
    """Values that are one of these; a null among them is not meant here."""
    wanted = [v for v in values if v is not None]
    if not wanted:
        return "false"
    # As text, so that a value which does not fit the column's type is simply not met.
    numeric = column.kind in (Kind.FLOAT, Kind.INTEGER, Kind.DECIMAL)
    if numeric and all(isinstance(v, int | float) and not isinstance(v, bool) for v in wanted):
        return f"{column.sql} IN ({', '.join(literal(v) for v in wanted)})"
    return f"CAST({column.sql} AS VARCHAR) IN ({', '.join(literal(_as_text(v)) for v in wanted)})"


def not_among(column: Column, values: tuple[Scalar, ...]) -> str:
    """Values that are none of these: NaN too."""
    return f"NOT ({among(column, values)})"


def _as_text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
