"""The kinds of values that `dataproduct.yaml` holds beside texts and numbers, each with its words and its schema."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from nbdataops.product.metric import Column


def _day(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise PydanticCustomError("day", "should be a date such as 1997-09-30")


def _as_of(value: object) -> object:
    if value == "latest":
        return value
    try:
        return _day(value)
    except PydanticCustomError:
        raise PydanticCustomError("as_of", "should be a date such as 1997-09-30, or latest") from None


def _origins(value: object) -> int:
    found = re.fullmatch(r"last ([1-9][0-9]{0,3}) matured", value) if isinstance(value, str) else None
    number = int(found[1]) if found else value
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 1000:
        raise PydanticCustomError("origins", 'should be a whole number from 1, or "last 4 matured"')
    return number


def as_tuple(value: object) -> object:
    """A list of YAML as a tuple; a single text stands for a list of one."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def path_text(value: str) -> str:
    """A path that has characters, all of which print."""
    if not value.strip() or any(not c.isprintable() for c in value):
        raise PydanticCustomError("path", "should be the path of a file, a folder, or a glob")
    return value


def _scalar(value: object, what: str = "a value, or a list of values") -> None:
    if isinstance(value, list):
        for item in value:
            _scalar(item)
    elif not isinstance(value, str | int | float | bool | date | None):
        raise PydanticCustomError("parameter", "should be {what}", {"what": what})


def _values(value: object) -> object:
    if not isinstance(value, dict):
        raise PydanticCustomError("parameters", "should be names with their values")
    for inner in value.values():
        _scalar(inner)
    return value


def _parameters(value: object) -> object:
    if not isinstance(value, dict):
        raise PydanticCustomError("parameters", "should be names with their values, or stages with such")
    for inner in value.values():
        if isinstance(inner, dict):
            _values(inner)
        else:
            _scalar(inner, "a value, a list of values, or a stage's parameters")
    return value


_DAY_SCHEMA = {"type": "string", "format": "date"}
_SCALAR_SCHEMA = {"type": ["string", "number", "boolean", "null", "array"]}
_VALUES_SCHEMA = {"type": "object", "additionalProperties": _SCALAR_SCHEMA}
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema(_DAY_SCHEMA)]
AsOf = Annotated[
    date | Literal["latest"],
    BeforeValidator(_as_of),
    WithJsonSchema({"anyOf": [_DAY_SCHEMA, {"const": "latest"}]}),
]
Origins = Annotated[
    int,
    BeforeValidator(_origins),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": "^last [1-9][0-9]* matured$"},
            ]
        }
    ),
]
Key = Annotated[
    tuple[Column, ...],
    BeforeValidator(as_tuple),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Values = Annotated[dict[str, Any], BeforeValidator(_values), WithJsonSchema(_VALUES_SCHEMA)]
Parameters = Annotated[
    dict[str, Any],
    BeforeValidator(_parameters),
    WithJsonSchema({"type": "object", "additionalProperties": {"anyOf": [_SCALAR_SCHEMA, _VALUES_SCHEMA]}}),
]
VariantName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=60)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Correlation = Annotated[float, Field(gt=0, lt=1)]
PathText = Annotated[str, AfterValidator(path_text)]
