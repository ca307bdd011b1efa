"""A DuckDB connection that sees nothing but what is registered, and the text of one SELECT as its parser sees it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdataops.errors import UsageError

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class SelectText:
    """`tables` are all names after FROM; `named` those (in lower case) that the query itself defines by WITH."""

    tables: tuple[str, ...]
    named: frozenset[str]
    parameters: frozenset[str]


def connect(time_zone: str, limits: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
    """No files, no networks, no Python variables; settings cannot be changed. `limits`: sql_threads (1), memory_mb."""
    import tempfile

    import duckdb

    connection = duckdb.connect(":memory:")
    settings: dict[str, Any] = {
        "threads": int(limits.get("sql_threads", 1)),
        "TimeZone": time_zone,
        "temp_directory": str(Path(tempfile.gettempdir()) / "nbdataops-duckdb"),
        "python_enable_replacements": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if limits.get("memory_mb"):
        settings["memory_limit"] = f"{int(limits['memory_mb'])}MB"
    for name, value in {**settings, "enable_external_access": False, "lock_configuration": True}.items():
        connection.execute(f"SET {name} = {_literal(value)}")
    return connection


def parse(connection: duckdb.DuckDBPyConnection, text: str) -> SelectText:
    """UsageError for anything but a single SELECT whose values have names."""
    import duckdb

    todo = 'stage.sql takes one query: stage.sql("select ... from table where day <= $as_of")'
    try:
        statements = connection.extract_statements(text)
    except duckdb.Error as error:
        raise refused(error) from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise UsageError("stage.sql got something else than a single SELECT", todo=todo)
    parameters = frozenset(statements[0].named_parameters)
    if any(name.isdigit() for name in parameters):
        raise UsageError(
            "stage.sql got a parameter without a name (? or $1)", todo="parameters have names: $as_of"
        )
    # fetchall: a result that is not read to its end blocks the connection
    rows = connection.execute("select json_serialize_sql($text)", {"text": statements[0].query}).fetchall()
    tree = json.loads(rows[0][0])
    if tree.get("error"):
        raise UsageError(
            f"stage.sql cannot tell which tables this reads: {tree.get('error_message', '')}", todo=todo
        )
    tables: dict[str, None] = {}
    named: set[str] = set()
    _collect(tree["statements"], tables, named)
    return SelectText(tuple(tables), frozenset(named), parameters)


def _collect(node: Any, tables: dict[str, None], named: set[str]) -> None:
    """Names after FROM, and names given by WITH, anywhere in a syntax tree."""
    if isinstance(node, list):
        for one in node:
            _collect(one, tables, named)
    elif isinstance(node, dict):
        if node.get("type") == "BASE_TABLE" and not node.get("schema_name") and not node.get("catalog_name"):
            tables[str(node["table_name"])] = None
        if isinstance(node.get("cte_map"), dict):
            named.update(str(entry["key"]).casefold() for entry in node["cte_map"].get("map", ()))
        for one in node.values():
            _collect(one, tables, named)


def refused(error: Exception) -> UsageError:
    """What DuckDB would not take, in its own words."""
    return UsageError(f"stage.sql cannot run this query: {error}", code="sql")


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: Any) -> str:
    if isinstance(value, bool | int):
        return str(value).lower()
    return "'" + str(value).replace("'", "''") + "'"
