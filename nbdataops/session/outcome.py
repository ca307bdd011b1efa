"""`stage.outcome`: what really happened in (as_of, until]."""

from __future__ import annotations

import html
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nbdataops.session.answer import outcome_of
from nbdataops.session.current import Session
from nbdataops.session.deposit import DepositedOutcome


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was published, in totals; a cell shows it. `unknown` entities came after `as_of` and were left out."""

    total: float
    entities: int
    active: int
    unknown: int
    components: dict[str, float]
    unit: str
    noun: str
    entity: str
    span: str

    def __repr__(self) -> str:
        parts = ", ".join(f"{name} {total:,.0f}" for name, total in self.components.items())
        share = f" ({self.active / self.entities:.0%})" if self.entities else ""
        left_out = (
            f"\n  {self.unknown:,} {self.entity} are not of the population at as_of (acquired later) and were left out"
            if self.unknown
            else ""
        )
        return (
            f"outcome, {self.span}\n  total: {self.total:,.0f} {self.unit}{', ' + parts if parts else ''}"
            f"\n  {self.active:,} of {self.entities:,}{share} did something, the others are zero{left_out}"
        )

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def outcome(session: Session, frame: Any) -> Outcome:
    """Checks a frame of entity key, `value` and components, and deposits it with zeros for who is missing."""
    session.once(session.deposit.record.outcome is not None, "an outcome was published", "one a notebook")
    contract, population = session.contract, session.population
    answer = outcome_of(frame, contract, population)
    deposited = DepositedOutcome(
        file=session.deposit.put("outcome", answer.table(population)),
        rows=len(population),
        unknown=answer.unknown,
    )
    session.deposit.update(replace(session.deposit.record, outcome=deposited))
    active = np.any([values != 0 for values in answer.values.values()], axis=0)
    totals = {name: float(values.sum()) for name, values in answer.values.items()}
    scope = session.assignment.scope
    return Outcome(
        total=totals.pop("value"),
        entities=len(population),
        active=int(active.sum()),
        unknown=answer.unknown,
        components=totals,
        unit=contract.unit,
        noun=contract.noun,
        entity=contract.entity,
        span=f"{contract.value} after {scope.as_of}" + (f" up to {scope.until}" if scope.until else ""),
    )
