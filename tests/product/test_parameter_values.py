"""A value arrives in a notebook as the type that its annotation declares, equal to what was given, or is refused."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdataops.errors import ParameterError, Place
from nbdataops.product.notebook import Parameter, ParameterType
from nbdataops.product.parameters import coerce, from_text, source, to_json

TYPES = {
    "int": ParameterType("int"),
    "float": ParameterType("float"),
    "bool": ParameterType("bool"),
    "str": ParameterType("str"),
    "date": ParameterType("date", constructor="date"),
    "datetime": ParameterType("datetime", constructor="datetime"),
    "Literal['a', 1, True]": ParameterType("literal", options=("a", 1, True)),
    "int | None": ParameterType("int", optional=True),
    "str | None": ParameterType("str", optional=True),
    "list[str]": ParameterType("list", item=ParameterType("str")),
    "list[date | None]": ParameterType("list", item=ParameterType("date", optional=True, constructor="date")),
    "list[list[float]]": ParameterType("list", item=ParameterType("list", item=ParameterType("float"))),
}
NAMESPACE = "from datetime import date, datetime\nfrom typing import Literal, Optional\n"


def parameter(annotation: str) -> Parameter:
    return Parameter("x", annotation, TYPES[annotation], None, cell=2, line=3)


def arrived(annotation: str, value: Any) -> Any:
    """What the name is bound to after the injected cell has run."""
    namespace: dict[str, Any] = {}
    exec(NAMESPACE + source(parameter(annotation), value), namespace)
    return namespace["x"]


def same(one: Any, two: Any) -> bool:
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, float) and isinstance(two, float) and math.isnan(one):
        return math.isnan(two)
    return type(one) is type(two) and one == two


anything: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]))
    | st.text("'\"\\\n\r\t\0{}%\u2028\ud800\N{GRINNING FACE}")
    | st.sampled_from(["nan", "inf", "1", "true", "None", "1997-09-30", "'; import os; x = '", '"""'])
    | st.dates()
    | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(TYPES)), anything)
def test_a_value_arrives_equal_and_of_its_type_or_is_refused(annotation: str, value: Any) -> None:
    try:
        typed = coerce(parameter(annotation), value)
    except ParameterError:
        return

    text = source(parameter(annotation), typed)
    assert text.isascii()
    assert "\n" not in text
    assert same(arrived(annotation, typed), typed)
    if not isinstance(value, date | list):  # a date may stand for its midnight, a text for a date
        assert typed == value or isinstance(value, str) or (math.isnan(typed) and math.isnan(value))


@given(st.sampled_from(sorted(TYPES)), anything)
def test_a_typed_value_survives_json(annotation: str, value: Any) -> None:
    try:
        typed = coerce(parameter(annotation), value)
    except ParameterError:
        return

    back = json.loads(json.dumps(to_json(typed), allow_nan=False))

    assert same(coerce(parameter(annotation), back), typed)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_arrives_equal(value: str) -> None:
    assert arrived("str", coerce(parameter("str"), value)) == value


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        ("int", 3, 3),
        ("int", np.int64(3), 3),
        ("float", 3, 3.0),
        ("float", np.float32(0.5), 0.5),
        ("float", "inf", math.inf),
        ("str", "", ""),
        ("date", "1997-09-30", date(1997, 9, 30)),
        ("datetime", "1997-09-30", datetime(1997, 9, 30)),
        ("datetime", date(1997, 9, 30), datetime(1997, 9, 30)),
        ("datetime", "1997-09-30T12:30:00.5", datetime(1997, 9, 30, 12, 30, 0, 500_000)),
        ("datetime", pd.Timestamp("1997-09-30 12:00"), datetime(1997, 9, 30, 12)),
        ("Literal['a', 1, True]", True, True),
        ("int | None", None, None),
        ("list[str]", ("a", "b"), ["a", "b"]),
        ("list[str]", [], []),
        ("list[date | None]", ["1997-09-30", None], [date(1997, 9, 30), None]),
    ],
)
def test_json_and_yaml_values_become_the_declared_type(annotation: str, value: Any, expected: Any) -> None:
    assert same(coerce(parameter(annotation), value), expected)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("int", "3"),
        ("int", 3.0),
        ("int", True),
        ("int", None),
        ("int", 2**63),
        pytest.param("int", 10**5000, id="a very long int"),
        ("float", "0.5"),
        ("float", "NaN"),
        ("float", True),
        ("float", 10**400),
        ("float", 2**53 + 1),
        ("bool", 1),
        ("bool", "true"),
        ("str", 3),
        ("str", b"a"),
        ("str", "\ud800"),
        ("str", False),
        ("date", "30.9.1997"),
        ("date", "1997-02-30"),
        ("date", "19970930"),
        ("date", "1997-W40-2"),
        ("date", datetime(1997, 9, 30)),
        ("date", 0),
        ("datetime", "1997-09-30T12:00:00+02:00"),
        ("datetime", datetime(1997, 9, 30, tzinfo=UTC)),
        ("datetime", pd.Timestamp("1997-09-30 12:00:00.000000001")),
        ("Literal['a', 1, True]", 1.0),
        ("Literal['a', 1, True]", "b"),
        ("list[str]", "ab"),
        ("list[str]", ["a", 1]),
        ("list[str]", {"a": 1}),
        ("list[str]", None),
    ],
)
def test_what_is_not_of_the_type_is_refused(annotation: str, value: Any) -> None:
    with pytest.raises(ParameterError) as caught:
        coerce(parameter(annotation), value, Place(file="dataproduct.yaml", line=7))

    assert str(caught.value).startswith("dataproduct.yaml, line 7: parameter 'x' is ")
    assert caught.value.todo.startswith("give ")
    assert len(str(caught.value)) < 400


def test_a_refused_word_gets_a_suggestion() -> None:
    wanted = Parameter("x", None, ParameterType("literal", options=("revenue", "margin")), "margin", 1, 1)

    with pytest.raises(ParameterError, match="did you mean 'revenue'"):
        coerce(wanted, "revenu")


@pytest.mark.parametrize(
    ("annotation", "text", "expected"),
    [
        ("int", "39", 39),
        ("int", " -3 ", -3),
        ("float", "0.5", 0.5),
        ("float", "1e-3", 0.001),
        ("float", "3", 3.0),
        ("float", "-inf", -math.inf),
        ("bool", "true", True),
        ("bool", "False", False),
        ("str", "39", "39"),
        ("str", " a ", " a "),
        ("str | None", "null", "null"),
        ("int | None", "null", None),
        ("date", "1997-09-30", date(1997, 9, 30)),
        ("Literal['a', 1, True]", "a", "a"),
        ("Literal['a', 1, True]", "1", 1),
        ("Literal['a', 1, True]", "true", True),
        ("list[str]", '["a", "b"]', ["a", "b"]),
        ("list[list[float]]", "[[1], [0.5]]", [[1.0], [0.5]]),
    ],
)
def test_a_command_line_is_read_by_the_type(annotation: str, text: str, expected: Any) -> None:
    assert same(from_text(parameter(annotation), text), expected)


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        ("int", "3.5"),
        ("int", "x"),
        ("int", ""),
        ("int", "1_000"),
        pytest.param("int", "9" * 5000, id="a very long int"),
        ("bool", "1"),
        ("bool", "yes"),
        ("float", "0x10"),
        ("date", "today"),
        ("list[str]", "a,b"),
        pytest.param("list[str]", "[" * 100_000, id="a very deep list"),
    ],
)
def test_a_command_line_that_does_not_fit_is_refused(annotation: str, text: str) -> None:
    with pytest.raises(ParameterError):
        from_text(parameter(annotation), text)


@given(st.sampled_from(sorted(TYPES)), st.text(st.characters(exclude_categories=[])))
def test_no_text_of_a_command_line_breaks_anything(annotation: str, text: str) -> None:
    try:
        typed = from_text(parameter(annotation), text)
    except ParameterError:
        return

    assert same(arrived(annotation, typed), typed)


def test_source_uses_the_notebooks_own_words() -> None:
    kind = ParameterType("date", optional=True, constructor="dt.date")
    as_of = Parameter("as_of", "dt.date | None", kind, None, 1, 1)
    plain = Parameter("seed", None, ParameterType("int"), 0, 1, 1)

    assert source(as_of, date(1997, 9, 30)) == "as_of: dt.date | None = dt.date(1997, 9, 30)"
    assert source(as_of, None) == "as_of: dt.date | None = None"
    assert source(plain, 7) == "seed = 7"
    assert source(parameter("float"), math.nan) == 'x: float = float("nan")'
