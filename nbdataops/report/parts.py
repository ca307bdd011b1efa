"""The parts of a report as frozen data: what is shown, not how."""

from __future__ import annotations

from dataclasses import dataclass

from nbdataops.report import words
from nbdataops.report.charts import ForestRow, Outcome, Point


@dataclass(frozen=True, slots=True)
class Headline:
    """The number with its 90 percent interval, in the contract's unit."""

    value: float
    lower: float | None
    upper: float | None
    per_customer: float | None
    unit: str
    method: str
    resampling: str
    counted: str


@dataclass(frozen=True, slots=True)
class Gate:
    """What the release gate decided: `accepted` or `refused`, with every reason."""

    decision: str
    digest: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Forest:
    """Each method's miss of one component at each horizon."""

    component: str
    rows: tuple[ForestRow, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """How the row's method differs from the column's: a log ratio; `None` where nothing was compared."""

    estimate: float | None
    verdict: str
    same_family: bool
    told: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """Method against method for one component."""

    component: str
    methods: tuple[str, ...]
    families: tuple[str, ...]
    cells: tuple[tuple[Cell | None, ...], ...]


@dataclass(frozen=True, slots=True)
class Series:
    """One method's miss over groups (deciles or cohorts)."""

    method: str
    points: tuple[Point, ...]
    allowed: words.Band


@dataclass(frozen=True, slots=True)
class Multiples:
    """Series of all methods for one component and horizon; they share one axis."""

    component: str
    horizon: str
    supporting: bool
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Predicted and actual per head by decile, of each method, at one past date; they share one axis."""

    component: str
    horizon: str
    as_of: str
    methods: tuple[tuple[str, tuple[Outcome, ...]], ...]


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule of a contract, held against every row; `verdict` as in evidence."""

    id: str
    column: str
    kind: str
    severity: str
    evaluated: int | None
    bad: int | None
    verdict: str
    says: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one source delivered; `told` in words."""

    source: str
    told: str
    tally: tuple[tuple[str, int], ...]
    rules: tuple[RuleRow, ...]

    @property
    def broken(self) -> tuple[RuleRow, ...]:
        """The rules that did not pass, which a reader should see first."""
        return tuple(r for r in self.rules if r.verdict != "pass")


@dataclass(frozen=True, slots=True)
class StageRow:
    """One node of the run."""

    stage: str
    when: str
    action: str
    state: str
    seconds: str
    reasons: str


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One record in words."""

    id: str
    code: str
    kind: str
    verdict: str
    subject: str
    horizon: str
    statistic: str
    figure: str
    interval: str
    band: str
    mdd: str
    n: str
    resampling: str
    required: bool
    supporting: bool
    why: str
    method: str
    against: str


@dataclass(frozen=True, slots=True)
class KindSummary:
    """How many verdicts of which sort one kind of evidence has."""

    kind: str
    title: str
    question: str
    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class NotebookLink:
    """One executed notebook; `href` is empty when it leads out of the report's folder."""

    when: str
    href: str


@dataclass(frozen=True, slots=True)
class NotebookLinks:
    """The executed notebooks of one stage."""

    stage: str
    title: str
    links: tuple[NotebookLink, ...]
