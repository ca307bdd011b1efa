"""Do two methods agree: concordance and limits of agreement over the groups of a level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbdataops.validate.inputs import Floats


@dataclass(frozen=True, slots=True)
class LimitsOfAgreement:
    """Mean difference a - b and the limits within which 95 percent of differences lie, in the unit of a and b."""

    bias: float
    lower: float
    upper: float
    mean: float

    def to_dict(self) -> dict[str, float]:
        return {"bias": self.bias, "lower": self.lower, "upper": self.upper, "mean": self.mean}


def concordance(a: Floats, b: Floats) -> Floats:
    """Lin's concordance correlation coefficient over the last axis; NaN where both are one constant.

    2 cov(a, b) / (var a + var b + (mean a - mean b)^2), with moments divided by n as in Lin (1989), Biometrics 45.

    >>> round(float(concordance(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))), 6)
    1.0
    """
    da = a - a.mean(axis=-1, keepdims=True)
    db = b - b.mean(axis=-1, keepdims=True)
    gap = a.mean(axis=-1) - b.mean(axis=-1)
    below = (da * da).mean(axis=-1) + (db * db).mean(axis=-1) + gap * gap
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(2 * (da * db).mean(axis=-1) / below, dtype=np.float64)


def limits_of_agreement(a: Floats, b: Floats) -> LimitsOfAgreement:
    """Bland and Altman (1986), Lancet 327: mean difference -+ 1.96 standard deviations of the differences."""
    gap = a - b
    half = 1.96 * float(gap.std(ddof=1)) if len(gap) > 1 else float("nan")
    bias = float(gap.mean())
    return LimitsOfAgreement(bias, bias - half, bias + half, float((a + b).mean() / 2))
