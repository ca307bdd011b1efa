"""How one method stands, as the panel shows it: a pure selection of aggregates from a study, small enough to travel
in a notebook's widget state. No entity is ever in it.

Shape (all JSON): `stage`, `title`, `primary` (it gives the study's number), `family`, `label`, `meaning`, `reasons`, `as_of`, `horizon`, `component`,
`chips` [{kind, title, question, verdict, count, words}], `others` [{name, title, family, same_family, estimate, lower,
upper, allowed, verdict, words}] (this method against each other, log ratios), `deciles` {method: [{group, estimate,
lower, upper, verdict}]}, `decile_band`, `decile_note`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from nbdataops.report import selection, words

_MOST_SENTENCES: Final = 6
_FIGURES: Final = ("estimate", "lower", "upper")


def panel_data(study: Mapping[str, Any], stage: str) -> dict[str, Any]:
    """Everything the panel of the method `stage` needs. A study that does not know the method gives an empty panel
    that says so; nothing raises."""
    family = selection.families(study)
    contract = study.get("contract")
    unit = str(contract.get("time_unit") or "period") if isinstance(contract, Mapping) else "period"
    label = str(study.get("label") or "unverified")
    deciles, band, note = _deciles(study, stage, unit)
    return {
        "stage": stage,
        "title": words.short(stage),
        "primary": stage == selection.primary(study),
        "family": family.get(stage, ""),
        "label": label if label in words.LABEL_GLYPHS else "unverified",
        "meaning": words.LABEL_MEANINGS.get(label, words.LABEL_MEANINGS["unverified"]),
        "reasons": [str(r) for r in study.get("reasons") or ()],
        "as_of": str(study.get("as_of") or ""),
        "horizon": words.horizon(study.get("horizon"), unit),
        "component": "value",
        "chips": [_chip(kind, found, unit) for kind, found in selection.kinds(study, stage)],
        "others": [_other(r, family, stage) for r in selection.pairs(study, stage, "value")],
        "deciles": deciles,
        "decile_band": list(band),
        "decile_note": note,
    }


def _chip(kind: str, found: Sequence[Mapping[str, Any]], unit: str) -> dict[str, Any]:
    """One kind of evidence with the worst verdict among its required records (of all, when none is required)."""
    deciding = [r for r in found if r.get("required")] or list(found)
    worst_first = sorted(found, key=lambda r: (not r.get("required"), words.VERDICTS.index(_verdict(r))))
    return {
        "kind": kind,
        "title": words.KINDS.get(kind, kind),
        "question": words.KIND_QUESTIONS.get(kind, ""),
        "verdict": words.worst([_verdict(r) for r in deciding]),
        "count": len(found),
        "words": [_sentence(r, unit) for r in worst_first[:_MOST_SENTENCES]],
    }


def _verdict(record: Mapping[str, Any]) -> str:
    verdict = str(record.get("verdict") or "")
    return verdict if verdict in words.VERDICTS else "error"


def _sentence(record: Mapping[str, Any], unit: str) -> str:
    """A record in words, with its glyph."""
    band, why = words.band(record), str(record.get("why") or "")
    parts = [words.figure(record), f"allowed {band}" if band else "", why]
    about = ", ".join(p for p in (words.subject(record), words.horizon(record.get("horizon"), unit)) if p)
    return f"{words.VERDICT_GLYPHS[_verdict(record)]} {about}: {'; '.join(p for p in parts if p)}"


def _other(record: Mapping[str, Any], family: Mapping[str, str], stage: str) -> dict[str, Any]:
    name = str(record.get("against") or "")
    same = bool(family.get(stage)) and family.get(name) == family.get(stage)
    about = f"{words.short(stage)} says {words.figure(record)} against {words.short(name)}"
    return {
        "name": name,
        "title": words.short(name),
        "family": family.get(name, ""),
        "same_family": same,
        **{k: record.get(k) for k in _FIGURES},
        "allowed": list(words.allowed(record)),
        "verdict": _verdict(record),
        "words": f"{about}; allowed {words.band(record)}{', of the same family' if same else ''}",
    }


def _deciles(
    study: Mapping[str, Any], stage: str, unit: str
) -> tuple[dict[str, list[dict[str, Any]]], words.Band, str]:
    """Calibration of every method: at the contract's horizon, else at the longest one that could be checked."""
    found = [
        r
        for r in selection.records(study, kind="calibration", level="decile", statistic="log_ratio")
        if str(r.get("component") or "value") == "value"
    ]
    known = selection.horizons(study, found)
    if not known:
        return {}, (None, None), "No prediction could be held against what happened yet."
    made: dict[str, list[dict[str, Any]]] = {}
    for method in selection.methods(study):
        group = selection.by_group(study, "calibration", method, "value", "decile", known[0])
        if group:
            made[method] = [{"group": str(r.get("group")), **{k: r.get(k) for k in _FIGURES}, "verdict": _verdict(r)} for r in group]  # fmt: skip
    supporting = " (supporting: not the contract's horizon)" if known[0] != study.get("horizon") else ""
    note = f"Predicted against happened, {words.horizon(known[0], unit)} ahead, from the lowest predicted to the highest{supporting}."
    return (
        made,
        words.allowed(found[0]),
        note if stage in made else f"{words.short(stage)} has no matured prediction yet.",
    )
