"""How figures and verdicts are said: one vocabulary for the report, the panel and their pictures.

Every verdict and label is a glyph, a word and a colour (the colour is the style sheet's business), so that none of
the three is needed alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

VERDICTS: Final[tuple[str, ...]] = ("error", "fail", "inconclusive", "warn", "pass")
"""From worst to best, as a reader should meet them."""

VERDICT_GLYPHS: Final[dict[str, str]] = {
    "pass": "✓",
    "warn": "!",
    "fail": "✗",
    "inconclusive": "?",
    "error": "⚠",
}
LABEL_GLYPHS: Final[dict[str, str]] = {"validated": "✓", "corroborated": "◐", "unverified": "○"}
LABEL_MEANINGS: Final[dict[str, str]] = {
    "validated": "A past prediction came true within its margin, and independent families of methods agree.",
    "corroborated": "Independent families of methods agree, but no past prediction could be held against the truth yet.",
    "unverified": "The evidence does not support this number yet. Treat it as one method's opinion.",
}
KINDS: Final[dict[str, str]] = {
    "holdout": "Holdout",
    "triangulation": "Method against method",
    "calibration": "Calibration",
    "discrimination": "Ranking",
    "invariant": "Invariants",
    "reconciliation": "Reconciliation",
}
KIND_QUESTIONS: Final[dict[str, str]] = {
    "holdout": "Did past predictions come true?",
    "triangulation": "Do other methods say the same?",
    "calibration": "Is it right for the right customers?",
    "discrimination": "Does it rank customers better than a simple rule?",
    "invariant": "Do the figures obey what must always hold?",
    "reconciliation": "Does it add up with another account?",
}
RESAMPLING: Final[dict[str, str]] = {
    "refit": "refitting the method on every resample",
    "entity": "resampling, without refitting the method",
    "none": "no resampling",
}


def short(name: str) -> str:
    """A stage by its last part, which is how people call it.

    >>> short("methods/bg_nbd")
    'bg_nbd'
    """
    return name.rsplit("/", 1)[-1]


def number(value: float | None, digits: int | None = None) -> str:
    """A figure with thousands separators and as many decimals as its size asks for.

    >>> number(1234567.8), number(36.123), number(0.0123), number(None)
    ('1,234,568', '36.12', '0.0123', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if digits is None:
        size = abs(value)
        digits = 0 if size >= 1000 or value == int(value) else 1 if size >= 100 else 2 if size >= 1 else 4
    text = f"{value:,.{digits}f}"
    return (text.rstrip("0").rstrip(".") if digits > 2 else text).replace("-", "−")


def percent(log_ratio: float | None) -> str:
    """A log ratio as a percent difference with its sign.

    >>> percent(-0.2107), percent(0.0), percent(0.0953), percent(None)
    ('−19%', '0%', '+10%', '–')
    """
    if log_ratio is None or not math.isfinite(log_ratio):
        return "–"
    if log_ratio > 5:
        return "> +10,000%"
    p = 100 * math.expm1(log_ratio)
    text = f"{p:+.0f}" if abs(p) >= 9.95 else f"{p:+.1f}"
    return f"{'0' if float(text) == 0 else text}%".replace("-", "−").replace(".0%", "%")


def seconds(value: float | None) -> str:
    """A duration as people say it.

    >>> seconds(0.04), seconds(3.21), seconds(128), seconds(7300)
    ('0.04 s', '3.2 s', '2 min 8 s', '2 h 1 min')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value < 0.995:
        return f"{value:.2f} s"
    if value < 59.5:
        return f"{value:.1f} s" if value < 9.95 else f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def count(n: int, one: str, many: str | None = None) -> str:
    """
    >>> count(1, "stage"), count(3, "stage"), count(2, "family", "families")
    ('1 stage', '3 stages', '2 families')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def moment(text: str) -> str:
    """An ISO time, without what nobody reads; text that is none is returned as it is.

    >>> moment("1998-06-30T14:03:22.123456+00:00"), moment("soon")
    ('1998-06-30 14:03 UTC', 'soon')
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    zone = "" if at.tzinfo is None else " UTC" if not at.utcoffset() else f" {at:%z}"
    return f"{at:%Y-%m-%d %H:%M}{zone}"


def horizon(n: int | None, unit: str) -> str:
    """
    >>> horizon(39, "week"), horizon(1, "year"), horizon(None, "week")
    ('39 weeks', '1 year', '')
    """
    return "" if n is None else count(n, unit)


def is_ratio(record: Mapping[str, Any]) -> bool:
    """True when the record's figures are log ratios, which are shown as percent differences."""
    return record.get("statistic") == "log_ratio"


def figure(record: Mapping[str, Any]) -> str:
    """The record's estimate with its interval.

    >>> figure({"statistic": "log_ratio", "estimate": -0.21, "lower": -0.26, "upper": -0.16})
    '−19% (−23% to −15%)'
    >>> figure({"statistic": "violations", "estimate": 0.0})
    '0 violations'
    """
    say = percent if is_ratio(record) else number
    estimate = record.get("estimate")
    if estimate is None:
        return "–"
    if record.get("statistic") == "violations":
        return count(int(estimate), "violation")
    around = interval(record)
    return f"{say(estimate)} ({around})" if around else say(estimate)


def interval(record: Mapping[str, Any]) -> str:
    """The record's 90 percent interval; empty when it has none, or when it is a count of violations."""
    say = percent if is_ratio(record) else number
    lower, upper = record.get("lower"), record.get("upper")
    if lower is None or upper is None or record.get("statistic") == "violations":
        return ""
    return f"{say(lower)} to {say(upper)}"


Band = tuple[float | None, float | None]
"""What is allowed, in the scale of the statistic; an edge that is None is open."""


def allowed(record: Mapping[str, Any]) -> Band:
    """The record's allowed band; from its margin when it names no band.

    >>> allowed({"statistic": "log_ratio", "margin": 0.1}), allowed({"statistic": "slope", "allowed": [0.8, 1.25]})
    ((-0.1, 0.1), (0.8, 1.25))
    """
    low, high = record.get("allowed") or (None, None)
    margin = record.get("margin")
    if (low is None and high is None) and margin is not None:
        return (
            (-margin, margin)
            if is_ratio(record)
            else (None, margin)
            if record.get("statistic") == "violations"
            else (margin, None)
        )
    return low, high


def band(record: Mapping[str, Any]) -> str:
    """The allowed band in words.

    >>> band({"statistic": "log_ratio", "margin": 0.1}), band({"statistic": "ccc", "allowed": [0.9, None]}), band({})
    ('−9.5% to +11%', 'at least 0.9', '')
    """
    say = percent if is_ratio(record) else number
    low, high = allowed(record)
    if low is not None and high is not None:
        return f"{say(low)} to {say(high)}"
    return f"at least {say(low)}" if low is not None else f"at most {say(high)}" if high is not None else ""


def subject(record: Mapping[str, Any]) -> str:
    """What is compared with what, in words.

    >>> subject({"kind": "triangulation", "subject": "methods/bg_nbd", "against": "methods/cohort",
    ...          "component": "value", "level": "cohort", "group": "1997-01"})
    'bg_nbd against cohort, value, cohort 1997-01'
    """
    against = str(record.get("against") or "")
    who = short(str(record.get("subject") or ""))
    if against:
        who += f" against {'what happened' if against == 'outcome' else short(against)}"
    level, group = str(record.get("level") or ""), str(record.get("group") or "")
    where = "" if level in ("", "total") and not group else f"{level} {group}".strip()
    return ", ".join(p for p in (who, str(record.get("component") or ""), where) if p)


def worst(verdicts: list[str]) -> str:
    """The worst of several verdicts; none at all is `inconclusive`, never a pass.

    >>> worst(["pass", "warn"]), worst([])
    ('warn', 'inconclusive')
    """
    known = [v if v in VERDICTS else "error" for v in verdicts]
    return min(known, key=VERDICTS.index) if known else "inconclusive"
