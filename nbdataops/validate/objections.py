"""What speaks against a label, in words that readers understand. What is missing speaks against it as well."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from nbdataops.validate.evidence import Evidence, Verdict
from nbdataops.validate.families import short
from nbdataops.validate.ruling import REFUSED, Ruling, components_that_count, other_side
from nbdataops.validate.wording import figure, headline, headlines, horizon_words


@dataclass(frozen=True, slots=True)
class Objection:
    """Why the label is not better; what is surely wrong comes before what cannot be told."""

    verdict: Verdict
    order: int
    words: str


def always(r: Ruling) -> tuple[Objection, ...]:
    """What speaks against validated and corroborated alike: the number, invariants, agreement, reconciliation."""
    return (*_number(r), *_invariants(r), *_agreement(r), *_reconciliation(r))


def of_the_past(r: Ruling) -> tuple[Objection, ...]:
    """What past origins say against validated: holdout, calibration, discrimination."""
    return (*_holdout(r), *_calibration(r), *_discrimination(r))


def in_order(objections: Sequence[Objection]) -> tuple[str, ...]:
    return tuple(o.words for o in sorted(objections, key=lambda o: (o.verdict not in REFUSED, o.order)))


def _number(r: Ruling) -> Iterable[Objection]:
    if not r.has_number:
        yield Objection(Verdict.ERROR, 0, f"There is no number of {r.name} to judge.")


def _invariants(r: Ruling) -> Iterable[Objection]:
    found = r.required("invariant")
    if not found:
        yield Objection(Verdict.INCONCLUSIVE, 0, f"No invariant of {r.name} was checked.")
    for e in found:
        if e.verdict is not Verdict.PASS:
            yield Objection(
                e.verdict, 0, f"{r.name} breaks an invariant, {e.against or 'all of them'}: {e.why}."
            )


def _holdout(r: Ruling) -> Iterable[Objection]:
    span = horizon_words(r.terms, adjective=True)
    total = r.required("holdout")
    for component in components_that_count(r.terms):
        if not any(e.component == component for e in total):
            yield Objection(
                Verdict.INCONCLUSIVE, 1, f"There is no {span} holdout of {component} for {r.name}."
            )
    openings = {
        Verdict.FAIL: f"{r.name} misses the {span} holdout",
        Verdict.WARN: f"{r.name} is at the edge of what is allowed in the {span} holdout",
        Verdict.INCONCLUSIVE: f"The {span} holdout cannot tell whether {r.name} is right",
        Verdict.ERROR: f"The {span} holdout of {r.name} could not be evaluated",
    }
    for verdict, opening in openings.items():
        members = [e for e in total if e.verdict is verdict]
        if members:
            said = headlines(members) if verdict is not Verdict.ERROR else members[0].why
            yield Objection(verdict, 1, f"{opening}: {said}.")
    cohorts = [
        e
        for e in r.evidence
        if e.kind == "holdout" and e.level == "cohort" and not e.supporting and e.subject == r.terms.primary
        and e.component in components_that_count(r.terms) and e.verdict in REFUSED
    ]  # fmt: skip
    if cohorts:
        worst = max(cohorts, key=_distance)
        n = len({e.group for e in cohorts})
        said = f"{n} acquisition {'cohort is' if n == 1 else 'cohorts are'} outside of what is allowed"
        yield Objection(
            worst.verdict,
            3,
            f"{said} in the {span} holdout of {r.name}, the worst {worst.group}: {headline(worst)}.",
        )


def _calibration(r: Ruling) -> Iterable[Objection]:
    found = r.required("calibration")
    for component in components_that_count(r.terms):
        of_it = [e for e in found if e.component == component]
        if not of_it:
            yield Objection(
                Verdict.INCONCLUSIVE, 4, f"The calibration of {component} was not checked for {r.name}."
            )
            continue
        bad = [e for e in of_it if e.verdict is not Verdict.PASS]
        if not bad:
            continue
        worst = max(bad, key=lambda e: (e.verdict.severity, _distance(e)))
        where = f"the decile {worst.group}, " if worst.group else ""
        if worst.statistic == "slope":
            where = "the slope of actual on predicted, "
        sure = "is not calibrated" if worst.verdict in REFUSED else "is not shown to be calibrated"
        said = f"{len(bad)} of {len(of_it)} required figures of {component} do not pass"
        yield Objection(worst.verdict, 4, f"{r.name} {sure}: {said}, the worst {where}{figure(worst)}.")


def _discrimination(r: Ruling) -> Iterable[Objection]:
    found = r.required("discrimination")
    if not found:
        yield Objection(
            Verdict.INCONCLUSIVE, 5, f"Nobody checked whether {r.name} ranks better than a naive ranking."
        )
    for e in found:
        if e.verdict is Verdict.FAIL:
            yield Objection(
                e.verdict,
                5,
                f"{r.name} ranks customers worse than the naive ranking: normalised Gini {figure(e)}.",
            )
        elif e.verdict in (Verdict.ERROR, Verdict.INCONCLUSIVE):
            yield Objection(e.verdict, 5, f"The ranking of {r.name} could not be evaluated: {e.why}.")


def _agreement(r: Ruling) -> Iterable[Objection]:
    if r.agreeing:
        return
    if not r.partners:
        yield Objection(
            Verdict.INCONCLUSIVE,
            2,
            f"{r.name} stands alone: no method of an independent family computes the same metric.",
        )
        return
    said = ", ".join(
        f"{short(other_side(e, r.terms.primary))} {figure(_from(e, r.terms.primary))}" for e in r.partners
    )
    worst = Verdict.worst([e.verdict for e in r.partners])
    yield Objection(
        worst, 2, f"No independent family agrees with {r.name} on total value; {r.name} against {said}."
    )


def _reconciliation(r: Ruling) -> Iterable[Objection]:
    for e in r.required("reconciliation"):
        if e.verdict not in (Verdict.PASS, Verdict.WARN):
            yield Objection(e.verdict, 6, f"{short(e.subject)}: {e.against} does not add up, {e.why}.")


def _distance(e: Evidence) -> float:
    """How far off, as a ratio: a slope of .5 is as far from 1 as a slope of 2."""
    if e.estimate is None:
        return math.inf
    if e.statistic == "slope":
        return abs(math.log(e.estimate)) if e.estimate > 0 else math.inf
    return abs(e.estimate)


def _from(e: Evidence, primary: str) -> Evidence:
    """The record as seen from the primary: a ratio is turned round when the primary is the one below."""
    if e.subject == primary or e.estimate is None or e.lower is None or e.upper is None:
        return e
    return replace(e, estimate=-e.estimate, lower=-e.upper, upper=-e.lower)
