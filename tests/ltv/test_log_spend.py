"""Spend that may depend on frequency."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from nbdataops.ltv import BGNBD, GammaGamma, LogSpend, LtvInputError
from nbdataops.ltv.spend.log_spend import _log_likelihood as log_likelihood

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


ORIGINS_AND_UNITS = {
    "years of birth": (2024.0, -1.0),
    "ten thousands": (0.0, 1e-4),
    "parts of a ten thousandth": (0.0, 1e4),
    "seconds since 1970": (1.7e9, 1e8),
}


def shop_with_ages() -> pd.DataFrame:
    shop = dependent_shop(1500)
    shop["age"] = np.random.default_rng(3).integers(18, 80, len(shop)).astype(float)
    shop["spend"] *= np.exp(0.01 * shop.age)
    return shop


@pytest.mark.parametrize("unit", ORIGINS_AND_UNITS)
def test_a_covariate_in_another_unit_or_from_another_origin_changes_only_its_coefficient(unit: str) -> None:
    origin, factor = ORIGINS_AND_UNITS[unit]
    shop = shop_with_ages()
    other_shop = shop.assign(age=origin + factor * shop.age)
    one, other = (LogSpend(covariates=["age"]).fit(rfm) for rfm in (shop, other_shop))
    a, b = one.fit_result_, other.fit_result_
    assert a.identified
    assert b.identified
    assert b.log_likelihood == pytest.approx(a.log_likelihood, rel=1e-12)
    assert b.condition_number == pytest.approx(a.condition_number, rel=1e-3)
    assert factor * other.age_ == pytest.approx(one.age_, rel=1e-6)
    assert other.intercept_ == pytest.approx(one.intercept_ - origin * other.age_, rel=1e-6)
    np.testing.assert_allclose(other.expected_spend(other_shop), one.expected_spend(shop), rtol=1e-7)
    np.testing.assert_allclose(other.spend_deviation(other_shop), one.spend_deviation(shop), rtol=1e-4)
    for parameters in ("fitted", "drawn") if factor > 0 else ("fitted",):  # a mirrored draw is as likely
        draws = [
            model.sample(rfm, draws=3, seed=1, parameters=parameters)
            for model, rfm in ((other, other_shop), (one, shop))
        ]
        np.testing.assert_allclose(*draws, rtol=1e-4)
    ends_a, ends_b = a.profile_intervals(), b.profile_intervals()
    for name in ("slope", "tau", "sigma"):
        assert b.standard_errors[name] == pytest.approx(a.standard_errors[name], rel=1e-4)
        np.testing.assert_allclose(ends_b.loc[name], ends_a.loc[name], rtol=1e-4)
    assert abs(factor) * b.standard_errors["age"] == pytest.approx(a.standard_errors["age"], rel=1e-4)
    np.testing.assert_allclose(np.sort(factor * ends_b.loc["age"]), ends_a.loc["age"], rtol=1e-4)


def test_coefficients_and_their_errors_are_those_of_the_columns_as_they_are() -> None:
    """Against differences of the likelihood itself, which knows nothing of standardised columns."""
    shop = shop_with_ages()
    result = LogSpend(covariates=["age"]).fit(shop).fit_result_
    used = shop[(shop.x > 0) & (shop.spend > 0)]
    x = used.x.to_numpy(dtype=float)
    design = np.column_stack([np.ones(len(x)), np.log1p(x), used.age])
    at = np.array(list(result.parameters.values()))

    def gradient(theta: np.ndarray) -> np.ndarray:
        return log_likelihood(theta, np.log(used.spend.to_numpy()), design, x, np.ones(len(x)))[1]

    steps = 1e-5 * np.diag([1.0, 1.0, 0.01, 1.0, 1.0])
    hessian = np.array([(gradient(at + h) - gradient(at - h)) / (2 * h.sum()) for h in steps])
    errors = np.sqrt(np.diag(np.linalg.inv(-hessian)))
    np.testing.assert_allclose(list(result.standard_errors.values()), errors, rtol=1e-4)
    ends = result.profile_intervals(0.9).loc[["intercept", "slope", "age"]].to_numpy()
    in_errors = (ends - at[:3, None]) / errors[:3, None]
    np.testing.assert_allclose(in_errors, np.tile([-1.645, 1.645], (3, 1)), atol=0.05)


def test_a_constant_covariate_is_said_to_be_undetermined() -> None:
    shop = shop_with_ages()
    model = LogSpend(covariates=["age"]).fit(shop.assign(age=1.7e9 + 0.1))
    assert not model.fit_result_.identified
    assert "age" in model.fit_result_.reason
    without = LogSpend().fit(shop)
    assert model.fit_result_.log_likelihood == pytest.approx(without.fit_result_.log_likelihood, rel=1e-9)


def test_a_covariate_takes_no_name_that_the_model_has() -> None:
    shop = dependent_shop(300)
    own = ("tau", "sigma", "slope", "intercept", "smearing", "n_repeaters", "n_zero_spend", "fit_result")
    for name in (*own, "time_unit", "__class_", "x", "n"):
        with pytest.raises(LtvInputError, match=f"'{name}' has a name that the model uses itself") as caught:
            LogSpend(covariates=[name]).fit(shop.assign(**{name: 1.0}))
        assert "rename" in str(caught.value.todo)
    for name in ("spend", "total"):
        with pytest.raises(LtvInputError, match=f"{name} as a covariate"):
            LogSpend(covariates=["own", name]).fit(shop.assign(total=1.0))


@pytest.mark.parametrize(
    ("covariates", "message"),
    [
        ("age", "is the text 'age'"),
        (None, "covariates is None"),
        (7, "covariates is 7"),
        ([7], "covariate 7 is no text"),
        (["age", "age"], "named twice"),
    ],
)
def test_covariates_are_a_list_of_names(covariates: object, message: str) -> None:
    with pytest.raises(LtvInputError, match=message) as caught:
        LogSpend(covariates=covariates).fit(dependent_shop(300).assign(age=1.0, a=1.0, g=2.0, e=3.0))  # type: ignore[arg-type]
    assert caught.value.todo


def test_covariates_set_after_a_fit_wait_for_the_next_fit() -> None:
    shop = shop_with_ages()
    shop["height"] = np.random.default_rng(5).normal(170, 10, len(shop))
    model = LogSpend(covariates=["age"], warm_start=True).fit(shop)
    before = model.expected_spend(shop)
    model.set_params(covariates=["height"])
    pd.testing.assert_series_equal(model.expected_spend(shop), before)
    with pytest.raises(LtvInputError, match="height"):
        model.fit(shop.drop(columns="height"))
    pd.testing.assert_series_equal(model.expected_spend(shop), before)  # a fit that failed changes nothing
    model.fit(shop)
    assert not hasattr(model, "age_")
    fresh = LogSpend(covariates=["height"]).fit(shop)
    assert model.fit_result_.parameters == pytest.approx(fresh.fit_result_.parameters, rel=1e-6)


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
