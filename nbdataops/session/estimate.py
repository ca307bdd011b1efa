"""`stage.estimate`: a method's answer."""

from __future__ import annotations

import html
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nbdataops.errors import UsageError
from nbdataops.session.answer import Answer, estimate_of
from nbdataops.session.current import Session
from nbdataops.session.deposit import DepositedEstimate
from nbdataops.session.refits import Refits, check_fit, refit

INTERVAL = (0.05, 0.95)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What was published, in totals; a cell shows it.

    `lower` and `upper` are the ends of a 90 percent interval of the total, from refits; None without them.
    `resampling` says what a study will do: "refit", or "entity" (the estimates are resampled, not the fit).
    """

    total: float
    lower: float | None
    upper: float | None
    entities: int
    components: dict[str, float]
    unit: str
    noun: str
    family: str
    resampling: str
    replicates: int
    failed: int
    span: str
    note: str = ""

    @property
    def per_entity(self) -> float | None:
        """The mean per entity of the population; None for an empty one."""
        return self.total / self.entities if self.entities else None

    def _facts(self) -> list[tuple[str, str]]:
        interval = (
            f", 90% interval {self.lower:,.0f} to {self.upper:,.0f} ({self.replicates} refits)"
            if self.lower is not None and self.upper is not None
            else ""
        )
        mean = "" if self.per_entity is None else f"{self.per_entity:,.2f} {self.unit}"
        facts = [
            ("total", f"{self.total:,.0f} {self.unit}{interval}"),
            (f"per {self.noun}", f"{mean} over {self.entities:,}".strip()),
            *((name, f"{total:,.0f}") for name, total in self.components.items()),
        ]
        if self.failed:
            facts.append(("refits that failed", f"{self.failed} of {self.failed + self.replicates}"))
        if self.note:
            facts.append(("note", self.note))
        return facts

    def __repr__(self) -> str:
        lines = [f"estimate, {self.span} (family {self.family})"]
        return "\n".join([*lines, *(f"  {name}: {text}" for name, text in self._facts())])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for name, text in self._facts()
        )
        head = f"<b>Estimate</b>, {html.escape(self.span)}, family {html.escape(self.family)}"
        return f"<div>{head}<table>{rows}</table></div>"


def estimate(session: Session, answer: Any, family: str) -> Estimate:
    """Checks a frame, or a function `fit(weights=None)` with its refits, and deposits it.

    OutputError counts what is wrong with the frame and names up to five entities.
    """
    if not isinstance(family, str) or not family.strip():
        raise UsageError(
            "stage.estimate needs family=",
            todo="methods that share a likelihood or a label window are one family",
        )
    session.once(session.deposit.record.estimate is not None, "an estimate was published", "one a notebook")
    contract, population = session.contract, session.population
    refits: Refits | None = None
    note = ""
    if callable(answer):
        check_fit(answer)
        base = estimate_of(answer(), contract, population)
        replicates = session.assignment.replicates
        if replicates > 0:
            refits = refit(answer, base, contract, population, replicates, session.assignment.seed)
        if refits is not None and refits.ignored_weights:
            refits, note = None, "every refit gave the same numbers: fit does not use its weights"
    else:
        base = estimate_of(answer, contract, population)
    deposited = DepositedEstimate(
        file=session.deposit.put("estimate", base.table(population)),
        family=family,
        resampling="refit" if refits else "entity",
        components=contract.components,
        has_interval=bool(base.bounds),
        replicates_file=session.deposit.put("replicates", refits.table()) if refits else None,
        replicates=len(refits.numbers) if refits else 0,
        failed=refits.failed if refits else 0,
    )
    session.deposit.update(replace(session.deposit.record, estimate=deposited))
    return _summary(session, base, deposited, refits, note)


def _summary(
    session: Session, base: Answer, deposited: DepositedEstimate, refits: Refits | None, note: str
) -> Estimate:
    contract, scope = session.contract, session.assignment.scope
    totals = {name: float(values.sum()) for name, values in base.values.items()}
    lower, upper = (
        (float(end) for end in np.quantile(refits.totals(), INTERVAL))
        if refits is not None and len(refits.numbers) > 1
        else (None, None)
    )
    ahead = f"next {scope.horizon} {scope.time_unit}s after " if scope.horizon is not None else ""
    return Estimate(
        total=totals.pop("value"),
        lower=lower,
        upper=upper,
        entities=len(base.value),
        components=totals,
        unit=contract.unit,
        noun=contract.noun,
        family=deposited.family,
        resampling=deposited.resampling,
        replicates=deposited.replicates,
        failed=deposited.failed,
        span=f"{contract.value} in the {ahead}{scope.as_of}"
        if ahead
        else f"{contract.value} at {scope.as_of}",
        note=note,
    )
