"""Simulation-based calibration: intervals hold the truth as often as they say, predictions rank the truth evenly.

Bands are binomial, of 99 percent, corrected for the number of intervals that are looked at, and computed from the number
of replications: 20 of every model in every run, 200 in `make test-slow`. Seeds are fixed, so a run says the same again.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import binom, chi2, norm

from tests.ltv.calibration import DRAWS, LEVEL, MODELS, Replication, replicate

FEW, MANY = 20, 200
CONFIDENCE = 0.99
TOTAL = "total"
every = pytest.mark.parametrize("name", MODELS)
pytestmark = pytest.mark.timeout(3000)


@cache
def of(name: str, number: int) -> tuple[Replication, ...]:
    """Replications of a model, with the same seeds in every run."""
    make, draw = MODELS[name]
    return tuple(replicate(make(), draw, seed) for seed in range(number))


def all_of(number: int) -> list[Replication]:
    """Replications of all models."""
    return [r for name in MODELS for r in of(name, number)]


def band(number: int, looks: int, level: float = LEVEL) -> tuple[int, int]:
    """Least and most successes of `number` that are no surprise at this level when one looks so often."""
    tail = (1 - CONFIDENCE) / looks / 2
    return int(binom.ppf(tail, number, level)), int(binom.ppf(1 - tail, number, level))


def outside_of_its_band(name: str, number: int, looks: int) -> list[str]:
    """The intervals of a model that hold the truth too seldom or too often."""
    found, (low, high) = of(name, number), band(number, looks)
    counts = {what: sum(r.covered[what] for r in found) for what in found[0].covered}
    return [
        f"{name} {what}: {covered} of {number}, not between {low} and {high}"
        for what, covered in counts.items()
        if not low <= covered <= high
    ]


def mean_share_of_covered_parameters(number: int) -> tuple[float, float]:
    """The mean over replications, and how far it may be from the truth: replications are independent of each other."""
    shares = np.array(
        [np.mean([held for what, held in r.covered.items() if what != TOTAL]) for r in all_of(number)]
    )
    return float(shares.mean()), float(
        norm.ppf((1 + CONFIDENCE) / 2) * shares.std(ddof=1) / np.sqrt(len(shares))
    )


def unevenness(ranks: list[int], bins: int = 10) -> float:
    """The p-value of the ranks being even, by chi-square."""
    counts = np.histogram(ranks, bins=bins, range=(0, DRAWS + 1))[0]
    expected = len(ranks) / bins
    return float(chi2.sf(((counts - expected) ** 2 / expected).sum(), bins - 1))


def require_all_models_together(number: int) -> None:
    """What only many replications can tell: pooled over models, whose replications are independent."""
    found = all_of(number)
    assert all(r.identified for r in found)
    share, reach = mean_share_of_covered_parameters(number)
    assert abs(share - LEVEL) < reach, f"{share:.4f} of all intervals hold the truth, +- {reach:.4f}"
    held = sum(r.covered[TOTAL] for r in found)
    low, high = band(len(found), 1)
    assert low <= held <= high, f"{held} totals of {len(found)} held, not between {low} and {high}"
    ranks = [r.rank for r in found]
    assert unevenness(ranks) > 1 - CONFIDENCE
    low, high = band(len(ranks), 1, 2 / (DRAWS + 1))  # draws too narrow or too wide show at both ends
    assert low <= sum(rank in (0, DRAWS) for rank in ranks) <= high


def test_twenty_replications_of_every_model_are_within_their_bands() -> None:
    looks = sum(len(of(name, FEW)[0].covered) for name in MODELS)
    assert [out for name in MODELS for out in outside_of_its_band(name, FEW, looks)] == []
    require_all_models_together(FEW)


@pytest.mark.slow
@every
def test_the_intervals_of_a_model_hold_the_truth_as_often_as_they_say(name: str) -> None:
    assert all(r.identified for r in of(name, MANY))
    looks = len(MODELS) * len(of(name, MANY)[0].covered)
    assert outside_of_its_band(name, MANY, looks) == []


@pytest.mark.slow
@every
def test_what_came_ranks_evenly_among_the_draws_of_a_model(name: str) -> None:
    assert unevenness([r.rank for r in of(name, MANY)]) > (1 - CONFIDENCE) / len(MODELS)


@pytest.mark.slow
def test_all_models_together_are_as_sure_as_they_say() -> None:
    require_all_models_together(MANY)


def test_the_bands_would_notice_intervals_that_are_too_narrow() -> None:
    """Intervals narrower by a fifth hold the truth in 81 percent: outside of what many replications allow."""
    narrow = float(2 * norm.cdf(0.8 * norm.ppf((1 + LEVEL) / 2)) - 1)
    assert binom.cdf(band(MANY, 50)[0] - 1, MANY, narrow) > 0.4  # for every single one of 50
    totals = FEW * len(MODELS)
    assert binom.cdf(band(totals, 1)[0] - 1, totals, narrow) > 0.8  # for the totals of a quick run
    assert binom.cdf(band(10 * totals, 1)[0] - 1, 10 * totals, 0.87) > 0.9  # and of a slow one
