"""Margins: how far a figure may be off. Declared by people before the run, never fitted to what came out.

A margin d of a ratio is symmetric in logarithms: allowed is a ratio from 1 / (1 + d) to 1 + d, so .10 allows
-9.1 to +10 percent and twice as much is as far off as half as much.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from nbdataops.errors import SpecError, did_you_mean


@dataclass(frozen=True, slots=True)
class Margins:
    """Ratios: holdout_total, holdout_cohort, calibration_decile, triangulation, triangulation_same_family.
    Smallest allowed: cohort_ccc, rank_correlation. Bounds of the calibration slope: slope_low, slope_high."""

    holdout_total: float = 0.10
    holdout_cohort: float = 0.20
    calibration_decile: float = 0.25
    triangulation: float = 0.20
    triangulation_same_family: float = 0.10
    cohort_ccc: float = 0.90
    rank_correlation: float = 0.60
    slope_low: float = 0.80
    slope_high: float = 1.25

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (math.isfinite(value) and value > 0):
                raise SpecError(
                    f"margin {name} is {value}", todo="a margin is a positive number, e.g. .10 for 10 percent"
                )
        for name in ("cohort_ccc", "rank_correlation"):
            if getattr(self, name) >= 1:
                raise SpecError(
                    f"margin {name} is {getattr(self, name)}", todo="a correlation's threshold is below 1"
                )
        if not self.slope_low < 1 < self.slope_high:
            raise SpecError(
                "the bounds of the slope must enclose 1", todo="e.g. slope_low .8, slope_high 1.25"
            )

    @classmethod
    def of(cls, declared: Mapping[str, Any]) -> Margins:
        """Margins from the product's declaration; what is not declared has its default. SpecError for unknown names."""
        known = {f.name for f in fields(cls)}
        for name in declared:
            if name not in known:
                raise SpecError(f"unknown margin {name!r}", todo=did_you_mean(name, known))
        return cls(**{name: float(value) for name, value in declared.items()})

    def to_dict(self) -> dict[str, float]:
        return asdict(self)
