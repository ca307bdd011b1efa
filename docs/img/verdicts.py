"""Draws verdicts.svg, the picture of docs/validation.md: `python docs/img/verdicts.py`.

Each line is an estimate with its interval, and the verdict beside it is what the judge says of it.
"""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path

from markupsafe import Markup

from nbdataops.report.svg import Axis, svg, tag
from nbdataops.validate.judge import ratio_band, verdict
from nbdataops.validate.measurement import Z90, Measurement, State
from nbdataops.validate.pool import pool

MARGIN = 0.10
# What it shows, estimate (percent), standard error (of the logarithm).
CASES: tuple[tuple[str, float | None, float], ...] = (
    ("wholly inside", 2, 0.025),
    ("over the edge, precise", 8, 0.025),
    ("over the edge, imprecise", 3, 0.09),
    ("wholly outside", -19, 0.03),
    ("nothing was evaluated", None, 0.0),
)
WIDTH, ROW, TOP = 650, 30, 34
# Readable on white and on black: an image cannot know its page.
STYLE = (
    "text{font:13px system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;fill:#7b828a}"
    ".h{font-weight:600}.s{font-size:11px}.zero{stroke:#8a929a}.band{fill:#3b82b8;fill-opacity:.14}.iv{stroke-width:2.4}"
    ".pass{fill:#2f8f57;stroke:#2f8f57}.warn{fill:#b07a12;stroke:#b07a12}.fail,.error{fill:#cf4a41;stroke:#cf4a41}"
    ".inconclusive{fill:#7b828a;stroke:#7b828a}text.h{stroke:none}"
)


def draw() -> str:
    """The text of the image."""
    axis = Axis(math.log(0.72), math.log(1.28), 190.0, 530.0)
    bottom = TOP + ROW * len(CASES)
    low, high = (math.log1p(MARGIN) * side for side in (-1, 1))
    parts = [
        tag("style", Markup(STYLE)),
        tag("rect", class_="band", x=axis.at(low), y=TOP - 8, width=axis.at(high) - axis.at(low), height=bottom - TOP + 8),
        tag("text", "allowed", x=axis.at(0.0), y=TOP - 15, text_anchor="middle"),
        tag("line", class_="zero", x1=axis.at(0.0), x2=axis.at(0.0), y1=TOP - 8, y2=bottom),
    ]  # fmt: skip
    for edge in (low, 0.0, high):
        shown = f"{100 * math.expm1(edge):+.1f} %".replace("-", "−") if edge else "0"
        parts.append(tag("text", shown, class_="s", x=axis.at(edge), y=bottom + 16, text_anchor="middle"))
    for number, (says, percent, se) in enumerate(CASES):
        parts += line(axis, TOP + ROW * number + ROW / 2, says, percent, se)
    description = "; ".join(f"{says}: {judged(percent, se)}" for says, percent, se in CASES)
    return str(svg(WIDTH, bottom + 28, "Intervals against what is allowed", description, *parts)) + "\n"


def line(axis: Axis, y: float, says: str, percent: float | None, se: float) -> list[Markup]:
    found = judged(percent, se)
    parts = [
        tag("text", says, x=182, y=y + 4, text_anchor="end"),
        tag("text", found, class_=f"h {found}", x=552, y=y + 4),
    ]
    if percent is not None:
        at = math.log1p(percent / 100)
        ends = [axis.at(at + side * Z90 * se) for side in (-1, 1)]
        parts += [
            tag("line", class_=f"iv {found}", x1=ends[0], x2=ends[1], y1=y, y2=y),
            tag("circle", class_=found, cx=axis.at(at), cy=y, r=4),
        ]
    return parts


def judged(percent: float | None, se: float) -> str:
    """The verdict of the one rule on a holdout total."""
    at = None if percent is None else math.log1p(percent / 100)
    measurement = Measurement(
        "holdout", "E5", "methods/a", "outcome", "value", "total", "", "log_ratio", date(1997, 9, 30),
        date(1998, 6, 30), 39, n=1000, estimate=at, se=None if at is None else se,
        lower=None if at is None else at - Z90 * se, upper=None if at is None else at + Z90 * se,
        state=State.MEASURED if at is not None else State.ERROR, reason="nothing was evaluated",
    )  # fmt: skip
    return verdict(pool([measurement]), ratio_band(MARGIN)).verdict.value


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(draw(), encoding="utf-8")
