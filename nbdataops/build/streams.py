"""What a cell printed, as it is kept: pieces of one stream joined, progress bars as they ended."""

from __future__ import annotations

from typing import Any


def joined_streams(outputs: list[Any]) -> list[Any]:
    """Consecutive pieces of one stream as one output, progress bars as they ended. Linear in what was printed.

    (nbclient's own way, a regular expression, takes seconds for a line of 100 kB, deaf to any timeout.)
    """
    joined: list[Any] = []
    pieces: list[str] = []
    for output in outputs:
        stream = output["output_type"] == "stream"
        if stream and pieces and joined[-1]["name"] == output["name"]:
            pieces.append(output["text"])
            continue
        if pieces:
            joined[-1]["text"] = _settled("".join(pieces))
        joined.append(output)
        pieces = [output["text"]] if stream else []
    if pieces:
        joined[-1]["text"] = _settled("".join(pieces))
    return joined


def _settled(text: str) -> str:
    """What a terminal shows in the end: after a carriage return a line is written anew.

    >>> _settled("10 %\\r55 %\\r100 %\\ndone\\n")
    '100 %\\ndone\\n'
    """
    if "\r" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
