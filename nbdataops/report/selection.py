"""What a reader is shown of a study: pure selections from its plain JSON, shared by report and panel.

A study is the object that `nbdataops run --json` prints under `study`. Nothing is computed anew here but signs and
orders: figures and verdicts are the study's own.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nbdataops.report import words

Record = Mapping[str, Any]
Study = Mapping[str, Any]


def records(study: Study, **wanted: object) -> list[Record]:
    """The evidence whose fields equal `wanted`, in the study's order."""
    found: Iterable[Record] = study.get("evidence") or ()
    return [r for r in found if all(r.get(k) == v for k, v in wanted.items())]


def families(study: Study) -> dict[str, str]:
    """Method to family."""
    declared: Mapping[str, Sequence[str]] = study.get("families") or {}
    return {str(m): str(f) for f, members in declared.items() for m in members}


def primary(study: Study) -> str:
    """The method whose number is released; empty when there is no number."""
    return str((study.get("number") or {}).get("method") or "")


def methods(study: Study) -> list[str]:
    """Every method, the primary first, then those of its family, then family by family."""
    family = families(study)
    named = [
        *family,
        *(
            str(r["subject"])
            for k in ("holdout", "calibration", "triangulation")
            for r in records(study, kind=k)
        ),
    ]
    main = primary(study)
    known = list(dict.fromkeys(n for n in named if n))
    order = list(dict.fromkeys([family.get(main, ""), *(family.get(m, "") for m in known)]))
    return sorted(known, key=lambda m: (m != main, order.index(family.get(m, ""))))


def components(study: Study, found: Iterable[Record]) -> list[str]:
    """The components that occur: `value`, then as the contract lists them."""
    contract = study.get("contract")
    listed = list(contract.get("components") or ()) if isinstance(contract, Mapping) else []
    order = {c: i for i, c in enumerate(["value", *listed])}
    return sorted(
        {str(r.get("component") or "value") for r in found}, key=lambda c: (order.get(c, len(order)), c)
    )


def horizons(study: Study, found: Iterable[Record]) -> list[int]:
    """The horizons that occur, the contract's first."""
    main = study.get("horizon")
    return sorted(
        {int(r["horizon"]) for r in found if r.get("horizon") is not None}, key=lambda h: (h != main, -h)
    )


def turned(record: Record, subject: str) -> dict[str, Any]:
    """The record as seen from `subject`: a comparison of A with B is, with its sign turned, one of B with A."""
    seen = dict(record)
    if record.get("subject") == subject or record.get("against") != subject:
        return seen
    seen["subject"], seen["against"] = record.get("against"), record.get("subject")
    if words.is_ratio(record):
        low, high, estimate = record.get("lower"), record.get("upper"), record.get("estimate")
        seen["lower"] = None if high is None else -high
        seen["upper"] = None if low is None else -low
        seen["estimate"] = None if estimate is None else -estimate
        seen["percent"] = None if estimate is None else 100 * math.expm1(min(-estimate, 50))
    return seen


def pairs(study: Study, subject: str, component: str, level: str = "total") -> list[dict[str, Any]]:
    """Every comparison of `subject` with another method, as log ratios seen from `subject`, in the order of `methods`."""
    wanted = records(study, kind="triangulation", statistic="log_ratio", component=component, level=level)
    found = [turned(r, subject) for r in wanted if subject in (r.get("subject"), r.get("against"))]
    order = {m: k for k, m in enumerate(methods(study))}
    return sorted(found, key=lambda r: order.get(str(r.get("against")), len(order)))


def by_group(
    study: Study, kind: str, subject: str, component: str, level: str, horizon: int | None
) -> list[Record]:
    """One method's log ratios over groups, in the groups' own order (numbers as numbers)."""
    found = [
        r
        for r in records(study, kind=kind, subject=subject, level=level, statistic="log_ratio")
        if str(r.get("component") or "value") == component and r.get("horizon") in (horizon, None)
    ]
    return sorted(found, key=lambda r: _natural(str(r.get("group") or "")))


def _natural(group: str) -> tuple[int, float, str]:
    try:
        return (0, float(group), group)
    except ValueError:
        return (1, 0.0, group)


def gaps(study: Study, most: int = 8) -> list[dict[str, Any]]:
    """The largest differences between methods in single groups: one for a pair of methods, and no method more than
    twice, so that one that is far from everybody does not fill the list."""
    found = [
        r
        for r in records(study, kind="triangulation", statistic="log_ratio")
        if r.get("group") and r.get("estimate") is not None and math.isfinite(r["estimate"])
    ]
    seen: set[tuple[str, ...]] = set()
    told: Counter[str] = Counter()
    made = []
    for r in sorted(found, key=lambda r: -abs(r["estimate"])):
        who = tuple(sorted((str(r.get("subject")), str(r.get("against")))))
        if who in seen or any(told[name] == 2 for name in who):
            continue
        seen.add(who)
        told.update(who)
        made.append(turned(r, str(r.get("subject" if r["estimate"] >= 0 else "against"))))
    return made[:most]


def gap_in_words(record: Record) -> str:
    """A gap as a sentence, from the method that says more.

    >>> gap_in_words({"subject": "methods/a", "against": "methods/b", "component": "value", "level": "cohort",
    ...               "group": "1997-03", "estimate": 0.2})
    'For cohort 1997-03, a expects 22% more value than b.'
    """
    level, group = str(record.get("level") or "group"), str(record.get("group") or "")
    group += {"10": ", the highest", "1": ", the lowest"}.get(group, "") if level == "decile" else ""
    more = words.percent(abs(float(record["estimate"]))).lstrip("+")
    component = str(record.get("component") or "value")
    plain = component if component in ("value", "transactions") else f"of {component}"
    return (
        f"For {level.removeprefix('segment:')} {group}, {words.short(str(record['subject']))} expects "
        f"{more} more {plain} than {words.short(str(record['against']))}."
    )


def kinds(study: Study, subject: str = "") -> list[tuple[str, list[Record]]]:
    """The evidence by kind, in the order of `words.KINDS`; only what names `subject`, when one is given."""
    found = [r for r in records(study) if not subject or subject in (r.get("subject"), r.get("against"))]
    order = [*words.KINDS, *sorted({str(r.get("kind")) for r in found} - set(words.KINDS))]
    return [(k, some) for k in order if (some := [r for r in found if r.get("kind") == k])]
