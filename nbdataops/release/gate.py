"""The gate: what a release must meet. Pure, and closed unless everything it needs is there.

Missing, stale, skipped or failed evidence refuses; so does everything that is not known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

LABELS = ("unverified", "corroborated", "validated")


@dataclass(frozen=True, slots=True)
class Policy:
    """`label`: the least label that passes. `evidence_max_age`: how old the study may be, None for any."""

    label: str = "corroborated"
    evidence_max_age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """`reasons` is every reason to refuse, in words; empty when accepted."""

    accepted: bool
    reasons: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"decision": "accepted" if self.accepted else "refused", "reasons": list(self.reasons)}


def decide(
    policy: Policy,
    *,
    study: Mapping[str, Any] | None,
    stages: Sequence[Mapping[str, Any]],
    contracts: Sequence[Mapping[str, Any]],
    stale: Sequence[str] = (),
    studied: datetime | None = None,
    now: datetime | None = None,
) -> Decision:
    """Hold a candidate against its policy. `study` and `stages` are those of `nbdataops run --json`.

    >>> decide(Policy("unverified"), study=None, stages=[], contracts=[]).reasons
    ('there is no study: nothing was measured',)
    """
    reasons: list[str] = []
    if study is None:
        return Decision(False, ("there is no study: nothing was measured",))
    label = str(study.get("label", ""))
    if (study.get("number") or {}).get("value") is None:
        reasons.append("there is no number: the primary method has no estimate")
    if label not in LABELS:
        reasons.append(f"the study's label {label!r} is not known")
    elif LABELS.index(label) < LABELS.index(policy.label):
        reasons.append(f"the label is {label}, and the policy requires {policy.label}")
    evidence = list(study.get("evidence", ()))
    required = [e for e in evidence if e.get("required")]
    if not required:
        reasons.append("no required evidence was measured")
    agreements = [r for r in required if r["kind"] == "triangulation"]
    enough = any(_passes(r) for r in agreements)
    for record in required:
        # one independent partner that agrees is what a label needs; a holdout that no origin can have yet is what
        # "corroborated" means
        weighed = record in agreements and enough
        past = record["kind"] in ("holdout", "calibration", "discrimination")
        too_early = past and bool(record.get("skipped")) and label == "corroborated"
        if not _passes(record) and not weighed and not too_early:
            reasons.append(_missed(record))
    for stage in stages:
        if stage["state"] not in ("succeeded", "skipped"):
            reasons.append(f"{stage['node']} {stage['state']}")
    for contract in contracts:
        if not contract.get("accepted", False):
            reasons.append(f"source {contract['source']} breaks its contract")
    reasons += [f"the evidence is stale: {why}" for why in stale]
    if policy.evidence_max_age is not None:
        if studied is None or now is None:
            reasons.append("the age of the evidence is not known")
        elif now - studied > policy.evidence_max_age:
            reasons.append(
                f"the evidence is {(now - studied).days} days old; the policy allows {policy.evidence_max_age.days}"
            )
    return Decision(not reasons, tuple(dict.fromkeys(reasons)))


def _passes(record: Mapping[str, Any]) -> bool:
    return record["verdict"] in ("pass", "warn")


def _missed(record: Mapping[str, Any]) -> str:
    """One required record that is no pass, in words.

    >>> _missed({"code": "E5", "kind": "holdout", "subject": "methods/bg_nbd", "against": "outcome",
    ...          "component": "value", "level": "decile", "group": "8", "horizon": 39, "statistic": "log_ratio",
    ...          "estimate": -0.1, "lower": -0.2, "upper": -0.05, "verdict": "fail", "why": "it is outside"})
    'E5 holdout of bg_nbd against outcome, value, decile 8: fail, -9.5 % (-18 to -4.9 %): it is outside'
    """
    subject = str(record["subject"]).rpartition("/")[2]
    against = f" against {str(record['against']).rpartition('/')[2]}" if record["against"] else ""
    level = "" if record["level"] == "total" else f"{record['level']} {record['group']}".strip()
    about = ", ".join(str(part) for part in (record["component"], level) if part)
    figure = ""
    if record["statistic"] == "log_ratio" and record.get("estimate") is not None:
        figure = f", {_percent(record['estimate'])} %"
        if record.get("lower") is not None and record.get("upper") is not None:
            figure += f" ({_percent(record['lower'])} to {_percent(record['upper'])} %)"
    head = f"{record['code']} {record['kind']} of {subject}{against}"
    return f"{head}{', ' if about else ''}{about}: {record['verdict']}{figure}: {record['why']}"


def _percent(log_ratio: float) -> str:
    percent = 100 * math.expm1(log_ratio)
    return f"{percent:+.0f}" if abs(percent) >= 10 else f"{percent:+.2g}"
