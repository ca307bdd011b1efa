from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbdataops.ltv import GammaGamma, LtvInputError
from nbdataops.ltv.spend.value_sums import log_likelihood, value_sums


def estimates(model: GammaGamma) -> np.ndarray:
    return np.array([model.p_, model.q_, model.gamma_])


def test_the_gradient_agrees_with_differences(cdnow: pd.DataFrame) -> None:
    buyers = cdnow[cdnow["x"] > 0]
    sums = value_sums(
        buyers["x"].to_numpy(float), buyers["spend"].to_numpy(), np.arange(len(buyers)) % 3 * 1.0
    )
    at = np.array([5.0, 3.0, 12.0])
    gradient = log_likelihood(at, sums)[1]
    for j in range(3):
        step = np.zeros(3)
        step[j] = 1e-5 * at[j]
        difference = log_likelihood(at + step, sums)[0] - log_likelihood(at - step, sums)[0]
        assert gradient[j] == pytest.approx(difference / (2 * step[j]), rel=1e-6, abs=1e-5)


def test_one_timers_do_not_count_whether_they_are_handed_in_or_not(cdnow: pd.DataFrame) -> None:
    everybody, repeaters = GammaGamma().fit(cdnow), GammaGamma().fit(cdnow[cdnow["x"] > 0])
    np.testing.assert_array_equal(estimates(everybody), estimates(repeaters))
    assert everybody.n_repeaters_ == 946


def test_whole_weights_do_what_repeating_rows_does(cdnow: pd.DataFrame) -> None:
    weights = pd.Series(np.random.default_rng(0).poisson(1, len(cdnow)), index=cdnow.index)
    weighted = GammaGamma().fit(cdnow, sample_weight=weights)
    repeated = GammaGamma().fit(cdnow.loc[cdnow.index.repeat(weights)])
    np.testing.assert_allclose(estimates(weighted), estimates(repeated), rtol=1e-6)


def test_another_currency_changes_the_unit_only(cdnow: pd.DataFrame) -> None:
    cents = cdnow.assign(spend=cdnow["spend"] * 100)
    in_dollars, in_cents = GammaGamma().fit(cdnow), GammaGamma().fit(cents)
    assert in_cents.p_ == pytest.approx(in_dollars.p_, rel=1e-6)
    assert in_cents.gamma_ == pytest.approx(100 * in_dollars.gamma_, rel=1e-6)
    np.testing.assert_allclose(
        in_cents.expected_spend(cents), 100 * in_dollars.expected_spend(cdnow), rtol=1e-6
    )


def test_a_warm_start_reaches_the_cold_optimum(cdnow: pd.DataFrame) -> None:
    weights = np.random.default_rng(4).poisson(1, len(cdnow))
    cold = GammaGamma().fit(cdnow, sample_weight=weights)
    warm = GammaGamma(warm_start=True).fit(cdnow).fit(cdnow, sample_weight=weights)
    np.testing.assert_allclose(estimates(warm), estimates(cold), rtol=1e-6)
    assert warm.fit_result_.iterations < cold.fit_result_.iterations


def test_repeaters_who_paid_nothing_are_counted_left_out_and_predicted(cdnow: pd.DataFrame) -> None:
    free = pd.DataFrame({"x": [1, 6], "t_x": 10.0, "T": 30.0, "spend": 0.0}, index=[9001, 9002])
    with_free = pd.concat([cdnow, free])
    model = GammaGamma().fit(with_free)
    assert model.n_zero_spend_ == 2
    assert model.n_repeaters_ == 946
    np.testing.assert_array_equal(estimates(model), estimates(GammaGamma().fit(cdnow)))
    once, often = model.expected_spend(with_free).loc[[9001, 9002]]
    assert 0 < often < once < model.population_mean_


def test_an_expectation_lies_between_own_mean_and_population_mean(cdnow: pd.DataFrame) -> None:
    model = GammaGamma().fit(cdnow)
    expected = model.expected_spend(cdnow)
    assert expected.index.equals(cdnow.index)
    repeat = cdnow["x"] > 0
    np.testing.assert_allclose(expected[~repeat], model.population_mean_, rtol=1e-12)
    low, high = (
        np.minimum(cdnow["spend"], model.population_mean_),
        np.maximum(cdnow["spend"], model.population_mean_),
    )
    assert ((expected >= low) & (expected <= high))[repeat].all()


def test_spend_of_a_one_timer_may_be_missing() -> None:
    model = GammaGamma.with_parameters(p=6.25, q=3.74, gamma=15.44)
    frame = pd.DataFrame({"x": [0, 3], "spend": [np.nan, 20.0]})
    assert model.expected_spend(frame).iloc[0] == pytest.approx(model.population_mean_)
    with pytest.raises(LtvInputError, match="spend is missing"):
        model.expected_spend(frame.assign(x=[1, 3]))


def test_an_infinite_population_mean_is_an_error_not_a_number() -> None:
    model = GammaGamma.with_parameters(p=2.0, q=0.8, gamma=5.0)
    assert model.population_mean_ == float("inf")
    with pytest.raises(LtvInputError, match="infinite"):
        model.expected_spend(pd.DataFrame({"x": [0], "spend": [0.0]}))
    assert model.expected_spend(pd.DataFrame({"x": [3], "spend": [10.0]})).iloc[0] > 0


def test_the_score_is_the_mean_log_likelihood_of_a_repeater(cdnow: pd.DataFrame) -> None:
    model = GammaGamma().fit(cdnow)
    assert model.score(cdnow) == pytest.approx(model.fit_result_.log_likelihood / 946, rel=1e-12)


def test_nobody_left_to_learn_from_is_an_error(cdnow: pd.DataFrame) -> None:
    with pytest.raises(LtvInputError, match="no customer has a repeat transaction"):
        GammaGamma().fit(cdnow[cdnow["x"] == 0])
    with pytest.raises(LtvInputError, match="no customer has a repeat transaction"):
        GammaGamma().fit(cdnow, sample_weight=(cdnow["x"] == 0).astype(float))
