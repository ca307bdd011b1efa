"""What the report shows of a study: from its plain JSON to the parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbdataops.report import selection, words
from nbdataops.report.charts import Answer, ForestRow, Outcome, Point
from nbdataops.report.parts import (
    Calibration,
    Cell,
    EvidenceRow,
    Forest,
    KindSummary,
    Matrix,
    Multiples,
    Series,
)

Plain = Mapping[str, Any]


def summary(study: Plain) -> tuple[KindSummary, ...]:
    made = []
    for kind, found in selection.kinds(study):
        tally = {v: sum(_verdict(r) == v for r in found) for v in words.VERDICTS}
        made.append(KindSummary(kind, words.KINDS.get(kind, kind), words.KIND_QUESTIONS.get(kind, ""),
                                tuple((v, n) for v, n in tally.items() if n)))  # fmt: skip
    return tuple(made)


def _verdict(record: Plain) -> str:
    verdict = str(record.get("verdict") or "")
    return verdict if verdict in words.VERDICTS else "error"


def answers(study: Plain) -> tuple[Answer, ...]:
    """Each method's number, the primary's first."""
    made = [
        Answer(words.short(str(m.get("stage") or "")), float(m["value"]), m.get("lower"), m.get("upper"),
               str(m.get("family") or ""), bool(m.get("primary")))
        for m in study.get("methods") or () if m.get("value") is not None
    ]  # fmt: skip
    return tuple(sorted(made, key=lambda a: (not a.primary, a.value))) if len(made) > 1 else ()


def holdout(study: Plain, unit: str) -> tuple[Forest, ...]:
    found = selection.records(study, kind="holdout", level="total", statistic="log_ratio")
    order = {m: i for i, m in enumerate(selection.methods(study))}
    made = []
    for component in selection.components(study, found):
        rows: list[ForestRow] = []
        mine = [r for r in found if str(r.get("component") or "value") == component]
        for h in selection.horizons(study, mine):
            some = sorted(
                (r for r in mine if r.get("horizon") == h), key=lambda r: order.get(str(r.get("subject")), 99)
            )
            origins = max(
                (len(r.get("origins") or ()) or int(r.get("clusters") or 1) for r in some), default=1
            )
            clusters = max((int(r.get("clusters") or 1) for r in some), default=1)
            heading = f"{words.horizon(h, unit)} ahead, from {words.count(origins, 'past date')}"
            heading += f" that overlap and count as {clusters}" if clusters < origins else ""
            heading += " (supporting)" if all(r.get("supporting") for r in some) else ""
            rows += [forest_row(r, heading if i == 0 else "") for i, r in enumerate(some)]
        made.append(Forest(component, tuple(rows)))
    return tuple(made)


def forest_row(
    record: Plain, heading: str = "", label: str = "", note: str = "", chosen: bool = False
) -> ForestRow:
    """A record as one row of a forest picture."""
    origins = record.get("origins") or ()
    dots = [o.get("estimate") for o in origins] if len(origins) > 1 else []
    return ForestRow(
        label=label or words.short(str(record.get("subject") or "")), estimate=record.get("estimate"),
        lower=record.get("lower"), upper=record.get("upper"), allowed=words.allowed(record), verdict=_verdict(record),
        note=note, dots=tuple(float(d) for d in dots if d is not None), chosen=chosen, heading=heading,
    )  # fmt: skip


def matrices(study: Plain) -> tuple[Matrix, ...]:
    found = selection.records(study, kind="triangulation", level="total", statistic="log_ratio")
    family = selection.families(study)
    made = []
    for component in selection.components(study, found):
        mine = [r for r in found if str(r.get("component") or "value") == component]
        named = {str(x) for r in mine for x in (r.get("subject"), r.get("against"))}
        names = [m for m in selection.methods(study) if m in named]
        rows = tuple(tuple(_cell(mine, a, b, family) for b in names) for a in names)
        made.append(Matrix(component, tuple(names), tuple(family.get(m, "") for m in names), rows))
    return tuple(m for m in made if len(m.methods) > 1)


def _cell(found: Sequence[Plain], a: str, b: str, family: Mapping[str, str]) -> Cell | None:
    if a == b:
        return None
    r = next((r for r in found if {r.get("subject"), r.get("against")} == {a, b}), None)
    same = bool(family.get(a)) and family.get(a) == family.get(b)
    if r is None:
        return Cell(None, "", same, "not compared")
    seen = selection.turned(r, a)
    told = f"{words.short(a)} against {words.short(b)}: {words.figure(seen)}, allowed {words.band(r)}, {_verdict(r)}"
    return Cell(seen.get("estimate"), _verdict(r), same, told)


def multiples(study: Plain, kind: str, level: str, unit: str) -> tuple[Multiples, ...]:
    found = selection.records(study, kind=kind, level=level, statistic="log_ratio")
    made = []
    for component in selection.components(study, found):
        for h in selection.horizons(study, found):
            series = []
            for m in selection.methods(study):
                group = selection.by_group(study, kind, m, component, level, h)
                if group:
                    series.append(Series(m, tuple(point(r) for r in group), words.allowed(group[0])))
            if series:
                made.append(
                    Multiples(component, words.horizon(h, unit), h != study.get("horizon"), tuple(series))
                )
    return tuple(sorted(made, key=lambda m: m.supporting))


def calibration(study: Plain, unit: str) -> tuple[Calibration, ...]:
    """One picture a component: the contract's horizon, or the longest that could be checked, at its latest date."""
    found: Sequence[Plain] = study.get("calibration") or ()
    order = {m: i for i, m in enumerate(selection.methods(study))}
    made = []
    for component in selection.components(study, found):
        mine = [c for c in found if str(c.get("component") or "value") == component and c.get("deciles")]
        for h in selection.horizons(study, mine)[:1]:
            last = max(str(c.get("as_of") or "") for c in mine if c.get("horizon") == h)
            some = [c for c in mine if c.get("horizon") == h and str(c.get("as_of") or "") == last]
            some.sort(key=lambda c: order.get(str(c.get("subject")), 99))
            methods = tuple((str(c.get("subject")), _outcomes(study, c, component, h)) for c in some)
            made.append(Calibration(component, words.horizon(h, unit), last, methods))
    return tuple(made)


def _outcomes(study: Plain, c: Plain, component: str, horizon: int) -> tuple[Outcome, ...]:
    judged = {
        str(r.get("group")): _verdict(r)
        for r in selection.by_group(study, "calibration", str(c.get("subject")), component, "decile", horizon)
    }
    return tuple(
        Outcome(str(d.get("decile")), d.get("predicted"), d.get("actual"), d.get("lower"), d.get("upper"),
                judged.get(str(d.get("decile")), ""))
        for d in c["deciles"]
    )  # fmt: skip


def point(record: Plain) -> Point:
    """A record as one point of a series over groups."""
    return Point(str(record.get("group") or ""), record.get("estimate"), record.get("lower"), record.get("upper"), _verdict(record))  # fmt: skip


def by_verdict(found: Sequence[Plain]) -> list[Plain]:
    return sorted(
        found,
        key=lambda r: (bool(r.get("supporting")), not r.get("required"), words.VERDICTS.index(_verdict(r))),
    )


def evidence_row(r: Plain, unit: str) -> EvidenceRow:
    ratio = words.is_ratio(r)
    origins = len(r.get("origins") or ())
    replicates = r.get("replicates") or 0
    return EvidenceRow(
        id=str(r.get("id") or ""), code=str(r.get("code") or ""), kind=str(r.get("kind") or ""), verdict=_verdict(r),
        subject=words.subject(r), horizon=words.horizon(r.get("horizon"), unit),
        statistic="difference" if ratio else str(r.get("statistic") or "").replace("_", " "),
        figure=words.figure({**r, "lower": None}), interval=words.interval(r), band=words.band(r),
        mdd="" if r.get("mdd") is None else words.percent(r["mdd"]) if ratio else words.number(r["mdd"]),
        n="" if r.get("n") is None else words.number(float(r["n"]), 0),
        resampling=f"{r.get('resampling')}, {replicates}×" if replicates else "",
        required=bool(r.get("required")), supporting=bool(r.get("supporting")), method=str(r.get("subject") or ""),
        against=str(r.get("against") or ""),
        why=str(r.get("why") or "") + (f" ({origins} origins, {words.count(int(r.get('clusters') or 1), 'independent window')})" if origins > 1 else ""),
    )  # fmt: skip
