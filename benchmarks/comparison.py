"""Two ways to do the same, run in turns: medians and their ratio, by the clock and by the processor.

Where it was asked for, also the most memory that a process of each side took.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

Way = Callable[[int], object]
"""Does it once; is given the number of the round, from 0."""


class PeerMissingError(RuntimeError):
    """The other side cannot be had on this machine, so there is nothing to compare with."""


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds by the clock, and of the processor: this process and the children that ended meanwhile."""

    wall_s: float
    cpu_s: float = math.nan


@dataclass(frozen=True, slots=True)
class Memory:
    """The most resident memory, in MB, that a fresh process ever held: at the end, and before it began the task."""

    peak_mb: float
    before_mb: float

    def __str__(self) -> str:
        return f"{self.peak_mb:,.0f} ({self.before_mb:,.0f})"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`ours` and `other` hold one duration a round. Ratios are ours to other: below 1 we are faster.

    `asked`: the largest ratio by the clock that was asked for, if any. `asked_mb`: the same of our peak in memory.
    """

    what: str
    against: str
    ours: tuple[Duration, ...]
    other: tuple[Duration, ...]
    asked: float | None = None
    ours_memory: Memory | None = None
    other_memory: Memory | None = None
    asked_mb: float | None = None

    @property
    def wall_ratio(self) -> float:
        return median(d.wall_s for d in self.ours) / median(d.wall_s for d in self.other)

    @property
    def cpu_ratio(self) -> float:
        return median(d.cpu_s for d in self.ours) / max(1e-6, median(d.cpu_s for d in self.other))


def compare(what: str, ours: Way, against: str, other: Way, rounds: int) -> Comparison:
    """Run both ways in turns; which one goes first alternates, so that neither profits from the other's caches."""
    durations: dict[Way, list[Duration]] = {ours: [], other: []}
    for number in range(rounds):
        for way in (ours, other) if number % 2 == 0 else (other, ours):
            durations[way].append(_duration(way, number))
    return Comparison(what, against, tuple(durations[ours]), tuple(durations[other]))


def table(comparisons: Sequence[Comparison]) -> str:
    """Medians and ratios as text, one line a comparison; what no comparison has is no column."""
    named = [
        ("ours", True, [c.what for c in comparisons]),
        ("against", True, [c.against for c in comparisons]),
    ]
    named.append(("rounds", False, [str(len(c.ours)) for c in comparisons]))
    named.append(("ours, ms", False, [_median_ms(c.ours) for c in comparisons]))
    named.append(("against, ms", False, [_median_ms(c.other) for c in comparisons]))
    named.append(("ratio", False, [f"{c.wall_ratio:.3g}" for c in comparisons]))
    cpu = ["" if math.isnan(c.cpu_ratio) else f"{c.cpu_ratio:.3g}" for c in comparisons]
    named.append(("ratio of CPU", False, cpu))
    if any(c.ours_memory for c in comparisons):
        named.append(("ours, MB", False, [str(c.ours_memory or "") for c in comparisons]))
    if any(c.other_memory for c in comparisons):
        named.append(("against, MB", False, [str(c.other_memory or "") for c in comparisons]))
    named.append(("", True, [_in_words(c) for c in comparisons]))
    columns = []
    for title, left, cells in named:
        width = max(len(cell) for cell in (title, *cells))
        columns.append([cell.ljust(width) if left else cell.rjust(width) for cell in (title, *cells)])
    lines = ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]
    return "\n".join([lines[0], "-" * len(max(lines, key=len)), *lines[1:]])


def script(measure: Callable[[int], list[Comparison]], rounds: int, claim: str | None) -> None:
    """The command line of one benchmark."""
    parser = argparse.ArgumentParser(description=claim, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, help="default: %(default)s")
    show(measure(parser.parse_args().rounds))


def show(comparisons: Sequence[Comparison]) -> None:
    """Print the table, and how busy the machine was."""
    print(table(comparisons))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"Medians of rounds in turns. {os.cpu_count()} cores, load {load} (1, 5, 15 minutes).")
    if any(c.ours_memory for c in comparisons):
        print("MB: the peak of a fresh process, in brackets with its imports and customers alone.")


def _duration(way: Way, number: int) -> Duration:
    gc.collect()
    cpu, wall = _cpu_s(), time.perf_counter()
    way(number)
    return Duration(time.perf_counter() - wall, _cpu_s() - cpu)


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def _median_ms(durations: Sequence[Duration]) -> str:
    return f"{median(d.wall_s for d in durations) * 1e3:,.2f}"


def _in_words(c: Comparison) -> str:
    ratio = c.wall_ratio
    words = [f"{1 / ratio:.1f} times as fast" if ratio < 1 else f"{ratio:.1f} times the time"]
    if c.asked is not None:
        asked = f"at least {1 / c.asked:.0f}" if c.asked < 1 else f"at most {c.asked:g}"
        words.append(f"asked {asked}{'' if ratio <= c.asked else ': MISSED'}")
    if c.asked_mb is not None and c.ours_memory is not None:
        words.append(
            f"asked at most {c.asked_mb:,.0f} MB{'' if c.ours_memory.peak_mb <= c.asked_mb else ': MISSED'}"
        )
    return ", ".join(words)
