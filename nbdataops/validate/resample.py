"""From replicates to standard errors and intervals.

Replicate b weighs entity i by w_b(i), a Poisson(1) count that is the same wherever that entity is met, so the
replicates of two methods, and of a method and what happened, are paired: their differences vary as the difference
does. With a refit, the method has seen the weights as well; without, only the people vary ("entity"), which leaves
out the error of fitting.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nbdataops.session import weights as session_weights
from nbdataops.validate.inputs import CheckInputs, EstimateData, Floats
from nbdataops.validate.levels import Level
from nbdataops.validate.measurement import Z90

Weights = npt.NDArray[np.uint8]
LEVEL = 0.90
"""Coverage of every interval of a study."""


@dataclass(frozen=True, slots=True)
class Draws:
    """The weights of the replicates of one comparison: `ids` (B) and `weights` (B, n)."""

    ids: tuple[int, ...]
    weights: Weights


@dataclass(frozen=True, slots=True)
class Replicated:
    """A statistic per group (m) and in every replicate (B, m), and how the replicates were made."""

    base: Floats
    replicates: Floats
    resampling: str


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 90 percent interval; `undefined` says why there is none."""

    estimate: float | None = None
    se: float | None = None
    lower: float | None = None
    upper: float | None = None
    critical: float = Z90
    simultaneous: int = 1
    replicates: int = 0
    spread: tuple[float, float, float] | None = None
    undefined: str = ""


def draws(inputs: CheckInputs) -> Draws:
    """The replicates that all refits at hand have in common; `inputs.replicates` of them when nobody refits."""
    ids: set[int] | None = None
    for estimate in (inputs.subject, inputs.other):
        if estimate is not None and estimate.replicates is not None:
            found = {int(i) for i in estimate.replicates["replicate"].unique()}
            ids = found if ids is None else ids & found
    chosen = tuple(sorted(ids)) if ids is not None else tuple(range(inputs.replicates))
    return Draws(chosen, _weights(inputs.seed, chosen, tuple(inputs.entities.tolist())))


@lru_cache(maxsize=2)
def _weights(seed: int, ids: tuple[int, ...], entities: tuple[Any, ...]) -> Weights:
    # every check of one origin asks for the same matrix; a Poisson(1) count fits a byte
    hashed = session_weights.Draws(pd.Index(entities).to_numpy())
    made = np.empty((len(ids), len(entities)), dtype=np.uint8)
    for row, replicate in enumerate(ids):
        made[row] = hashed.weights(seed, replicate)
    made.setflags(write=False)
    return made


def sums(values: Floats, level: Level, drawn: Draws) -> Replicated:
    """Sums per group of values that no refit changes."""
    made = np.empty((len(drawn.ids), len(level.groups)))
    for b, row in enumerate(drawn.weights):
        made[b] = _per_group(values * row, level)
    return Replicated(_per_group(values, level), made, "entity")


def predicted_sums(
    inputs: CheckInputs, estimate: EstimateData, component: str, level: Level, drawn: Draws
) -> Replicated:
    """Sums per group of an estimate: of its refits where it brought them for these groups, else of its values."""
    values = inputs.predicted(estimate, component)
    refits = _refits(estimate, component, level, drawn)
    if refits is None:
        return sums(values, level, drawn)
    return Replicated(_per_group(values, level), refits, estimate.resampling)


def _refits(estimate: EstimateData, component: str, level: Level, drawn: Draws) -> Floats | None:
    if estimate.replicates is None:
        return None
    frame = estimate.replicates
    here = frame[(frame["level"] == level.name) & (frame["component"] == component)]
    table = here.pivot(index="replicate", columns="group", values="sum")
    table.columns = table.columns.astype(str)
    if not set(level.groups) <= set(table.columns) or not set(drawn.ids) <= set(table.index):
        return None
    return np.asarray(table.loc[list(drawn.ids), list(level.groups)].to_numpy(dtype=np.float64))


def _per_group(values: Floats, level: Level) -> Floats:
    return np.bincount(level.codes, weights=values, minlength=len(level.groups)).astype(np.float64)


def together(*parts: Replicated) -> str:
    """How a comparison was resampled: as weakly as its weakest part."""
    return "refit" if all(p.resampling == "refit" for p in parts) else "entity"


def log_ratios(top: Replicated, bottom: Replicated, names: tuple[str, str]) -> tuple[Interval, ...]:
    """log(top / bottom) per group, with simultaneous intervals. `names` say what is divided by what."""
    undefined = []
    for above, below in zip(top.base, bottom.base, strict=True):
        zero = [name for name, total in zip(names, (above, below), strict=True) if not total > 0]
        undefined.append(f"no ratio: the sum that {' and that '.join(zero)} is zero" if zero else "")
    with np.errstate(divide="ignore", invalid="ignore"):
        base = np.log(top.base) - np.log(bottom.base)
        replicates = np.log(top.replicates) - np.log(bottom.replicates)
    return intervals(base, replicates, tuple(undefined))


def intervals(base: Floats, replicates: Floats, undefined: tuple[str, ...] = ()) -> tuple[Interval, ...]:
    """One interval per column of `replicates` (B, m), holding for all defined columns at once.

    estimate -+ c * se, se the standard deviation of the replicates; c is 1.645 for one column and the 90 percent
    point of max |t_b| over the columns for more (never below 1.645).
    """
    m, size = len(base), len(replicates)
    reasons = list(undefined) if undefined else [""] * m
    for g in range(m):
        if reasons[g]:
            continue
        if not np.isfinite(base[g]):
            reasons[g] = "the statistic is not finite"
        elif size < 2:
            reasons[g] = (
                f"no interval: there {'is' if size == 1 else 'are'} {size} replicate{'' if size == 1 else 's'}"
            )
        else:
            bad = int((~np.isfinite(replicates[:, g])).sum())
            if bad:
                reasons[g] = f"too few events: {bad} of {size} replicates have nothing to compare"
    defined = [g for g in range(m) if not reasons[g]]
    critical = critical_value(replicates[:, defined]) if defined else Z90
    made = []
    for g in range(m):
        if reasons[g]:
            known = float(base[g]) if np.isfinite(base[g]) else None
            made.append(Interval(estimate=known, undefined=reasons[g], replicates=size))
            continue
        column = replicates[:, g]
        se, estimate = float(column.std(ddof=1)), float(base[g])
        low, middle, high = (float(q) for q in np.quantile(column, [0.05, 0.5, 0.95]))
        made.append(
            Interval(
                estimate, se, estimate - critical * se, estimate + critical * se, critical, len(defined), size,
                (low, middle, high),
            )
        )  # fmt: skip
    return tuple(made)


def critical_value(replicates: Floats) -> float:
    """The 90 percent point of max |t_b| over columns: what makes intervals hold for all groups at once.

    Source: Romano and Wolf (2005), Econometrica 73, for the bootstrap of a maximum of studentised differences.
    """
    if replicates.shape[1] < 2:
        return Z90
    se = replicates.std(axis=0, ddof=1)
    moving = se > 0
    if not moving.any():
        return Z90
    t = np.abs(replicates[:, moving] - replicates[:, moving].mean(axis=0)) / se[moving]
    return max(Z90, float(np.quantile(t.max(axis=1), LEVEL, method="higher")))


def on_fisher_scale(base: float, replicates: Floats, undefined: str = "") -> Interval:
    """Interval of a correlation, taken on atanh and turned back, so that it stays within -1 and 1."""
    edge = 1 - 1e-9
    z = np.arctanh(np.clip(replicates, -edge, edge))[:, None]
    (found,) = intervals(np.arctanh(np.clip(np.array([base]), -edge, edge)), z, (undefined,))
    if found.lower is None or found.upper is None:
        return (
            found
            if found.estimate is None
            else Interval(undefined=found.undefined, replicates=found.replicates)
        )
    spread = tuple(float(q) for q in np.quantile(replicates, [0.05, 0.5, 0.95]))
    return Interval(
        float(base), float(replicates.std(ddof=1)), float(np.tanh(found.lower)), float(np.tanh(found.upper)),
        found.critical, 1, found.replicates, (spread[0], spread[1], spread[2]),
    )  # fmt: skip
