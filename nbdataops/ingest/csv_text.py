"""Read a CSV file strictly, as text: every cell a string or a null, every fault with its line number.

The dialect is RFC 4180: UTF-8 (a byte order mark is fine), a header, `"` quotes, one kind of line ending; the separator
is `,` `;` tab or `|`, whichever the header has. An empty cell is a null, a quoted empty cell (`""`) is an empty text.
One separator too many at the end of a line is let pass, since no value is lost. DuckDB parses; where it refuses, the
file is walked again to say which line a person should look at.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import unicodedata
import zlib
from pathlib import Path
from typing import IO, Any, cast

import duckdb
import pyarrow as pa

from nbdataops.errors import Place, SourceError
from nbdataops.ingest.delivery import DeliveredFile, unreadable

SEPARATORS = ",;\t|"
_BLOCK = 1 << 22
_BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x00\x00\xfe\xff": "UTF-32"}
_MAX_CELL = 1 << 24


def read_csv(file: DeliveredFile) -> pa.Table:
    """All columns as text, rows in the order of the file. SourceError names file and line of whatever is wrong."""
    try:
        _check_encoding(file)
        header, separator = _header(file)
        return _parsed(file, header, separator)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(
            "is damaged: its compression ends too early or is broken",
            where=Place(file=file.name),
            todo="deliver it again; `gzip -t` tells whether a file is whole",
            detail=str(error),
        ) from error
    except OSError as error:
        raise unreadable(file, error) from error


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as probe:
        packed = probe.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path)) if packed else path.open("rb")


def _check_encoding(file: DeliveredFile) -> None:
    line, tail, empty = 1, b"", True
    with _open(file.path) as handle:
        while block := handle.read(_BLOCK):
            if line == 1 and not tail and empty:
                bom = next((name for mark, name in _BOMS.items() if block.startswith(mark)), None)
                if bom:
                    raise _encoding(file, 1, f"is {bom}, not UTF-8")
            data = tail + block
            nul = data.find(b"\x00")
            if nul >= 0:
                raise _encoding(
                    file, line + data[:nul].count(b"\n"), "holds a NUL byte: it is binary or UTF-16"
                )
            # A block may end within a character, which is completed by the next block.
            end = _whole_characters(data)
            try:
                data[:end].decode("utf-8")
            except UnicodeDecodeError as error:
                at = line + data[: error.start].count(b"\n")
                raise _encoding(
                    file, at, f"is not UTF-8: byte 0x{data[error.start]:02X} cannot stand there"
                ) from error
            empty = empty and not data.removeprefix(b"\xef\xbb\xbf").strip()
            line += data[:end].count(b"\n")
            tail = data[end:]
    if tail:
        raise _encoding(file, line, "is not UTF-8: it ends within a character")
    if empty:
        raise SourceError("is empty: not even a header", where=Place(file=file.name), todo="deliver it again")


def _whole_characters(data: bytes) -> int:
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            return len(data)
        if byte >= 0xC0:
            wanted = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if wanted > back else len(data)
    return len(data)


def _encoding(file: DeliveredFile, line: int, what: str) -> SourceError:
    return SourceError(
        what,
        where=Place(file=file.name, line=line),
        todo="save it as UTF-8, for example: iconv -f ISO-8859-1 -t UTF-8 (or -f UTF-16)",
        code="encoding",
    )


def _text(path: Path) -> IO[str]:
    return io.TextIOWrapper(_open(path), encoding="utf-8-sig", newline="")


def _header(file: DeliveredFile) -> tuple[list[str], str]:
    with _text(file.path) as handle:
        first = next(iter(handle), "")
    if not first.strip():
        raise _bad_header(file, "is missing: the first line is blank")
    outside = "".join(part for i, part in enumerate(first.split('"')) if i % 2 == 0)
    separator = max(SEPARATORS, key=outside.count)
    with _text(file.path) as handle:
        try:
            names: list[str] = next((row for row in _rows(handle, separator) if row), [])
        except csv.Error as error:
            raise _bad_header(file, f"cannot be read: {error}") from error
    folded: dict[str, str] = {}
    for position, name in enumerate(names, 1):
        if not name.strip():
            raise _bad_header(file, f"has no name for column {position}")
        if name != name.strip():
            raise _bad_header(file, f"has the name {name!r}, which begins or ends with a blank")
        same = unicodedata.normalize("NFC", name).casefold()
        if same in folded:
            how = (
                "twice"
                if folded[same] == name
                else f"and {folded[same]!r}, which look the same (case, accents)"
            )
            raise _bad_header(file, f"has the column {name!r} {how}")
        folded[same] = name
    return names, separator


def _bad_header(file: DeliveredFile, what: str) -> SourceError:
    return SourceError(
        f"the header {what}",
        where=Place(file=file.name, line=1),
        todo="every column needs one name of its own; names are compared without case",
        code="header",
    )


def _rows(handle: IO[str], separator: str) -> Any:
    csv.field_size_limit(_MAX_CELL)
    return csv.reader(handle, delimiter=separator, strict=True)


def _parsed(file: DeliveredFile, header: list[str], separator: str) -> pa.Table:
    positions = [f"c{i}" for i in range(len(header))]
    columns = ", ".join(f"'{p}': 'VARCHAR'" for p in positions)
    query = f"""
        SELECT * FROM read_csv($path, auto_detect=false, header=true, delim=$separator, quote='"', escape='"',
            strict_mode=true, null_padding=false, allow_quoted_nulls=false, nullstr='', max_line_size={_MAX_CELL},
            compression=$compression, columns={{{columns}}})
    """
    with file.path.open("rb") as probe:
        packed = probe.read(2) == b"\x1f\x8b"
    # A name with * or ? would be taken as a glob.
    path = "".join(f"[{c}]" if c in "*?[" else c for c in str(file.path))
    given = {"path": path, "separator": separator, "compression": "gzip" if packed else "none"}
    try:
        with duckdb.connect() as connection:
            table = connection.sql(query, params=given).to_arrow_table()
    except duckdb.Error as error:
        raise _refused(file, len(header), separator, str(error)) from error
    return table.rename_columns(header)


def _refused(file: DeliveredFile, width: int, separator: str, said: str) -> SourceError:
    line, what = _first_fault(file, width, separator)
    return SourceError(
        what,
        where=Place(file=file.name, line=line),
        todo="mend this line, or deliver the file again" if line else "",
        detail="" if line else said.split("\nPossible fixes")[0],
        code="csv",
    )


def _first_fault(file: DeliveredFile, width: int, separator: str) -> tuple[int | None, str]:
    """The line a person should look at, found by walking over the rows one by one."""
    with _text(file.path) as handle:
        rows = _rows(handle, separator)
        begun = 1
        try:
            for row in rows:
                if row and len(row) != width and not (len(row) == width + 1 and row[-1] == ""):
                    return (
                        begun,
                        f"has {len(row)} value{'' if len(row) == 1 else 's'} in this row, the header has {width}",
                    )
                begun = rows.line_num + 1
        except csv.Error as error:
            return begun, f"breaks the rules of quoting in this row: {error}"
    with _text(file.path) as handle:
        endings = ("\r\n" if line.endswith("\r\n") else line[-1:] for line in handle)
        first = next(endings, "")
        for number, ending in zip(itertools.count(2), endings, strict=False):
            if ending != first and ending in ("\n", "\r", "\r\n"):
                return number, "changes from one kind of line ending to another in this line"
    return None, "cannot be read as CSV"
