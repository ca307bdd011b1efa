"""What a contract's rules found in a delivery, and whether the delivery is accepted. Pure: `inspection` does the work.

A rule that judged nothing is in state `error`, never `pass`: no rows, no values, a query that failed. The exception is
`rowCount`, for which zero is an answer. A delivery without rows is accepted only if a `rowCount` rule says that zero is
allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Literal, TypeAlias

from nbdataops.errors import Place, SourceError
from nbdataops.ingest.contract_model import DataContract, OnViolation, SchemaObject, Severity
from nbdataops.ingest.rules import Rule

State: TypeAlias = Literal["pass", "warn", "fail", "error"]
SAMPLES = 20


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule on one delivery.

    `evaluated` rows were judged, `bad` of them broke the rule; `bad` is None where a rule gives only a number. `value`
    is what was compared with the rule's threshold (a count, a percentage, a query's number, the newest date).
    `samples` are keys of up to 20 bad rows; they stay in memory and are in no record.
    """

    id: str
    kind: str
    column: str | None
    severity: Severity
    on_violation: OnViolation
    state: State
    evaluated: int
    bad: int | None
    value: float | str | None
    says: str
    why: str = ""
    samples: tuple[str, ...] = ()

    @property
    def stops(self) -> bool:
        """Whether this result alone refuses the delivery."""
        if self.state == "error":
            return self.severity is Severity.ERROR or self.on_violation is OnViolation.STOP
        return self.state != "pass" and self.on_violation is OnViolation.STOP

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, without the samples: rows of users do not belong into records."""
        names = ("id", "kind", "column", "state", "evaluated", "bad", "value", "says", "why")
        return {name: getattr(self, name) for name in names} | {
            "severity": str(self.severity),
            "on_violation": str(self.on_violation),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RuleResult:
        return cls(
            **{
                **data,
                "severity": Severity(data["severity"]),
                "on_violation": OnViolation(data["on_violation"]),
            }
        )


@dataclass(frozen=True, slots=True)
class ContractResult:
    """All rules of a contract on one delivery of `rows` rows, `quarantined` of which were set aside."""

    contract_digest: str
    source: str
    rows: int
    rules: tuple[RuleResult, ...]
    accepted: bool
    quarantined: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "contract_digest": self.contract_digest,
            "source": self.source,
            "rows": self.rows,
            "accepted": self.accepted,
            "quarantined": self.quarantined,
            "rules": [rule.to_dict() for rule in self.rules],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ContractResult:
        rules = tuple(RuleResult.from_dict(rule) for rule in data["rules"])
        return cls(**{**data, "rules": rules})


def judged(
    rule: Rule, evaluated: int, bad: int | None, value: float | None, samples: tuple[str, ...] = ()
) -> RuleResult:
    """The result of a rule from its counts. `value` None means: the rule could not give a number."""
    result = RuleResult(
        rule.id,
        rule.kind,
        rule.column,
        rule.severity,
        rule.on_violation,
        "pass",
        evaluated,
        bad,
        value,
        rule.says,
    )
    if evaluated == 0 and rule.kind != "rowCount":
        return replace(result, state="error", bad=None, value=None, why="there was nothing to judge")
    if value is None:
        return replace(result, state="error", why="the query gave no number")
    if rule.threshold.holds(value):
        return result
    return replace(
        result, state=_broken(rule.severity), why=_violation(rule, evaluated, bad, value), samples=samples
    )


def failed(
    rule: Rule, why: str, *, state: State = "error", evaluated: int = 0, bad: int | None = None
) -> RuleResult:
    """The result of a rule that could not be evaluated."""
    return RuleResult(
        rule.id,
        rule.kind,
        rule.column,
        rule.severity,
        rule.on_violation,
        state,
        evaluated,
        bad,
        None,
        rule.says,
        why,
    )


def judged_freshness(rule: Rule, evaluated: int, newest: date | None, today: date) -> RuleResult:
    """Whether the newest date is at most as old as promised."""
    if newest is None:
        return failed(rule, "there was nothing to judge")
    fresh = newest + timedelta(days=rule.days) >= today
    return RuleResult(
        rule.id,
        rule.kind,
        rule.column,
        rule.severity,
        rule.on_violation,
        "pass" if fresh else _broken(rule.severity),
        evaluated,
        None,
        newest.isoformat(),
        rule.says,
        "" if fresh else f"the newest is of {newest}, {(today - newest).days} days ago",
    )


def accepts(rows: int, rules: tuple[RuleResult, ...]) -> bool:
    """Whether a delivery with these results may be used."""
    if rows:
        return not any(rule.stops for rule in rules)
    empty_is_fine = any(rule.kind == "rowCount" and rule.state == "pass" for rule in rules)
    return empty_is_fine and not any(r.stops and not (r.state == "error" and r.evaluated == 0) for r in rules)


def aged(result: ContractResult, table: SchemaObject, today: date) -> ContractResult:
    """The same delivery, seen on another day: only what is said about freshness can change."""
    promises = {promise.column: promise for promise in table.freshness}
    rules = tuple(
        judged_freshness(
            Rule(
                r.id, r.kind, r.column, r.severity, r.on_violation, says=r.says, days=promises[r.column].days
            ),
            r.evaluated,
            date.fromisoformat(r.value),
            today,
        )
        if r.kind == "freshness" and isinstance(r.value, str) and r.column in promises
        else r
        for r in result.rules
    )
    return replace(result, rules=rules, accepted=accepts(result.rows, rules))


def refusal(result: ContractResult, contract: DataContract | None, file: str) -> SourceError:
    """The error that tells everything for which a delivery is refused, with keys of a few bad rows."""
    stopping = [rule for rule in result.rules if rule.stops]
    if not result.rows:
        return SourceError(
            f"source {result.source!r} was delivered without rows",
            where=Place(file=file),
            todo="deliver it again; if this is right, say so in its contract: a rowCount rule with mustBeGreaterOrEqualTo: 0",
            detail="\n".join(_line(rule) for rule in stopping if rule.state != "error"),
            code="empty-delivery",
        )
    rules = "1 rule" if len(stopping) == 1 else f"{len(stopping)} rules"
    return SourceError(
        f"source {result.source!r} breaks {rules} of its contract; nothing was ingested",
        where=Place(file=file),
        todo=f"mend the delivery, or decide in {contract.file if contract else 'the contract'} what is done with bad rows "
        "(severity, onViolation)",
        detail="\n".join(_line(rule) for rule in stopping),
        code="contract",
    )


def _line(rule: RuleResult) -> str:
    shown = (
        f" [{'; '.join(rule.samples[:5])}{'; ...' if len(rule.samples) > 5 else ''}]" if rule.samples else ""
    )
    return f"- {rule.id}: {rule.why}{shown}"


def _broken(severity: Severity) -> State:
    return "fail" if severity is Severity.ERROR else "warn"


def _violation(rule: Rule, evaluated: int, bad: int | None, value: float) -> str:
    if bad is None:
        return f"{rule.says}: it is {value:g}"
    share = f" ({value:.3g} percent)" if rule.unit == "percent" else ""
    return f"{bad} of {evaluated} rows{share} break it: {rule.says}"
