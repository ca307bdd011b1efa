"""Figures of evidence in the words of a study's reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nbdataops.validate.evidence import Evidence, as_percent


class Clock(Protocol):
    """A horizon with its unit."""

    @property
    def horizon(self) -> int: ...
    @property
    def time_unit(self) -> str: ...


def horizon_words(clock: Clock, horizon: int | None = None, *, adjective: bool = False) -> str:
    """ "39-week" as an adjective, "39 weeks" otherwise."""
    n = clock.horizon if horizon is None else horizon
    if adjective:
        return f"{n}-{clock.time_unit}"
    return f"{n} {clock.time_unit}{'' if n == 1 else 's'}"


def headline(e: Evidence) -> str:
    """The component and its figure: "value -19 % (90 % interval -23 to -15 %; allowed -9 to +10 %)"."""
    return f"{e.component} {figure(e)}" if e.component else figure(e)


def headlines(members: Sequence[Evidence]) -> str:
    """Several headlines, one after another."""
    return ", ".join(headline(e) for e in members)


def figure(e: Evidence) -> str:
    """The estimate, its interval and what is allowed."""
    if e.estimate is None:
        return f"has no figure ({e.why})"
    ratio = e.statistic == "log_ratio"
    unit = " %" if ratio else ""
    parts = []
    if e.lower is not None and e.upper is not None:
        parts.append(f"90 % interval {_plain(e.lower, ratio)} to {_plain(e.upper, ratio)}{unit}")
    low, high = e.allowed
    if low is not None and high is not None:
        parts.append(f"allowed {_plain(low, ratio)} to {_plain(high, ratio)}{unit}")
    elif low is not None:
        parts.append(f"allowed from {_plain(low, ratio)}{unit}")
    return f"{_plain(e.estimate, ratio)}{unit}" + (f" ({'; '.join(parts)})" if parts else "")


def _plain(value: float, ratio: bool) -> str:
    if not ratio:
        return f"{value:.2f}"
    percent = as_percent(value)
    if percent is None:
        return "more than 1e20"
    digits = 0 if abs(percent) >= 9.5 else 1
    text = f"{percent:+.{digits}f}"
    return "0" if float(text) == 0 else text
