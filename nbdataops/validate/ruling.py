"""The evidence as the label rule sees it: what decides, for whom, and who agrees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from nbdataops.validate.evidence import Evidence, Verdict
from nbdataops.validate.families import Method, independent, independent_groups, short

TOP_DECILES = frozenset({"8", "9", "10"})
REFUSED = (Verdict.FAIL, Verdict.ERROR)


class Terms(Protocol):
    """The part of the metric contract that the label depends on."""

    @property
    def primary(self) -> str: ...
    @property
    def horizon(self) -> int: ...
    @property
    def time_unit(self) -> str: ...
    @property
    def components(self) -> Mapping[str, str]: ...


def components_that_count(terms: Terms) -> tuple[str, ...]:
    """Value, and transactions where the contract has them: agreement on counts says nothing about spend."""
    return ("value", *(c for c in terms.components if c == "transactions"))


def weighs(e: Evidence, terms: Terms) -> bool:
    """True for the members of a kind that decide its combined verdict, whatever the method."""
    counted = e.component in components_that_count(terms)
    match e.kind:
        case "invariant" | "reconciliation":
            return True
        case "holdout":
            return e.level == "total" and counted
        case "calibration":
            return counted and (e.statistic == "slope" or e.group in TOP_DECILES or e.group == "")
        case "discrimination":
            return e.component == "value" and e.statistic == "gini_gain"
        case "triangulation":
            return e.component == "value" and e.level == "total" and e.statistic == "log_ratio"
        case _:
            return False


def is_decisive(e: Evidence, terms: Terms, methods: Mapping[str, Method], declared: bool | None) -> bool:
    """True when the label depends on this record. `declared`: what a reconciliation's notebook says of itself."""
    if declared is not None:
        return declared
    if e.supporting or not weighs(e, terms):
        return False
    if e.kind == "triangulation":
        pair = (methods.get(e.subject), methods.get(e.against))
        return terms.primary in (e.subject, e.against) and all(pair) and independent(*both(pair))
    return e.subject == terms.primary


def both(pair: tuple[Method | None, Method | None]) -> tuple[Method, Method]:
    assert pair[0] is not None
    assert pair[1] is not None
    return pair[0], pair[1]


@dataclass(frozen=True, slots=True)
class Ruling:
    """The evidence as the label rule sees it."""

    evidence: tuple[Evidence, ...]
    methods: Mapping[str, Method]
    terms: Terms
    groups: tuple[tuple[Method, ...], ...]
    partners: tuple[Evidence, ...]
    has_number: bool

    @classmethod
    def of(
        cls, evidence: Iterable[Evidence], methods: Mapping[str, Method], terms: Terms, *, has_number: bool
    ) -> Ruling:
        """`partners`: value totals of the primary against methods of independent families that themselves obey
        their invariants."""
        records = tuple(evidence)
        broken = {
            e.subject for e in records if e.kind == "invariant" and not e.supporting and e.verdict in REFUSED
        }
        partners = tuple(
            e
            for e in records
            if e.kind == "triangulation" and e.required and other_side(e, terms.primary) not in broken
        )
        return cls(records, methods, terms, independent_groups(methods.values()), partners, has_number)

    def weighs(self, e: Evidence) -> bool:
        return weighs(e, self.terms)

    def required(self, kind: str) -> tuple[Evidence, ...]:
        return tuple(e for e in self.evidence if e.kind == kind and e.required)

    @property
    def name(self) -> str:
        return short(self.terms.primary)

    @property
    def agreeing(self) -> tuple[Method, ...]:
        """Methods of independent families that agree with the primary on total value."""
        return tuple(
            self.methods[other_side(e, self.terms.primary)]
            for e in self.partners
            if e.verdict is Verdict.PASS
        )

    @property
    def holdout(self) -> tuple[Evidence, ...]:
        """Every holdout of the primary at the contract's horizon."""
        return tuple(
            e
            for e in self.evidence
            if e.kind == "holdout" and e.subject == self.terms.primary and not e.supporting
        )

    @property
    def too_short(self) -> bool:
        """True when every holdout was skipped for want of history, and one was asked for."""
        return bool(self.holdout) and all(e.skipped for e in self.holdout)


def other_side(e: Evidence, primary: str) -> str:
    return e.against if e.subject == primary else e.subject
