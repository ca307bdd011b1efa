"""YAML as a person means it; anything surprising is refused with its line."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nbdataops.errors import SpecError
from nbdataops.product.yaml_lines import MAX_BYTES, load_yaml, parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("007", "007"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        (".inf", float("inf")),
        ("-.inf", float("-inf")),
        ("1.2.3", "1.2.3"),
        ("1997-09-30", date(1997, 9, 30)),
        ("1997-09-30 12:00:00", datetime(1997, 9, 30, 12)),
        ("1997-09", "1997-09"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("|\n  two\n  lines", "two\nlines"),
        ("<<", "<<"),
        ("[a, 1, [b]]", ["a", 1, ["b"]]),
        ("{a: {b: c}}", {"a": {"b": "c"}}),
    ],
)
def test_scalars_are_what_they_look_like(text: str, value: Any) -> None:
    found = parse_yaml(f"x: {text}", "a.yaml").value["x"]

    assert found == value
    assert type(found) is type(value)


def test_keys_are_names_as_written() -> None:
    assert parse_yaml("yes: 1\n1997-09-30: 2\n3: 4\nnull: 5", "a.yaml").value == {
        "yes": 1,
        "1997-09-30": 2,
        "3": 4,
        "null": 5,
    }


def test_every_key_and_item_has_its_line() -> None:
    document = parse_yaml("a: 1\n\nb:\n  c:\n    - x\n    - y: 2\n  d: {e: 3}\n", "a.yaml")

    places = [("a",), ("b",), ("b", "c"), ("b", "c", 1), ("b", "c", 1, "y"), ("b", "d", "e")]
    assert [document.place(*p).line for p in places] == [1, 3, 4, 6, 6, 7]
    assert document.place("b", "d", "missing", "deeper").line == 7
    assert document.place("nothing").line is None


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("a: 1\nb: 2\na: 3", "'a' is given twice (first in line 1)", 3),
        ("a: {b: 1, c: 2, b: 3}", "'b' is given twice", 1),
        ("a: &x 1\nb: *x", "anchor or an alias", 1),
        ("a: *x", "anchor or an alias", 1),
        ("a: &x [1]", "anchor or an alias", 1),
        ("a: !!python/object/apply:os.system [ls]", "uses the tag", 1),
        ("a: !include b.yaml", "uses the tag", 1),
        ("a: 1\n---\nb: 2", "several documents", None),
        ("a: [1\nb: 2", "no valid YAML", 2),
        ("a: 1\n b: 2", "no valid YAML", 2),
        ("a: b: c", "no valid YAML", 1),
        ("\ta: 1", "no valid YAML", 1),
        ("a: 1\nb: \x07", "a character that is no text", 2),
        ("? [a, b]\n: 1", "a key that is no name", 1),
        ("a: 1997-02-30", "is no date", 1),
        ("a: 1\nb: " + "9" * 40, "more than 30 digits", 2),
        ("a: " + "[" * 40 + "]" * 40, "nested more than 30 deep", 1),
        ("a: " + "[" * 50_000, "nested more than 30 deep", 1),
        ("#" * (MAX_BYTES + 1), "is larger than", None),
        (b"a: 1\nb: \xff", "not text in UTF-8", 2),
    ],
)
def test_anything_surprising_is_refused(text: str | bytes, what: str, line: int | None) -> None:
    with pytest.raises(SpecError) as caught:
        parse_yaml(text, "a.yaml")

    assert what in caught.value.what
    assert caught.value.where is not None
    assert (caught.value.where.file, caught.value.where.line) == ("a.yaml", line)
    assert caught.value.todo


def test_a_byte_order_mark_does_no_harm() -> None:
    assert parse_yaml("\ufeffa: ü".encode(), "a.yaml").value == {"a": "ü"}


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        load_yaml(tmp_path / "nothing.yaml")


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(plain)
def test_what_pyyaml_writes_is_read_back(value: Any) -> None:
    assert parse_yaml(yaml.safe_dump({"x": value}, default_flow_style=False), "a.yaml").value == {"x": value}


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_yaml(text, "a.yaml").value
    except SpecError:
        return

    assert isinstance(found, str | int | float | date | list | dict | None)
