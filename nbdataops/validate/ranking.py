"""How well scores rank people: concentration, normalised Gini, Spearman, all under integer or real weights.

With integer weights every figure is exactly that of the sample in which entity i is repeated w_i times. Ties count
as their average over all orders.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from nbdataops.validate.inputs import Floats

Curve: TypeAlias = tuple[Floats, Floats]
"""A concentration curve: cumulated shares of people and of what happened, from the lowest score up."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores sorted once, so that many weights can be tried: `group[i]` is entity i's place among distinct scores."""

    group: npt.NDArray[np.int64]
    size: int

    @classmethod
    def of(cls, scores: Floats) -> Ranking:
        distinct, group = np.unique(scores, return_inverse=True)
        return cls(group.reshape(-1), len(distinct))

    def curve(self, actual: Floats, weights: Floats) -> Curve:
        """Concentration curve from the lowest score up: shares of people and of `actual`, both from 0 to 1."""
        people = np.bincount(self.group, weights=weights, minlength=self.size)
        amount = np.bincount(self.group, weights=weights * actual, minlength=self.size)
        x = np.concatenate(([0.0], np.cumsum(people)))
        y = np.concatenate(([0.0], np.cumsum(amount)))
        with np.errstate(divide="ignore", invalid="ignore"):
            return x / x[-1], y / y[-1]

    def midranks(self, weights: Floats) -> Floats:
        """Rank of every entity, ties at their middle."""
        people = np.bincount(self.group, weights=weights, minlength=self.size)
        middle: Floats = np.cumsum(people) - people + (people + 1) / 2
        return middle[self.group]


def gini(curve: Curve) -> float:
    """Gini coefficient of what the curve concentrates: 1 minus twice the area under it.

    >>> y, once = np.array([0.0, 0.0, 0.0, 4.0]), np.ones(4)
    >>> [round(gini(Ranking.of(scores).curve(y, once)), 6) for scores in (y, -y)]
    [0.75, -0.75]
    """
    x, y = curve
    return float(1 - np.sum(np.diff(x) * (y[1:] + y[:-1])))


def normalised_gini(curve: Curve, perfect: Curve) -> float:
    """Gini of the scores over the Gini of a perfect ranking; 1 is perfect, 0 is chance. NaN when nobody did anything.

    Source: Wang, Liu and Miao (2019), arXiv:1912.07753, section 5.
    """
    best = gini(perfect)
    return gini(curve) / best if best > 0 else float("nan")


def capture(curve: Curve, share: float = 0.10) -> float:
    """Share of what happened that belongs to the `share` of people with the highest scores.

    >>> y = np.arange(1.0, 11.0)
    >>> round(capture(Ranking.of(y).curve(y, np.ones(10))), 6) == round(10 / 55, 6)
    True
    """
    return float(1 - np.interp(1 - share, *curve))


def spearman(a: Ranking, b: Ranking, weights: Floats) -> float:
    """Rank correlation; NaN when one side is constant.

    >>> x = Ranking.of(np.array([1.0, 2.0, 3.0, 4.0]))
    >>> round(spearman(x, Ranking.of(np.array([10.0, 20.0, 40.0, 30.0])), np.ones(4)), 6)
    0.8
    """
    return correlation(a.midranks(weights), b.midranks(weights), weights)


def correlation(p: Floats, q: Floats, weights: Floats) -> float:
    """Correlation under weights; NaN when one side is constant."""
    total = weights.sum()
    if not total > 0:
        return float("nan")
    p, q = p - (weights * p).sum() / total, q - (weights * q).sum() / total
    spread = np.sqrt((weights * p * p).sum() * (weights * q * q).sum())
    return float((weights * p * q).sum() / spread) if spread > 0 else float("nan")
