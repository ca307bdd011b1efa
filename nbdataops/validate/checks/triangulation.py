"""E8, triangulation: do two methods that compute the same metric agree?

On totals, cohorts, deciles and ranks; never on single people, where methods of different families differ by the
noise of one person's behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbdataops.validate.agreement import concordance, limits_of_agreement
from nbdataops.validate.checks.recording import Recorder, per_head
from nbdataops.validate.inputs import CheckInputs, EstimateData
from nbdataops.validate.levels import Level, cohorts, counts, everybody, tenths
from nbdataops.validate.measurement import Measurement
from nbdataops.validate.ranking import Ranking, spearman
from nbdataops.validate.resample import (
    Draws,
    Interval,
    Replicated,
    draws,
    log_ratios,
    on_fisher_scale,
    predicted_sums,
    sums,
    together,
)

FEWEST_GROUPS = 3
"""A concordance over fewer groups says nothing."""


@dataclass(frozen=True, slots=True)
class Triangulation:
    """log(subject / other) in total and per cohort, Lin's concordance and limits of agreement of means per head over
    cohorts and over deciles (of the mean of both predicted values), Spearman over people."""

    kind: str = "triangulation"

    def measure(self, inputs: CheckInputs) -> tuple[Measurement, ...]:
        other = inputs.other
        record = Recorder(self.kind, inputs, other.stage if other is not None else "")
        fault = inputs.fault("value", other=True)
        if fault or other is None:
            return (record.broken("value", "log_ratio", fault),)
        drawn = draws(inputs)
        middle = (inputs.predicted(inputs.subject, "value") + inputs.predicted(other, "value")) / 2
        by_cohort, by_decile = cohorts(inputs), tenths(middle, inputs.entities)
        made: list[Measurement] = []
        for component in inputs.components:
            if not all(component in e.frame.columns for e in (inputs.subject, other)):
                continue
            fault = inputs.fault(component, other=True)
            if fault:
                made.append(record.broken(component, "log_ratio", fault))
                continue
            pair = _Pair(record, other, component, drawn)
            made.append(pair.ratios(everybody(len(inputs.entities)))[0])
            if by_cohort is not None:
                made.extend(pair.ratios(by_cohort))
                made.append(pair.concordance(by_cohort))
            made.append(pair.concordance(by_decile))
            made.append(pair.ranks())
        return tuple(made)


@dataclass(frozen=True, slots=True)
class _Pair:
    record: Recorder
    other: EstimateData
    component: str
    drawn: Draws

    def both(self, level: Level) -> tuple[Replicated, Replicated]:
        inputs = self.record.inputs
        if level.name == "decile":  # deciles of both together: no refit kept sums of those
            ours, theirs = (inputs.predicted(e, self.component) for e in (inputs.subject, self.other))
            return sums(ours, level, self.drawn), sums(theirs, level, self.drawn)
        return (
            predicted_sums(inputs, inputs.subject, self.component, level, self.drawn),
            predicted_sums(inputs, self.other, self.component, level, self.drawn),
        )

    def ratios(self, level: Level) -> list[Measurement]:
        ours, theirs = self.both(level)
        names = (f"{self.record.inputs.subject.stage} predicts", f"{self.other.stage} predicts")
        how = together(ours, theirs)
        mixed = {ours.resampling, theirs.resampling} == {"refit", "entity"}
        made = []
        for g, interval in enumerate(log_ratios(ours, theirs, names)):
            detail = {
                "subject": float(ours.base[g]),
                "against": float(theirs.base[g]),
                "resampled": "refit/entity" if mixed else how,
            }
            made.append(
                self.record.measured(
                    self.component, "log_ratio", interval, level=level.name, group=level.groups[g],
                    n=int(counts(level)[g]), resampling=how, detail=detail,
                )
            )  # fmt: skip
        return made

    def concordance(self, level: Level) -> Measurement:
        n = len(level.codes)
        if len(level.groups) < FEWEST_GROUPS:
            few = Interval(undefined=f"{len(level.groups)} {level.name}s: concordance needs {FEWEST_GROUPS}")
            return self.record.measured(
                self.component, "ccc", few, level=level.name, n=n, resampling="entity"
            )
        ours, theirs = self.both(level)
        people = sums(np.ones(len(level.codes)), level, self.drawn)
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = ours.base / people.base, theirs.base / people.base
            replicates = concordance(
                ours.replicates / people.replicates, theirs.replicates / people.replicates
            )
        base = float(concordance(a, b))
        constant = "" if np.isfinite(base) else "no concordance: both are constant, or a group is empty"
        interval = on_fisher_scale(base, replicates, constant)
        groups = [
            {
                "group": name,
                "subject": per_head(ours.base[g], c),
                "against": per_head(theirs.base[g], c),
                "n": int(c),
            }
            for g, (name, c) in enumerate(zip(level.groups, counts(level), strict=True))
        ]
        detail = {"groups": groups, "limits_of_agreement": limits_of_agreement(a, b).to_dict()}
        return self.record.measured(
            self.component,
            "ccc",
            interval,
            level=level.name,
            n=n,
            resampling=together(ours, theirs),
            detail=detail,
        )

    def ranks(self) -> Measurement:
        inputs = self.record.inputs
        a, b = (Ranking.of(inputs.predicted(e, self.component)) for e in (inputs.subject, self.other))
        n = len(inputs.entities)
        base = spearman(a, b, np.ones(n))
        replicates = np.array([spearman(a, b, row.astype(np.float64)) for row in self.drawn.weights])
        constant = "" if np.isfinite(base) else "no rank correlation: one side is constant"
        interval = on_fisher_scale(base, replicates, constant)
        return self.record.measured(
            self.component, "spearman", interval, level="customer", n=n, resampling="entity"
        )
