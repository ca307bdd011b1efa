"""The charts of report and panel: frozen rows in, SVG out.

Figures of differences are log ratios; their axes are logarithmic and labelled in percent, so that half and double lie
equally far from "the same" and an allowed band is symmetric.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from nbdataops.report import words
from nbdataops.report.svg import FAR, Axis, compact, domain, nice, shorten, svg, tag, ticks


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One estimate with its interval, as log ratios. `dots` are the estimates of single origins."""

    label: str
    estimate: float | None
    lower: float | None = None
    upper: float | None = None
    allowed: words.Band = (None, None)
    verdict: str = ""
    note: str = ""
    dots: tuple[float, ...] = ()
    chosen: bool = False
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """One group (a decile, a cohort) of a series, as a log ratio with its interval."""

    label: str
    estimate: float | None
    lower: float | None = None
    upper: float | None = None
    verdict: str = ""


def forest(
    rows: Sequence[ForestRow],
    *,
    title: str,
    width: int = 1024,
    label_width: int = 190,
    zero: str = "the same",
) -> Markup:
    """Estimates with 90 percent intervals against their allowed bands, one row each; hollow dots are single origins."""
    figure_width, top, row_height = 200, 26, 27
    reach = domain([v for r in rows for v in (r.estimate, r.lower, r.upper)], [r.allowed for r in rows])
    reach = domain([d for r in rows for d in r.dots if abs(d) < 1.5 * reach], least=reach)
    axis = Axis(-reach, reach, label_width + 8, width - figure_width - 8)
    drawn: list[str] = []
    y, said = float(top), []
    for row in rows:
        if row.heading:
            y += 10 if y > top else 0
            drawn.append(tag("text", row.heading, x=0, y=y + 13, class_="h"))
            y += 24
        drawn.append(_forest_row(row, axis, y, row_height, width, label_width))
        said.append(f"{row.heading + ': ' if row.heading else ''}{row.label} {_spoken(row)}")
        y += row_height
    under = [tag("line", x1=axis.at(at), x2=axis.at(at), y1=top - 4.0, y2=y + 2, class_="zero" if at == 0 else "grid")
             for at, _ in ticks(axis, 54)]  # fmt: skip
    marks = [tag("text", zero if at == 0 else label, x=axis.at(at), y=14, text_anchor="middle", class_="s")
             for at, label in ticks(axis, 54)]  # fmt: skip
    return svg(width, y + 6, title, "; ".join(said), *under, *marks, *drawn, class_="forest")


def _spoken(row: ForestRow) -> str:
    interval = f" ({words.percent(row.lower)} to {words.percent(row.upper)})" if row.lower is not None else ""
    return f"{words.percent(row.estimate)}{interval}{', ' + row.verdict if row.verdict else ''}"


def _forest_row(
    row: ForestRow, axis: Axis, y: float, height: float, width: float, label_width: float
) -> Markup:
    middle = y + height / 2
    verdict = row.verdict or "plain"
    drawn: list[str] = []
    if row.chosen:
        drawn.append(tag("rect", x=0, y=y + 1, width=width, height=height - 2, rx=4, class_="chosen"))
    if row.allowed != (None, None):
        left, right = (
            axis.at(open_ if edge is None else edge)
            for edge, open_ in zip(row.allowed, (-FAR, FAR), strict=True)
        )
        drawn.append(tag("rect", x=left, y=y, width=right - left, height=height, class_="band"))
    drawn.append(tag("text", shorten(row.label, label_width - 8 - 5.4 * len(row.note)),
                     *([tag("tspan", f"  {row.note}", class_="s")] if row.note else []), x=4, y=middle + 4))  # fmt: skip
    if row.estimate is None:
        drawn.append(tag("text", "no figure", x=axis.at(0), y=middle + 4, text_anchor="middle", class_="s"))
        return tag("g", *drawn)
    if row.lower is not None and row.upper is not None:
        drawn.append(_line(axis, row.lower, row.upper, middle, verdict))
    drawn.extend(_origin(axis, d, middle + 8) for d in row.dots)
    drawn.append(tag("circle", cx=axis.at(row.estimate), cy=middle, r=4.6, class_=f"pt {verdict}"))
    x = axis.end + 16
    if row.verdict:
        glyph = words.VERDICT_GLYPHS.get(row.verdict, "⚠")
        drawn.append(tag("text", glyph, x=x, y=middle + 4, text_anchor="middle", class_=f"h {verdict}"))
    drawn.append(
        tag("text", words.percent(row.estimate), x=x + 62, y=middle + 4, text_anchor="end", class_="h num")
    )
    if row.lower is not None and row.upper is not None:
        interval = f"{words.percent(row.lower)} to {words.percent(row.upper)}"
        drawn.append(tag("text", interval, x=x + 72, y=middle + 4, class_="s num"))
    return tag("g", *drawn)


def _origin(axis: Axis, at: float, y: float) -> Markup:
    """One past date: a ring, or at the edge an arrow towards where it lies."""
    x = axis.at(at)
    if axis.holds(at):
        return tag("circle", cx=x, cy=y, r=2.1, class_="origin")
    step = 5 if at > 0 else -5
    return tag(
        "path",
        tag("title", words.percent(at)),
        d=f"M{x:.1f} {y - 3:.1f}l{step} 3l{-step} 3z",
        class_="origin",
    )


def _line(axis: Axis, lower: float, upper: float, at: float, verdict: str) -> Markup:
    drawn: list[str] = [
        tag("line", x1=axis.at(lower), x2=axis.at(upper), y1=at, y2=at, class_=f"iv {verdict}")
    ]
    for value, step in ((lower, 6), (upper, -6)):
        if not axis.holds(value):  # an arrow says that the interval goes on
            x = axis.at(value)
            drawn.append(tag("path", d=f"M{x:.1f} {at:.1f}l{step} -4v8z", class_=verdict))
    return tag("g", *drawn)


def groups(
    points: Sequence[Point], *, title: str, allowed: words.Band, reach: float, other: Sequence[Point] = (),
    width: int = 250, height: int = 150, first_last: tuple[str, str] = ("", ""), what: str = "",
) -> Markup:  # fmt: skip
    """One small picture of a series over groups (deciles, cohorts): miss and interval against the allowed band.

    `reach` is half the log axis, shared by the pictures that stand side by side. `other` is drawn hollow and dashed.
    """
    left, right, top, bottom = 42.0, width - 8.0, 10.0, height - (38.0 if any(first_last) else 24.0)
    y = Axis(-reach, reach, bottom, top)
    step = (right - left) / max(1, len(points))
    xs = [left + step * (k + 0.5) for k in range(len(points))]
    drawn: list[str] = []
    if allowed != (None, None):
        low, high = (
            y.at(open_ if edge is None else edge) for edge, open_ in zip(allowed, (-FAR, FAR), strict=True)
        )
        drawn.append(tag("rect", x=left, y=high, width=right - left, height=low - high, class_="band"))
    for at, label in ticks(y, 17):
        drawn.append(
            tag("line", x1=left, x2=right, y1=y.at(at), y2=y.at(at), class_="zero" if at == 0 else "grid")
        )
        drawn.append(tag("text", label, x=left - 6, y=y.at(at) + 4, text_anchor="end", class_="s num"))
    known = {p.label: p for p in other}
    ghost = [(x, known[p.label].estimate) for x, p in zip(xs, points, strict=True) if p.label in known]
    trail = [f"{x:.1f},{y.at(e):.1f}" for x, e in ghost if e is not None]
    if len(trail) > 1:
        drawn.append(tag("polyline", points=" ".join(trail), class_="alt"))
    every = max(1, math.ceil(max((len(p.label) for p in points), default=1) * 7.6 / step)) if points else 1
    for k, (x, p) in enumerate(zip(xs, points, strict=True)):
        verdict = p.verdict or "plain"
        if p.estimate is not None:
            if p.lower is not None and p.upper is not None:
                drawn.append(
                    tag("line", x1=x, x2=x, y1=y.at(p.lower), y2=y.at(p.upper), class_=f"iv {verdict}")
                )
            tip = (
                f"{what} {p.label}: {_spoken(ForestRow('', p.estimate, p.lower, p.upper, verdict=p.verdict))}"
            )
            drawn.append(
                tag("circle", tag("title", tip), cx=x, cy=y.at(p.estimate), r=3.8, class_=f"pt {verdict}")
            )
        if k % every == 0:
            drawn.append(tag("text", p.label, x=x, y=bottom + 15, text_anchor="middle", class_="s num"))
    if any(first_last):
        drawn.append(tag("text", first_last[0], x=left, y=height - 6.0, class_="s"))
        drawn.append(tag("text", first_last[1], x=right, y=height - 6.0, text_anchor="end", class_="s"))
    said = "; ".join(f"{what} {p.label} {_spoken(ForestRow('', p.estimate, p.lower, p.upper, verdict=p.verdict))}" for p in points)  # fmt: skip
    return svg(width, height, title, said or "no groups", *drawn, class_="groups")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was predicted and what happened in one group, per head; the interval is that of what happened."""

    label: str
    predicted: float | None
    actual: float | None
    lower: float | None = None
    upper: float | None = None
    verdict: str = ""


def outcomes(
    groups: Sequence[Outcome], *, title: str, high: float, width: int = 250, height: int = 160,
    first_last: tuple[str, str] = ("", ""), what: str = "",
) -> Markup:  # fmt: skip
    """Predicted as a bar, what happened as a dot with its interval, per group; linear from zero to `high`."""
    left, right, top, bottom = 42.0, width - 4.0, 10.0, height - 38.0
    y = Axis(0.0, high or 1.0, bottom, top)
    step = (right - left) / max(1, len(groups))
    drawn: list[str] = []
    for at in nice(high, 4):
        drawn.append(
            tag("line", x1=left, x2=right, y1=y.at(at), y2=y.at(at), class_="zero" if at == 0 else "grid")
        )
        drawn.append(tag("text", compact(at), x=left - 6, y=y.at(at) + 4, text_anchor="end", class_="s num"))
    said = []
    for k, g in enumerate(groups):
        x, verdict = left + step * (k + 0.5), g.verdict or "plain"
        told = f"{what} {g.label}: predicted {words.number(g.predicted)}, happened {words.number(g.actual)}"
        said.append(told)
        if g.predicted is not None:
            w = step * 0.72
            drawn.append(tag("rect", tag("title", told), x=x - w / 2, y=y.at(g.predicted), width=w,
                             height=bottom - y.at(g.predicted), class_="predicted"))  # fmt: skip
        if g.actual is not None:
            if g.lower is not None and g.upper is not None:
                drawn.append(
                    tag("line", x1=x, x2=x, y1=y.at(g.lower), y2=y.at(g.upper), class_=f"iv {verdict}")
                )
            drawn.append(
                tag("circle", tag("title", told), cx=x, cy=y.at(g.actual), r=3.6, class_=f"pt {verdict}")
            )
        drawn.append(tag("text", g.label, x=x, y=bottom + 15, text_anchor="middle", class_="s num"))
    drawn.append(tag("text", first_last[0], x=left, y=height - 6.0, class_="s"))
    drawn.append(tag("text", first_last[1], x=right, y=height - 6.0, text_anchor="end", class_="s"))
    return svg(width, height, title, "; ".join(said) or "no groups", *drawn, class_="groups")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one method says the number is."""

    label: str
    value: float
    lower: float | None = None
    upper: float | None = None
    note: str = ""
    primary: bool = False


def answers(rows: Sequence[Answer], *, title: str, unit: str, width: int = 1024) -> Markup:
    """Every method's number on one line each, on one linear axis from zero; the released one is marked."""
    widest = max((6.3 * len(r.label) + 5.9 * len(r.note) for r in rows), default=0.0)
    label_width, figure_width, height, top = min(max(190.0, widest + 12), 0.3 * width), 150, 26, 8
    high = (
        max((v for r in rows for v in (r.value, r.upper or 0.0) if math.isfinite(v)), default=1.0) * 1.04
        or 1.0
    )
    axis = Axis(0.0, high, label_width + 8, width - figure_width)
    bottom = float(top + height * len(rows))
    drawn: list[str] = []
    for at in nice(high, 6):
        drawn.append(tag("line", x1=axis.at(at), x2=axis.at(at), y1=float(top), y2=bottom, class_="zero" if at == 0 else "grid"))  # fmt: skip
        drawn.append(
            tag("text", compact(at), x=axis.at(at), y=bottom + 16, text_anchor="middle", class_="s num")
        )
    for p in (r for r in rows if r.primary and r.lower is not None and r.upper is not None):
        left, right = axis.at(p.lower or 0.0), axis.at(p.upper or 0.0)
        drawn.append(
            tag("rect", x=left, y=float(top), width=right - left, height=bottom - top, class_="band")
        )
    for k, r in enumerate(rows):
        middle = top + height * (k + 0.5)
        kind = "accent" if r.primary else "plain"
        drawn.append(tag("text", shorten(r.label, label_width - 8 - 5.9 * len(r.note)),
                         *([tag("tspan", f"  {r.note}", class_="s")] if r.note else []),
                         x=4, y=middle + 4, class_="h" if r.primary else None))  # fmt: skip
        if r.lower is not None and r.upper is not None:
            drawn.append(tag("line", x1=axis.at(r.lower), x2=axis.at(r.upper), y1=middle, y2=middle, class_=f"iv {kind}"))  # fmt: skip
        drawn.append(tag("circle", cx=axis.at(r.value), cy=middle, r=4.6, class_=f"pt {kind}"))
        drawn.append(tag("text", words.number(r.value), x=width - 4.0, y=middle + 4, text_anchor="end",
                         class_="h num" if r.primary else "num"))  # fmt: skip
    said = "; ".join(f"{r.label} {words.number(r.value)}" for r in rows)
    return svg(width, bottom + 22, title, f"{unit}: {said}".lstrip(": "), *drawn, class_="answers")
