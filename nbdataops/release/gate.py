"""The gate: what a release must meet. Pure, and closed unless everything it needs is there.

Missing, stale, skipped or failed evidence refuses; so does everything that is not known.
"""

from __future__ import annotations

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
    if label not in LABELS:
        reasons.append(f"the study's label {label!r} is not known")
    elif LABELS.index(label) < LABELS.index(policy.label):
        reasons.append(f"the label is {label}, and the policy requires {policy.label}")
    evidence = list(study.get("evidence", ()))
    required = [e for e in evidence if e.get("required")]
    if not required:
        reasons.append("no required evidence was measured")
    for record in required:
        if record["verdict"] not in ("pass", "warn"):
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


def _missed(record: Mapping[str, Any]) -> str:
    about = [record["subject"], f"against {record['against']}" if record["against"] else ""]
    about += [record["component"], f"{record['level']} {record['group']}".strip(), record["statistic"]]
    told = ", ".join(str(part) for part in about if part)
    return f"{record['code']} {record['kind']} is {record['verdict']}: {told}: {record['why']}"
