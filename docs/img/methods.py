"""Draws methods.svg, the picture of docs/methods.md, from the demo's own study: `python docs/img/methods.py`.

What every method of the CDNOW product forecast at one past date against what came, with the interval of its refits,
by family: first transactions, then their value. It reads the newest report of the product (`make demo` makes one).
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from nbdataops.report.svg import Axis, svg, tag

PRODUCT = Path(__file__).parents[2] / "notebooks" / "cdnow"
ORIGIN, HORIZON = "1997-09-30", 39
MARGIN = 0.10
COMPONENTS = {"transactions": "transactions", "value": "their value"}
FAMILIES = ("latent-attrition", "discrete-attrition", "cohort", "markov", "supervised", "naive")
TICKS = (-60, -40, -20, 0, 25, 60)
WIDTH, ROW, GAP, TOP = 900, 22, 12, 58
PANELS = ((300.0, 560.0), (610.0, 870.0))
# Readable on white and on black: an image cannot know its page.
STYLE = (
    "text{font:13px system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;fill:#7b828a}"
    ".h{font-weight:600}.s{font-size:11px}.grid{stroke:#8a929a;stroke-opacity:.28}.zero{stroke:#8a929a}"
    ".band{fill:#3b82b8;fill-opacity:.14}.iv{stroke-width:2.4;stroke:#3b82b8}circle{fill:#3b82b8}"
)


def newest_study(product: Path) -> dict[str, Any]:
    """The study of the newest report of a product."""
    reports = sorted((product / ".nbdataops" / "reports").glob("*/report.json"))
    if not reports:
        sys.exit(f"no report in {product}: run `make demo` first")
    study: dict[str, Any] = json.loads(reports[-1].read_text(encoding="utf-8"))["study"]
    return study


def by_family(holdout: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Families in the order of the page, with their methods."""
    family_of = {row["name"]: str(row["family"]) for row in holdout}
    order = sorted(
        set(family_of.values()), key=lambda name: (FAMILIES.index(name) if name in FAMILIES else 99, name)
    )
    return [(family, sorted(m for m, of in family_of.items() if of == family)) for family in order]


def draw(study: Mapping[str, Any]) -> str:
    """The text of the image."""
    rows = [
        row
        for row in study["holdout"]
        if row["as_of"] == ORIGIN and row["horizon"] == HORIZON and row["percent"] is not None
    ]
    found = {(row["name"], row["component"]): row for row in rows}
    axes = [Axis(math.log1p(TICKS[0] / 100), math.log1p(TICKS[-1] / 100), *panel) for panel in PANELS]
    y, lines = float(TOP), []
    for family, methods in by_family(rows):
        lines.append(tag("text", family, class_="h", x=12, y=y + 15))
        for method in methods:
            lines.append(tag("text", method, x=290, y=y + 15, text_anchor="end"))
            for axis, component in zip(axes, COMPONENTS, strict=True):
                if row := found.get((method, component)):
                    lines += mark(axis, y + ROW / 2, row)
            y += ROW
        y += GAP
    frame = [
        part for axis, title in zip(axes, COMPONENTS.values(), strict=True) for part in grid(axis, title, y)
    ]
    said = "; ".join(f"{row['name']} {row['component']} {row['percent']:+.0f} %" for row in rows)
    title = f"Forecasts of {ORIGIN} for {HORIZON} weeks, against what came"
    return str(svg(WIDTH, y + 26, title, said, tag("style", Markup(STYLE)), *frame, *lines)) + "\n"


def grid(axis: Axis, title: str, bottom: float) -> list[Markup]:
    low, high = (axis.at(side * math.log1p(MARGIN)) for side in (-1, 1))
    parts = [
        tag("text", title, class_="h", x=(axis.start + axis.end) / 2, y=22, text_anchor="middle"),
        tag("rect", class_="band", x=low, y=TOP - 10, width=high - low, height=bottom - TOP + 10),
        tag("text", "what came", class_="s", x=axis.at(0.0), y=TOP - 16, text_anchor="middle"),
    ]
    for percent in TICKS:
        x = axis.at(math.log1p(percent / 100))
        shown = f"{percent:+d} %".replace("-", "−") if percent else "0"
        parts.append(tag("line", class_="grid" if percent else "zero", x1=x, x2=x, y1=TOP - 10, y2=bottom))
        parts.append(tag("text", shown, class_="s", x=x, y=bottom + 16, text_anchor="middle"))
    return parts


def mark(axis: Axis, y: float, row: Mapping[str, Any]) -> list[Markup]:
    parts = []
    if row["lower"] is not None and row["upper"] is not None:
        ends = [axis.at(math.log1p(row[end] / 100)) for end in ("lower", "upper")]
        parts.append(tag("line", class_="iv", x1=ends[0], x2=ends[1], y1=y, y2=y))
    parts.append(tag("circle", cx=axis.at(math.log1p(row["percent"] / 100)), cy=y, r=4))
    return parts


if __name__ == "__main__":
    picture = draw(newest_study(PRODUCT))
    Path(__file__).with_suffix(".svg").write_text(picture, encoding="utf-8")
