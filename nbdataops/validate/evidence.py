"""Evidence: a measurement held against a margin, with a verdict.

Figures are in the scale of the statistic: for `log_ratio` the estimate, the interval, `margin` and `mdd` are
natural logarithms of ratios (`percent` says the estimate in percent); for everything else they are plain numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What evidence says, from good to bad.

    `PASS`: the whole interval is inside of what is allowed. `WARN`: it straddles an edge though the data are
    precise enough. `INCONCLUSIVE`: the data cannot tell. `FAIL`: the whole interval is outside. `ERROR`: nothing
    was evaluated. Only `PASS` is a pass.

    >>> Verdict.worst([Verdict.PASS, Verdict.FAIL, Verdict.WARN]).value
    'fail'
    >>> Verdict.worst([]).value
    'inconclusive'
    """

    PASS = "pass"
    WARN = "warn"
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"
    ERROR = "error"

    @property
    def severity(self) -> int:
        """0 for a pass, 4 for an error."""
        return list(Verdict).index(self)

    @staticmethod
    def worst(verdicts: list[Verdict]) -> Verdict:
        """The worst of several; of none at all: inconclusive, since what is missing is never a pass."""
        return max(verdicts, key=lambda v: v.severity, default=Verdict.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class OriginFigure:
    """What one origin alone says. `note` is why it has no figures, and then it does not count."""

    as_of: date
    estimate: float | None
    lower: float | None
    upper: float | None
    n: int
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "as_of": self.as_of.isoformat(),
            "estimate": finite(self.estimate),
            "lower": finite(self.lower),
            "upper": finite(self.upper),
            "n": self.n,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Evidence:
    """One record of a study.

    `allowed` is the band of the verdict rule in the scale of the statistic, None where it is open. `lower` and
    `upper` are a 90 percent interval, simultaneous over the groups of a level. `mdd` is the smallest difference
    that these data could have revealed (with 80 percent power). `clusters` counts origins once for every set of
    overlapping outcome windows. `required`: the label depends on it. `supporting`: not the contract's horizon.
    `skipped`: the history was too short at every origin.
    """

    kind: str
    code: str
    subject: str
    against: str
    component: str
    level: str
    group: str
    horizon: int | None
    statistic: str
    verdict: Verdict
    why: str
    n: int = 0
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    margin: float | None = None
    allowed: tuple[float | None, float | None] = (None, None)
    mdd: float | None = None
    resampling: str = "none"
    replicates: int = 0
    origins: tuple[OriginFigure, ...] = ()
    clusters: int = 0
    between_origin_sd: float | None = None
    families: tuple[str, ...] = ()
    required: bool = False
    supporting: bool = False
    skipped: bool = False

    @property
    def id(self) -> str:
        """Derived from what the record is about, so it stays the same when its figures change."""
        parts = (
            self.code,
            self.subject,
            self.against,
            self.component,
            self.level,
            self.group,
            self.statistic,
        )
        return ":".join((*parts, "" if self.horizon is None else str(self.horizon)))

    @property
    def percent(self) -> float | None:
        """The estimate as a percent difference; None for what is no ratio."""
        return as_percent(self.estimate) if self.statistic == "log_ratio" else None

    @property
    def same_family(self) -> bool:
        """True for two methods of one family."""
        return len(self.families) == 2 and self.families[0] == self.families[1]

    def to_dict(self) -> dict[str, Any]:
        """The shape of an evidence record in `nbdataops run --json`; no NaN, no infinity."""
        return {
            "id": self.id,
            "kind": self.kind,
            "code": self.code,
            "subject": self.subject,
            "against": self.against,
            "component": self.component,
            "level": self.level,
            "group": self.group,
            "horizon": self.horizon,
            "supporting": self.supporting,
            "required": self.required,
            "skipped": self.skipped,
            "n": self.n,
            "statistic": self.statistic,
            "estimate": finite(self.estimate),
            "lower": finite(self.lower),
            "upper": finite(self.upper),
            "margin": finite(self.margin),
            "allowed": [finite(edge) for edge in self.allowed],
            "mdd": finite(self.mdd),
            "percent": finite(self.percent),
            "resampling": self.resampling,
            "replicates": self.replicates,
            "origins": [o.to_dict() for o in self.origins],
            "clusters": self.clusters,
            "between_origin_sd": finite(self.between_origin_sd),
            "families": list(self.families),
            "same_family": self.same_family,
            "verdict": self.verdict.value,
            "why": self.why,
        }


def finite(value: float | None) -> float | None:
    """The value, or None where JSON has no word for it.

    >>> finite(1.5), finite(float("nan")), finite(None)
    (1.5, None, None)
    """
    return float(value) if value is not None and math.isfinite(value) else None


def as_percent(log_ratio: float | None) -> float | None:
    """A log ratio as a percent difference.

    >>> round(as_percent(math.log(0.81)), 6), as_percent(None)
    (-19.0, None)
    """
    if log_ratio is None or not math.isfinite(log_ratio) or log_ratio > 50:
        return None
    return 100 * math.expm1(log_ratio)
