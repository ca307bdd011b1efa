"""Anything frame-like becomes an Arrow table: pandas, polars, Arrow, a DuckDB relation."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from nbdataops.errors import OutputError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def to_arrow(frame: Any, call: str, index: Collection[str] | None = None) -> pa.Table:
    """The columns of a frame, without metadata. `call` names the stage call in errors, e.g. `stage.write`.

    A pandas index is kept only as columns that have a name: all named levels, or only those in `index`. Periods and
    intervals become text. OutputError: it is no frame, a column's name is no text or is there twice, or a column
    mixes types.
    """
    import pandas as pd
    import pyarrow as pa

    if isinstance(frame, pd.DataFrame):
        return _from_pandas(frame, call, index)
    if isinstance(frame, pa.RecordBatch):
        table = pa.Table.from_batches([frame])
    elif isinstance(frame, pa.Table):
        table = frame
    elif isinstance(frame, pd.Series):
        raise OutputError(
            f"{call} got a Series, and needs a frame",
            todo="give the column a name: series.rename('value').reset_index()",
        )
    elif hasattr(frame, "to_arrow_table"):  # a DuckDB relation
        table = frame.to_arrow_table()
    elif hasattr(frame, "collect") and hasattr(frame, "lazy"):  # a polars LazyFrame
        table = pa.table(frame.collect())
    elif hasattr(
        frame, "__arrow_c_stream__"
    ):  # polars.DataFrame, RecordBatchReader, and whoever speaks the protocol
        table = pa.table(frame)
    else:
        raise OutputError(
            f"{call} got {_a(type(frame).__name__)}, and needs a frame",
            todo="frames are: pandas.DataFrame, pyarrow.Table, polars.DataFrame, a DuckDB relation",
        )
    _refuse_twice(table.column_names, call)
    return _plain(table)


def declared_unit(frame: Any) -> str | None:
    """The unit that a pandas frame or its `value` column claims by `attrs["unit"]`; None if it claims none."""
    claims = [getattr(frame, "attrs", None)]
    if "value" in getattr(frame, "columns", ()):
        claims.append(getattr(frame["value"], "attrs", None))
    for claim in claims:
        if isinstance(claim, dict) and claim.get("unit") is not None:
            return str(claim["unit"])
    return None


def _from_pandas(frame: pd.DataFrame, call: str, index: Collection[str] | None) -> pa.Table:
    import pyarrow as pa

    names = list(frame.columns)
    odd = next((name for name in names if not isinstance(name, str)), None)
    if odd is not None:
        raise OutputError(
            f"{call} got a frame with a column named {odd!r}",
            todo="names are text; flatten a MultiIndex and rename numbered columns",
        )
    _refuse_twice(names, call)
    levels = [
        name
        for name in frame.index.names
        if isinstance(name, str) and name not in names and (index is None or name in index)
    ]
    columns: dict[str, Any] = {name: frame.index.get_level_values(name).to_series() for name in levels}
    columns |= {name: frame[name] for name in names}
    arrays = []
    for name, column in columns.items():
        try:
            arrays.append(_array(column))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise OutputError(
                f"{call}: column {name!r} ({column.dtype}) cannot be stored: {str(error).splitlines()[0]}",
                todo=f"give it one type, e.g. frame.astype({{{name!r}: 'string'}})",
            ) from error
    return _plain(pa.table(arrays, names=list(columns))) if columns else pa.table({})


def _array(column: pd.Series[Any]) -> pa.Array:
    """Periods and intervals as text, categories as what they are categories of."""
    import pandas as pd
    import pyarrow as pa

    kind = column.dtype
    odd = pd.PeriodDtype | pd.IntervalDtype
    if isinstance(kind, odd) or (
        isinstance(kind, pd.CategoricalDtype) and isinstance(kind.categories.dtype, odd)
    ):
        column = column.map(str, na_action="ignore")
    made = pa.array(column, from_pandas=True)
    return made.dictionary_decode() if isinstance(made, pa.DictionaryArray) else made


def _plain(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    fields = [pa.field(field.name, field.type) for field in table.schema]
    return pa.table(table.columns, schema=pa.schema(fields)) if fields else table


def _refuse_twice(names: Iterable[str], call: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise OutputError(
                f"{call} got a frame with two columns named {name!r}", todo="rename or drop one of them"
            )
        seen.add(name)


def _a(noun: str) -> str:
    return f"an {noun}" if noun[:1].lower() in "aeiou" else f"a {noun}"
