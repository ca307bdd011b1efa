"""Survival counted, and the areas under it."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from nbdataops.ltv import KaplanMeier, LtvInputError, ShiftedBetaGeometric, contracts_from_survivors


def leases(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Contracts that end at a rate of 0.1, seen for 4 to 20 time units."""
    ends, seen = rng.exponential(10, n), rng.uniform(4, 20, n)
    return pd.DataFrame({"T": np.minimum(ends, seen), "churned": ends < seen})


def test_the_value_ahead_is_the_discounted_area_under_the_curve() -> None:
    contracts = leases(300, np.random.default_rng(0))
    model = KaplanMeier().fit(contracts)
    asked = pd.DataFrame({"T": [0.0, 2.5, 7.0, 3.0], "churned": [False, False, False, True]})
    value = model.lifetime_value(asked, 5, margin=3.0, discount_rate=0.05)
    edges = np.linspace(0, 5, 200_001)
    middle = (edges[1:] + edges[:-1]) / 2
    for start, found in zip(asked["T"], value[:3], strict=False):
        there = model.survival(start + middle) / model.survival(start)
        assert found == pytest.approx(3.0 * (there * 1.05**-middle).mean() * 5, rel=1e-4)
    assert value.iloc[3] == 0
    periods = model.expected_periods(asked, 5)
    assert (periods >= model.lifetime_value(asked, 5, discount_rate=0.05)).all()


def test_areas_hold_the_truth_as_often_as_their_level_says() -> None:
    """Truth: leaving at a constant rate, so the area ahead is the same at every age."""
    rng, covered, total = np.random.default_rng(1), np.zeros(2), 300
    asked = pd.DataFrame({"T": [0.0, 4.0], "churned": False})
    truth = (1 - np.exp(-0.1 * 6)) / 0.1
    for _ in range(total):
        answer = KaplanMeier().fit(leases(150, rng)).expected_periods(asked, 6, interval=0.9)
        covered += ((answer.lower <= truth) & (truth <= answer.upper)).to_numpy()
    low, high = binom.interval(0.99, total, 0.9)
    assert ((low <= covered) & (covered <= high)).all(), covered


def test_intervals_are_taken_at_the_level_asked_and_stay_within_the_horizon() -> None:
    contracts = leases(60, np.random.default_rng(2))
    model = KaplanMeier().fit(contracts)
    asked = pd.DataFrame({"T": [0.0, 5.0, 5.0], "churned": [False, False, True]}, index=["a", "b", "c"])
    narrow, wide = (model.lifetime_value(asked, 8, interval=level) for level in (0.5, 0.999))
    assert (wide.lower < narrow.lower)[:2].all()
    assert (narrow.upper < wide.upper)[:2].all()
    assert (wide.upper <= 8).all()
    assert (wide.lower >= 0).all()
    assert wide.loc["c"].tolist() == [0.0, 0.0, 0.0]
    curve = model.survival([0, 3, 6], interval=0.9)
    assert curve.index.tolist() == [0, 3, 6]
    assert curve.iloc[0].tolist() == [1.0, 1.0, 1.0]


def test_it_refuses_what_nobody_lived_to_see() -> None:
    model = KaplanMeier().fit(leases(60, np.random.default_rng(3)))
    with pytest.raises(LtvInputError, match="nobody was seen for longer"):
        model.expected_periods(pd.DataFrame({"T": [5.0], "churned": [False]}), 30)
    with pytest.raises(LtvInputError, match="nobody was seen for longer"):
        model.survival(40)


@pytest.mark.parametrize("cls", [KaplanMeier, ShiftedBetaGeometric])
def test_a_loss_swaps_the_ends_and_no_margin_is_nothing(cls) -> None:
    contracts = contracts_from_survivors([100, 63, 47, 38, 33, 29, 26])
    model, running = cls().fit(contracts), pd.DataFrame({"T": [0, 1], "churned": [False, False]})
    gain = model.lifetime_value(running, 4, margin=3.0, interval=0.9)
    loss = model.lifetime_value(running, 4, margin=-3.0, interval=0.9)
    assert (gain.lower < gain.value).all()
    np.testing.assert_allclose(loss[["value", "lower", "upper"]], -gain[["value", "upper", "lower"]])
    assert (model.lifetime_value(running, 4, margin=0.0, interval=0.9) == 0).all(axis=None)
    np.testing.assert_allclose(model.lifetime_value(running, 4, margin=-3), loss.value)


@pytest.mark.parametrize("cls", [KaplanMeier, ShiftedBetaGeometric])
@pytest.mark.parametrize("margin", [math.nan, math.inf, "10", None, True])
def test_a_margin_that_is_no_number_is_refused(cls, margin: object) -> None:
    contracts = pd.DataFrame({"T": [1, 2, 3, 4], "churned": [True, True, False, False]})
    with pytest.raises(LtvInputError, match="margin is"):
        cls().fit(contracts).lifetime_value(contracts.assign(T=0), 2, margin=margin)
