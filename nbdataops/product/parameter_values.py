"""Values of parameters: brought to the type that the notebook's annotation declares, and carried there.

A value comes from JSON, YAML or a command line and arrives in the notebook as that type. What cannot arrive equal is
refused.
"""

from __future__ import annotations

import json
import math
import numbers
import re
from datetime import date, datetime
from typing import Any

from nbdataops.errors import ParameterError, Place, did_you_mean
from nbdataops.product.declared import Parameter, ParameterType

_INT64 = 2**63
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_ISO_DATETIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?")
_SPECIAL_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_EXAMPLES = {
    "int": "a whole number such as 39",
    "float": "a number such as 0.5",
    "bool": "true or false",
    "str": "a text",
    "date": "a date such as 1997-09-30",
    "datetime": "a time such as 1997-09-30T12:00:00, without a time zone",
}


def coerce(parameter: Parameter, value: Any, where: Place | None = None) -> Any:
    """The value as the parameter's type; ParameterError when it is not of that type.

    Takes what JSON and YAML give: a date may be its ISO text, a float may be a whole number. Nothing is guessed:
    the text "3" is no int, 3.0 is no int, true is no int.
    """
    try:
        return _as_type(parameter.type, value)
    except _RefusedError as refused:
        raise ParameterError(
            f"parameter {parameter.name!r} is {parameter.type}, not {show(value)}{refused.why}",
            where=where or Place(cell=parameter.cell, line=parameter.line),
            todo=f"give {_wanted(parameter.type)}",
        ) from None


def from_text(parameter: Parameter, text: str, where: Place | None = None) -> Any:
    """The value that a command line means by `text`: `3`, `0.5`, `true`, `1997-09-30`, `["a", "b"]`, `null`.

    A text parameter takes the text as it is. ParameterError when the text does not fit the type.
    """
    return coerce(parameter, _read_text(parameter.type, text), where)


def to_json(value: Any) -> Any:
    """A typed value as JSON: dates as ISO text, NaN and infinity as "nan", "inf", "-inf"; `coerce` reads it back.

    >>> to_json([date(1997, 9, 30), float("inf")])
    ['1997-09-30', 'inf']
    """
    if isinstance(value, date):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, list | tuple):
        return [to_json(v) for v in value]
    return value


def source(parameter: Parameter, value: Any) -> str:
    """One line of Python for the injected cell, in ASCII, e.g. `as_of: date = date(1997, 9, 30)`.

    `value` is what `coerce` returned. The annotation's own names are used, so the line works wherever the
    parameters cell has run.
    """
    annotation = f": {parameter.annotation}" if parameter.annotation else ""
    return f"{parameter.name}{annotation} = {_expression(parameter.type, value)}"


class _RefusedError(Exception):
    def __init__(self, why: str = "") -> None:
        super().__init__(why)
        self.why = f" ({why})" if why else ""


def _as_type(kind: ParameterType, value: Any) -> Any:
    if value is None:
        if kind.optional:
            return None
        raise _RefusedError
    match kind.kind:
        case "bool":
            if isinstance(value, bool):
                return value
        case "int":
            if not isinstance(value, bool) and isinstance(value, numbers.Integral):
                number = int(value)
                if not -_INT64 <= number < _INT64:
                    raise _RefusedError("it does not fit into 64 bits")
                return number
        case "float":
            return _as_float(value)
        case "str":
            if isinstance(value, str):
                return _as_text(value)
        case "date":
            return _as_date(value)
        case "datetime":
            return _as_datetime(value)
        case "literal":
            for option in kind.options:
                if type(option) is type(value) and option == value:
                    return option
            if isinstance(value, str):
                raise _RefusedError(did_you_mean(value, [o for o in kind.options if isinstance(o, str)]))
        case "list":
            if isinstance(value, list | tuple) and kind.item is not None:
                return [_as_type(kind.item, item) for item in value]
    raise _RefusedError


def _as_float(value: Any) -> float:
    if isinstance(value, str) and value in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[value]
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise _RefusedError
    try:
        number = float(value)
    except OverflowError:
        raise _RefusedError("it is too large") from None
    if isinstance(value, numbers.Integral) and int(number) != int(value):
        raise _RefusedError("a float cannot hold it exactly")
    return number


def _as_text(value: str) -> str:
    text = str.__str__(value)
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise _RefusedError("it holds half of a surrogate pair, which is no text")
    return text


def _as_date(value: Any) -> date:
    if isinstance(value, str) and _ISO_DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise _RefusedError(str(error)) from None
    if isinstance(value, date) and not isinstance(value, datetime):
        return date(value.year, value.month, value.day)
    raise _RefusedError


def _as_datetime(value: Any) -> datetime:
    if isinstance(value, str) and (_ISO_DATETIME.fullmatch(value) or _ISO_DATE.fullmatch(value)):
        try:
            return datetime.fromisoformat(value)
        except ValueError as error:
            raise _RefusedError(str(error)) from None
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            raise _RefusedError("parameters carry no time zone")
        if getattr(value, "nanosecond", 0):
            raise _RefusedError("it has nanoseconds")
        return datetime(
            value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond
        )
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    raise _RefusedError


def _read_text(kind: ParameterType, text: str) -> Any:
    if kind.kind == "str" or text in kind.options:
        return text
    word = text.strip()
    if kind.optional and word.lower() in ("null", "none"):
        return None
    if kind.kind in ("int", "literal") and re.fullmatch(r"[+-]?[0-9]{1,30}", word):
        return int(word)
    if kind.kind in ("bool", "literal") and word.lower() in ("true", "false"):
        return word.lower() == "true"
    if kind.kind == "float" and re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", word):
        return float(word)
    if kind.kind == "list":
        try:
            return json.loads(word)
        except (ValueError, RecursionError):
            return text
    return word


def _expression(kind: ParameterType, value: Any) -> str:
    if value is None or isinstance(value, bool | int):
        return repr(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f'float("{to_json(value)}")'
    if isinstance(value, datetime):
        parts = [
            value.year,
            value.month,
            value.day,
            value.hour,
            value.minute,
            value.second,
            value.microsecond,
        ]
        while len(parts) > 3 and parts[-1] == 0:
            parts.pop()
        return f"{kind.constructor}({', '.join(map(str, parts))})"
    if isinstance(value, date):
        return f"{kind.constructor}({value.year}, {value.month}, {value.day})"
    if isinstance(value, str):
        return ascii(value)
    if isinstance(value, list | tuple) and kind.item is not None:
        item = kind.item
        return f"[{', '.join(_expression(item, v) for v in value)}]"
    raise ParameterError(f"a value of type {type(value).__name__} cannot be written into a notebook")


def _wanted(kind: ParameterType) -> str:
    if kind.kind == "literal":
        text = f"one of {', '.join(map(repr, kind.options))}"
    elif kind.kind == "list":
        text = f"a list, every item {_wanted(kind.item)}" if kind.item else "a list"
    else:
        text = _EXAMPLES[kind.kind]
    return f"{text}, or null" if kind.optional else text


def show(value: Any) -> str:
    """A value as errors show it: short, in ASCII, and never more than its type when it is no scalar."""
    if isinstance(value, str | int | float | bool | date | None):
        try:
            text = ascii(value) if isinstance(value, str) else str(value)
        except ValueError:  # an int of thousands of digits has no text
            text = "a very long number"
        return f"{text[:80]}..." if len(text) > 80 else text
    return f"a {type(value).__name__}"
