"""The one verdict rule, read off an interval and never off a point.

With an allowed band and a 90 percent interval (two one-sided tests at 5 percent each: Schuirmann 1987):

- **pass**: the interval lies inside of the band;
- **fail**: it lies entirely outside;
- **warn**: it straddles an edge, and the data could have revealed a difference as large as the margin (mdd <= d);
- **inconclusive**: it straddles an edge and the data could not; or there is no interval;
- **error**: nothing was evaluated.

"No significant difference" is never a pass. A band may be open on one side: concordance and rank correlation have
only a lower edge. A gain over the naive ranking has the lower edge 0 and no margin: straddling it is a warning.
Violations are counted exactly: none is a pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from nbdataops.validate.evidence import Verdict, finite
from nbdataops.validate.margins import Margins
from nbdataops.validate.measurement import State
from nbdataops.validate.pool import Pooled


@dataclass(frozen=True, slots=True)
class Band:
    """What is allowed, in the scale of the statistic. `margin` is the difference that the data must be able to
    reveal for a warning rather than `inconclusive`; None: straddling always warns. `exact`: the figure has no
    sampling error."""

    low: float | None
    high: float | None
    margin: float | None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    verdict: Verdict
    why: str


def ratio_band(d: float) -> Band:
    """Allowed ratios from 1 / (1 + d) to 1 + d, as logarithms.

    >>> [round(v, 4) for v in (ratio_band(0.10).low, ratio_band(0.10).high)]
    [-0.0953, 0.0953]
    """
    edge = math.log1p(d)
    return Band(-edge, edge, edge)


def band_for(pooled: Pooled, margins: Margins, same_family: bool) -> Band:
    """Which band a measurement is held against: by kind, level and statistic."""
    m = pooled.like
    match m.kind, m.statistic:
        case "holdout", _:
            return ratio_band(margins.holdout_total if m.level in ("total", "") else margins.holdout_cohort)
        case "calibration", "slope":
            room = min(1 - margins.slope_low, margins.slope_high - 1)
            return Band(margins.slope_low, margins.slope_high, room)
        case "calibration", _:
            return ratio_band(margins.calibration_decile)
        case "discrimination", _:
            return Band(0.0, None, None)
        case "triangulation", "ccc":
            return Band(margins.cohort_ccc, None, 1 - margins.cohort_ccc)
        case "triangulation", "spearman":
            return Band(margins.rank_correlation, None, 1 - margins.rank_correlation)
        case "triangulation", _:
            return ratio_band(margins.triangulation_same_family if same_family else margins.triangulation)
        case "reconciliation", "log_ratio":
            declared = finite(m.detail.get("declared_margin"))
            # an account that must agree and names no margin must agree exactly
            band = ratio_band(declared) if declared is not None and declared > 0 else Band(0.0, 0.0, 0.0)
            return Band(band.low, band.high, band.margin, exact=True)
        case "reconciliation", _:
            share = finite(m.detail.get("declared_margin")) or 0.0
            return Band(None, share * pooled.n, 0.0, exact=True)
        case _:
            return Band(None, 0.0, 0.0, exact=True)


def verdict(pooled: Pooled, band: Band) -> Judgement:
    """The verdict on one pooled measurement, with the reason in words."""
    if pooled.state is State.ERROR:
        return Judgement(Verdict.ERROR, pooled.reason or "nothing was evaluated")
    if pooled.state is not State.MEASURED:
        return Judgement(Verdict.INCONCLUSIVE, pooled.reason or "there is no figure")
    lower, upper = finite(pooled.lower), finite(pooled.upper)
    if finite(pooled.estimate) is None or lower is None or upper is None or lower > upper:
        return Judgement(Verdict.INCONCLUSIVE, "there is no interval")
    low = -math.inf if band.low is None else band.low
    high = math.inf if band.high is None else band.high
    found = _inside(lower, upper, low, high, band, pooled)
    if found.verdict in (Verdict.PASS, Verdict.WARN) and pooled.doubt:
        found = Judgement(Verdict.INCONCLUSIVE, f"not every origin has a figure ({pooled.doubt})")
    if pooled.skipped:
        found = Judgement(found.verdict, f"{found.why}; {pooled.skipped}")
    return found


def _inside(lower: float, upper: float, low: float, high: float, band: Band, pooled: Pooled) -> Judgement:
    ratio = pooled.like.statistic == "log_ratio"
    if band.exact:
        inside = low <= lower and upper <= high
        return Judgement(Verdict.PASS if inside else Verdict.FAIL, pooled.like.reason or _counted(pooled))
    power = _power(pooled, ratio)
    if low <= lower and upper <= high:
        return Judgement(Verdict.PASS, f"the whole interval is inside of what is allowed; {power}")
    if upper < low or lower > high:
        return Judgement(Verdict.FAIL, f"the whole interval is outside of what is allowed; {power}")
    mdd = finite(pooled.mdd)
    if band.margin is None or (mdd is not None and mdd <= band.margin):
        return Judgement(Verdict.WARN, f"the interval reaches over the edge of what is allowed; {power}")
    return Judgement(
        Verdict.INCONCLUSIVE,
        f"too little data to tell: {power}, which is more than the margin of {_size(band.margin, ratio)}",
    )


def _counted(pooled: Pooled) -> str:
    if pooled.like.statistic == "violations":
        return (
            f"{pooled.estimate:,.0f} of {pooled.n:,} violate it"
            if pooled.estimate
            else f"none of {pooled.n:,} violates it"
        )
    return f"totals differ by {_size(pooled.estimate or 0.0, True)}"


def _power(pooled: Pooled, ratio: bool) -> str:
    mdd = finite(pooled.mdd)
    if mdd is None:
        return "what these data could reveal is not known"
    return f"the smallest difference that these data could reveal is {_size(mdd, ratio)}"


def _size(difference: float, ratio: bool) -> str:
    if not ratio:
        return f"{difference:.2g}"
    percent = 100 * math.expm1(min(difference, 20.0))
    return f"{percent:.0f} %" if abs(percent) >= 9.95 else f"{percent:.2g} %"
