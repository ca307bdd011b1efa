"""One mapping of a declaration, read field by field: what is there has the right type, or the error names the line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from nbdataops.errors import Place, SpecError, did_you_mean
from nbdataops.product.yaml_lines import Document


@dataclass(frozen=True, slots=True)
class Fields:
    """The mapping at `path` of a document."""

    document: Document
    path: tuple[str | int, ...]
    mapping: dict[str, Any]

    @classmethod
    def of(cls, document: Document, path: tuple[str | int, ...] = ()) -> Fields:
        value = document.value
        for step in path:
            value = value[step]
        if not isinstance(value, dict):
            raise SpecError(
                f"{_dotted(path)} should be `key: value` lines, not {_named(value)}",
                where=document.place(*path),
                todo="look at the indentation",
            )
        return cls(document, path, value)

    def place(self, *path: str | int) -> Place:
        """Where a key is, or the nearest one above it; the first line for a key that the whole file lacks."""
        found = self.document.place(*self.path, *path)
        return found if found.line else replace(found, line=1)

    def wrong(self, key: str, what: str, todo: str) -> SpecError:
        """An error about one key, with its line."""
        name = _dotted((*self.path, key))
        return SpecError(f"{name} {what}", where=self.place(key), todo=todo)

    def only(self, known: Iterable[str]) -> None:
        """SpecError for the first key that is not known."""
        names = list(known)
        for key in self.mapping:
            if key not in names:
                owner = f" in {_dotted(self.path)}" if self.path else ""
                todo = did_you_mean(key, names)
                raise SpecError(f"there is no key {key!r}{owner}", where=self.place(key), todo=todo)

    def value(self, key: str) -> Any:
        return self.mapping.get(key)

    def text(self, key: str, *, required: bool = False) -> str:
        """A text; numbers are taken as written. Missing is the empty text."""
        value = self.mapping.get(key)
        if value is None:
            if required:
                raise self.wrong(key, "is missing", "add it")
            return ""
        if isinstance(value, bool | list | dict):
            raise self.wrong(key, f"should be a text, not {_named(value)}", "quote it")
        return str(value)

    def flag(self, key: str) -> bool:
        value = self.mapping.get(key)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self.wrong(key, f"should be true or false, not {_named(value)}", "write true or false")
        return value

    def whole(self, key: str) -> int | None:
        value = self.mapping.get(key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise self.wrong(key, f"should be a whole number, not {_named(value)}", "")
        return value

    def number(self, key: str) -> int | float | None:
        value = self.mapping.get(key)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or value != value:
            raise self.wrong(key, f"should be a number, not {_named(value)}", "")
        return value

    def scalars(self, key: str) -> tuple[Any, ...] | None:
        value = self.mapping.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or any(isinstance(v, list | dict) for v in value):
            raise self.wrong(key, f"should be a list of values, not {_named(value)}", "write [a, b, c]")
        return tuple(value)

    def inner(self, key: str) -> Fields | None:
        if self.mapping.get(key) is None:
            return None
        return Fields.of(self.document, (*self.path, key))

    def items(self, key: str) -> Iterator[Fields]:
        value = self.mapping.get(key)
        if value is None:
            return
        if not isinstance(value, list):
            raise self.wrong(key, f"should be a list, not {_named(value)}", "start every item with `- `")
        for i in range(len(value)):
            yield Fields.of(self.document, (*self.path, key, i))


def _named(value: Any) -> str:
    if isinstance(value, dict):
        return "a group of keys"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else repr(value)[:60]


def _dotted(path: tuple[str | int, ...]) -> str:
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the file"
