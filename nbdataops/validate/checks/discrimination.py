"""E7, discrimination: does the method rank people better than a rule that anyone would think of?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbdataops.validate.checks.recording import Recorder, observable
from nbdataops.validate.inputs import CheckInputs, Floats
from nbdataops.validate.measurement import Measurement
from nbdataops.validate.ranking import Ranking, capture, correlation, normalised_gini
from nbdataops.validate.resample import draws, intervals

STATISTICS = ("gini", "spearman", "capture")
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
    figures = np.array([_of_both((model, rule), truth, actual, w) for w in weights])
    made = []
    for k, name in enumerate(STATISTICS):
        ours, theirs = figures[:, 0, k], figures[:, 1, k]
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


def _of_both(
    rankings: tuple[Ranking, Ranking], truth: Ranking, actual: Floats, weights: Floats
) -> list[tuple[float, float, float]]:
    """`STATISTICS` of both rankings, from one curve each."""
    perfect, true_ranks = truth.curve(actual, weights), truth.midranks(weights)
    made = []
    for ranking in rankings:
        curve = ranking.curve(actual, weights)
        rank_correlation = correlation(ranking.midranks(weights), true_ranks, weights)
        made.append((normalised_gini(curve, perfect), rank_correlation, capture(curve)))
    return made


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
