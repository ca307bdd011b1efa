"""From origins to one estimate: origins whose outcome windows overlap saw the same events and count as one.

A cluster of overlapping windows is one observation, and its latest origin speaks for it: that one had the longest
history, as the released number has. The others are shown beside it and give the spread between origins, and never
make an interval narrower. With k >= 2 clusters the standard error is
sqrt(max(variance between clusters, mean squared standard error) / k) and the quantile that of Student's t with
k - 1 degrees of freedom; with one cluster only sampling error is known, and the quantile is that of the origin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy import special, stats

from nbdataops.validate.evidence import OriginFigure, finite
from nbdataops.validate.measurement import Z90, Measurement, State

POWER = special.ndtri(0.975) + special.ndtri(0.80) - Z90
"""Added to the quantile of an interval it gives the smallest detectable difference: 1.645 + 1.157 = 2.80."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """What all origins together say. `like` is the latest measurement that counts (names, families, detail).

    `state` and `reason` are of the worst member: an origin that broke breaks the whole, one that is undefined
    leaves a doubt (`doubt`); skipped origins do not count and are only named (`skipped`). `reason` is also set
    when nothing was measured. `interval_of` says how many groups the interval holds for.
    """

    like: Measurement
    state: State
    estimate: float | None = None
    se: float | None = None
    lower: float | None = None
    upper: float | None = None
    mdd: float | None = None
    n: int = 0
    clusters: int = 0
    between_origin_sd: float | None = None
    origins: tuple[OriginFigure, ...] = ()
    resampling: str = "none"
    replicates: int = 0
    reason: str = ""
    doubt: str = ""
    skipped: str = ""


def clusters(windows: Sequence[tuple[date, date]]) -> tuple[tuple[int, ...], ...]:
    """Positions of windows (from, to] that overlap, directly or through others. Windows that only touch do not.

    >>> d = date.fromisoformat
    >>> clusters([(d("2026-01-01"), d("2026-03-01")), (d("2026-02-01"), d("2026-04-01")), (d("2026-04-01"), d("2026-05-01"))])
    ((0, 1), (2,))
    """
    order = sorted(range(len(windows)), key=lambda k: windows[k])
    found: list[list[int]] = []
    reach: date | None = None
    for k in order:
        start, end = windows[k]
        if reach is not None and start < reach:
            found[-1].append(k)
            reach = max(reach, end)
        else:
            found.append([k])
            reach = end
    return tuple(tuple(group) for group in found)


def pool(measurements: Sequence[Measurement]) -> Pooled:
    """One figure from the measurements of one statistic at several origins (one measurement an origin)."""
    members = sorted(measurements, key=lambda m: m.as_of)
    origins = tuple(
        OriginFigure(m.as_of, m.estimate, m.lower, m.upper, m.n, "" if _has_figures(m) else m.reason)
        for m in members
    )
    measured = [m for m in members if _has_figures(m)]
    broken = [m for m in members if m.state is State.ERROR]
    # a figure that claims to be measured and is none must not vanish quietly
    doubtful = [
        m for m in members if m.state is State.UNDEFINED or (m.state is State.MEASURED and m not in measured)
    ]
    skipped = [m for m in members if m.state is State.SKIPPED]
    like = _most_telling(measured or broken or doubtful or skipped)
    doubt = "; ".join(f"{m.as_of}: {m.reason or 'no figure'}" for m in doubtful)
    left_out = "; ".join(f"{m.as_of} skipped: {m.reason}{_suffices(m)}" for m in skipped)
    if broken:
        reason = "; ".join(f"{m.as_of}: {m.reason}" for m in broken)
        return Pooled(like, State.ERROR, origins=origins, reason=reason, skipped=left_out)
    if not measured:
        state = State.UNDEFINED if doubtful else State.SKIPPED
        return Pooled(
            like,
            state,
            estimate=like.estimate,
            n=like.n,
            origins=origins,
            reason=doubt or left_out,
            skipped=left_out,
        )
    groups = clusters([(m.as_of, m.until or m.as_of) for m in measured])
    latest = [measured[max(g, key=lambda k: measured[k].as_of)] for g in groups]
    means = np.array([_number(m.estimate) for m in latest])
    errors = np.array([_number(m.se) for m in latest])
    widest = max(m.critical for m in latest)
    estimate, k = float(means.mean()), len(groups)
    if k == 1:
        se, critical = float(errors[0]), widest
        lower, upper = estimate - critical * se, estimate + critical * se
        (only,) = latest
        if only.lower is not None and only.upper is not None:
            lower, upper = only.lower, only.upper  # may be asymmetric (correlations)
    else:
        se = math.sqrt(max(float(means.var(ddof=1)), float((errors**2).mean())) / k)
        critical = student(widest, k - 1)
        lower, upper = estimate - critical * se, estimate + critical * se
    single = [_number(m.estimate) for m in measured]
    return Pooled(
        like=like,
        state=State.MEASURED,
        estimate=estimate,
        se=se,
        lower=lower,
        upper=upper,
        mdd=(critical + POWER) * se,
        n=max(m.n for m in measured),
        clusters=k,
        between_origin_sd=float(np.std(single, ddof=1)) if len(single) > 1 else None,
        origins=origins,
        resampling=_weakest(measured),
        replicates=min(m.replicates for m in measured),
        doubt=doubt,
        skipped=left_out,
    )


def count(measurements: Sequence[Measurement]) -> Pooled:
    """Exact figures (violations, reconciliations) are not averaged: the worst origin speaks for all."""
    members = sorted(measurements, key=lambda m: m.as_of)
    pooled = pool(members)
    if pooled.state is not State.MEASURED:
        return pooled
    worst = max((m for m in members if _has_figures(m)), key=lambda m: abs(_number(m.estimate)))
    return Pooled(
        like=worst, state=State.MEASURED, estimate=worst.estimate, se=worst.se, lower=worst.lower, upper=worst.upper,
        mdd=None, n=worst.n, clusters=pooled.clusters, between_origin_sd=None, origins=pooled.origins,
        resampling=worst.resampling, replicates=worst.replicates, doubt=pooled.doubt, skipped=pooled.skipped,
    )  # fmt: skip


def student(critical: float, degrees: int) -> float:
    """The quantile of Student's t that stands where `critical` stands on the normal curve.

    >>> round(student(Z90, 3), 3)
    2.353
    """
    return float(stats.t.ppf(special.ndtr(critical), degrees))


def _has_figures(m: Measurement) -> bool:
    return m.state is State.MEASURED and all(
        finite(v) is not None for v in (m.estimate, m.se, m.lower, m.upper)
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _most_telling(members: Sequence[Measurement]) -> Measurement:
    named = [m for m in members if m.statistic]
    return (named or list(members))[-1]


def _suffices(m: Measurement) -> str:
    return (
        f" ({m.suffices} would suffice)" if m.suffices is not None and str(m.suffices) not in m.reason else ""
    )


def _weakest(members: Sequence[Measurement]) -> str:
    kinds = {m.resampling for m in members}
    return next((kind for kind in ("entity", "refit", "none") if kind in kinds), "none")
