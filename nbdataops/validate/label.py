"""The label: what a number is worth, and why, in words that its readers understand.

- **validated**: for the primary method, at the contract's horizon, every invariant holds, the holdout total of value
  and of transactions passes at a matured origin (and no cohort fails), calibration passes in the top three deciles
  and in its slope, it ranks no worse than the naive ranking, and the value total agrees with at least one method of
  an independent family; no required reconciliation fails.
- **corroborated**: the history is too short for any holdout at that horizon, and invariants, agreement across
  families and reconciliations hold.
- **unverified**: everything else. What is missing, skipped or broken is never a pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from nbdataops.validate.evidence import Verdict
from nbdataops.validate.families import why_dependent
from nbdataops.validate.objections import always, in_order, of_the_past
from nbdataops.validate.ruling import Ruling, both, weighs
from nbdataops.validate.wording import headline, headlines, horizon_words


class Label(StrEnum):
    """What a study says of its number."""

    VALIDATED = "validated"
    CORROBORATED = "corroborated"
    UNVERIFIED = "unverified"


def rule(ruling: Ruling) -> tuple[Label, tuple[str, ...]]:
    """The label and its reasons, the decisive first."""
    hold_always = always(ruling)
    tail = (*_siblings(ruling), *_supporting(ruling))
    if ruling.too_short:
        span = horizon_words(ruling.terms, adjective=True)
        why = f"No {span} holdout has matured: {ruling.holdout[0].why}."
        if hold_always:
            return Label.UNVERIFIED, (*in_order(hold_always), why, *tail)
        return Label.CORROBORATED, (why, _agreed(ruling), *tail)
    against = (*hold_always, *of_the_past(ruling))
    if against:
        return Label.UNVERIFIED, (*in_order(against), *tail)
    total = list(ruling.required("holdout"))
    came_true = (
        f"{ruling.name} met the {horizon_words(ruling.terms, adjective=True)} holdout: {headlines(total)}."
    )
    return Label.VALIDATED, (came_true, _agreed(ruling), *tail)


def _siblings(r: Ruling) -> Iterable[str]:
    """Agreement among methods that share something is shown, and said to count once."""
    alike: dict[str, set[str]] = {}
    for e in r.evidence:
        pair = (r.methods.get(e.subject), r.methods.get(e.against))
        passed = e.kind == "triangulation" and not e.supporting and e.verdict is Verdict.PASS
        if passed and weighs(e, r.terms) and all(pair):
            a, b = both(pair)
            shared = why_dependent(a, b)
            if shared:
                alike.setdefault(shared, set()).update((a.name, b.name))
    for shared, names in alike.items():
        yield f"Agreement of {_listed(sorted(names))} counts once: they {shared}."


def _supporting(r: Ruling) -> Iterable[str]:
    """How the primary did at other horizons; the label does not depend on it."""
    horizons = sorted({e.horizon for e in r.evidence if e.supporting and e.horizon is not None})
    for horizon in horizons:
        members = [
            e
            for e in r.evidence
            if e.kind == "holdout"
            and e.horizon == horizon
            and e.subject == r.terms.primary
            and weighs(e, r.terms)
        ]
        if members:
            said = "; ".join(f"{headline(e)}: {e.verdict.value}" for e in members)
            yield f"At {horizon_words(r.terms, horizon)} (supporting only) {r.name} has {said}."


def _agreed(r: Ruling) -> str:
    names = _listed([f"{m.name} ({m.family})" for m in r.agreeing])
    own = r.methods.get(r.terms.primary)
    family = f" ({own.family})" if own is not None else ""
    return f"Independent families agree on total value: {r.name}{family} with {names}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
