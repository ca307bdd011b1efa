"""What a stage prints, as it prints it: a text file that only grows, to be followed with `tail -f`.

A notebook is saved every few seconds at most, and what a cell prints is in it only when the cell has ended. The log
has each line at once. It is removed when the notebook is complete, which then holds all of it; a runner that was
killed leaves it.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from nbdataops.build.redaction import redacted

BAR_S = 1.0
"""A line that is written anew and anew, as a progress bar is, appears so often."""
LONGEST = 10_000
"""Characters of a line without an end; then it is written as it is."""
_END = re.compile(r"(\r\n|\n|\r(?=.))", re.DOTALL)


class LiveLog:
    """The log of one execution. Nothing that goes wrong with it is raised: a full disk fails the save, not this.

    `redact` are pieces of secrets (`redaction.pieces`), of which those count that fit in one line.
    """

    def __init__(
        self, path: Path, redact: tuple[str, ...] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = path
        self._redact = tuple(piece for piece in redact if len(piece.splitlines()) == 1)
        self._longest_secret = max(map(len, self._redact), default=0)
        self._clock = clock
        self._descriptor: int | None = None
        self._rest = ""
        self._bar_at = float("-inf")

    def cell(self, number: int, total: int) -> None:
        """A cell starts; `number` counts from 1."""
        self._flush()
        self._write(f"--- {time.strftime('%H:%M:%S')} cell {number} of {total}\n")

    def text(self, text: str) -> None:
        """A piece of what a cell prints, wherever it begins and ends."""
        *lines, self._rest = _END.split(self._rest + text)
        shown = [
            redacted(line, self._redact)
            for line, end in zip(lines[::2], lines[1::2], strict=True)
            if self._is_shown(end)
        ]
        if len(self._rest) > LONGEST:
            # What may be the beginning of a secret stays until its end has come.
            rest = redacted(self._rest, self._redact)
            cut = len(rest) - self._longest_secret
            shown.append(rest[:cut])
            self._rest = rest[cut:]
        if shown:
            self._write("\n".join(shown) + "\n")

    def ended(self, number: int, how: str) -> None:
        """A cell has ended: `completed` or `failed`."""
        self._flush()
        self._write(f"--- {time.strftime('%H:%M:%S')} cell {number} {how}\n")

    def remove(self) -> None:
        """The notebook has everything."""
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _is_shown(self, end: str) -> bool:
        if end != "\r":
            return True
        now = self._clock()
        if now - self._bar_at < BAR_S:
            return False
        self._bar_at = now
        return True

    def _flush(self) -> None:
        if self._rest.strip("\r"):
            self._write(redacted(self._rest.rstrip("\r"), self._redact) + "\n")
        self._rest = ""

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            if self._descriptor is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0)
                self._descriptor = os.open(self.path, flags, 0o644)
            os.write(self._descriptor, text.encode("utf-8", "replace"))
