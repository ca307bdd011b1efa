"""Gini, Spearman and capture against brute force."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nbdataops.validate.ranking import Ranking, capture, gini, normalised_gini, spearman


def brute_gini(scores: list[int], actual: list[float]) -> float:
    """Mean, over all orders that the scores allow, of 1 minus twice the area under the concentration curve."""
    found = []
    for order in permutations(range(len(scores))):
        if all(scores[a] <= scores[b] for a, b in pairwise(order)):
            shares = np.concatenate(([0.0], np.cumsum([actual[k] for k in order]) / sum(actual)))
            found.append(1 - (shares[1:] + shares[:-1]).sum() / len(scores))
    return float(np.mean(found))


small = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=2, max_size=6)


@given(small)
@settings(max_examples=50, deadline=None)
def test_gini_is_the_mean_over_all_orders_that_ties_allow(pairs: list[tuple[int, int]]) -> None:
    scores, actual = [a for a, _ in pairs], [float(b) for _, b in pairs]
    if sum(actual) == 0:
        return
    found = gini(Ranking.of(np.array(scores, float)).curve(np.array(actual), np.ones(len(pairs))))
    assert found == pytest.approx(brute_gini(scores, actual), abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3)), min_size=3, max_size=20))
@settings(deadline=None)
def test_weights_are_the_same_as_repetition(rows: list[tuple[int, int, int]]) -> None:
    a, b, w = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    repeat = w.astype(int)
    x, y = np.repeat(a, repeat), np.repeat(b, repeat)
    if len(x) < 2 or len(set(x)) < 2 or len(set(y)) < 2:
        return
    assert spearman(Ranking.of(a), Ranking.of(b), w) == pytest.approx(
        stats.spearmanr(x, y).statistic, abs=1e-10
    )
    weighted, repeated = Ranking.of(a).curve(b, w), Ranking.of(x).curve(y, np.ones(len(x)))
    assert gini(weighted) == pytest.approx(gini(repeated), abs=1e-10)
    assert capture(weighted) == pytest.approx(capture(repeated), abs=1e-10)


def test_a_perfect_ranking_has_a_normalised_gini_of_one_and_a_constant_one_of_zero() -> None:
    y = np.array([0.0, 1.0, 0.0, 5.0, 2.0])
    perfect, constant = (Ranking.of(scores).curve(y, np.ones(5)) for scores in (y, np.zeros(5)))
    assert normalised_gini(perfect, perfect) == pytest.approx(1)
    assert normalised_gini(constant, perfect) == pytest.approx(0)


def test_when_nobody_did_anything_there_is_no_gini() -> None:
    y = np.zeros(5)
    anything, perfect = (Ranking.of(scores).curve(y, np.ones(5)) for scores in (np.arange(5.0), y))
    assert np.isnan(normalised_gini(anything, perfect))
