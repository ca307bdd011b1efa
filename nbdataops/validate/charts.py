"""Aggregates that the pictures of report and panel are made of. Plain JSON; nothing about a single entity.

- `methods`: total and per head of every method at the product's `as_of`, with intervals;
- `agreement`: value, transactions, ... of one method against another at the product's `as_of`, in percent;
- `holdout`: predicted and actual totals of every method at every origin and horizon;
- `calibration`, `cohorts`: predicted and actual per head, by decile of the prediction and by acquisition cohort.
  `lower` and `upper` enclose `actual` so that the prediction lies within them exactly when the 90 percent
  (simultaneous) interval of the ratio contains 1.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from nbdataops.validate.evidence import Evidence, as_percent, finite
from nbdataops.validate.families import Method, independent, short
from nbdataops.validate.measurement import Measurement


def aggregates(
    measurements: Sequence[Measurement],
    evidence: Sequence[Evidence],
    methods: Mapping[str, Method],
    primary: str,
    as_of: date,
    horizon: int,
) -> dict[str, Any]:
    """All series by name."""
    return {
        "methods": _methods(measurements, primary, as_of, horizon),
        "agreement": _agreement(evidence, methods, horizon),
        "holdout": _holdout(measurements),
        "calibration": _groups(measurements, "calibration", "decile", "deciles"),
        "cohorts": _groups(measurements, "holdout", "cohort", "cohorts"),
    }


def _methods(
    measurements: Iterable[Measurement], primary: str, as_of: date, horizon: int
) -> list[dict[str, Any]]:
    found: dict[str, list[Measurement]] = defaultdict(list)
    for m in measurements:
        if (m.kind, m.as_of, m.horizon) == ("number", as_of, horizon):
            found[m.subject].append(m)
    made = []
    for stage, members in found.items():
        value = next((m for m in members if m.component == "value"), None)
        if value is None:
            continue
        components = {m.component: finite(m.estimate) for m in members if m.component != "value"}
        made.append({
            "stage": stage, "name": short(stage), "family": value.families[0] if value.families else "",
            "value": finite(value.estimate), "per_customer": finite(value.detail.get("per_entity")),
            "lower": finite(value.lower), "upper": finite(value.upper), "components": components, "n": value.n,
            "resampling": value.resampling, "primary": stage == primary, "why": value.reason,
        })  # fmt: skip
    return sorted(made, key=lambda row: (not row["primary"], row["stage"]))


def _agreement(
    evidence: Iterable[Evidence], methods: Mapping[str, Method], horizon: int
) -> list[dict[str, Any]]:
    return [
        {
            "a": e.subject,
            "b": e.against,
            "component": e.component,
            "percent": e.percent,
            "lower": as_percent(e.lower),
            "upper": as_percent(e.upper),
            "verdict": e.verdict.value,
            "same_family": e.same_family,
            "independent": e.subject in methods
            and e.against in methods
            and independent(methods[e.subject], methods[e.against]),
        }
        for e in evidence
        if e.kind == "triangulation"
        and e.level == "total"
        and e.statistic == "log_ratio"
        and e.horizon == horizon
    ]


def _holdout(measurements: Iterable[Measurement]) -> list[dict[str, Any]]:
    made = [
        {
            "subject": m.subject,
            "name": short(m.subject),
            "family": m.families[0] if m.families else "",
            "component": m.component,
            "horizon": m.horizon,
            "as_of": m.as_of.isoformat(),
            "until": m.until.isoformat() if m.until else None,
            "predicted": finite(m.detail.get("predicted")),
            "actual": finite(m.detail.get("actual")),
            "percent": as_percent(m.estimate),
            "lower": as_percent(m.lower),
            "upper": as_percent(m.upper),
            "n": m.n,
            "why": m.reason,
        }
        for m in measurements
        if m.kind == "holdout" and m.level in ("total", "")
    ]
    return sorted(
        made, key=lambda r: (str(r["subject"]), r["horizon"] or 0, str(r["component"]), str(r["as_of"]))
    )


def _groups(measurements: Iterable[Measurement], kind: str, level: str, name: str) -> list[dict[str, Any]]:
    found: dict[tuple[str, int, str, str], list[Measurement]] = defaultdict(list)
    for m in measurements:
        if m.kind == kind and m.level == level and m.statistic == "log_ratio" and m.group:
            found[(m.subject, m.horizon or 0, m.as_of.isoformat(), m.component)].append(m)
    return [
        {
            "subject": subject,
            "horizon": horizon,
            "as_of": as_of,
            "component": component,
            name: [_bar(m, level) for m in members],
        }
        for (subject, horizon, as_of, component), members in sorted(found.items())
    ]


def _bar(m: Measurement, level: str) -> dict[str, Any]:
    predicted = finite(m.detail.get("predicted_per_entity"))

    def around(edge: float | None) -> float | None:
        return None if predicted is None or edge is None or abs(edge) > 50 else predicted * math.exp(-edge)

    return {
        level: int(m.group) if level == "decile" else m.group,
        "predicted": predicted,
        "actual": finite(m.detail.get("actual_per_entity")),
        "lower": around(finite(m.upper)),
        "upper": around(finite(m.lower)),
        "n": m.n,
    }
