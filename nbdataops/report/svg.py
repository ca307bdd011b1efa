"""SVG text, made by hand: no library, no script, a title and a description in each image.

Colours come from classes: the style sheet of the report gives them, `standalone` embeds colours that are readable on
white and on black, for use as an image anywhere.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from nbdataops.report import words

_TICKS: Final = (-90, -75, -60, -40, -20, 0, 25, 50, 100, 200, 400, 900)
FAR: Final = math.log(12)

STANDALONE_STYLE: Final = (
    "text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;fill:#7b828a}"
    ".h{font-weight:600}.s{font-size:11px}.grid{stroke:#8a929a;stroke-opacity:.28}.zero{stroke:#8a929a}"
    ".band{fill:#3b82b8;fill-opacity:.14}.iv{stroke-width:2.2}.chosen{fill:#3b82b8;fill-opacity:.16}"
    ".origin{fill:none;stroke:#7b828a}.pass{fill:#2f8f57;stroke:#2f8f57}.warn{fill:#b07a12;stroke:#b07a12}"
    ".fail,.error{fill:#cf4a41;stroke:#cf4a41}.inconclusive,.plain{fill:#7b828a;stroke:#7b828a}"
    "text.pass,text.warn,text.fail,text.error,text.inconclusive{stroke:none}"
    ".predicted{fill:#3b82b8;fill-opacity:.3}.alt{fill:none;stroke:#7b828a;stroke-dasharray:3 3}.accent{fill:#3b82b8;stroke:#3b82b8}.mark{stroke:#3b82b8}"
)
"""Colours of a chart that is shown as an image: between light and dark, since an image cannot know its page."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A line from `low` to `high` (data) onto `start` to `end` (pixels); what lies outside is drawn at the edge."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def holds(self, value: float) -> bool:
        return self.low - 1e-9 <= value <= self.high + 1e-9


def tag(name: str, *children: str, **attributes: str | float | None) -> Markup:
    """One element. Attribute names write `_` for `-` and `class_` for `class`; everything but Markup is escaped.

    >>> tag("text", "<b>", x=1.5, text_anchor="end")
    Markup('<text x="1.5" text-anchor="end">&lt;b&gt;</text>')
    """
    made = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None and value != ""
    )
    inside = "".join(child if isinstance(child, Markup) else clean(child) for child in children)
    return Markup(f"<{name}{made}>{inside}</{name}>") if inside else Markup(f"<{name}{made}/>")


def clean(text: str) -> str:
    """Text that is inert in HTML and well formed in XML (characters that XML forbids become U+FFFD)."""
    legal = "".join(c if c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff" else
                    " " if c in "\t\n\r" else "\ufffd" for c in text)  # fmt: skip
    return html.escape(legal)


def _attribute(value: str | float) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else clean(str(value))


def svg(
    width: float, height: float, title: str, description: str, *children: str, class_: str = ""
) -> Markup:
    """An image with an accessible name and description; its natural size is its size in pixels."""
    return tag(
        "svg", tag("title", title), tag("desc", description), *children, xmlns="http://www.w3.org/2000/svg",
        role="img", aria_label=f"{title}. {description}", viewBox=f"0 0 {width:g} {height:g}",
        width=width, height=height, class_=f"chart {class_}".strip(),
    )  # fmt: skip


def standalone(image: str) -> Markup:
    """The image as an `<img>` with a data URI: passes the HTML sanitizers of JupyterLab and of nbconvert.

    Its alternative text is the image's own title and description.
    """
    start, rest = image.split(">", 1)
    alt = start.partition('aria-label="')[2].partition('"')[0]
    width = start.partition(' width="')[2].partition('"')[0]
    styled = f"{start}><style>{STANDALONE_STYLE}</style>{rest}"
    data = base64.b64encode(styled.encode()).decode()
    return Markup(f'<img alt="{alt}" width="{width}" src="data:image/svg+xml;base64,{data}">')


def shorten(text: str, width: float, size: float = 12) -> str:
    """Text that fits `width` pixels, judged by an average letter; the middle is left out.

    >>> shorten("gradient_boosting[deep-and-wide]", 100)
    'gradient…d-wide]'
    """
    room = max(4, int(width / (size * 0.52)))
    if len(text) <= room:
        return text
    half = (room - 1) // 2
    return f"{text[: room - 1 - half]}…{text[-half:]}"


def domain(values: Sequence[float | None], bands: Sequence[words.Band] = (), least: float = 0.3) -> float:
    """Half the width of a symmetric log axis that shows these values and some air; at most twelvefold."""
    seen = [1.08 * abs(v) for v in values if v is not None and math.isfinite(v)]
    edges = [1.25 * abs(edge) for band in bands for edge in band if edge is not None]
    return min(max([least, *seen, *edges]), FAR)


def ticks(axis: Axis, gap: float) -> list[tuple[float, str]]:
    """Percent marks of a symmetric log axis, at least `gap` pixels apart; always with 0."""
    fine = axis.high < 0.2
    percents = (-15, -10, -5, 0, 5, 10, 15) if fine else _TICKS
    kept: list[tuple[float, int]] = [(0.0, 0)]
    for side in (-1, 1):
        last = axis.at(0.0)
        for p in sorted((p for p in percents if p * side > 0), key=abs):
            at = math.log1p(p / 100)
            if axis.holds(at) and abs(axis.at(at) - last) >= gap:
                kept.append((at, p))
                last = axis.at(at)
    return [(at, f"{p:+d}%".replace("-", "−") if p else "0") for at, p in sorted(kept)]


def nice(high: float, most: int) -> list[float]:
    """Round marks from zero to `high`.

    >>> nice(0.95, 5)
    [0.0, 0.2, 0.4, 0.6, 0.8]
    """
    if not (high > 1e-300 and math.isfinite(high)):
        return [0.0]
    power = 10 ** math.floor(math.log10(high / most))
    step = next(power * k for k in (1, 2, 5, 10, 20) if high / (power * k) <= most)
    return [round(step * k, 12) for k in range(int(high / step + 1e-9) + 1)]


def compact(value: float) -> str:
    """
    >>> compact(1250000), compact(200000), compact(0), compact(12.5)
    ('1.25M', '200k', '0', '12.5')
    """
    for size, letter in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
