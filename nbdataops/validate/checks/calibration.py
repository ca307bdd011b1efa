"""E6, calibration: is the right total predicted for the right people?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbdataops.validate.checks.holdout import against_outcome
from nbdataops.validate.checks.recording import Recorder, observable
from nbdataops.validate.inputs import CheckInputs, Floats
from nbdataops.validate.levels import Level, tenths
from nbdataops.validate.measurement import Measurement
from nbdataops.validate.resample import Draws, Interval, draws, intervals, predicted_sums, sums


@dataclass(frozen=True, slots=True)
class Calibration:
    """log(predicted / actual) in every decile of the predicted value, and the slope of actual on predicted.

    The slope is that of the ten decile means (per head): 1 is calibrated; below 1 the method spreads people too
    far apart, above 1 too little.
    """

    kind: str = "calibration"

    def measure(self, inputs: CheckInputs) -> tuple[Measurement, ...]:
        record = Recorder(self.kind, inputs, "outcome")
        drawn = draws(inputs)
        made: list[Measurement] = []
        fault = inputs.fault("value", outcome=True)
        if fault:
            return (record.broken("value", "log_ratio", fault, level="decile"),)
        # deciles of the value for every component: those are the groups that the refits kept sums of
        level = tenths(inputs.predicted(inputs.subject, "value"), inputs.entities)
        for component in observable(inputs):
            fault = inputs.fault(component, outcome=True)
            if fault:
                made.append(record.broken(component, "log_ratio", fault, level="decile"))
                continue
            made.extend(against_outcome(record, component, level, drawn))
            interval, resampling = _slope(inputs, component, level, drawn)
            made.append(
                record.measured(
                    component,
                    "slope",
                    interval,
                    level="decile",
                    n=len(inputs.entities),
                    resampling=resampling,
                )
            )
        return tuple(made)


def _slope(inputs: CheckInputs, component: str, level: Level, drawn: Draws) -> tuple[Interval, str]:
    predicted = predicted_sums(inputs, inputs.subject, component, level, drawn)
    actual = sums(inputs.actual(component), level, drawn)
    people = sums(np.ones(len(inputs.entities)), level, drawn)
    with np.errstate(divide="ignore", invalid="ignore"):
        base = slope(predicted.base / people.base, actual.base / people.base)
        replicates = slope(predicted.replicates / people.replicates, actual.replicates / people.replicates)
    flat = "" if np.isfinite(base) else "no slope: everybody is predicted the same"
    (interval,) = intervals(np.atleast_1d(base), replicates[:, None], (flat,))
    return interval, predicted.resampling


def slope(x: Floats, y: Floats) -> Floats:
    """Least-squares slope of y on x (with an intercept) over the last axis; NaN where x does not vary.

    >>> float(slope(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])))
    2.0
    """
    dx = x - x.mean(axis=-1, keepdims=True)
    below = (dx * dx).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (dx * y).sum(axis=-1) / below
    return np.asarray(np.where(below > 0, found, np.nan), dtype=np.float64)
