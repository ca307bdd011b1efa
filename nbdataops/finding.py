"""What an examination of a machine, a product or warm kernels finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nbdataops.errors import ExitCode


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it is as it must be, what is so, and what to do when it is not."""

    name: str
    ok: bool
    what: str
    todo: str = ""
    exit_code: ExitCode = ExitCode.INFRASTRUCTURE
    """Of the command, when this one is not ok."""

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.ok, "what": self.what, "todo": self.todo}
