"""A log that may be larger than memory, in parts that hold whole customers.

DuckDB reads relations and Parquet files; a hash of the customer says which part a row belongs to. Each part is read in
its own pass, so memory is that of one part, and a customer is summarised by the same code as in a small table.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from nbdataops.ltv.columns import LtvInputError, require_columns, require_rows

ROWS_OF_A_PART = 4_000_000


def parts_by_customer(purchases: object, entity: str, date: str, amount: str) -> Iterator[object]:
    """Tables with these columns that together are the log; a frame or Arrow table is one part as it is."""
    relation = _relation(purchases)
    if relation is None:
        yield purchases
        return
    names = [entity, date, amount]
    _require_relation_columns(relation, names)
    types = dict(zip(relation.columns, (str(t) for t in relation.types), strict=True))
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in names}
    # decimals come out as Python objects, which nothing later needs
    money = f"{quoted[amount]}::double as {quoted[amount]}" if "DECIMAL" in types[amount] else quoted[amount]
    projected = relation.project(", ".join([quoted[entity], quoted[date], money]))
    rows = int(relation.aggregate("count(*)").fetchall()[0][0])
    require_rows(pd.RangeIndex(rows), "purchases")
    parts = -(-rows // ROWS_OF_A_PART)
    for part in range(parts):
        # a missing customer has no hash: it belongs to the first part, where it is found out
        mine = f"coalesce(hash({quoted[entity]}) % {parts}, 0) = {part}"
        table = (projected if parts == 1 else projected.filter(mine)).to_arrow_table()
        if table.num_rows:
            yield table


def _relation(purchases: object) -> Any:
    """A DuckDB relation over a relation or files; None for anything else."""
    if isinstance(purchases, str | Path):
        import duckdb

        connection = duckdb.connect()
        try:
            return connection.read_parquet(str(purchases))
        except duckdb.Error as error:
            raise LtvInputError(
                f"purchases cannot be read from {str(purchases)!r}: {str(error).splitlines()[0]}",
                todo="give the path of a Parquet file, or a pattern that matches some",
            ) from error
    if type(purchases).__module__.split(".")[0] in ("duckdb", "_duckdb"):
        if not hasattr(purchases, "aggregate"):
            raise LtvInputError(
                f"purchases is a {type(purchases).__name__}",
                todo="give a relation: connection.table('orders')",
            )
        return purchases
    return None


def _require_relation_columns(relation: Any, names: list[str]) -> None:
    require_columns(pd.DataFrame(columns=list(relation.columns)), names, "purchases")
