"""What strict models say about a declaration, in the words of whoever wrote it: file, line, "did you mean"."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nbdataops.errors import SpecError, did_you_mean
from nbdataops.product.yaml_lines import Document, Path_

_WANTED = {
    "int_type": "should be a whole number",
    "float_type": "should be a number",
    "string_type": "should be a text",
    "bool_type": "should be true or false",
    "dict_type": "should be `key: value` lines",
    "model_type": "should be `key: value` lines",
    "tuple_type": "should be a list",
    "finite_number": "should be a finite number",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: its line, what it is and what to do."""

    line: int
    what: str
    todo: str


def spec_error(error: ValidationError, model: type[BaseModel], document: Document) -> SpecError:
    """One SpecError from all faults: the first, by line, is the error; the others are its detail."""
    faults = sorted(
        {_fault(details, model, document) for details in error.errors()}, key=lambda f: (f.line, f.what)
    )
    first, *others = faults
    detail = "\n".join(f"also, line {f.line}: {f.what}" + (f" ({f.todo})" if f.todo else "") for f in others)
    where = type(document.place())(file=document.file, line=first.line)
    return SpecError(first.what, where=where, todo=first.todo, detail=detail)


def _fault(details: ErrorDetails, model: type[BaseModel], document: Document) -> Fault:
    path: Path_ = tuple(p for p in details["loc"] if p != "[key]")
    line = document.place(*path).line or 1
    kind = details["type"]
    if kind == "extra_forbidden":
        owner = f" in {_dotted(path[:-1])}" if len(path) > 1 else ""
        return Fault(
            line, f"there is no key {str(path[-1])!r}{owner}", did_you_mean(str(path[-1]), _keys(model, path))
        )
    if kind == "missing":
        about = _description(model, path)
        return Fault(line, f"{_dotted(path)} is missing", f"add it: {about}" if about else "add it")
    if details["loc"] and details["loc"][-1] == "[key]":
        return Fault(
            line,
            f"{str(path[-1])!r} is no name that {_dotted(path[:-1])} can have",
            "use letters, digits and _",
        )
    shown = "" if path[:1] == ("secrets",) else _not(details)  # somebody may have put the secret itself there
    return Fault(line, f"{_dotted(path)} {_wanted(details)}{shown}", _todo(details, model, path))


def _wanted(details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind in _WANTED:
        return _WANTED[kind]
    if kind == "literal_error":
        return f"should be {context.get('expected', 'one of the known words')}"
    if kind == "string_pattern_mismatch":
        return "has a character that it cannot have"
    message = details["msg"]
    for prefix in ("Input should ", "String should ", "Value error, "):
        if message.startswith(prefix):
            return (
                f"should {message.removeprefix(prefix)}"
                if "should" in prefix
                else message.removeprefix(prefix)
            )
    return message[:1].lower() + message[1:]


def _not(details: ErrorDetails) -> str:
    value = details.get("input")
    if value is None:
        return ", not nothing"
    if isinstance(value, str | int | float | bool | date):
        text = (
            repr(value)
            if isinstance(value, str)
            else str(value).lower()
            if isinstance(value, bool)
            else str(value)
        )
        return f", not {text[:60]}{'...' if len(text) > 60 else ''}"
    return f", not a {'list' if isinstance(value, list | tuple) else 'group of keys'}"


def _todo(details: ErrorDetails, model: type[BaseModel], path: Path_) -> str:
    value = details.get("input")
    if details["type"] == "literal_error" and isinstance(value, str):
        words = (
            str(details.get("ctx", {}).get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")
        )
        return did_you_mean(value, words)
    if details["type"] == "string_type" and isinstance(value, int | float | date):
        return "quote it"
    about = _description(model, path)
    return f"it is {about}" if about else ""


def _dotted(path: Iterable[str | int]) -> str:
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the file"


def _keys(model: type[BaseModel], path: Path_) -> list[str]:
    owner = _model_at(model, path[:-1])
    return list(owner.model_fields) if owner else []


def _description(model: type[BaseModel], path: Path_) -> str:
    owner = _model_at(model, path[:-1])
    field = owner.model_fields.get(str(path[-1])) if owner and path else None
    return (field.description or "") if field else ""


def _model_at(model: type[BaseModel], path: Path_) -> type[BaseModel] | None:
    """The model that describes the keys at a path."""
    at: Any = model
    for part in path:
        if isinstance(at, type) and issubclass(at, BaseModel):
            field = at.model_fields.get(str(part))
            at = _unwrapped(field.annotation) if field else None
        elif typing.get_origin(at) is dict:
            at = _unwrapped(typing.get_args(at)[1])
        else:
            return None
    return at if isinstance(at, type) and issubclass(at, BaseModel) else None


def _unwrapped(annotation: Any) -> Any:
    """A type without Annotated and `| None`."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _unwrapped(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        rest = [a for a in typing.get_args(annotation) if a is not type(None)]
        return _unwrapped(rest[0]) if len(rest) == 1 else annotation
    return annotation
