"""An Arrow table as what the analyst asked for: pandas, arrow, polars, duckdb."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbdataops.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

KINDS = ("pandas", "arrow", "polars", "duckdb")


def check_into(into: str) -> None:
    """UsageError for an unknown kind, before anything is read."""
    if into not in KINDS:
        raise UsageError(f"into={into!r} is not known", todo=did_you_mean(str(into), KINDS))


def hand_over(table: pa.Table, into: str) -> Any:
    """The table as a pandas frame, as it is, as a polars frame, or as a relation of a connection of its own."""
    if into == "arrow":
        return table
    if into == "polars":
        try:
            import polars
        except ImportError as error:
            raise UsageError(
                "into='polars' needs polars, which is not installed", todo="pip install 'nbdataops[polars]'"
            ) from error
        return polars.from_arrow(table)
    if into == "duckdb":
        import duckdb

        return duckdb.connect(":memory:").from_arrow(table)
    return to_pandas(table)


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """A frame that owns its memory.

    Dates are `datetime64[us]` at midnight, so that arithmetic and comparison work; decimals (and the wide integers
    that DuckDB gives for a sum of integers) are int64 when they are whole and fit, else float64; a missing value is
    what pandas makes of it.
    """
    import pyarrow as pa

    columns = [_friendly(column) for column in table.columns]
    plain = pa.table(columns, names=table.column_names) if columns else table
    frame: pd.DataFrame = plain.to_pandas()
    # A column that Arrow could hand over without a copy is read-only; who asked for a frame may write to it.
    return frame.copy()


def _friendly(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("us"))
    if pa.types.is_decimal(kind):
        if kind.scale == 0:
            try:
                return column.cast(pa.int64())
            except pa.ArrowInvalid:
                pass
        return column.cast(pa.float64())
    return column
