"""The graph of stages with timings, as layered SVG: inputs at the left, what stands on them to the right."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from nbdataops.report import words
from nbdataops.report.svg import shorten, svg, tag

_BOX: Final = (176, 44)
_GAP: Final = (34, 14)


@dataclass(frozen=True, slots=True)
class Box:
    """All nodes of one stage (it runs at several origins), or a source when it has no role."""

    name: str
    role: str
    ran: int
    reused: int
    skipped: int
    seconds: float
    state: str
    after: frozenset[str]

    @property
    def told(self) -> str:
        if not self.role:
            return "source"
        total = self.ran + self.reused
        work = (
            f"ran {self.ran} of {total}"
            if self.ran and self.reused
            else f"{self.ran} runs"
            if self.ran > 1
            else ""
        )
        if not self.ran:
            work = "skipped" if self.skipped else "reused"
        state = "" if self.state == "succeeded" else self.state.replace("_", " ")
        return " · ".join(
            p for p in (self.role, state, _duration(self.seconds) if self.ran else "", work) if p
        )


def _duration(seconds: float) -> str:
    return words.seconds(seconds) if seconds < 59.5 else f"{seconds / 60:.1f} min"


def boxes(stages: Sequence[Mapping[str, object]]) -> tuple[Box, ...]:
    """One box a stage: its nodes summed up, its edges led back from nodes to stages; unknown predecessors are sources.

    `stages` are the entries of `nbdataops run --json`; `after` may name nodes, stages or sources.
    """
    stage_of = {str(s.get("node") or s["stage"]): _name(s) for s in stages}
    merged: dict[str, list[Mapping[str, object]]] = {}
    for s in stages:
        merged.setdefault(_name(s), []).append(s)
    made: list[Box] = []
    sources: set[str] = set()
    for name, nodes in merged.items():
        after = {stage_of.get(a, a) for n in nodes for a in _names(n.get("after"))} - {name}
        sources |= after - set(merged)
        made.append(Box(
            name=name, role=str(nodes[0].get("role") or "stage"), after=frozenset(after),
            ran=sum(n.get("action") == "run" and n.get("state") != "skipped" for n in nodes),
            skipped=sum(n.get("state") == "skipped" for n in nodes), reused=sum(n.get("action") == "reuse" for n in nodes),
            seconds=sum(_seconds(n) for n in nodes), state=_state(nodes),
        ))  # fmt: skip
    return (*(Box(s, "", 0, 0, 0, 0.0, "", frozenset()) for s in sorted(sources)), *made)


def _name(node: Mapping[str, object]) -> str:
    """Check nodes, of which every method has several, are one box for each kind of evidence."""
    stage = str(node["stage"])
    return re.split(r"[:@ \[]", stage)[0] if node.get("kind") == "check" else stage


def _names(after: object) -> list[str]:
    return [str(a) for a in after] if isinstance(after, (list, tuple)) else []


def _seconds(node: Mapping[str, object]) -> float:
    spent = node.get("seconds")
    return float(spent) if isinstance(spent, (int, float)) and node.get("action") != "reuse" else 0.0


def _state(nodes: Sequence[Mapping[str, object]]) -> str:
    states = {str(n.get("state") or "") for n in nodes}
    return next(
        (s for s in ("failed", "timed_out", "lost", "cancelled", "running") if s in states),
        "succeeded",
    )


def layers(given: Sequence[Box]) -> list[list[Box]]:
    """Boxes by their longest way from a source; a box on a ring (which no valid graph has) lands in the first layer."""
    by_name = {b.name: b for b in given}
    depth: dict[str, int] = {}

    def deep(name: str, path: tuple[str, ...]) -> int:
        if name not in depth:
            before = [a for a in by_name[name].after if a in by_name and a not in path]
            depth[name] = 1 + max((deep(a, (*path, name)) for a in before), default=-1)
        return depth[name]

    made: list[list[Box]] = [[] for _ in range(1 + max((deep(b.name, (b.name,)) for b in given), default=-1))]
    for b in given:
        made[depth[b.name]].append(b)
    for k in range(1, len(made)):  # near to what it stands on: few crossings
        rank = {b.name: i / max(1, len(made[k - 1])) for i, b in enumerate(made[k - 1])}
        made[k].sort(
            key=lambda b: (sum(rank.get(a, 0.5) for a in b.after) / max(1, len(b.after)), b.role, b.name)
        )
    return made


def _direct(box: Box, by_name: Mapping[str, Box]) -> list[str]:
    """Edges that no longer way already implies."""

    def reach(name: str, seen: set[str]) -> set[str]:
        for a in by_name[name].after if name in by_name else ():
            if a not in seen:
                seen.add(a)
                reach(a, seen)
        return seen

    implied = {far for a in box.after for far in reach(a, set()) if far != a}
    return sorted(a for a in box.after if a in by_name and a not in implied)


def graph(stages: Sequence[Mapping[str, object]]) -> Markup:
    """The picture. Edges that a longer way implies are left out; the wider the bar in a box, the longer it took."""
    given = boxes(stages)
    rows = layers(given)
    if not rows:
        return Markup("")
    (w, h), (gx, gy) = _BOX, _GAP
    tallest = max(len(r) for r in rows)
    height = tallest * (h + gy) - gy + 8
    width = len(rows) * (w + gx) - gx + 4
    most = max((b.seconds for b in given), default=0.0) or 1.0
    place: dict[str, tuple[float, float]] = {}
    for k, layer in enumerate(rows):
        top = (height - (len(layer) * (h + gy) - gy)) / 2
        for i, b in enumerate(layer):
            place[b.name] = (2.0 + k * (w + gx), top + i * (h + gy))
    by_name = {b.name: b for b in given}
    edges = [_edge(place[a], place[b.name]) for b in given for a in _direct(b, by_name)]
    drawn = [_box(b, *place[b.name], most) for b in given]
    said = "; ".join(
        f"{b.name}{' after ' + ', '.join(sorted(b.after)) if b.after else ''}: {b.told}" for b in given
    )
    return svg(
        float(width), float(height), "Stages and what they stand on", said, *edges, *drawn, class_="graph"
    )


def _edge(start: tuple[float, float], end: tuple[float, float]) -> Markup:
    (w, h), bend = _BOX, 26
    x1, y1, x2, y2 = start[0] + w, start[1] + h / 2, end[0], end[1] + h / 2
    return tag("path", d=f"M{x1:.0f} {y1:.0f}C{x1 + bend:.0f} {y1:.0f} {x2 - bend:.0f} {y2:.0f} {x2:.0f} {y2:.0f}", class_="edge")  # fmt: skip


def _box(b: Box, x: float, y: float, most: float) -> Markup:
    w, h = _BOX
    bad = b.state in ("failed", "timed_out", "lost", "cancelled")
    bar = max(0.0, (w - 2) * b.seconds / most)
    drawn = [tag("rect", x=x, y=y, width=w, height=h, rx=5, class_=f"box{' source' if not b.role else ''}{' bad' if bad else ''}")]  # fmt: skip
    if bar >= 1:
        drawn.append(tag("rect", x=x + 1, y=y + h - 4, width=bar, height=3, rx=1.5, class_="bar"))
    drawn.append(tag("text", shorten(words.short(b.name), w - 20, 14), x=x + 10, y=y + 18, class_="h"))
    drawn.append(tag("text", shorten(b.told, w - 16, 11), x=x + 10, y=y + 34, class_="s num"))
    return tag("g", tag("title", f"{b.name}: {b.told}"), *drawn)
