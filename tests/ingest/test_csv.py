"""CSV files: what is read, and where a person should look when it cannot be."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdataops.errors import SourceError
from nbdataops.ingest.csv_text import _check_encoding, read_csv
from nbdataops.ingest.delivery import DeliveredFile


def read(path: Path, data: str | bytes) -> pa.Table:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_csv(DeliveredFile(path.name, path, path.stat().st_size, 0, 0))


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        ("a,b\n1,x\n2,y\n", [("1", "x"), ("2", "y")]),
        ("a,b\r\n1,x\r\n2,y", [("1", "x"), ("2", "y")]),
        ("a,b\n\n1,x\n\n2,y\n\n", [("1", "x"), ("2", "y")]),
        ("\ufeffa,b\n1,x\n", [("1", "x")]),
        ("a;b\n1,5;x\n", [("1,5", "x")]),
        ("a\tb\n1\tx\n", [("1", "x")]),
        ('"a","b"\n"1","x,\ny ""z"""\n', [("1", 'x,\ny "z"')]),
        ('a,b\n,""\n', [(None, "")]),
        ("a,b\n 007 ,NULL\n", [(" 007 ", "NULL")]),
        ("a,b\n1,ß🎈\n", [("1", "ß🎈")]),
        ("a,b\n", []),
        ("a,b", []),
        ("a,b\n1,x,\n", [("1", "x")]),
    ],
)
def test_cells_are_read_as_they_are_written(
    tmp_path: Path, data: str, rows: list[tuple[str | None, ...]]
) -> None:
    for packed in (False, True):
        raw = data.encode()
        table = read(tmp_path / "x.csv", gzip.compress(raw, mtime=0) if packed else raw)
        assert table.column_names == ["a", "b"]
        assert [tuple(row.values()) for row in table.to_pylist()] == rows


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        ("a,b\n1,x\n2\n", 3, "1 value in this row, the header has 2"),
        ("a,b\n1,x\n2,y,z\n", 3, "3 values in this row"),
        ('a,b\n1,"x\ny"\n2\n', 4, "1 value in this row"),
        ('a,b\n1,"x"y\n', 2, "quoting"),
        ('a,b\n1,x\n2,"y\n3,z\n', 3, "quoting"),
        ("a,b\n1,x\r\n2,y\n", 2, "line ending"),
        ("a,b\n1,M\xfcller\n".encode("latin-1"), 2, "not UTF-8: byte 0xFC"),
        ("a,b\n1,x\n".encode("utf-16"), 1, "UTF-16"),
        ("a,b\n1,x\n".encode("utf-16-le"), 1, "NUL byte"),
        ("a,b\n1,ü".encode()[:-1], 2, "ends within a character"),
        ("\na,b\n1,x\n", 1, "first line is blank"),
        ("a,a\n1,x\n", 1, "'a' twice"),
        ("Id,ID\n1,x\n", 1, "'ID' and 'Id'"),
        ("caf\u00e9,cafe\u0301\n1,x\n", 1, "look the same"),
        ("a,\n1,x\n", 1, "no name for column 2"),
        ("a, b\n1,x\n", 1, "' b', which begins or ends with a blank"),
    ],
)
def test_a_bad_file_is_named_with_the_line_to_look_at(
    tmp_path: Path, data: str | bytes, line: int, message: str
) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        read(tmp_path / "orders.csv", data)
    assert caught.value.where is not None
    assert (caught.value.where.file, caught.value.where.line) == ("orders.csv", line)
    assert caught.value.todo


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SourceError, match="is empty"):
        read(tmp_path / "x.csv", data)


def test_a_broken_archive_is_said_to_be_damaged(tmp_path: Path) -> None:
    whole = gzip.compress(b"a,b\n" + b"".join(b"%d,x\n" % i for i in range(5000)))
    for data in (whole[:-30], whole[:60] + b"\x00\xff" * 20 + whole[100:]):
        with pytest.raises(SourceError, match="damaged"):
            read(tmp_path / "x.csv.gz", data)


def test_a_fault_deep_in_a_long_file_is_found(tmp_path: Path) -> None:
    lines = [f"{i},{'x' * 40}" for i in range(60_000)]
    lines[54_321] = "54321"
    with pytest.raises(SourceError) as caught:
        read(tmp_path / "x.csv", "a,b\n" + "\n".join(lines))
    assert caught.value.where is not None
    assert caught.value.where.line == 54_323


def test_rows_of_a_long_file_keep_their_order(tmp_path: Path) -> None:
    table = read(tmp_path / "x.csv", "a,b\n" + "\n".join(f"{i},{'x' * 30}" for i in range(200_000)))
    assert table["a"].to_pylist() == [str(i) for i in range(200_000)]


def test_a_name_with_wildcards_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "ab.csv").write_text("a,b\n9,z\n")
    for name in ("a*.csv", "a?.csv", "[ab].csv", "{ab}.csv", "it's.csv", "$path.csv"):
        assert read(tmp_path / name, "a,b\n1,x\n").to_pylist() == [{"a": "1", "b": "x"}]


@settings(max_examples=50)
@given(st.text(max_size=40), st.integers(1, 9))
def test_a_character_may_lie_across_blocks(text: str, size: int) -> None:
    import tempfile
    from unittest.mock import patch

    text = "a" + text.replace("\x00", "")
    with tempfile.TemporaryDirectory() as folder, patch("nbdataops.ingest.csv_text._BLOCK", size):
        path = Path(folder) / "x.csv"
        path.write_bytes(text.encode())
        file = DeliveredFile("x.csv", path, 0, 0, 0)
        _check_encoding(file)
        path.write_bytes(text.encode() + b"\n\xe9\n")
        with pytest.raises(SourceError) as caught:
            _check_encoding(file)
        assert caught.value.where is not None
        assert caught.value.where.line == text.count("\n") + 2
