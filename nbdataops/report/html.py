"""One self-contained HTML file and the same as JSON: no script, no network, nothing from data is live."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from nbdataops.report import charts, svg, words
from nbdataops.report.graph_svg import graph
from nbdataops.report.parts import Calibration, Cell, Multiples
from nbdataops.report.view import ReportView
from nbdataops.store.locations import atomic_write

HTML_NAME: Final = "report.html"
JSON_NAME: Final = "report.json"


def write_report(folder: Path, view: ReportView) -> tuple[Path, Path]:
    """Writes `report.html` and `report.json` into `folder`, whole or not at all; returns their paths.

    Raises StoreError when the folder cannot be written.
    """
    html_path, json_path = folder / HTML_NAME, folder / JSON_NAME
    atomic_write(json_path, to_json(view).encode("utf-8", "replace"))
    atomic_write(html_path, to_html(view).encode("utf-8", "replace"))
    return html_path, json_path


def to_json(view: ReportView) -> str:
    """What the view was made from: `run`, `study`, `contracts`, `stages`, `candidate`, `notebooks`. NaN becomes null."""
    return (
        json.dumps(_finite(view.data), indent=1, ensure_ascii=False, allow_nan=False, sort_keys=True) + "\n"
    )


def to_html(view: ReportView) -> str:
    """The whole page as text."""
    text = _template().render(
        view=view,
        css=Markup(_resource("report.css")),
        pictures=_pictures(view),
        verdicts=words.VERDICTS,
        glyphs=words.VERDICT_GLYPHS,
        label_glyphs=words.LABEL_GLYPHS,
        meanings=words.LABEL_MEANINGS,
        resampling=words.RESAMPLING,
        kind_index={k.kind: i for i, k in enumerate(view.summary, 1)},
        stage_words=_stage_words(view),
        method_index={m: i for i, m in enumerate(dict.fromkeys(e.method for e in view.evidence), 1)},
        json_name=JSON_NAME,
    )
    return str(text).encode("utf-8", "replace").decode()


def _pictures(view: ReportView) -> dict[str, Any]:
    return {
        "answers": charts.answers(
            view.answers, title="What each method says", unit=view.number.unit if view.number else ""
        ),
        "holdout": [
            charts.forest(f.rows, title=f"Miss of past predictions, {f.component}") for f in view.holdout
        ],
        "calibration": [_outcomes(c) for c in view.calibration],
        "deciles": [_series(m, "decile", ("lowest predicted", "highest")) for m in view.deciles],
        "cohorts": [_series(m, "cohort", ("", "")) for m in view.cohorts],
        "graph": graph(view.nodes),
    }


def _series(shown: Multiples, what: str, ends: tuple[str, str]) -> list[Markup]:
    points = [p for s in shown.series for p in s.points]
    reach = min(svg.domain([v for p in points for v in (p.estimate, p.lower, p.upper)], [s.allowed for s in shown.series]), 1.6)  # fmt: skip
    return [
        charts.groups(s.points, title=f"{words.short(s.method)}, {shown.component}, miss by {what}", allowed=s.allowed,
                   reach=reach, first_last=ends, what=what, width=_multiple_width(len(shown.series)))
        for s in shown.series
    ]  # fmt: skip


def _outcomes(shown: Calibration) -> list[Markup]:
    groups = [g for _, of_method in shown.methods for g in of_method]
    high = 1.05 * max(
        (v for g in groups for v in (g.predicted, g.actual, g.upper) if v is not None), default=1.0
    )
    return [
        charts.outcomes(
            of_method, title=f"{words.short(method)}, {shown.component} per customer by decile", high=high,
            first_last=("lowest predicted", "highest"), what="decile", width=_multiple_width(len(shown.methods)),
        )
        for method, of_method in shown.methods
    ]  # fmt: skip


def _calibration(shown: Calibration, pictures: list[Markup]) -> Markup:
    heading = f"{shown.component.capitalize()} per customer, {shown.horizon} ahead, from {shown.as_of}"
    return _in_a_row(heading, [m for m, _ in shown.methods], pictures)


def _multiples(shown: Multiples, pictures: list[Markup]) -> Markup:
    supporting = " (supporting)" if shown.supporting else ""
    heading = f"{shown.component.capitalize()}, {shown.horizon} ahead{supporting}"
    return _in_a_row(heading, [s.method for s in shown.series], pictures)


def _in_a_row(heading: str, methods: list[str], pictures: list[Markup]) -> Markup:
    width = _multiple_width(len(pictures))
    cells = Markup("").join(
        Markup("<div><h4>{}</h4>{}</div>").format(words.short(m), p)
        for m, p in zip(methods, pictures, strict=True)
    )
    return Markup(
        '<div class="group"><h3>{}</h3><div class="multiples" style="--w:{}px">{}</div></div>'
    ).format(heading, width, cells)


def _multiple_width(pictures: int) -> int:
    """Pixels: so that three to five stand in a row, and more than five in rows of four."""
    return {1: 320, 2: 320, 3: 320, 5: 186}.get(pictures, 238)


def _stage_words(view: ReportView) -> str:
    skipped = sum(s.state == "skipped" for s in view.stages)
    reused = sum(s.action == "reuse" and s.state != "skipped" for s in view.stages)
    ran = len(view.stages) - skipped - reused
    said = [f"{n} {what}" for n, what in ((ran, "ran"), (reused, "reused"), (skipped, "skipped")) if n]
    stages = len({s.stage for s in view.stages})
    took = f", in {view.seconds}" if view.seconds != "–" else ""
    made = f"{words.count(stages, 'stage')} at several dates made {words.count(len(view.stages), 'node')}"
    return f"{made}: {', '.join(said)}{took}."


def _quiet(reason: str) -> Markup:
    """A reason whose figures in brackets stand back."""
    return Markup(re.sub(r"\(([^()]*)\)", r'<span class="soft">(\1)</span>', svg.clean(reason)))


def _heat(cell: Cell) -> int:
    return 0 if cell.estimate is None else min(46, round(70 * abs(cell.estimate)))


def _breakable(stage: str) -> Markup:
    """A stage's short name that may break after an underscore."""
    return Markup("<wbr>").join(f"{part}" for part in re.split(r"(?<=_)", words.short(stage)))


def _figure(value: object) -> str:
    return words.number(float(value)) if isinstance(value, (int, float)) else words.number(None)


@cache
def _template() -> Any:
    from jinja2 import DictLoader, Environment, StrictUndefined

    env = Environment(loader=DictLoader({"report": _resource("report.html.j2")}), autoescape=True,
                      undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    env.filters.update(
        breakable=_breakable,
        figure=_figure,
        percent=words.percent,
        short=words.short,
        heat=_heat,
        quiet=_quiet,
    )
    env.globals.update(multiples=_multiples, predicted=_calibration)
    return env.get_template("report")


@cache
def _resource(name: str) -> str:
    return (files("nbdataops.report") / "templates" / name).read_text(encoding="utf-8")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
