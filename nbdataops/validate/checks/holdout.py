"""E5, holdout: the totals that were predicted against the totals that happened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nbdataops.validate.checks.recording import Recorder, observable, per_head
from nbdataops.validate.inputs import CheckInputs
from nbdataops.validate.levels import Level, cohorts, counts, everybody
from nbdataops.validate.measurement import Measurement
from nbdataops.validate.resample import Draws, draws, log_ratios, predicted_sums, sums


@dataclass(frozen=True, slots=True)
class Holdout:
    """log(predicted / actual) in total and per acquisition cohort, for value and every component that was observed."""

    kind: str = "holdout"

    def measure(self, inputs: CheckInputs) -> tuple[Measurement, ...]:
        record = Recorder(self.kind, inputs, "outcome")
        drawn = draws(inputs)
        levels = [everybody(len(inputs.entities)), *filter(None, [cohorts(inputs)])]
        made: list[Measurement] = []
        for component in observable(inputs):
            fault = inputs.fault(component, outcome=True)
            if fault:
                made.append(record.broken(component, "log_ratio", fault))
                continue
            for level in levels:
                made.extend(against_outcome(record, component, level, drawn))
        return tuple(made)


def against_outcome(record: Recorder, component: str, level: Level, drawn: Draws) -> Iterable[Measurement]:
    """log(predicted / actual) of every group of a level; `detail` holds both, in total and per head."""
    inputs = record.inputs
    predicted = predicted_sums(inputs, inputs.subject, component, level, drawn)
    actual = sums(inputs.actual(component), level, drawn)
    names = ("was predicted", "happened")
    for g, interval in enumerate(log_ratios(predicted, actual, names)):
        n = int(counts(level)[g])
        detail = {
            "predicted": float(predicted.base[g]),
            "actual": float(actual.base[g]),
            "predicted_per_entity": per_head(predicted.base[g], n),
            "actual_per_entity": per_head(actual.base[g], n),
        }
        yield record.measured(
            component, "log_ratio", interval, level=level.name, group=level.groups[g], n=n,
            resampling=predicted.resampling, detail=detail,
        )  # fmt: skip
