"""E7, discrimination: does the method rank people better than a rule that anyone would think of?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nbdataops.validate.checks.recording import Recorder, observable
from nbdataops.validate.inputs import CheckInputs, Floats
from nbdataops.validate.measurement import Measurement
from nbdataops.validate.ranking import Ranking, capture, normalised_gini, spearman
from nbdataops.validate.resample import draws, intervals

PAST = ("past_total", "past_value", "past_rate")
"""Population columns that serve as the naive ranking when neither `baseline` nor a naive method is given."""


@dataclass(frozen=True, slots=True)
class Discrimination:
    """Normalised Gini, Spearman and top-decile capture, each minus that of a naive ranking.

    The naive ranking is that of `inputs.other` (a naive method), else a population column: `baseline`, or the first
    of `PAST`. People are resampled in pairs; a ranking needs no refit to be resampled, but its error of fitting is
    left out (`entity`).
    """

    baseline: str | None = None
    kind: str = "discrimination"

    def measure(self, inputs: CheckInputs) -> tuple[Measurement, ...]:
        against = inputs.other.stage if inputs.other is not None else "naive"
        record = Recorder(self.kind, inputs, against)
        weights = np.vstack((np.ones(len(inputs.entities)), draws(inputs).weights)).astype(np.float64)
        made: list[Measurement] = []
        for component in observable(inputs):
            if (
                component != "value"
                and inputs.other is not None
                and component not in inputs.other.frame.columns
            ):
                continue  # the naive method need not have every component
            fault = inputs.fault(component, outcome=True, other=inputs.other is not None)
            naive = fault or self._naive(inputs, component)
            if isinstance(naive, str):
                made.append(record.broken(component, "gini_gain", naive, level="customer"))
                continue
            made.extend(_gains(record, component, naive, weights))
        return tuple(made)

    def _naive(self, inputs: CheckInputs, component: str) -> Floats | str:
        """Scores of the naive ranking, or why there are none."""
        if inputs.other is not None:
            return inputs.predicted(inputs.other, component)
        columns = inputs.population.columns
        name = self.baseline or next((c for c in PAST if c in columns), None)
        if name is None or name not in columns:
            return f"no naive ranking: the population has no column {self.baseline or ' or '.join(PAST)}"
        scores: Floats = inputs.population[name].to_numpy(dtype=np.float64, na_value=np.nan)
        return scores if np.isfinite(scores).all() else "the naive ranking has values that are not finite"


def _gains(record: Recorder, component: str, naive: Floats, weights: Floats) -> list[Measurement]:
    inputs = record.inputs
    actual = inputs.actual(component)
    model, rule, truth = (
        Ranking.of(scores) for scores in (inputs.predicted(inputs.subject, component), naive, actual)
    )
    statistics: tuple[tuple[str, Callable[[Ranking, Floats], float]], ...] = (
        ("gini", lambda r, w: normalised_gini(r, truth, actual, w)),
        ("spearman", lambda r, w: spearman(r, truth, w)),
        ("capture", lambda r, w: capture(r, actual, w)),
    )
    made = []
    for name, statistic in statistics:
        ours = np.array([statistic(model, w) for w in weights])
        theirs = np.array([statistic(rule, w) for w in weights])
        gain = ours - theirs
        reason = "" if np.isfinite(gain[0]) else "no ranking: one side is constant, or nothing happened"
        (interval,) = intervals(gain[:1], gain[1:, None], (reason,))
        detail = {name: _number(ours[0]), f"naive_{name}": _number(theirs[0])}
        made.append(
            record.measured(
                component,
                f"{name}_gain",
                interval,
                level="customer",
                n=len(actual),
                resampling="entity",
                detail=detail,
            )
        )
    return made


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
