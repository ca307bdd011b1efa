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
class Added:
    """MB of memory that one more of something takes."""

    mb: float


@dataclass(frozen=True, slots=True)
class Memory:
    """The most resident memory, in MB, that a fresh process ever held: at the end, and before it began the task."""

    peak_mb: float
    before_mb: float

    def __str__(self) -> str:
        return f"{self.peak_mb:,.0f} ({self.before_mb:,.0f})"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`ours` and `other` hold one duration, or memory, a round. Ratios are ours to other: below 1 we are faster.

    `asked`: the largest ratio by the clock that was asked for, if any. `asked_mb`: the same of our peak in memory.
    """

    what: str
    against: str
    ours: tuple[Duration, ...] | tuple[Added, ...]
    other: tuple[Duration, ...] | tuple[Added, ...]
    asked: float | None = None
    ours_memory: Memory | None = None
    other_memory: Memory | None = None
    asked_mb: float | None = None

    @property
    def ratio(self) -> float:
        return middle(self.ours) / middle(self.other)

    @property
    def cpu_ratio(self) -> float:
        ours, other = (
            median(s.cpu_s if isinstance(s, Duration) else math.nan for s in side)
            for side in (self.ours, self.other)
        )
        return ours / max(1e-6, other)

    @property
    def is_met(self) -> bool:
        return self.asked is None or self.ratio <= self.asked


def middle(samples: Sequence[Duration] | Sequence[Added]) -> float:
    """The median, in seconds or in MB."""
    return median(s.wall_s if isinstance(s, Duration) else s.mb for s in samples)


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
    named.append(("ours, ms", False, [_median(c.ours) for c in comparisons]))
    named.append(("against, ms", False, [_median(c.other) for c in comparisons]))
    named.append(("ratio", False, [f"{c.ratio:.3g}" for c in comparisons]))
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


def script(measure: Callable[..., list[Comparison]], rounds: int, claim: str | None, **sizes: int) -> None:
    """The command line of one benchmark. `sizes`: further numbers that `measure` takes, with their defaults."""
    parser = argparse.ArgumentParser(description=claim, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, number in {"rounds": rounds, **sizes}.items():
        parser.add_argument(f"--{name}", type=int, default=number, help="default: %(default)s")
    show(measure(**vars(parser.parse_args())))


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


def _median(samples: Sequence[Duration] | Sequence[Added]) -> str:
    if isinstance(samples[0], Added):
        return f"{middle(samples):,.1f} MB"
    return f"{middle(samples) * 1e3:,.2f}"


def measured(c: Comparison) -> str:
    """The ratio in words: how many times as fast, or, where a limit was asked for, how much of the other's."""
    if isinstance(c.ours[0], Added):
        return f"{c.ratio:.2g} times the memory"
    if c.ratio < 1 and (c.asked is None or c.asked <= 0.5):
        return f"{1 / c.ratio:.1f} times as fast"
    return f"{c.ratio:.3g} times the time"


def asked(c: Comparison) -> str:
    """What was asked for, in the same words; empty if nothing was."""
    if c.asked is None:
        return ""
    if isinstance(c.ours[0], Duration) and c.asked <= 0.5:
        return f"at least {1 / c.asked:.0f}"
    return f"at most {c.asked:.2g}"


def _in_words(c: Comparison) -> str:
    words = [measured(c)]
    if c.asked is not None:
        words.append(f"asked {asked(c)}{'' if c.is_met else ': MISSED'}")
    if c.asked_mb is not None and c.ours_memory is not None:
        words.append(
            f"asked at most {c.asked_mb:,.0f} MB{'' if c.ours_memory.peak_mb <= c.asked_mb else ': MISSED'}"
        )
    return ", ".join(words)
