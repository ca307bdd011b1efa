"""Values of secrets, taken out of whatever a run stores: executed notebooks, live logs, errors.

One rule for all of them. A value of several lines is also taken out line by line, since a notebook's file keeps
texts as lists of lines and a log is written by line. What has fewer than four characters stays: it would be found in
numbers and words everywhere, and the holes would tell it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

REPLACED = "[secret]"
SHORTEST = 4
"""Characters of a value, or of one of its lines, that is taken out."""


def pieces(values: Iterable[str]) -> tuple[str, ...]:
    """What to take out of texts, the longest first: each value, and each of its lines.

    >>> pieces(["hunter22", "top line\\n}\\n", "abc"])
    ('top line\\n}\\n', 'hunter22', 'top line')
    """
    found = {piece for value in values for piece in (value, *map(str.strip, value.splitlines()))}
    return tuple(
        sorted((p for p in found if len(p.strip()) >= SHORTEST), key=lambda piece: (-len(piece), piece))
    )


def redacted(text: str, pieces: Iterable[str]) -> str:
    """The text without them."""
    for piece in pieces:
        text = text.replace(piece, REPLACED)
    return text


def redacted_notebook(part: Any, pieces: tuple[str, ...]) -> Any:
    """A notebook, or a part of one, without them in what people and programs wrote: texts, data, metadata.

    What the format itself says stays, so that a notebook stays one: a secret may be its word `stream` or `text`.
    """
    if isinstance(part, list):
        return [redacted_notebook(each, pieces) for each in part]
    if not isinstance(part, dict):
        return part
    kept = {}
    for name, value in part.items():
        if name == "data":  # by MIME type
            kept[name] = {kind: _written(content, pieces, names=True) for kind, content in value.items()}
        elif name in _WRITTEN:
            kept[name] = _written(value, pieces, names=False)
        else:
            kept[name] = redacted_notebook(value, pieces)
    return kept


_WRITTEN = frozenset({"source", "text", "ename", "evalue", "traceback", "metadata", "attachments"})


def _written(value: Any, pieces: tuple[str, ...], *, names: bool) -> Any:
    """A JSON value without them, also in its `names`."""
    if isinstance(value, str):
        return redacted(value, pieces)
    if isinstance(value, list | tuple):
        return [_written(each, pieces, names=names) for each in value]
    if isinstance(value, dict):
        return {
            redacted(name, pieces) if names else name: _written(each, pieces, names=names)
            for name, each in value.items()
        }
    return value
