"""Hold a delivery against its contract: cells get their types, and one pass of DuckDB counts what breaks a rule.

All rules that judge single rows are counted by one SELECT over the table; uniqueness, queries of the contract and
freshness take one query each. Queries of a contract run in a connection without access to files, network or settings,
over a view with the names of the contract.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nbdataops.errors import SourceError, did_you_mean
from nbdataops.ingest.column_values import Kind, Reading, infer, kind_of, reading
from nbdataops.ingest.contract import SAMPLES, RuleResult, failed, judged, judged_freshness
from nbdataops.ingest.contract_model import OnViolation, SchemaObject, Threshold
from nbdataops.ingest.predicates import Column
from nbdataops.ingest.rules import Rule, compile_rules, key_rule
from nbdataops.session.closed_duckdb import connect, quoted
from nbdataops.store.calendar import as_day, event_days

_PLACEHOLDER = re.compile(r"\$?\{(object|table|schema|property|column)\}")


@dataclass(frozen=True, slots=True)
class Inspected:
    """`typed` has the rows and columns of the delivery in their types; `set_aside` gives, by position of a row, the
    rules for which it goes to quarantine; `inferred` names the columns whose type no contract declared."""

    typed: pa.Table
    rules: tuple[RuleResult, ...]
    set_aside: tuple[tuple[int, str], ...]
    inferred: tuple[str, ...]


def inspect(
    delivered: pa.Table,
    table: SchemaObject | None,
    *,
    key: tuple[str, ...] = (),
    as_text: bool = False,
    time_zone: str = "UTC",
    today: date,
) -> Inspected:
    """Type and judge a delivery. `key` is the product's own; with `as_text` (CSV) undeclared columns are inferred."""
    delivered = _renamed(delivered, table)
    with connect(time_zone, {"sql_threads": os.cpu_count() or 1}) as connection:
        typed, columns, inferred = _typed(connection, delivered, table, as_text)
        for name in key:
            if name not in columns:
                raise SourceError(
                    f"the key names column {name!r}, which was not delivered",
                    todo=did_you_mean(name, columns),
                )
        rules = compile_rules(table, columns) if table else ()
        if key and (table is None or set(table.primary_key) != set(key)):
            rules = (*rules, *key_rule(key, columns))
        identity = key or (table.primary_key if table else ())
        inspector = _Inspector(
            connection, columns, typed, delivered.num_rows, identity, table, time_zone, today
        )
        results = inspector.run(rules)
        return Inspected(typed, results, inspector.set_aside(rules, results), inferred)


def _renamed(delivered: pa.Table, table: SchemaObject | None) -> pa.Table:
    names = {item.source: item.name for item in table.properties} if table else {}
    renamed = [names.get(name, name) for name in delivered.column_names]
    twice = next((name for name in renamed if renamed.count(name) > 1), None)
    if twice is not None:
        raise SourceError(
            f"two delivered columns would be called {twice!r}", todo="look at physicalName in the contract"
        )
    return delivered.rename_columns(renamed)


def _typed(
    connection: duckdb.DuckDBPyConnection, delivered: pa.Table, table: SchemaObject | None, as_text: bool
) -> tuple[pa.Table, dict[str, Column], tuple[str, ...]]:
    """The delivery with every column in its type, registered as `nbdataops_rows`: `row`, delivered `c<i>`, typed `t<i>`."""
    declared = {item.name: item for item in table.properties} if table else {}
    names = {name: f"c{i}" for i, name in enumerate(delivered.column_names)}
    raw = {names[name]: _readable(delivered.column(name)) for name in names}
    _register(
        connection,
        "nbdataops_delivered",
        pa.table({sql: column for sql, column in raw.items() if column is not None}),
    )
    readings: dict[str, Reading] = {}
    guessed = {}
    for name, sql in names.items():
        kind = delivered.schema.field(name).type
        if name in declared and declared[name].logical_type is not None:
            readings[name] = reading(declared[name], kind, sql)
        elif as_text:
            guessed[name] = sql
        else:
            readings[name] = Reading(None, kind_of(kind))
    if guessed:
        readings |= infer(connection, "nbdataops_delivered", guessed)
    made = {name: found.sql for name, found in readings.items() if found.sql is not None}
    values = {name: delivered.column(name) for name in names}
    if made:
        select = ", ".join(f"{sql} AS t{names[name][1:]}" for name, sql in made.items())
        answer = connection.sql(f"SELECT {select} FROM nbdataops_delivered").to_arrow_table()
        values |= {name: _utc(column) for name, column in zip(made, answer.columns, strict=True)}
    seen = {f"t{names[n][1:]}": _readable(values[n]) for n in names} | {names[n]: raw[names[n]] for n in made}
    rows = pa.array(np.arange(delivered.num_rows, dtype=np.int64))
    connection.register(
        "nbdataops_rows", pa.table({"row": rows, **{k: v for k, v in seen.items() if v is not None}})
    )
    columns = {
        name: _column(name, names[name], readings[name], _is_text(delivered.schema.field(name).type))
        for name in names
        if raw[names[name]] is not None
    }
    return pa.table(values), columns, tuple(guessed)


def _register(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    # In a closed connection only what is in the catalogue is found by every way to ask: hence the view.
    connection.register(f"{name}_arrow", table)
    connection.execute(f"CREATE TEMP VIEW {name} AS SELECT * FROM {name}_arrow")


def _column(name: str, sql: str, found: Reading, text: bool) -> Column:
    typed = f"t{sql[1:]}"
    if found.sql is None:
        return Column(name, typed, found.kind, f"{typed} IS NULL", None)
    null = f"({sql} IS NULL OR {sql} = '')" if text else f"({sql} IS NULL)"
    return Column(name, typed, found.kind, null, f"{typed} IS NULL AND NOT {null}")


def _readable(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The column as DuckDB can read it; None where it cannot."""
    kind = column.type
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    if isinstance(kind, pa.BaseExtensionType | pa.Decimal256Type) or pa.types.is_interval(kind):
        return None
    return column


def _is_text(kind: pa.DataType) -> bool:
    return kind_of(kind) is Kind.TEXT


def _utc(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        return column.cast(pa.timestamp(column.type.unit, "UTC"))
    return column


@dataclass(frozen=True, slots=True)
class _Inspector:
    connection: duckdb.DuckDBPyConnection
    columns: dict[str, Column]
    typed: pa.Table
    rows: int
    identity: tuple[str, ...]
    table: SchemaObject | None
    time_zone: str
    today: date

    def run(self, rules: Sequence[Rule]) -> tuple[RuleResult, ...]:
        counted = self._count([rule for rule in rules if rule.bad])
        if any(rule.query for rule in rules):
            self._name_the_table()
        return tuple(self._one(rule, counted) for rule in rules)

    def set_aside(self, rules: Sequence[Rule], results: Sequence[RuleResult]) -> tuple[tuple[int, str], ...]:
        """Rows that broke a rule which quarantines, in order, with the ids of those rules."""
        breaking = [
            rule
            for rule, result in zip(rules, results, strict=True)
            if rule.on_violation is OnViolation.QUARANTINE and result.state in ("fail", "warn") and result.bad
        ]
        conditions = [(rule, self._condition(rule)) for rule in breaking if rule.bad or rule.columns]
        if not conditions:
            return ()
        ids = ", ".join(f"CASE WHEN {sql} THEN {_text(rule.id)} END" for rule, sql in conditions)
        where = " OR ".join(sql for _, sql in conditions)
        return tuple(
            self.connection.execute(
                f"SELECT row, concat_ws('; ', {ids}) FROM nbdataops_rows WHERE {where} ORDER BY row"
            ).fetchall()
        )

    def _count(self, rules: list[Rule]) -> dict[str, tuple[int, int] | str]:
        """Rows judged and bad by rule id, of all rules in one pass; a message for a rule that cannot be evaluated."""
        if not rules:
            return {}
        asked = ", ".join(
            f"count(*) FILTER (WHERE {rule.judged}), "
            f"count(*) FILTER (WHERE {rule.judged} AND coalesce(({rule.bad}), false))"
            for rule in rules
        )
        try:
            (row,) = self.connection.execute(f"SELECT {asked} FROM nbdataops_rows").fetchall()
        except duckdb.Error as error:
            if len(rules) == 1:
                return {rules[0].id: str(error).partition("\n")[0]}
            # One of them cannot be evaluated: find out which, by itself.
            return {key: value for rule in rules for key, value in self._count([rule]).items()}
        return {rule.id: (row[2 * i], row[2 * i + 1]) for i, rule in enumerate(rules)}

    def _one(self, rule: Rule, counted: dict[str, tuple[int, int] | str]) -> RuleResult:
        if rule.kind == "column":
            near = did_you_mean(rule.column, self.columns) if rule.column else ""
            return failed(rule, f"{rule.says}; {near}", state="fail", evaluated=self.rows, bad=self.rows)
        if rule.kind == "rowCount":
            return judged(rule, self.rows, None, float(self.rows))
        if rule.kind == "freshness":
            return self._freshness(rule)
        if rule.query:
            return self._query(rule)
        found = counted[rule.id] if rule.bad else self._duplicates(rule)
        if isinstance(found, str):
            return failed(rule, found)
        evaluated, bad = found
        value = float(bad) if rule.unit == "rows" else 100.0 * bad / evaluated if evaluated else None
        result = judged(rule, evaluated, bad, value)
        if result.state in ("pass", "error") or not bad:
            return result
        return judged(rule, evaluated, bad, value, self._samples(rule))

    def _duplicates(self, rule: Rule) -> tuple[int, int]:
        """Rows with all of the columns filled, and how many of those repeat an earlier one."""
        (row,) = self.connection.execute(
            f"SELECT coalesce(sum(n), 0)::BIGINT, count(*) FROM (SELECT count(*) AS n FROM nbdataops_rows "
            f"WHERE {_filled(rule.columns)} GROUP BY {', '.join(rule.columns)})"
        ).fetchall()
        return row[0], row[0] - row[1]

    def _freshness(self, rule: Rule) -> RuleResult:
        assert rule.column is not None
        column = self.typed.column(rule.column)
        if column.null_count == len(column):
            return judged_freshness(rule, 0, None, self.today)
        newest = pa.chunked_array([pa.array([pc.max(column).as_py()], column.type)])
        day = as_day(int(event_days(newest, rule.column, self.time_zone)[0]))
        return judged_freshness(rule, len(column) - column.null_count, day, self.today)

    def _query(self, rule: Rule) -> RuleResult:
        names = {"property": rule.column, "column": rule.column}
        table = self.table.name if self.table else ""
        query = _PLACEHOLDER.sub(lambda m: quoted(names.get(m[1], table) or ""), rule.query)
        try:
            statements = self.connection.extract_statements(query)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                return failed(rule, "the query should be one SELECT")
            answer = self.connection.execute(statements[0]).fetchmany(2)
        except duckdb.Error as error:
            return failed(rule, f"the query cannot be run: {str(error).partition(chr(10))[0]}")
        if len(answer) != 1 or len(answer[0]) != 1:
            return failed(rule, "the query should give one number")
        value = _number(answer[0][0])
        # "mustBe: 0" of a count of rows says how many are bad; any other number is only a number.
        bad = None
        if value is not None and rule.unit == "rows" and rule.threshold == Threshold("mustBe", (0.0,)):
            bad = int(value) if value.is_integer() and 0 <= value <= self.rows else None
        return judged(rule, self.rows, bad, value)

    def _name_the_table(self) -> None:
        shown = ", ".join(f"{column.sql} AS {quoted(name)}" for name, column in self.columns.items())
        if self.table is not None and shown:
            self.connection.execute(
                f"CREATE TEMP VIEW {quoted(self.table.name)} AS SELECT {shown} FROM nbdataops_rows"
            )

    def _samples(self, rule: Rule) -> tuple[str, ...]:
        """Keys of the first bad rows: `customer_id=17`, or `row 3` where there is no key."""
        parts = [
            f"{_text(n + '=')} || CAST({self.columns[n].sql} AS VARCHAR)"
            for n in self.identity
            if n in self.columns
        ]
        shown = f"concat_ws(', ', {', '.join(parts)})" if parts else "'row ' || CAST(row + 1 AS VARCHAR)"
        rows = self.connection.execute(
            f"SELECT {shown} FROM nbdataops_rows WHERE {self._condition(rule)} ORDER BY row LIMIT {SAMPLES}"
        ).fetchall()
        return tuple(str(row[0]) for row in rows)

    def _condition(self, rule: Rule) -> str:
        if rule.bad:
            return f"({rule.judged} AND coalesce(({rule.bad}), false))"
        return (
            f"row IN (SELECT row FROM (SELECT row, row_number() OVER "
            f"(PARTITION BY {', '.join(rule.columns)} ORDER BY row) AS n FROM nbdataops_rows WHERE {_filled(rule.columns)}) WHERE n > 1)"
        )


def _filled(columns: tuple[str, ...]) -> str:
    return " AND ".join(f"{column} IS NOT NULL" for column in columns)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if number == number and abs(number) != float("inf") else None
