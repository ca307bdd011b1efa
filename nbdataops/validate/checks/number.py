"""The number itself (no evidence): totals of an estimate with the interval of its replicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbdataops.validate.checks.recording import Recorder, per_head
from nbdataops.validate.inputs import CheckInputs
from nbdataops.validate.levels import everybody
from nbdataops.validate.measurement import Measurement
from nbdataops.validate.resample import Interval, draws, intervals, predicted_sums


@dataclass(frozen=True, slots=True)
class Number:
    """Total per component. The population is known, so a replicate's total is its mean per head times the number of
    people: the interval covers what sampling does to the method, and nothing else."""

    kind: str = "number"

    def measure(self, inputs: CheckInputs) -> tuple[Measurement, ...]:
        record = Recorder(self.kind, inputs, "")
        drawn = draws(inputs)
        n = len(inputs.entities)
        windows = [[a.isoformat(), b.isoformat()] for a, b in inputs.subject.label_windows]
        made = []
        for component in inputs.components:
            if component != "value" and component not in inputs.subject.frame.columns:
                continue
            fault = inputs.fault(component)
            if fault:
                made.append(record.broken(component, "total", fault))
                continue
            found = predicted_sums(inputs, inputs.subject, component, everybody(n), drawn)
            heads = drawn.weights.sum(axis=1, dtype=np.float64)[:, None]
            with np.errstate(divide="ignore", invalid="ignore"):
                scaled = found.replicates * (n / heads)
            (interval,) = _positive(float(found.base[0]), scaled)
            total = float(found.base[0])
            detail = {"per_entity": per_head(total, n), "label_windows": windows}
            made.append(
                record.measured(component, "total", interval, n=n, resampling=found.resampling, detail=detail)
            )
        return tuple(made)


def _positive(total: float, replicates: np.ndarray) -> tuple[Interval, ...]:
    # on the log scale, so that a sum of money never reaches below zero
    if not (total > 0 and (replicates > 0).all()):
        return intervals(np.array([total]), replicates)
    (log,) = intervals(np.array([np.log(total)]), np.log(replicates))
    if log.lower is None or log.upper is None or log.se is None:
        return (log,)
    low, middle, high = (float(q) for q in np.quantile(replicates, [0.05, 0.5, 0.95]))
    return (
        Interval(
            total, total * log.se, float(np.exp(log.lower)), float(np.exp(log.upper)), log.critical, 1,
            log.replicates, (low, middle, high),
        ),
    )  # fmt: skip
