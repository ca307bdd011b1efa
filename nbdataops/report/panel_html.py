"""The panel without a script: what an untrusted notebook, an exported page or a mail shows.

Its markup is what the sanitizers of JupyterLab and of our notebook export let through: plain elements, inline styles,
charts as `<img>` with data URIs. Colours are between light and dark, since it cannot know its page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup

from nbdataops.report import charts, svg, words

_COLOURS: Final = {
    "pass": "#2f8f57", "warn": "#b07a12", "fail": "#cf4a41", "error": "#cf4a41", "inconclusive": "#7b828a",
    "validated": "#2f8f57", "corroborated": "#b07a12", "unverified": "#cf4a41",
}  # fmt: skip
_WIDTH: Final = 720


def panel_html(data: Mapping[str, Any]) -> str:
    """The panel of `panel_data` as static HTML, under 60 kB."""
    chips = Markup(" ").join(
        _mark(words.VERDICT_GLYPHS[c["verdict"]], f"{c['title']}: {c['verdict']}", c["verdict"])
        for c in data["chips"]
    )
    parts = [
        Markup('<div style="margin: 0 0 8px;"><b>{}</b> {} {}</div>').format(
            data["title"],
            _when(data),
            _mark(words.LABEL_GLYPHS[data["label"]], f"study {data['label']}", data["label"]),
        ),
        Markup("<div>{}</div>").format(data["meaning"]),
        _reasons(data),
        Markup('<div style="margin: 8px 0; line-height: 2;">{}</div>').format(chips) if chips else Markup(""),
        _pictures(data),
        *(_chip_words(c) for c in data["chips"]),
    ]
    return str(Markup('<div class="nbdataops-panel">{}</div>').format(Markup("").join(parts)))


def panel_text(data: Mapping[str, Any]) -> str:
    """The panel in a few plain lines."""
    lines = [f"{data['title']}: study {data['label']} ({_when(data)})", *(f"- {r}" for r in data["reasons"])]
    lines += [f"{words.VERDICT_GLYPHS[c['verdict']]} {c['title']}: {c['verdict']}" for c in data["chips"]]
    lines += [f"{words.VERDICT_GLYPHS[o['verdict']]} {o['words']}" for o in data["others"]]
    return "\n".join(lines)


def _when(data: Mapping[str, Any]) -> str:
    return ", ".join(
        p
        for p in (data["horizon"] and f"{data['horizon']} ahead", data["as_of"] and f"as of {data['as_of']}")
        if p
    )


def _mark(glyph: str, text: str, verdict: str) -> Markup:
    colour = _COLOURS[verdict]
    style = f"border: 1px solid {colour}; color: {colour}; border-radius: 12px; padding: 1px 9px; white-space: nowrap;"
    return Markup('<span style="{}">{} {}</span>').format(style, glyph, text)


def _reasons(data: Mapping[str, Any]) -> Markup:
    if not data["reasons"]:
        return Markup("")
    tag = Markup("<details open>") if data["primary"] else Markup("<details>")
    return tag + Markup("<summary>Why the study is {}</summary>{}</details>").format(
        data["label"], _list(data["reasons"])
    )


def _list(items: list[str]) -> Markup:
    return (
        Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(i) for i in items))
        if items
        else Markup("")
    )


def _chip_words(chip: Mapping[str, Any]) -> Markup:
    more = chip["count"] - len(chip["words"])
    listed = [*chip["words"], *([f"and {more} more"] if more > 0 else [])]
    return Markup("<details><summary>{} ({})</summary>{}</details>").format(chip["question"] or chip["title"], chip["verdict"], _list(listed))  # fmt: skip


def _pictures(data: Mapping[str, Any]) -> Markup:
    made = []
    if data["others"]:
        rows = [
            charts.ForestRow(o["title"], o["estimate"], o["lower"], o["upper"], tuple(o["allowed"]), o["verdict"],
                          note="same family" if o["same_family"] else "")
            for o in data["others"]
        ]  # fmt: skip
        made += [
            (
                "Against other methods",
                charts.forest(rows, title=f"{data['title']} against other methods", width=_WIDTH),
            )
        ]
    series = data["deciles"].get(data["stage"])
    if series:
        points = [
            charts.Point(p["group"], p["estimate"], p["lower"], p["upper"], p["verdict"]) for p in series
        ]
        band: words.Band = tuple(data["decile_band"])
        reach = min(svg.domain([v for p in points for v in (p.estimate, p.lower, p.upper)], [band]), 1.6)
        picture = charts.groups(points, title=f"{data['title']}, miss by decile", allowed=band, reach=reach, width=420, height=190,
                             first_last=("lowest predicted", "highest"), what="decile")  # fmt: skip
        made += [("By decile of what it predicted", picture)]
    return Markup("").join(
        Markup('<div style="margin: 10px 0;"><div><b>{}</b></div>{}</div>').format(
            title, svg.standalone(picture)
        )
        for title, picture in made
    )
