"""Spend that may depend on frequency."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from nbdataops.ltv import BGNBD, GammaGamma, LogSpend, LtvInputError

from .shops import pareto_shop

TRUTH = {"intercept": 2.0, "slope": 0.5, "tau": 0.4, "sigma": 0.7}


def dependent_shop(n: int, slope: float = 0.5, seed: int = 0) -> pd.DataFrame:
    """Customers whose mean spend grows with the number of transactions; `own` is each one's true mean."""
    rng = np.random.default_rng(seed)
    x = rng.poisson(rng.gamma(1.0, 3.0, n))
    centre = TRUTH["intercept"] + slope * np.log1p(x) + TRUTH["tau"] * rng.standard_normal(n)
    often = np.maximum(x, 1)
    mean_log = (
        centre - TRUTH["sigma"] ** 2 / (2 * often) + TRUTH["sigma"] / np.sqrt(often) * rng.standard_normal(n)
    )
    return pd.DataFrame({"x": x, "spend": np.where(x > 0, np.exp(mean_log), 0.0), "own": np.exp(centre)})


def test_parameters_are_recovered_with_honest_intervals() -> None:
    result = LogSpend().fit(dependent_shop(8000)).fit_result_
    assert result.identified
    for name, truth in TRUTH.items():
        assert abs(result.parameters[name] - truth) < 3.5 * result.standard_errors[name]
    ends = result.profile_intervals(0.99)
    assert ((ends.lower < pd.Series(TRUTH)) & (pd.Series(TRUTH) < ends.upper)).all()


def test_where_frequent_customers_spend_more_it_is_right_and_gamma_gamma_is_not() -> None:
    shop = dependent_shop(8000)
    often, seldom = shop[shop.x >= 8], shop[shop.x == 1]
    ours, other = LogSpend().fit(shop), GammaGamma().fit(shop)
    for group, gamma_gamma_errs in ((seldom, 1.1), (often, None)):
        value = (group.x * group.spend).sum() / group.x.sum()
        assert (ours.expected_spend(group) * group.x).sum() / group.x.sum() == pytest.approx(value, rel=0.07)
        if gamma_gamma_errs:
            assert (other.expected_spend(group) * group.x).sum() / group.x.sum() > gamma_gamma_errs * value


def test_where_they_are_independent_both_agree() -> None:
    shop = pareto_shop(8000)
    ours, other = LogSpend().fit(shop), GammaGamma().fit(shop)
    assert abs(ours.slope_) < 3.5 * ours.fit_result_.standard_errors["slope"] + 0.03
    assert ours.expected_spend(shop).mean() == pytest.approx(other.expected_spend(shop).mean(), rel=0.06)


def test_fitted_and_observed_total_are_equal_whatever_the_errors_are(cdnow: pd.DataFrame) -> None:
    model = LogSpend().fit(cdnow)
    repeat = cdnow[cdnow.x > 0]
    assert (model.expected_spend(repeat) * repeat.x).sum() == pytest.approx((repeat.spend * repeat.x).sum())
    assert model.slope_ > 0  # on this log frequent customers spend more


def test_a_customers_own_mean_counts_the_more_the_more_is_known() -> None:
    model = LogSpend().fit(dependent_shop(4000))
    same = pd.DataFrame({"x": [1, 100], "spend": [200.0, 200.0]})
    line = model.expected_spend(pd.DataFrame({"x": [0], "spend": [0.0]})).iloc[0]
    few, many = model.expected_spend(same)
    assert line < few < many


def test_the_currency_scales_and_nothing_else_changes() -> None:
    shop = dependent_shop(2000)
    one, cents = LogSpend().fit(shop), LogSpend().fit(shop.assign(spend=shop.spend * 100))
    np.testing.assert_allclose(
        cents.expected_spend(shop.assign(spend=shop.spend * 100)), 100 * one.expected_spend(shop), rtol=1e-6
    )
    assert cents.slope_ == pytest.approx(one.slope_, abs=1e-6)


def test_weights_and_counts_do_what_repeating_rows_does() -> None:
    shop = dependent_shop(800)
    n = np.random.default_rng(1).poisson(1.5, len(shop)).astype(float)
    repeated = LogSpend().fit(shop.loc[shop.index.repeat(n.astype(int))])
    for model in (LogSpend().fit(shop, sample_weight=n), LogSpend().fit(shop.assign(n=n))):
        assert model.fit_result_.parameters == pytest.approx(repeated.fit_result_.parameters, rel=1e-6)
        assert model.smearing_ == pytest.approx(repeated.smearing_)


def test_a_covariate_takes_its_part_and_must_be_there() -> None:
    shop = dependent_shop(4000)
    shop["premium"] = np.random.default_rng(3).integers(0, 2, len(shop))
    shop["spend"] *= np.exp(0.3 * shop.premium)
    model = LogSpend(covariates=["premium"]).fit(shop)
    assert model.premium_ == pytest.approx(0.3, abs=0.1)
    with pytest.raises(LtvInputError, match="premium"):
        model.expected_spend(shop.drop(columns="premium"))
    with pytest.raises(LtvInputError, match="premium is missing"):
        LogSpend(covariates=["premium"]).fit(shop.assign(premium=np.nan))
    assert clone(model).get_params()["covariates"] == ["premium"]


def test_it_serves_as_the_spend_of_a_count_model() -> None:
    shop = pareto_shop(2000)
    counts, spend = BGNBD().fit(shop), LogSpend().fit(shop)
    value = counts.lifetime_value(shop, 20, spend=spend, interval=0.9)
    assert ((value.lower < value.value) & (value.value < value.upper)).all()
    totals = counts.sample(shop, 20, spend=spend, draws=200, parameters="fitted").sum()
    assert abs(totals.mean() - value.value.sum()) < 4 * totals.std() / np.sqrt(200)


def test_one_transaction_each_cannot_tell_the_variances_apart() -> None:
    rng = np.random.default_rng(0)
    shop = pd.DataFrame({"x": 1, "spend": np.exp(rng.normal(2, 0.5, 500))})
    model = LogSpend().fit(shop)
    assert not model.fit_result_.identified
    with pytest.raises(LtvInputError, match="repeat transaction"):
        LogSpend().fit(shop.assign(x=0))


def test_given_parameters_are_not_offered() -> None:
    with pytest.raises(LtvInputError, match="fit it"):
        LogSpend.with_parameters(intercept=1.0)
