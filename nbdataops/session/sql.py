"""`stage.sql`: DuckDB over the tables that were handed over, and nothing else.

The connection cannot see files, networks or Python variables, runs in the metric's time zone, and with one thread:
more of them would let the order of rows, and the last bits of sums, vary from run to run.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdataops.errors import StageError, UsageError, did_you_mean
from nbdataops.session.closed_duckdb import SelectText, connect, parse, quoted, refused
from nbdataops.session.current import Session, report_origin
from nbdataops.session.frames import to_arrow
from nbdataops.session.into import check_into, hand_over
from nbdataops.session.read import record_read

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_SCOPE = ("as_of", "until", "horizon")


def query(session: Session, text: str, frames: Mapping[str, Any], into: str) -> Any:
    """The result of one SELECT over the inputs and `frames`, with `$name` bound to the scope and the parameters.

    UsageError: no single SELECT, an unknown table or parameter, or what DuckDB cannot bind; StageError: a row that it
    cannot compute.
    """
    check_into(into)
    if not isinstance(text, str):
        raise UsageError(
            "stage.sql needs a text", todo='write the query as a literal: stage.sql("select ...")'
        )
    for name in frames:
        if name in session.assignment.inputs:
            raise UsageError(
                f"stage.sql got a frame named {name!r}, which is also a table of the product",
                todo="give the frame another name",
            )
    assignment = session.assignment
    connection = connect(assignment.scope.time_zone, assignment.limits)
    try:
        parsed = parse(connection, text)
        bound = {name: _bound(session, name) for name in sorted(parsed.parameters)}
        for name, frame in frames.items():
            connection.register(name, to_arrow(frame, "stage.sql"))
        for name in _inputs(parsed, assignment.inputs, frames):
            snapshot = assignment.inputs[name]
            from nbdataops.store.snapshots import load

            connection.register(name, load(Path(assignment.store_root), snapshot, None))
            record_read(session, name, snapshot.column_names, "sql")
            report_origin(session, name)
        return hand_over(_execute(connection, text, bound), into)
    finally:
        connection.close()


def columns_of(
    sql: str, schemas: Mapping[str, pa.Schema], parameters: Mapping[str, Any]
) -> dict[str, tuple[str, ...] | None]:
    """Which columns of which tables a query needs, in the order of their schema; None means all, or cannot be told.

    DuckDB is asked to explain the query over tables without rows (over stored rows its statistics hide columns). The
    tables' columns are renamed below a view, so that a name in the plan belongs to one table. What the plan names is
    then held against the query itself: over these columns alone it must bind and give columns of the same names and
    types; where it does not (the optimiser may drop a column that the text mentions), the columns that the text
    mentions are added. Tables that the query does not name are absent; a query that cannot be understood (frames that
    are known only at run time, an error) needs everything.

    >>> import pyarrow as pa
    >>> orders = pa.schema([("id", pa.int64()), ("day", pa.date32()), ("amount", pa.float64()), ("note", pa.string())])
    >>> columns_of("select sum(amount) from orders where day > $start", {"orders": orders}, {"start": "2020-01-01"})
    {'orders': ('day', 'amount')}
    """
    with _planning:
        connection = _planner()
        try:
            parsed = parse(connection, sql)
        except UsageError:
            return dict.fromkeys(schemas)
        by_name = {name.casefold(): name for name in schemas}
        named = [t for t in parsed.tables if t.casefold() in by_name]
        tables = {by_name[t.casefold()]: schemas[by_name[t.casefold()]] for t in named}
        unknown = {t.casefold() for t in parsed.tables} - set(by_name) - parsed.named
        if unknown or not parsed.parameters <= set(parameters):
            return dict.fromkeys(tables)
        bound = {name: parameters[name] for name in parsed.parameters}
        whole = _shape(connection, sql, bound, {t: tuple(s.names) for t, s in tables.items()}, tables)
        if whole is None:
            return dict.fromkeys(tables)
        needed = _planned(connection, sql, bound, tables)
        mentioned = {
            t: tuple(c for c in s.names if c in needed[t] or c.casefold() in sql.casefold())
            for t, s in tables.items()
        }
        for candidate in (needed, mentioned):
            if _shape(connection, sql, bound, candidate, tables) == whole:
                return dict(candidate)
        return dict.fromkeys(tables)


_planning = threading.Lock()


@functools.cache
def _planner() -> duckdb.DuckDBPyConnection:
    """One connection for all questions of a plan (opening one takes longer than a question); used under the lock."""
    return connect("UTC", {})


def _inputs(parsed: SelectText, inputs: Mapping[str, Any], frames: Iterable[str]) -> list[str]:
    """The inputs that a query reads, spelled as the product spells them; names match in any case, as in DuckDB."""
    by_name = {name.casefold(): name for name in inputs}
    given = {name.casefold() for name in frames}
    found: list[str] = []
    for table in parsed.tables:
        name = table.casefold()
        if name in given:
            continue
        if name in by_name:
            found.append(by_name[name])
        elif name not in parsed.named:
            raise UsageError(
                f"stage.sql reads {table!r}, which was not found when the notebook was planned",
                todo=f"{did_you_mean(table, [*inputs, *frames])} "
                f"A frame is passed by name: stage.sql(..., {table}=frame)",
            )
    return list(dict.fromkeys(found))


def _bound(session: Session, name: str) -> Any:
    assignment = session.assignment
    if name in _SCOPE:
        return assignment.scope.value(name)
    if name not in assignment.parameters:
        raise UsageError(
            f"stage.sql cannot bind ${name}: the notebook has no parameter of that name",
            todo=did_you_mean(name, [*assignment.scope.values(), *assignment.parameters]),
        )
    return assignment.parameters[name]


def _execute(connection: duckdb.DuckDBPyConnection, text: str, bound: Mapping[str, Any]) -> pa.Table:
    import duckdb

    try:
        return connection.sql(text, params=dict(bound)).to_arrow_table()
    except (
        duckdb.ParserException,
        duckdb.BinderException,
        duckdb.CatalogException,
        duckdb.PermissionException,
        duckdb.NotImplementedException,
    ) as error:
        raise refused(error) from error
    except duckdb.Error as error:
        raise StageError(f"stage.sql failed: {error}", code="sql") from error


def _planned(
    connection: duckdb.DuckDBPyConnection, sql: str, bound: Mapping[str, Any], tables: Mapping[str, pa.Schema]
) -> dict[str, tuple[str, ...]]:
    """The columns that DuckDB's plan names, by table."""
    import pyarrow as pa

    try:
        for i, (table, schema) in enumerate(tables.items()):
            # The first column is nobody's: a scan that only counts rows reads the first that it finds.
            fields = [
                pa.field(f"t{i}rows", pa.int8()),
                *(pa.field(f"t{i}c{j}", f.type) for j, f in enumerate(schema)),
            ]
            connection.register(f"below {i}", pa.schema(fields).empty_table())
            columns = ", ".join(f"t{i}c{j} as {quoted(f.name)}" for j, f in enumerate(schema))
            view = f"create temp view {quoted(table)} as select {columns} from {quoted(f'below {i}')}"
            connection.execute(view)
        plan = connection.execute(f"EXPLAIN (FORMAT json) {sql}", dict(bound)).fetchall()[0][1]
    finally:
        for i, table in enumerate(tables):
            connection.execute(f"drop view if exists {quoted(table)}")
            connection.unregister(f"below {i}")
    seen = set(re.findall(r"\bt\d+c\d+\b", plan))
    return {
        table: tuple(f.name for j, f in enumerate(schema) if f"t{i}c{j}" in seen)
        for i, (table, schema) in enumerate(tables.items())
    }


def _shape(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    bound: Mapping[str, Any],
    columns: Mapping[str, tuple[str, ...]],
    tables: Mapping[str, pa.Schema],
) -> tuple[list[str], list[str]] | None:
    """Names and types of the result over tables of these columns only; None if the query does not bind there."""
    import duckdb
    import pyarrow as pa

    try:
        for table, schema in tables.items():
            fields = [schema.field(name) for name in columns[table]] or [pa.field("no column", pa.int8())]
            connection.register(table, pa.schema(fields).empty_table())
        result = connection.sql(sql, params=dict(bound))
        return list(result.columns), [str(kind) for kind in result.types]
    except duckdb.Error:
        return None
    finally:
        for table in tables:
            connection.unregister(table)
