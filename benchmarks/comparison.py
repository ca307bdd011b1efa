"""Two ways to do the same, run in turns: medians and their ratio, by the clock and by the processor."""

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


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds by the clock, and of the processor: this process and the children that ended meanwhile."""

    wall_s: float
    cpu_s: float = math.nan


@dataclass(frozen=True, slots=True)
class Comparison:
    """`ours` and `other` hold one duration a round. Ratios are ours to other: below 1 we are faster."""

    what: str
    against: str
    ours: tuple[Duration, ...]
    other: tuple[Duration, ...]

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
    """Medians and ratios as text, one line a comparison."""
    rows = [("ours", "against", "rounds", "ours, ms", "against, ms", "ratio", "ratio of CPU", "")]
    for c in comparisons:
        ours, other = (median(d.wall_s for d in side) * 1e3 for side in (c.ours, c.other))
        rows.append(
            (
                c.what,
                c.against,
                str(len(c.ours)),
                f"{ours:,.2f}",
                f"{other:,.2f}",
                f"{c.wall_ratio:.3g}",
                "" if math.isnan(c.cpu_ratio) else f"{c.cpu_ratio:.3g}",
                _in_words(c.wall_ratio),
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if i in (0, 1, 7) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
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


def _duration(way: Way, number: int) -> Duration:
    gc.collect()
    cpu, wall = _cpu_s(), time.perf_counter()
    way(number)
    return Duration(time.perf_counter() - wall, _cpu_s() - cpu)


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def _in_words(ratio: float) -> str:
    return f"{1 / ratio:.1f} times as fast" if ratio < 1 else f"{ratio:.1f} times the time"
