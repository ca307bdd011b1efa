"""YAML as a person means it, with the line of every key: for declarations, not for data.

Duplicate keys, anchors, aliases, tags, several documents, large and deep files are refused. Keys are names as
written; `yes`, `no`, `on`, `off` are texts, and so is `007`, as in YAML 1.2: only `true` and `false` are booleans.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from nbdataops.errors import Place, SpecError

Path_: TypeAlias = tuple[str | int, ...]

MAX_BYTES = 1_000_000
MAX_DEPTH = 30

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {w: w.lower() == "true" for w in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?"
)


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: `value`, and the line of every key and item by its path, e.g. ("sources", "orders")."""

    value: Any
    file: str
    lines: Mapping[Path_, int | None] = field(default_factory=dict)

    def place(self, *path: str | int) -> Place:
        """Where a key is, or the nearest one above it."""
        return Place(file=self.file, line=line_of(self.lines, path))


def line_of(lines: Mapping[Path_, int | None], path: Path_) -> int | None:
    """The line of a path, or of the nearest known one above it."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


def load_yaml(path: Path, file: str | None = None) -> Document:
    """Read a file; SpecError with its line for whatever is wrong with it. `file` is what errors call it."""
    name = file or path.name
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise SpecError(
            f"cannot be read: {error.strerror}",
            where=Place(file=name),
            todo="check the path and its permissions",
        ) from error
    return parse_yaml(data, name)


def parse_yaml(data: bytes | str, file: str) -> Document:
    """Parse one YAML document.

    >>> parse_yaml("a: 1\\nb: {c: no}", "x.yaml").value
    {'a': 1, 'b': {'c': 'no'}}
    """
    if len(data) > MAX_BYTES:
        raise _error(
            file, None, f"is larger than {MAX_BYTES:,} bytes", "a declaration is short; keep data elsewhere"
        )
    text = data if isinstance(data, str) else _decoded(data, file)
    lines: dict[Path_, int | None] = {}
    try:
        events = iter(_events(text, file))
        value = _value(next(events, None), events, (), lines, file)
        if next(events, None) is not None:
            raise _error(file, None, "holds several documents", "keep one: delete the lines `---`")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _error(
            file,
            mark.line + 1 if mark else None,
            f"is no valid YAML: {error.problem or error.context}",
            "check the indentation, and quote texts that hold : # or brackets",
        ) from error
    except yaml.YAMLError as error:
        line = text[: getattr(error, "position", 0)].count("\n") + 1
        raise _error(
            file, line, "is no valid YAML: it holds a character that is no text", "delete that character"
        ) from error
    return Document(value, file, lines)


def _error(file: str, line: int | None, what: str, todo: str) -> SpecError:
    return SpecError(what, where=Place(file=file, line=line), todo=todo)


def _decoded(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _error(file, line, "is not text in UTF-8", "save it as UTF-8") from error


def _line(event: yaml.Event) -> int | None:
    return event.start_mark.line + 1 if event.start_mark else None


def _events(text: str, file: str) -> Iterator[yaml.Event]:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = _line(event)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _error(
                file, line, "uses an anchor or an alias (& or *)", "write the value out, or quote the text"
            )
        tag = getattr(event, "tag", None)
        if tag and tag != "!":
            raise _error(file, line, f"uses the tag {tag[:60]!r}", "leave the tag out, or quote the text")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _error(file, line, f"is nested more than {MAX_DEPTH} deep", "a declaration is flat")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
            yield event


def _value(
    event: yaml.Event | None,
    events: Iterator[yaml.Event],
    path: Path_,
    lines: dict[Path_, int | None],
    file: str,
) -> Any:
    if event is None:
        return None
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event, file)
    if isinstance(event, yaml.SequenceStartEvent):
        items: list[Any] = []
        while not isinstance(inner := next(events), yaml.SequenceEndEvent):
            here = (*path, len(items))
            lines[here] = _line(inner)
            items.append(_value(inner, events, here, lines, file))
        return items
    mapping: dict[str, Any] = {}
    while not isinstance(key := next(events), yaml.MappingEndEvent):
        line = _line(key)
        if not isinstance(key, yaml.ScalarEvent):
            raise _error(
                file, line, "has a key that is no name", "a key is one word; quote texts that hold brackets"
            )
        name = str(key.value)
        here = (*path, name)
        if name in mapping:
            raise _error(
                file,
                line,
                f"the key {name!r} is given twice (first in line {lines[here]})",
                "keep one of the two",
            )
        lines[here] = line
        mapping[name] = _value(next(events), events, here, lines, file)
    return mapping


def _scalar(event: yaml.ScalarEvent, file: str) -> Any:
    text = str(event.value)
    line = _line(event)
    if event.style is not None or event.tag == "!":
        return text
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INT.fullmatch(text):
        if len(text) > 30:
            raise _error(file, line, "holds a number with more than 30 digits", "quote it when it is a text")
        return int(text)
    if _DATE.fullmatch(text) or _TIME.fullmatch(text):
        try:
            return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
        except ValueError as error:
            raise _error(
                file, line, f"{text!r} is no date: {error}", "write a date that exists, or quote the text"
            ) from error
    if _FLOAT.fullmatch(text) and not re.fullmatch(r"[-+]?0[0-9]+", text):
        return float(text)
    if special := _SPECIAL.fullmatch(text):
        return float(text.replace(".", "", 1)) if special[2] else float("nan")
    return text
