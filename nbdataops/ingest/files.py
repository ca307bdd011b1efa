"""Read the files of a source into one Arrow table: CSV as text, Parquet with its types, rows in order of file names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from nbdataops.errors import Place, SourceError, did_you_mean
from nbdataops.ingest.csv_text import read_csv
from nbdataops.ingest.delivery import DeliveredFile, Format, unreadable


def read_source(files: Sequence[DeliveredFile], kind: Format) -> pa.Table:
    """One table of all files, which must have the same columns; their order may differ.

    Columns of CSV files are text. SourceError names the file, and for CSV the line, of what cannot be read.
    """
    read: Callable[[DeliveredFile], pa.Table] = read_csv if kind == "csv" else read_parquet
    tables: list[pa.Table] = []
    for file in files:
        table = read(file)
        tables.append(_like(table, tables[0], file, files[0]) if tables else table)
    return pa.concat_tables(tables)


def read_parquet(file: DeliveredFile) -> pa.Table:
    """A Parquet file without its pandas metadata. SourceError when it is none, or names its columns ambiguously."""
    try:
        # By a handle, so that pyarrow does not read meaning (`year=2024/`) into the path.
        with file.path.open("rb") as handle:
            table = pq.read_table(handle, use_pandas_metadata=False)
    except pa.ArrowException as error:
        empty = file.size == 0
        raise SourceError(
            "is empty" if empty else "cannot be read as Parquet",
            where=Place(file=file.name),
            todo="deliver it again, or declare its format",
            detail="" if empty else str(error),
        ) from error
    except OSError as error:
        raise unreadable(file, error) from error
    folded: dict[str, str] = {}
    for name in table.column_names:
        same = name.casefold()
        if same in folded or not name:
            raise SourceError(
                f"has the columns {folded[same]!r} and {name!r}"
                if same in folded
                else "has a column without name",
                where=Place(file=file.name),
                todo="every column needs one name of its own; names are compared without case",
                code="header",
            )
        folded[same] = name
    return table.replace_schema_metadata(None)


def _like(table: pa.Table, first: pa.Table, file: DeliveredFile, first_file: DeliveredFile) -> pa.Table:
    ours, theirs = set(table.column_names), set(first.column_names)
    if ours != theirs:
        lacking, more = sorted(theirs - ours), sorted(ours - theirs)
        said = [f"lacks {', '.join(map(repr, lacking))}"] if lacking else []
        said += [f"also has {', '.join(map(repr, more))}"] if more else []
        raise SourceError(
            f"does not have the columns of {first_file.name}: it {' and '.join(said)}",
            where=Place(file=file.name),
            todo=did_you_mean(more[0], theirs)
            if more and lacking
            else "all files of a source have the same columns",
            code="schema",
        )
    table = table.select(first.column_names)
    for field, other in zip(table.schema, first.schema, strict=True):
        if field.type != other.type:
            raise SourceError(
                f"column {field.name!r} is {field.type} here, and {other.type} in {first_file.name}",
                where=Place(file=file.name),
                todo="all files of a source have the same types",
                code="schema",
            )
    return table
