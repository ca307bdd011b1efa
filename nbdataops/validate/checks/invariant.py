"""E1, invariants: what must hold of every estimate whatever the data are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbdataops.validate.checks.recording import Recorder
from nbdataops.validate.inputs import CheckInputs, EstimateData
from nbdataops.validate.measurement import Measurement

TOLERANCE = 1e-9
PROBABILITIES = ("alive", "p_alive", "probability_alive")
"""Components that are probabilities by their name."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """Counts of violations; `against` names the invariant, `n` is how many were looked at.

    - one row per entity: none missing, unknown or twice;
    - finite: value and components are finite;
    - not negative: value (unless it is a margin) and components;
    - probability: what is called alive lies within 0 and 1;
    - interval: lower <= value <= upper, where the estimate has them;
    - additive: sums of refits over cohorts and deciles are their total;
    - non-decreasing in the horizon: when `other` is the same method at a longer horizon.
    """

    kind: str = "invariant"

    def measure(self, inputs: CheckInputs) -> tuple[Measurement, ...]:
        frame, columns = inputs.subject.frame, _columns(inputs, inputs.subject)
        figures = frame[list(columns)].to_numpy(dtype=np.float64, na_value=np.nan)
        n = len(frame)
        rows = max(n, len(inputs.entities)) if len(inputs.entities) else 0
        finite = np.isfinite(figures).all(axis=1) & ("value" in columns)
        money = set(_of_money(inputs))
        never_negative = figures[:, [k for k, c in enumerate(columns) if c not in money]]
        made = [
            _count(inputs, "one row per entity", "value", _rows_wrong(inputs), rows),
            _count(inputs, "finite", "value", int((~finite).sum()), n),
            _count(inputs, "not negative", "value", int((never_negative < -TOLERANCE).any(axis=1).sum()), n),
        ]
        for name in columns:
            if name in PROBABILITIES:
                p = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
                bad = int((~((p >= -TOLERANCE) & (p <= 1 + TOLERANCE))).sum())
                made.append(_count(inputs, "probability", name, bad, n))
        if {"lower", "value", "upper"} <= set(frame.columns):
            low, value, high = (
                frame[c].to_numpy(dtype=np.float64, na_value=np.nan) for c in ("lower", "value", "upper")
            )
            slack = TOLERANCE * np.maximum(np.abs(value), 1)
            made.append(
                _count(
                    inputs,
                    "interval",
                    "value",
                    int((~((low <= value + slack) & (value <= high + slack))).sum()),
                    n,
                )
            )
        if inputs.subject.replicates is not None:
            made.append(_additive(inputs, inputs.subject.replicates))
        if inputs.other is not None and inputs.other.stage == inputs.subject.stage:
            made.append(_grows(inputs, inputs.other))
        return tuple(made)


def _count(inputs: CheckInputs, name: str, component: str, bad: int, n: int) -> Measurement:
    return Recorder("invariant", inputs, name).exact(component, "violations", float(bad), n=n)


def _columns(inputs: CheckInputs, estimate: EstimateData) -> tuple[str, ...]:
    return tuple(c for c in inputs.components if c in estimate.frame.columns)


def _of_money(inputs: CheckInputs) -> tuple[str, ...]:
    """What may be below zero, and so may fall when the horizon grows: the value, when it is a margin."""
    return ("value",) if inputs.metric.get("value") == "margin" else ()


def _rows_wrong(inputs: CheckInputs) -> int:
    rows, people = inputs.subject.frame.index, inputs.entities
    return int(rows.duplicated().sum()) + len(people.difference(rows)) + len(rows.unique().difference(people))


def _additive(inputs: CheckInputs, replicates: pd.DataFrame) -> Measurement:
    table = (
        replicates.groupby(["replicate", "component", "level"], observed=True)["sum"].sum().unstack("level")
    )
    if "total" not in table.columns:
        return _count(inputs, "additive", "value", 0, 0)
    total = table["total"].to_numpy(dtype=np.float64)
    bad = ~np.isfinite(total)
    for level in table.columns:
        part = table[level].to_numpy(dtype=np.float64)
        bad |= np.isfinite(part) & ~(np.abs(part - total) <= 1e-6 * np.maximum(np.abs(total), 1))
    return _count(inputs, "additive", "value", int(bad.sum()), len(table))


def _grows(inputs: CheckInputs, longer: EstimateData) -> Measurement:
    if not (longer.frame.index.is_unique and inputs.subject.frame.index.is_unique):
        # told as a violation of its own; here there is nothing to compare one by one
        return _count(inputs, "non-decreasing in the horizon", "value", 0, 0)
    columns = [
        c
        for c in _columns(inputs, inputs.subject)
        if c in longer.frame.columns and c not in (*PROBABILITIES, *_of_money(inputs))
    ]
    short = inputs.subject.frame[columns].reindex(inputs.entities).to_numpy(dtype=np.float64, na_value=np.nan)
    long = longer.frame[columns].reindex(inputs.entities).to_numpy(dtype=np.float64, na_value=np.nan)
    holds = long >= short - TOLERANCE * np.maximum(np.abs(short), 1)
    return _count(
        inputs,
        "non-decreasing in the horizon",
        "value",
        int((~holds).any(axis=1).sum()),
        len(inputs.entities),
    )
