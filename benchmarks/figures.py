"""What was measured, in a JSON file: every round of both sides, the machine, and the versions of the libraries.

The pages of docs/ that show figures are made from such files, so that no figure is written by hand.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.comparison import Added, Comparison, Duration

PACKAGES = ("papermill", "nbclient", "jupyter_client", "ipykernel", "pandas", "scikit-learn", "pyarrow")


@dataclass(frozen=True, slots=True)
class Figures:
    """Comparisons by the name of the benchmark that made them, all on one `machine`."""

    machine: Mapping[str, str] = field(default_factory=lambda: this_machine())
    rows: Mapping[str, tuple[Comparison, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Figures:
        """The figures of a file; none if there is no such file."""
        if not path.exists():
            return cls()
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = {name: tuple(map(_comparison, found)) for name, found in content["benchmarks"].items()}
        return cls(content["machine"], rows)

    def with_rows(self, benchmark: str, measured: Sequence[Comparison]) -> Figures:
        """With what a benchmark measured now, in place of what it did before; of another machine nothing is kept."""
        machine = this_machine()
        kept = self.rows if self.machine == machine else {}
        return replace(self, machine=machine, rows={**kept, benchmark: tuple(measured)})

    def with_rounds(self, benchmark: str, measured: Sequence[Comparison]) -> Figures:
        """With further rounds of a benchmark beside those that it took before, where it compared the same."""
        before = (
            {_compared(c): c for c in self.rows.get(benchmark, ())} if self.machine == this_machine() else {}
        )
        joined = [_joined(before.get(_compared(c)), c) for c in measured]
        return self.with_rows(benchmark, joined)

    def write(self, path: Path) -> None:
        rows = {name: [_plain(c) for c in found] for name, found in sorted(self.rows.items())}
        text = json.dumps({"machine": dict(self.machine), "benchmarks": rows}, indent=1)
        path.write_text(text + "\n", encoding="utf-8")


def _compared(c: Comparison) -> tuple[str, str]:
    return c.what, c.against


def _joined(before: Comparison | None, now: Comparison) -> Comparison:
    if before is None or now.ours_memory or now.other_memory:  # memory is that of one process
        return now
    ours: Any = (*before.ours, *now.ours)
    other: Any = (*before.other, *now.other)
    return replace(now, ours=ours, other=other)


def this_machine() -> dict[str, str]:
    """What figures depend on: processor, cores, memory, system, Python, and the libraries that are timed."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    about = {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory / 1e9:.0f} GB",
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "Python": platform.python_version(),
    }
    return about | {name: version(name) for name in PACKAGES}


def _processor() -> str:
    """The name that Linux gives the processor, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _plain(c: Comparison) -> dict[str, Any]:
    unit = "MB" if isinstance(c.ours[0], Added) else "s"
    found = {
        "what": c.what,
        "against": c.against,
        "unit": unit,
        "ours": _rounds(c.ours),
        "other": _rounds(c.other),
    }
    return found | ({} if c.asked is None else {"asked": round(c.asked, 6)})


def _rounds(samples: Sequence[Duration] | Sequence[Added]) -> list[float]:
    amounts = (s.wall_s if isinstance(s, Duration) else s.mb for s in samples)
    return [float(f"{amount:.4g}") for amount in amounts]


def _comparison(found: Mapping[str, Any]) -> Comparison:
    kind = Added if found["unit"] == "MB" else Duration
    ours, other = (tuple(map(kind, found[side])) for side in ("ours", "other"))
    return Comparison(found["what"], found["against"], ours, other, found.get("asked"))
