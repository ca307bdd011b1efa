"""The witness of a run: stamps of everything that its outcome hung on, and what it said.

While every stamp is what it was, running again would say the same and do nothing. Asking costs one `os.stat` a file
and no import but `json` and `os`: this module must stay so. A stamp holds, besides size and time of modification, the
time of change, which no program can set back, and inode and device; so other content under the same size and time
is another stamp. What is not certain is no witness: damage, another version, a file that cannot be read.

The file has four lines: its format with a check sum of the rest; what must be as it was, as JSON; and what was said,
as a JSON string for people and as the JSON object of `--json`.
"""

from __future__ import annotations

import json
import os
import sys
import zlib

import nbdataops

Stamp = list[int]
"""Times of modification and change (ns), size, inode, device. None stands for what is not there."""

NAME = "witness"
_FORMAT = b"nbdataops-witness-1"


class Witness:
    """What a run hung on, and what it said.

    `facts` are plain values that must be equal, `stamps` those of files and folders, by folder (with the separator at
    its end) and name. It counts from `since` to `until` (seconds of the epoch). `text` is for people and lacks its last line, which names the file
    `report`; `line` is the JSON object of `--json`.
    """

    def __init__(
        self,
        facts: dict[str, object],
        stamps: dict[str, dict[str, Stamp | None]],
        since: float,
        until: float,
        report: str = "",
        text: str = "",
        line: str = "",
    ) -> None:
        self.facts, self.stamps = facts, stamps
        self.since, self.until = since, until
        self.report, self.text, self.line = report, text, line

    def holds(self, facts: dict[str, object], now: float) -> bool:
        """Whether nothing is different from when it was written."""
        return (
            self.since <= now < self.until
            and self.facts == facts
            and all(
                stamp(folder + name) == seen
                for folder, names in self.stamps.items()
                for name, seen in names.items()
            )
        )

    def to_bytes(self) -> bytes:
        facts = [self.facts, self.stamps, self.since, self.until, self.report]
        body = "\n".join([json.dumps(facts, separators=(",", ":")), json.dumps(self.text), self.line, ""])
        data = body.encode("utf-8", "surrogatepass")
        return b"%s %08x\n%s" % (_FORMAT, zlib.crc32(data), data)

    @classmethod
    def from_bytes(cls, data: bytes) -> Witness | None:
        """None when it is damaged or of another format."""
        head, _, body = data.partition(b"\n")
        if head != b"%s %08x" % (_FORMAT, zlib.crc32(body)):
            return None
        hung_on, text, line, _ = body.decode("utf-8", "surrogatepass").split("\n")
        facts, stamps, since, until, report = json.loads(hung_on)
        return cls(facts, stamps, since, until, report, json.loads(text), line)


def stamp(path: str) -> Stamp | None:
    """The stamp of what `path` leads to, links followed; None when nothing is there or it cannot be asked."""
    try:
        found = os.stat(path)  # noqa: PTH116 - pathlib costs more than all the rest
    except (OSError, ValueError):
        return None
    return [found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev]


def facts_of(root: str, store: str, arguments: dict[str, object]) -> dict[str, object]:
    """What counts besides files: the folders of product, store and program, the interpreter, what was asked for.

    Of the interpreter: which it is, how it was started, and where it looks for packages.
    """
    machine = os.uname()
    return {
        "root": os.path.realpath(root),
        "store": os.path.realpath(store),
        "program": os.path.dirname(nbdataops.__file__),  # noqa: PTH120
        "python": [sys.version, sys.executable, sys.prefix, sys.base_prefix, list(sys.flags)],
        "path": [os.path.abspath(path) for path in sys.path],  # noqa: PTH100
        "machine": [machine.sysname, machine.machine],
        "arguments": arguments,
    }


def read_witness(store: str) -> Witness | None:
    """The witness in the folder of a store, None when there is none that can be trusted."""
    try:
        with open(os.path.join(store, NAME), "rb") as file:  # noqa: PTH118, PTH123
            return Witness.from_bytes(file.read())
    except (OSError, ValueError, TypeError):
        return None
