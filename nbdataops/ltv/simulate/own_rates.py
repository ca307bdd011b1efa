"""Customers' own rates, where frequency, value and covariates may go together and cohorts may differ.

Each of a customer's traits is a quantile of its distribution at a normal score of its own, and the scores may be
correlated (a Gaussian copula). So every trait keeps exactly the distribution that the model has for it, and what
depends on frequency alone, such as a fit of BG/NBD, is untouched by the correlation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, gammainccinv, gammaincinv, ndtr

from nbdataops.ltv.columns import FloatArray, LtvInputError
from nbdataops.ltv.simulate.latent_process import LatentProcess


@dataclass(frozen=True, slots=True)
class Cohorts:
    """When customers come, and how those who come later differ.

    `weeks`: customers join evenly over this many weeks from the start; a cohort is who joined in the same week.
    `rate`, `leaving`, `value`: what the last cohort's mean purchase rate, leaving (mean odds at a purchase, or mean
    rate) and mean value are of the first's, with equal ratios from week to week. Every cohort is the same model with
    another `alpha`, `a` (or `beta`) and `gamma`.
    """

    weeks: int = 12
    rate: float = 1.0
    leaving: float = 1.0
    value: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.weeks, bool) or self.weeks != int(self.weeks) or self.weeks < 1:
            raise LtvInputError(f"weeks is {self.weeks}", todo="give a whole number of weeks, 1 or more")
        for name in ("rate", "leaving", "value"):
            factor = getattr(self, name)
            if not 0 < factor < np.inf:
                raise LtvInputError(f"{name} is {factor}", todo="give a positive factor; 1 changes nothing")

    def drift(self, factor: float, cohort: FloatArray) -> FloatArray:
        """That factor as it applies to each customer, by the number of its cohort from 0."""
        return np.asarray(factor ** (cohort / max(self.weeks - 1, 1)))


@dataclass(frozen=True, slots=True)
class OwnRates:
    """The traits of each customer: rate of ticks and leaving as the process counts them, expected value, covariates."""

    rate: FloatArray
    leaving: FloatArray
    value: FloatArray
    covariates: dict[str, FloatArray]


def own_rates(
    process: LatentProcess,
    spend: tuple[float, float, float],
    cohorts: Cohorts,
    cohort: FloatArray,
    correlation: float,
    covariates: Mapping[str, float],
    rng: np.random.Generator,
) -> OwnRates:
    """Draw them. `spend`: p, q, gamma; `correlation`: of the scores of rate and value; `covariates`: that with rate."""
    frequency, other, leave = rng.standard_normal((3, len(cohort)))
    value = _mixed(correlation, frequency, other)
    r, alpha = process.rate
    first, second = process.leaving
    p, q, gamma = spend
    slower = cohorts.drift(cohorts.leaving, cohort)
    if process.at_purchases:
        leaving = betaincinv(first * slower, second, ndtr(leave))
    else:
        leaving = gammaincinv(first, ndtr(leave)) / second * slower
    return OwnRates(
        rate=gammaincinv(r, ndtr(frequency)) / alpha * cohorts.drift(cohorts.rate, cohort),
        leaving=leaving,
        # the larger a customer's gamma rate of values, the smaller they are
        value=p * gamma / gammainccinv(q, ndtr(value)) * cohorts.drift(cohorts.value, cohort),
        covariates={
            name: _mixed(share, frequency, rng.standard_normal(len(cohort)))
            for name, share in covariates.items()
        },
    )


def _mixed(correlation: float, score: FloatArray, other: FloatArray) -> FloatArray:
    return np.asarray(correlation * score + np.sqrt(1 - correlation**2) * other)
