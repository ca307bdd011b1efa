"""Snapshots: what a node is handed, and that what is written can be read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdataops.errors import StoreError
from nbdataops.store.snapshots import Snapshot, SnapshotStore, load, verify

from .tables import DAYS, ROWS, purchases, table


@contextmanager
def new_store() -> Iterator[SnapshotStore]:
    with tempfile.TemporaryDirectory() as folder:
        yield SnapshotStore(Path(folder))


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path)


def same(one: pa.Table, other: pa.Table) -> bool:
    """Equal in schema and values, where NaN equals NaN."""
    return one.schema == other.schema and repr(one.to_pylist()) == repr(other.to_pylist())


def files(store: SnapshotStore) -> set[str]:
    return {str(p.relative_to(store.root)) for p in store.root.rglob("*") if p.is_file()}


@given(ROWS)
def test_what_is_written_is_read_back_by_month_in_the_order_of_rows(rows: list) -> None:
    with new_store() as store:
        snapshot = store.write("t", table(rows), key=["id"], event_time="day")
        expected = table(sorted(rows, key=lambda r: (r[1].year, r[1].month)))
        found = store.read(snapshot)
        assert same(found, load(store.root, snapshot))
        assert repr(found.to_pylist()).replace("-0.0", "0.0") == repr(expected.to_pylist()).replace(
            "-0.0", "0.0"
        )
        assert found.column_names == expected.column_names
        assert snapshot.rows == len(rows)
        assert (snapshot.first, snapshot.last) == (
            min((r[1] for r in rows), default=None),
            max((r[1] for r in rows), default=None),
        )


@given(ROWS, ROWS, DAYS)
def test_rows_of_later_months_change_nothing_that_is_handed_before(
    rows: list, later: list, until: date
) -> None:
    after = [
        (a, until + timedelta(days=32) + timedelta(days=(d - until).days % 90), b, c) for a, d, b, c in later
    ]
    with new_store() as store:
        one = store.write("t", table(rows), key=["id"], event_time="day")
        two = store.write("t", table(rows + after), key=["id"], event_time="day")
        assert store.handed(one, None, until) == store.handed(two, None, until)


@given(ROWS, DAYS, st.sampled_from([None, ["amount"], ["note", "day"], []]))
def test_a_cut_has_the_versions_of_writing_only_the_rows_before_it(
    rows: list, until: date, columns: list[str] | None
) -> None:
    with new_store() as store:
        whole = store.write("t", table(rows), key=["id"], event_time="day")
        before = store.write("t", table([r for r in rows if r[1] <= until]), key=["id"], event_time="day")
        handed = store.handed(whole, columns, until)
        assert handed == store.handed(before, columns, None)
        made = store.materialise(whole, columns, until)
        assert handed == tuple((p.name, c.name, c.version) for p in made.partitions for c in p.columns)
        assert same(load(store.root, made), store.read(whole, columns, until))
        assert (made.first, made.last, made.rows) == (before.first, before.last, before.rows)
        assert SnapshotStore(store.root).handed(whole, columns, until) == handed


@given(ROWS, st.data())
def test_a_change_in_one_column_leaves_the_versions_of_the_others_alone(
    rows: list, data: st.DataObject
) -> None:
    changed = [(*r[:3], data.draw(st.text(max_size=2))) for r in rows]
    with new_store() as store:
        one = store.write("t", table(rows), key=["id"], event_time="day")
        two = store.write("t", table(changed), key=["id"], event_time="day")
        assert store.handed(one, ["amount"], None) == store.handed(two, ["amount"], None)


@given(
    st.lists(st.integers(), min_size=2, max_size=9, unique=True).flatmap(
        lambda ids: st.tuples(st.just(ids), st.permutations(ids))
    )
)
def test_another_order_of_rows_is_another_version_of_the_key(orders: tuple[list[int], list[int]]) -> None:
    one, two = orders
    with new_store() as store:
        versions = [
            store.handed(store.write("t", pa.table({"id": [str(i) for i in ids]}), key=["id"]), None, None)
            for ids in (one, two)
        ]
        assert (versions[0] == versions[1]) == (one == two)


@given(ROWS)
def test_writing_the_same_again_gives_the_same_snapshot_and_no_new_file(rows: list) -> None:
    with new_store() as store:
        one = store.write("t", table(rows), key=["id"], event_time="day")
        before = files(store)
        assert store.write("t", table(rows), key=["id"], event_time="day") == one
        assert SnapshotStore(store.root).write("t", table(rows), key=["id"], event_time="day") == one
        assert files(store) == before
        assert verify(store.root, one) == ()


@given(ROWS)
def test_a_snapshot_survives_its_own_record(rows: list) -> None:
    with new_store() as store:
        snapshot = store.write("t", table(rows), key=["id"], event_time="day")
        again = Snapshot.from_dict(snapshot.to_dict())
        assert again == snapshot
        assert again.digest == snapshot.digest


def test_a_write_stores_only_what_is_new(store: SnapshotStore) -> None:
    data = purchases()
    one = store.write("orders", data, key=["id"], event_time="at")
    assert len(files(store)) == 3
    longer = data.append_column("half", pa.array([d / 2 for d in data["dollars"].to_pylist()]))
    two = store.write("orders", longer, key=["id"], event_time="at")
    assert len(files(store)) == 6
    assert two.partitions[0].columns[:4] == one.partitions[0].columns
    assert {c.file for c in two.partitions[0].columns[4:]}.isdisjoint(
        c.file for c in one.partitions[0].columns
    )
    assert load(store.root, two).equals(longer.cast(two.arrow_schema()))


def test_the_digest_is_of_content_only(store: SnapshotStore) -> None:
    one = store.write("orders", purchases(), key=["id"], event_time="at")
    assert store.write("sales", purchases(), key=["id"], event_time="at").digest == one.digest
    assert store.write("orders", purchases().slice(1), key=["id"], event_time="at").digest != one.digest
    assert store.write("orders", purchases(), key=["title"], event_time="at").digest != one.digest


def test_a_table_without_rows_keeps_its_schema(store: SnapshotStore) -> None:
    data = purchases().slice(0, 0)
    for event_time in ("at", None):
        snapshot = store.write("orders", data, key=["id"], event_time=event_time)
        found = load(store.root, snapshot, ["dollars"])
        assert (snapshot.rows, snapshot.partitions) == (0, ())
        assert found.schema == pa.schema([("id", pa.int64()), ("dollars", pa.float64())])
    early = store.write("orders", purchases(), key=["id"], event_time="at")
    assert store.read(early, until=date(1990, 1, 1)).schema == early.arrow_schema()
    assert store.handed(early, None, date(1990, 1, 1)) == ()


def test_only_declared_columns_and_the_key_are_handed_over(store: SnapshotStore) -> None:
    snapshot = store.write("orders", purchases(), key=["id"], event_time="at")
    cut = date(1997, 2, 14)
    made = store.materialise(snapshot, ["title"], cut)
    assert made.column_names == ("id", "title")
    assert load(store.root, made).column_names == ["id", "title"]
    with pytest.raises(StoreError, match="no column 'dollars'"):
        load(store.root, made, ["dollars"])
    held = {c.file for p in made.partitions for c in p.columns if p.name == "1997-02"}
    assert [pa.ipc.open_file(str(store.root / f)).schema.names for f in held] == [["id", "title"]]
    assert snapshot.select(["title"]).column_names == ("id", "at", "title")


def test_a_table_without_event_time_is_not_cut(store: SnapshotStore) -> None:
    snapshot = store.write("orders", purchases(), key=[])
    assert [p.name for p in snapshot.partitions] == [""]
    assert store.read(snapshot, until=date(1990, 1, 1)).num_rows == 6
    assert len(store.handed(snapshot, ["dollars"], date(1990, 1, 1))) == 1


def test_days_are_those_of_the_time_zone_for_timestamps_that_carry_one(store: SnapshotStore) -> None:
    late = datetime(1997, 1, 31, 23, 30, tzinfo=UTC)
    aware = pa.table({"id": [1], "at": pa.array([late], pa.timestamp("us", "UTC"))})
    naive = pa.table({"id": [1], "at": pa.array([late.replace(tzinfo=None)], pa.timestamp("us"))})
    berlin = store.write("a", aware, key=["id"], event_time="at", time_zone="Europe/Berlin")
    assert (berlin.partitions[0].name, berlin.last) == ("1997-02", date(1997, 2, 1))
    assert store.read(berlin, until=date(1997, 1, 31)).num_rows == 0
    assert store.write("a", aware, key=["id"], event_time="at").last == date(1997, 1, 31)
    assert store.write("a", naive, key=["id"], event_time="at", time_zone="Europe/Berlin").last == date(
        1997, 1, 31
    )
    with pytest.raises(StoreError, match="'Mars/Olympus' is not known"):
        store.write("a", aware, key=["id"], event_time="at", time_zone="Mars/Olympus")


def test_days_before_1970_and_leap_days_fall_into_their_months(store: SnapshotStore) -> None:
    moments = [
        datetime(1969, 12, 31, 23, 59, 59),
        datetime(1970, 1, 1),
        datetime(2024, 2, 29, 23),
        datetime(1, 1, 1),
    ]
    data = pa.table({"id": [1, 2, 3, 4], "at": pa.array(moments, pa.timestamp("us"))})
    snapshot = store.write("t", data, key=["id"], event_time="at")
    assert [(p.name, p.last) for p in snapshot.partitions] == [
        ("0001-01", date(1, 1, 1)),
        ("1969-12", date(1969, 12, 31)),
        ("1970-01", date(1970, 1, 1)),
        ("2024-02", date(2024, 2, 29)),
    ]


def test_a_pandas_index_is_never_stored(store: SnapshotStore) -> None:
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.Index([7, 9], name="id"))
    indexed = pa.Table.from_pandas(frame)
    assert store.write("t", indexed, key=["id"]).column_names == ("a", "id")
    assert store.write("t", indexed, key=["a"]).column_names == ("a",)
    unnamed = pa.Table.from_pandas(frame.rename_axis(None))
    assert "__index_level_0__" in unnamed.column_names
    assert store.write("t", unnamed, key=["a"]).column_names == ("a",)
    assert load(store.root, store.write("t", indexed, key=["id"])).schema.metadata is None


@pytest.mark.parametrize(
    "name", ["", "1a", "../x", "a b", "a" * 101, "tablé", "a\n", "/etc/passwd", "a;drop"]
)
def test_a_table_name_that_is_no_identifier_is_refused(store: SnapshotStore, name: str) -> None:
    with pytest.raises(StoreError, match="cannot be a table's name"):
        store.write(name, purchases(), key=["id"])
    assert files(store) == set()


def test_column_names_may_be_anything_and_touch_no_path(store: SnapshotStore) -> None:
    names = ["../../x", 'a"; drop table', "", "naïve 🎈", "a/b", "x" * 5000, "\x00"]
    data = pa.table([[i] for i in range(len(names))], names=names)
    snapshot = store.write("t", data, key=[names[0]])
    assert load(store.root, snapshot).to_pylist() == data.to_pylist()
    assert Snapshot.from_dict(snapshot.to_dict()) == snapshot
    assert all(f.startswith("snapshots/") for f in files(store))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pa.table([[1], [2]], names=["a", "a"]), "more than one column named 'a'"),
        (pa.table({"a": [[1]]}), "'a' has type list"),
        (pa.table({"b": [1]}), "no column 'a', which is declared as its key"),
        (pa.table({"a": [1], "att": [1]}), "no column 'at', which is declared as its event time"),
        (pa.table({"a": [1, 2, 3], "at": [None, date(1997, 1, 1), None]}), "'at' is null in 2 of 3 rows"),
        (pa.table({"a": [1], "at": ["1997-01-01"]}), "'at' has type large_string; it must be a date"),
        (pa.table({"a": [1], "at": pa.array([2**60], pa.timestamp("s"))}), "'at' holds dates outside"),
    ],
)
def test_a_table_that_cannot_be_stored_is_refused_by_name(
    store: SnapshotStore, data: pa.Table, message: str
) -> None:
    event_time = "at" if "at" in data.column_names or "att" in data.column_names else None
    with pytest.raises(StoreError, match=message) as caught:
        store.write("t", data, key=["a"], event_time=event_time)
    assert caught.value.reason == "table"
    assert caught.value.todo
    assert files(store) == set()


def test_a_table_without_columns_is_refused(store: SnapshotStore) -> None:
    with pytest.raises(StoreError, match="has no columns"):
        store.write("t", pa.table({}), key=[])


def test_an_unknown_column_is_named_with_the_nearest_known_one(store: SnapshotStore) -> None:
    snapshot = store.write("orders", purchases(), key=["id"])
    with pytest.raises(StoreError, match="did you mean 'dollars'"):
        store.handed(snapshot, ["dolars"], None)
    keyless = store.write("orders", purchases(), key=[])
    with pytest.raises(StoreError, match="it has no key"):
        store.handed(keyless, [], None)


def test_what_was_handed_without_its_event_time_cannot_be_cut_again(store: SnapshotStore) -> None:
    made = store.materialise(store.write("orders", purchases(), key=["id"], event_time="at"), ["title"], None)
    assert store.read(made, until=date(1997, 1, 31)).num_rows == 2
    for cut in (store.handed, store.materialise, store.read):
        with pytest.raises(StoreError, match="cannot be cut again"):
            cut(made, None, date(1997, 2, 14))


def test_a_record_that_is_no_snapshot_is_refused() -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        Snapshot.from_dict({"table": "t"})
