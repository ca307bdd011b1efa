"""What the report says, as frozen data: made once from plain dicts, drawn by `html` and written by `write_report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbdataops.report import selection, words
from nbdataops.report.about_run import (
    delivery,
    gate,
    headline,
    links,
    provenance,
    stage_row,
    time_unit,
    title,
    who,
)
from nbdataops.report.charts import Answer
from nbdataops.report.from_study import (
    answers,
    by_verdict,
    calibration,
    evidence_row,
    holdout,
    matrices,
    multiples,
    summary,
)
from nbdataops.report.parts import (
    Calibration,
    Delivery,
    EvidenceRow,
    Forest,
    Gate,
    Headline,
    KindSummary,
    Matrix,
    Multiples,
    NotebookLinks,
    StageRow,
)

Plain = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReportView:
    """Everything the report shows. `data` is what it was made from, written as JSON beside the HTML."""

    product: str
    title: str
    who: str
    run: str
    as_of: str
    horizon: str
    started: str
    seconds: str
    label: str
    reasons: tuple[str, ...]
    number: Headline | None
    gate: Gate | None
    summary: tuple[KindSummary, ...]
    answers: tuple[Answer, ...]
    holdout: tuple[Forest, ...]
    matrices: tuple[Matrix, ...]
    calibration: tuple[Calibration, ...]
    deciles: tuple[Multiples, ...]
    cohorts: tuple[Multiples, ...]
    gaps: tuple[str, ...]
    evidence: tuple[EvidenceRow, ...]
    contracts: tuple[Delivery, ...]
    leaks: tuple[str, ...]
    stages: tuple[StageRow, ...]
    nodes: tuple[Plain, ...]
    notebooks: tuple[NotebookLinks, ...]
    provenance: tuple[tuple[str, str], ...]
    data: Plain

    @classmethod
    def from_run(
        cls,
        run: Plain,
        study: Plain,
        contracts: Sequence[Plain],
        stages: Sequence[Plain],
        candidate: Plain | None,
        notebooks: Sequence[Plain],
    ) -> ReportView:
        """The view of one run. An empty `study` (nothing was validated) is a report without a number, unverified."""
        unit = time_unit(run, study)
        data = {"run": run, "study": study, "contracts": list(contracts), "stages": list(stages),
                "candidate": candidate, "notebooks": list(notebooks)}  # fmt: skip
        label = str(study.get("label") or "unverified")
        span = words.horizon(study.get("horizon") or run.get("horizon"), unit)
        return cls(
            product=str(run.get("product") or ""),
            title=title(study, span),
            who=who(study),
            run=str(run.get("run") or ""),
            as_of=str(study.get("as_of") or run.get("as_of") or ""),
            horizon=span,
            started=words.moment(str(run.get("started") or "")),
            seconds=words.seconds(run.get("seconds")),
            label=label if label in words.LABEL_GLYPHS else "unverified",
            reasons=tuple(str(r) for r in study.get("reasons") or ()),
            number=headline(study),
            gate=gate(candidate),
            summary=summary(study),
            answers=answers(study),
            holdout=holdout(study, unit),
            matrices=matrices(study),
            calibration=calibration(study, unit),
            deciles=multiples(study, "calibration", "decile", unit),
            cohorts=multiples(study, "holdout", "cohort", unit),
            gaps=tuple(selection.gap_in_words(g) for g in selection.gaps(study)),
            evidence=tuple(evidence_row(r, unit) for r in by_verdict(selection.records(study))),
            contracts=tuple(delivery(c) for c in contracts),
            leaks=tuple(str(s) for s in run.get("may_leak") or ()),
            stages=tuple(stage_row(s, unit) for s in stages),
            nodes=tuple(stages),
            notebooks=links(notebooks, unit),
            provenance=provenance(run, study),
            data=data,
        )
