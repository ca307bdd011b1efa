"""Which files make a source, and that they fit together."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nbdataops.errors import ExitCode, SourceError, SpecError
from nbdataops.ingest.delivery import searched

from .conftest import Desk


def test_a_missing_file_is_a_usage_error_that_names_the_nearest_one(desk: Desk) -> None:
    desk.put("a\n1\n", "data/orders.csv")
    with pytest.raises(SpecError, match=r"no file 'data/order\.csv'") as caught:
        desk.take(path="data/order.csv")
    assert caught.value.exit_code is ExitCode.USAGE
    assert "did you mean 'orders.csv'?" in caught.value.todo


@pytest.mark.parametrize(
    ("path", "message"),
    [("nowhere/a.csv", "no file"), ("data", "holds no csv or parquet"), ("data/*.csv", "no file matches")],
)
def test_a_place_without_files_is_a_usage_error(desk: Desk, path: str, message: str) -> None:
    desk.put("x", "data/readme.txt")
    with pytest.raises(SpecError, match=message):
        desk.take(path=path)


def test_an_unknown_suffix_needs_a_declared_format(desk: Desk) -> None:
    desk.put("a\n1\n", "orders.txt")
    with pytest.raises(SpecError, match="format of source 'orders' cannot be told"):
        desk.take(path="orders.txt")
    assert desk.rows(desk.take(path="orders.txt", format="csv")) == [{"a": 1}]


def test_a_folder_with_two_formats_needs_a_declared_one(desk: Desk) -> None:
    desk.put("a\n1\n", "data/x.csv")
    pq.write_table(pa.table({"a": [2]}), desk.root / "data" / "x.parquet")
    with pytest.raises(SpecError, match="cannot be told"):
        desk.take(path="data")
    assert desk.rows(desk.take(path="data", format="parquet")) == [{"a": 2}]


@pytest.mark.parametrize("path", ["data", "data/*.csv*", "data/2024-*"])
def test_files_are_read_in_the_order_of_their_names(desk: Desk, path: str) -> None:
    desk.put("a,b\n3,z\n", "data/2024-02.csv")
    desk.put("b,a\nx,1\ny,2\n", "data/2024-01.csv")
    desk.put("never read", "data/.2024-03.csv")
    desk.put("never read", "data/_old.csv")
    state = desk.take(path=path)
    assert [row["a"] for row in desk.rows(state)] == [1, 2, 3]
    assert [file[0] for file in state.files] == ["data/2024-01.csv", "data/2024-02.csv"]


def test_files_with_other_columns_are_named(desk: Desk) -> None:
    desk.put("a,amount\n1,2\n", "data/1.csv")
    desk.put("a,amout\n1,2\n", "data/2.csv")
    with pytest.raises(SourceError, match="lacks 'amount' and also has 'amout'") as caught:
        desk.take(path="data")
    assert caught.value.where is not None
    assert caught.value.where.file == "data/2.csv"
    assert "did you mean 'amount'?" in caught.value.todo


def test_parquet_files_with_other_types_are_named(desk: Desk) -> None:
    (desk.root / "data").mkdir()
    pq.write_table(pa.table({"a": [1]}), desk.root / "data/1.parquet")
    pq.write_table(pa.table({"a": ["1"]}), desk.root / "data/2.parquet")
    with pytest.raises(SourceError, match=r"'a' is string here, and int64 in data/1.parquet"):
        desk.take(path="data")


@pytest.mark.parametrize(("data", "message"), [(b"", "is empty"), (b"PAR1 no", "cannot be read as Parquet")])
def test_a_file_that_is_no_parquet_is_refused(desk: Desk, data: bytes, message: str) -> None:
    desk.put(data, "orders.parquet")
    with pytest.raises(SourceError, match=message) as caught:
        desk.take(path="orders.parquet")
    assert caught.value.exit_code is ExitCode.REFUSED


def test_parquet_names_that_differ_by_case_only_are_refused(desk: Desk) -> None:
    pq.write_table(pa.table({"a": [1], "A": [2]}), desk.root / "orders.parquet")
    with pytest.raises(SourceError, match="columns 'a' and 'A'"):
        desk.take(path="orders.parquet")


def test_a_parquet_file_keeps_its_types_and_loses_its_pandas_index(desk: Desk) -> None:
    import pandas as pd

    frame = pd.DataFrame({"id": pd.array([1, 2], "int32"), "code": ["007", "8"]}, index=[5, 6])
    frame.to_parquet(desk.root / "orders.parquet")
    state = desk.take(path="orders.parquet")
    assert state.snapshot.schema == (("id", "int32"), ("code", "large_string"))
    assert state.inferred == ()


def test_a_nested_column_is_refused_by_name(desk: Desk) -> None:
    pq.write_table(pa.table({"id": [1], "basket": [[1, 2]]}), desk.root / "orders.parquet")
    with pytest.raises(SourceError, match="'basket' has type list"):
        desk.take(path="orders.parquet")


def test_a_hive_like_folder_adds_no_columns(desk: Desk) -> None:
    (desk.root / "year=2024").mkdir()
    pq.write_table(pa.table({"id": [1]}), desk.root / "year=2024/a.parquet")
    assert desk.take(path="year=2024/a.parquet").snapshot.column_names == ("id",)


@pytest.mark.parametrize(
    ("declared", "folders"),
    [
        ("data/x.csv", []),
        ("data", ["data"]),
        ("data/*.csv", ["data"]),
        ("data/*/x.csv", ["data", "data/a", "data/b"]),
        ("d*/a/*.csv", [".", "data", "data/a", "data/b", "other"]),
        ("data/**/*.csv", ["data", "data/a", "data/a/deep", "data/b"]),
        ("data/**/.*/*.csv", ["data", "data/.hid", "data/a", "data/a/deep", "data/b"]),
    ],
)
def test_the_folders_in_which_another_file_would_appear(
    desk: Desk, declared: str, folders: list[str]
) -> None:
    for name in ("data/x.csv", "data/a/deep/x.csv", "data/b/x.csv", "data/.hid/x.csv", "other/x.csv"):
        desk.put("a\n1\n", name)
    (desk.root / "data" / "a" / "back").symlink_to(desk.root / "data")  # glob goes in circles here, we do not

    found = sorted(p.relative_to(desk.root).as_posix() for p in searched(desk.root, declared))

    assert [f for f in found if f != "store"] == folders
