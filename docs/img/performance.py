"""Makes the figures of docs/performance.md, and its picture stage-time.svg: `python docs/img/performance.py`.

All from benchmarks/execution/figures.json, which `make bench-execution` measures: the table of the page, the machine,
and where the time of a stage goes with stock papermill and with nbdataops.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # benchmarks/ is no installed package

from benchmarks.comparison import Added, Comparison, Duration, asked, measured, middle  # noqa: E402
from benchmarks.execution import NAMES  # noqa: E402
from benchmarks.execution.phases import PARTS  # noqa: E402
from benchmarks.execution.sides import REQUIREMENTS  # noqa: E402
from benchmarks.figures import Figures  # noqa: E402
from nbdataops.report.svg import Axis, nice, svg, tag  # noqa: E402

FIGURES = ROOT / "benchmarks" / "execution" / "figures.json"
PAGE = ROOT / "docs" / "performance.md"
PICTURE = Path(__file__).with_name("stage-time.svg")
BEGIN, END = "<!-- made by docs/img/performance.py -->", "<!-- end -->"
ROUNDS = 7
"""Of which a median is made; rows of fewer are named."""
OF_PICTURE = "execution.stage_parts"

# Readable on white and on black: an image cannot know its page.
COLOURS = ("#8a6fc4", "#3b82b8", "#c9822b", "#2f8f57", "#cf4a41", "#b8558f", "#8a929a")
STYLE = (
    "text{font:13px system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;fill:#7b828a}"
    ".h{font-weight:600}.s{font-size:11px}.grid{stroke:#8a929a;stroke-opacity:.28}.n{font-variant-numeric:tabular-nums}"
    ".w{fill:#fff;font-size:12px}"
    + "".join(f".p{number}{{fill:{colour}}}" for number, colour in enumerate(COLOURS))
)
WIDTH, LEFT, RIGHT = 860, 152.0, 760.0
BAR, STEP, TOP = 30, 48, 40


def section(figures: Figures) -> str:
    """What stands between the markers of the page: the table, and where it was measured."""
    shown = [c for name in NAMES if name != OF_PICTURE for c in figures.rows.get(name, ())]
    lines = ["| case | against | asked | measured | ours | the other |", "|---|---|---|---|---|---|"]
    lines += [f"| {' | '.join(cells(c))} |" for c in shown]
    machine = dict(figures.machine)
    on = f"{machine.pop('processor')}, {machine.pop('cores')} cores, {machine.pop('memory')}, {machine.pop('system')}"
    few = ", ".join(f"{c.what} ({len(c.ours)})" for c in shown if len(c.ours) < ROUNDS)
    fewer = f"; fewer of {few}" if few else ""
    about = f"Medians of at least {ROUNDS} rounds in turns{fewer}. {on}; {versions(machine)}."
    return "\n".join([*lines, "", about])


def versions(ours: Mapping[str, str]) -> str:
    """Of the libraries on our side, and of those on the other that differ."""
    pinned = dict(line.split("==") for line in REQUIREMENTS.read_text(encoding="utf-8").split())
    theirs = {name: number for name, number in pinned.items() if ours[name] != number}
    shown = ", ".join(f"{name} {number}" for name, number in ours.items())
    if not theirs:
        return f"{shown}, the same for stock papermill"
    return f"{shown}; stock papermill with {', '.join(f'{name} {number}' for name, number in theirs.items())}"


def cells(c: Comparison) -> tuple[str, ...]:
    found = measured(c) if c.is_met else f"{measured(c)}: **missed**"
    return c.what, c.against, asked(c), found, amount(c.ours), amount(c.other)


def amount(samples: Sequence[Duration] | Sequence[Added]) -> str:
    """The median with its unit, in three digits."""
    found = middle(samples)
    if isinstance(samples[0], Added):
        return f"{found:.3g} MB"
    return (
        f"{found * 1e3:.3g} ms" if found < 0.9995 else f"{found:.3g} s" if found < 999.5 else f"{found:.0f} s"
    )


def with_section(page: str, made: str) -> str:
    """The page with what is between its markers replaced."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def parts(rows: Sequence[Comparison]) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Seconds of every part: with stock papermill, and with nbdataops."""
    by_part = {part: c for part in PARTS for c in rows if c.what.endswith(part)}
    return {p: middle(c.other) for p, c in by_part.items()}, {p: middle(c.ours) for p, c in by_part.items()}


def draw(rows: Sequence[Comparison]) -> str:
    """The text of the image: two bars on one scale, ours once more enlarged, and the parts in milliseconds."""
    before, after = parts(rows)
    whole, ours = sum(before.values()), sum(after.values())
    axis = Axis(0.0, whole, LEFT, RIGHT)
    enlarged = max(n for n in (1, 2, 5, 10, 15, 20, 25, 30, 50) if n * ours <= whole or n == 1)
    bars = [
        ("stock papermill", before, axis, f"{whole:.2f} s"),
        ("nbdataops", after, axis, f"{ours:.2f} s"),
        (f"{enlarged} times enlarged", after, Axis(0.0, whole / enlarged, LEFT, RIGHT), ""),
    ]
    bottom = TOP + STEP * len(bars)
    lines = [*grid(axis, whole, TOP + 2 * STEP - 10)]
    for number, (title, seconds, scale, total) in enumerate(bars):
        lines += bar(title, seconds, scale, TOP + STEP * number, total)
    lines += [*legend(before, after, bottom + 22)]
    said = "; ".join(f"{p}: {before[p] * 1e3:.0f} ms before, {after[p] * 1e3:.0f} ms after" for p in PARTS)
    height = bottom + 22 + 22 * (len(PARTS) + 2)
    title = "The time of one stage that imports pandas, scikit-learn and pyarrow, by its parts"
    return str(svg(WIDTH, height, title, said, tag("style", Markup(STYLE)), *lines)) + "\n"


def grid(axis: Axis, whole: float, bottom: float) -> Iterator[Markup]:
    for seconds in nice(whole, 6):
        x = axis.at(seconds)
        yield tag("line", class_="grid", x1=x, x2=x, y1=TOP - 12, y2=bottom)
        yield tag("text", f"{seconds:g} s", class_="s", x=x, y=TOP - 18, text_anchor="middle")


def bar(title: str, seconds: Mapping[str, float], scale: Axis, y: float, total: str) -> Iterator[Markup]:
    yield tag("text", title, class_="h", x=LEFT - 12, y=y + 20, text_anchor="end")
    came = 0.0
    for number, part in enumerate(PARTS):
        start, came = scale.at(came), came + seconds[part]
        width = scale.at(came) - start
        yield tag("rect", class_=f"p{number}", x=start, y=y, width=width, height=BAR)
        if width > 7.5 * len(part):
            yield tag("text", part, class_="w", x=start + width / 2, y=y + 19, text_anchor="middle")
    if total:
        yield tag("text", total, class_="h", x=scale.at(came) + 8, y=y + 20)


def legend(before: Mapping[str, float], after: Mapping[str, float], top: float) -> Iterator[Markup]:
    columns = (LEFT + 330, LEFT + 460)
    for x, title in zip(columns, ("papermill, ms", "nbdataops, ms"), strict=True):
        yield tag("text", title, class_="s", x=x, y=top + 14, text_anchor="end")
    shown = [(part, before[part], after[part], f"p{number}") for number, part in enumerate(PARTS)]
    shown.append(("together", sum(before.values()), sum(after.values()), ""))
    for number, (part, old, new, colour) in enumerate(shown, 1):
        y, weight = top + 22 * number + 14, "" if colour else "h "
        if colour:
            yield tag("rect", class_=colour, x=LEFT, y=y - 11, width=13, height=13)
        yield tag("text", part, class_=weight.strip(), x=LEFT + 22, y=y)
        for x, value in zip(columns, (old, new), strict=True):
            yield tag("text", f"{value * 1e3:,.0f}", class_=f"{weight}n", x=x, y=y, text_anchor="end")


def main() -> None:
    if not FIGURES.exists():
        sys.exit(f"no {FIGURES.relative_to(ROOT)}: run `make bench-execution` first")
    figures = Figures.read(FIGURES)
    PICTURE.write_text(draw(figures.rows[OF_PICTURE]), encoding="utf-8")
    PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8"), section(figures)), encoding="utf-8")


if __name__ == "__main__":
    main()
