"""The tables and the bound names of a query, by DuckDB's own parser; nothing is bound to data or executed."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nbdataops.product.faults import Spot

_TABLE_FUNCTIONS = frozenset(
    {"range", "generate_series", "unnest", "json_each", "json_tree", "repeat", "repeat_row"}
)


@dataclass(frozen=True, slots=True)
class SqlText:
    """`tables`: names of tables that are no common table expressions, in order of appearance; `values`: the `$names`."""

    tables: tuple[str, ...]
    values: tuple[str, ...]


def read_sql(text: str, spot: Spot, node: ast.AST) -> SqlText:
    """Parse one SELECT of DuckDB's dialect. NotebookError for anything else, or for a reader of outside files."""
    import duckdb  # 0.1 s: only for notebooks with queries

    with duckdb.connect(":memory:") as connection:
        ((answer,),) = connection.execute("select json_serialize_sql(?)", [text]).fetchall()
    parsed: dict[str, Any] = json.loads(answer)
    if parsed.get("error"):
        message = str(parsed.get("error_message", ""))
        if parsed.get("error_type") == "not implemented":
            raise spot.error(
                "stage.sql takes one SELECT",
                "write a select; a pivot names its values: from t pivot (sum(x) for y in ('a', 'b'))",
                node=node,
                detail=message,
            )
        raise spot.error(
            f"the query cannot be parsed: {message}", _around(text, parsed.get("position")), node=node
        )
    statements = parsed.get("statements", [])
    if len(statements) != 1:
        raise spot.error(
            f"stage.sql takes one SELECT, not {len(statements)}", "write one call for each", node=node
        )
    tables: dict[str, None] = {}
    values: dict[str, None] = {}
    for kind, name in _walk(statements[0], frozenset()):
        if kind == "value":
            values[name] = None
        elif kind == "table":
            tables[name] = None
        elif kind == "schema":
            raise spot.error(
                f"the query reads {name}, but tables of a product have no schema",
                "name the table alone",
                node=node,
            )
        elif kind == "volatile":
            raise spot.error(
                f"the query calls {name}(), which gives another answer every time",
                "use $as_of for dates; draw random numbers in Python from a seed that is a parameter",
                node=node,
            )
        elif name not in _TABLE_FUNCTIONS:
            raise spot.error(
                f"the query calls {name}(), which reads outside of the product's tables",
                "declare the file as a source in dataproduct.yaml and name that",
                node=node,
            )
    positional = [v for v in values if v.isdigit()]
    if positional:
        raise spot.error(
            "the query has a value without a name", "bind values by name, such as $as_of", node=node
        )
    return SqlText(tuple(tables), tuple(values))


def _around(text: str, position: Any) -> str:
    try:
        start = int(position)
    except (TypeError, ValueError):
        return "mend the query"
    line = text.encode()[:start].decode(errors="ignore").count("\n") + 1
    return (
        f"mend line {line} of the query: {text.splitlines()[line - 1].strip()[:100]!r}"
        if text.strip()
        else "write a query"
    )


VOLATILE = frozenset({
    "random", "setseed", "uuid", "gen_random_uuid", "uuidv4", "uuidv7", "now", "today", "current_date", "current_time",
    "current_timestamp", "get_current_timestamp", "get_current_time", "transaction_timestamp", "localtime",
    "localtimestamp", "current_localtime", "current_localtimestamp", "nextval", "getenv",
})  # fmt: skip
"""Functions whose answer is another one every time: a result must follow from what was handed over."""


def _walk(node: Any, known: frozenset[str]) -> Iterator[tuple[str, str]]:
    """(kind, name) of tables, schemas, table functions and bound values; `known` are visible common table expressions."""
    if isinstance(node, list):
        for item in node:
            yield from _walk(item, known)
        return
    if not isinstance(node, dict):
        return
    expressions = node.get("cte_map")
    if isinstance(expressions, dict):
        for entry in expressions.get("map", []):
            name = str(entry["key"]).lower()
            recursive = _is_recursive(entry["value"])
            yield from _walk(entry["value"], known | {name} if recursive else known)
            known = known | {name}
        node = {k: v for k, v in node.items() if k != "cte_map"}
    kind = node.get("type")
    if kind == "BASE_TABLE":
        name, schema = str(node.get("table_name", "")), str(node.get("schema_name") or "")
        catalog = str(node.get("catalog_name") or "")
        if catalog or schema not in ("", "main"):
            yield "schema", ".".join(p for p in (catalog, schema, name) if p)
        elif name.lower() not in known:
            yield "table", name
    elif kind == "TABLE_FUNCTION":
        function = node.get("function")
        yield "function", str(function.get("function_name", "")) if isinstance(function, dict) else ""
    elif str(node.get("function_name", "")).lower() in VOLATILE:
        yield "volatile", str(node["function_name"])
    elif kind == "VALUE_PARAMETER":
        yield "value", str(node.get("identifier", ""))
    elif kind == "SHOW_REF" and str(node.get("table_name") or ""):
        yield "function", "show"
    for value in node.values():
        yield from _walk(value, known)


def _is_recursive(expression: Any) -> bool:
    inner = expression.get("query_node") or (expression.get("query") or {}).get("node") or {}
    return isinstance(inner, dict) and inner.get("type") == "RECURSIVE_CTE_NODE"
