"""The file of a witness, and what a stamp tells."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nbdataops.store.witness import NAME, Witness, read_witness, stamp

STAMPS = {"/a/": {"x": [1, 2, 3, 4, 5], "gone": None}}
texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(text=texts, line=texts.filter(lambda t: "\n" not in t), report=texts)
def test_a_witness_is_read_as_it_was_written(text: str, line: str, report: str) -> None:
    written = Witness({"root": "/a"}, STAMPS, 1.5, 2.5, report, text, line)

    read = Witness.from_bytes(written.to_bytes())

    assert read is not None
    assert vars(read) == vars(written)


@given(data=st.binary(), at=st.integers(0, 200), bit=st.integers(0, 7))
def test_any_other_bytes_are_no_witness(data: bytes, at: int, bit: int) -> None:
    whole = bytearray(Witness({"root": "/a"}, STAMPS, 1.5, 2.5, "r", "text", "{}").to_bytes())
    whole[at % len(whole)] ^= 1 << bit

    assert Witness.from_bytes(bytes(whole)) is None
    assert Witness.from_bytes(data) is None


def test_it_holds_while_facts_stamps_and_time_are_what_they_were(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    stamps = {f"{tmp_path}/": {"x": stamp(str(tmp_path / "x")), "gone": None}}
    witness = Witness({"root": "/a"}, stamps, 10.0, 20.0)

    assert witness.holds({"root": "/a"}, 10.0)
    assert not witness.holds({"root": "/b"}, 10.0)
    assert not witness.holds({"root": "/a"}, 20.0)
    assert not witness.holds({"root": "/a"}, 9.9)
    (tmp_path / "gone").write_text("")
    assert not witness.holds({"root": "/a"}, 10.0)


def test_a_stamp_follows_links_and_is_none_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    (tmp_path / "link").symlink_to("x")
    (tmp_path / "dangling").symlink_to("y")
    (tmp_path / "loop").symlink_to("loop")

    assert stamp(str(tmp_path / "link")) == stamp(str(tmp_path / "x"))
    assert [stamp(str(tmp_path / name)) for name in ("dangling", "loop", "none", "x/y")] == [None] * 4
    assert stamp("\0") is None


def test_there_is_none_in_a_store_without(tmp_path: Path) -> None:
    assert read_witness(str(tmp_path)) is None
    (tmp_path / NAME).write_bytes(Witness({}, {}, 0, 1).to_bytes())
    assert read_witness(str(tmp_path)) is not None
