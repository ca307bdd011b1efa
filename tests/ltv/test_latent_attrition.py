"""What holds for every model of latent attrition."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdataops.ltv import BGNBD, MBGNBD, ParetoNBD, rfm_cells

from .shops import pareto_shop, summaries

MODELS = (BGNBD, MBGNBD, ParetoNBD)
both = pytest.mark.parametrize("cls", MODELS)
Model = type[BGNBD] | type[MBGNBD] | type[ParetoNBD]

KNOWN = {
    BGNBD: {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426},
    MBGNBD: {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614},
    ParetoNBD: {"r": 0.553, "alpha": 10.58, "s": 0.606, "beta": 11.656},
}
positive = st.sampled_from([0.01, 0.3, 0.9999, 1.0, 2.5, 40.0])


def known(cls: Model, **other: float) -> BGNBD | MBGNBD | ParetoNBD:
    return cls.with_parameters(**{**KNOWN[cls], **other})


def estimates(model: BGNBD | MBGNBD | ParetoNBD) -> np.ndarray:
    return np.array([getattr(model, f"{name}_") for name in model.parameter_names])


@pytest.fixture(scope="module")
def shop() -> pd.DataFrame:
    return pareto_shop(1500)


@both
def test_the_gradient_agrees_with_differences_of_the_likelihood(cls: Model, shop: pd.DataFrame) -> None:
    cells = rfm_cells(shop)
    counts = cells.counts(np.arange(len(shop)) % 3)
    model = cls()
    for theta in ([0.3, 5.0, 0.7, 2.0], [0.5, 12.0, 0.7, 8.0], [2.0, 6.0, 1.3, 150.0]):
        at = np.array(theta)
        gradient = model._log_likelihood(at, cells, counts)[1]
        for j in range(4):
            step = np.zeros(4)
            step[j] = 1e-5 * at[j]
            up, down = (model._log_likelihood(at + k * step, cells, counts)[0] for k in (1, -1))
            assert gradient[j] == pytest.approx((up - down) / (2 * step[j]), rel=1e-6, abs=1e-4)


@both
def test_whole_weights_do_what_repeating_rows_does(cls: Model, shop: pd.DataFrame) -> None:
    weights = pd.Series(np.random.default_rng(0).poisson(1, len(shop)), index=shop.index)
    weighted = cls().fit(shop, sample_weight=weights)
    repeated = cls().fit(shop.loc[shop.index.repeat(weights)])
    np.testing.assert_allclose(estimates(weighted), estimates(repeated), rtol=1e-6)
    assert weighted.fit_result_.log_likelihood == pytest.approx(
        repeated.fit_result_.log_likelihood, rel=1e-12
    )
    for name, error in weighted.fit_result_.standard_errors.items():
        assert error == pytest.approx(repeated.fit_result_.standard_errors[name], rel=1e-4)


@both
def test_the_order_of_customers_does_not_matter(cls: Model, shop: pd.DataFrame) -> None:
    shuffled = shop.sample(frac=1, random_state=3)
    one, two = cls().fit(shop), cls().fit(shuffled)
    np.testing.assert_allclose(estimates(one), estimates(two), rtol=1e-7)
    expected = one.expected_transactions(shop, 20)
    pd.testing.assert_series_equal(
        two.expected_transactions(shuffled, 20).loc[shop.index], expected, rtol=1e-6
    )


@both
def test_days_and_weeks_give_the_same_customers(cls: Model, shop: pd.DataFrame) -> None:
    in_days = shop.assign(t_x=shop["t_x"] * 7, T=shop["T"] * 7)
    weeks, days = cls().fit(shop), cls().fit(in_days)
    assert days.r_ == pytest.approx(weeks.r_, rel=1e-6)
    assert days.alpha_ == pytest.approx(7 * weeks.alpha_, rel=1e-6)
    purchases = float(shop["x"].sum())  # the density of a purchase is per time unit
    assert days.fit_result_.log_likelihood == pytest.approx(
        weeks.fit_result_.log_likelihood - purchases * np.log(7), rel=1e-10
    )
    np.testing.assert_allclose(
        days.expected_transactions(in_days, 70), weeks.expected_transactions(shop, 10), rtol=1e-6
    )


@both
def test_a_warm_start_reaches_the_cold_optimum_in_fewer_evaluations(cls: Model, shop: pd.DataFrame) -> None:
    weights = pd.Series(np.random.default_rng(5).poisson(1, len(shop)), index=shop.index)
    cold = cls().fit(shop, sample_weight=weights)
    warm = cls(warm_start=True).fit(shop).fit(shop, sample_weight=weights)
    np.testing.assert_allclose(estimates(warm), estimates(cold), rtol=1e-6)
    assert warm.fit_result_.iterations < cold.fit_result_.iterations
    assert warm.fit_result_.starts == 1
    assert warm.fit_result_.condition_number == pytest.approx(cold.fit_result_.condition_number, rel=1e-3)


@both
def test_without_warm_start_a_fit_forgets_the_last_one(cls: Model, shop: pd.DataFrame) -> None:
    model = cls().fit(shop)
    first = model.fit_result_
    assert model.fit(shop).fit_result_ == first


@both
def test_cells_stand_for_their_customers(cls: Model, shop: pd.DataFrame) -> None:
    cells = rfm_cells(shop)
    weights = np.arange(len(shop)) % 4
    from_cells, from_rows = (cls().fit(data, sample_weight=weights) for data in (cells, shop))
    np.testing.assert_array_equal(estimates(from_cells), estimates(from_rows))
    pd.testing.assert_series_equal(
        from_cells.expected_transactions(cells, 39), from_rows.expected_transactions(shop, 39)
    )
    pd.testing.assert_series_equal(from_cells.probability_alive(cells), from_rows.probability_alive(shop))


@both
def test_predictions_keep_the_index_and_say_what_they_are(cls: Model, shop: pd.DataFrame) -> None:
    model = known(cls)
    for series, name in (
        (model.expected_transactions(shop, 39), "transactions"),
        (model.probability_alive(shop), "alive"),
    ):
        assert series.index.equals(shop.index)
        assert series.name == name


@both
def test_no_customers_means_no_predictions(cls: Model, shop: pd.DataFrame) -> None:
    assert known(cls).expected_transactions(shop.iloc[:0], 39).empty


@both
def test_somebody_who_starts_now_is_a_known_customer_of_age_zero(cls: Model) -> None:
    newcomer = pd.DataFrame({"x": [0], "t_x": [0.0], "T": [0.0]})
    model = known(cls)
    horizons = np.array([[0.0, 1.0], [39.0, 520.0]])
    expected = model.expected_transactions_new(horizons)
    assert expected.shape == horizons.shape
    for horizon, value in zip(horizons.ravel(), expected.ravel(), strict=True):
        assert model.expected_transactions(newcomer, float(horizon)).iloc[0] == pytest.approx(
            value, rel=1e-12
        )
    assert float(model.expected_transactions_new(39)) == pytest.approx(expected[1, 0], rel=1e-14)


@both
@settings(max_examples=40, deadline=None)
@given(rfm=summaries(), first=positive, second=positive, third=positive, data=st.data())
def test_predictions_make_sense_for_any_customer_and_parameters(
    cls: Model, rfm: pd.DataFrame, first: float, second: float, third: float, data: st.DataObject
) -> None:
    names = cls.parameter_names
    model = cls.with_parameters(
        **{names[0]: first, names[1]: data.draw(positive), names[2]: second, names[3]: third}
    )
    alive = model.probability_alive(rfm)
    assert alive.between(0, 1).all()
    just_came = alive[(rfm["x"] == 0) & (rfm["T"] == 0)]
    # only MBG/NBD lets somebody leave in the moment of coming
    assert np.allclose(just_came, third / (second + third) if cls is MBGNBD else 1.0)
    previous = np.zeros(len(rfm))
    for horizon in (0.0, 0.1, 39.0, 5000.0):
        expected = model.expected_transactions(rfm, horizon)
        assert np.isfinite(expected).all()
        assert (expected >= previous * (1 - 1e-9)).all()
        rate = (first + rfm["x"]) / (getattr(model, f"{names[1]}_") + rfm["T"])
        assert (expected <= rate * horizon * (1 + 1e-9)).all()  # nobody buys more than if nobody ever left
        previous = expected.to_numpy()


@both
def test_the_longer_the_silence_the_less_likely_alive(cls: Model) -> None:
    silent = pd.DataFrame({"x": 5, "t_x": [39.0, 30.0, 20.0, 10.0, 1.0], "T": 39.0})
    assert known(cls).probability_alive(silent).is_monotonic_decreasing


@both
def test_heavy_customers_are_fitted_without_overflow(cls: Model) -> None:
    heavy = pareto_shop(1500, alpha=0.05, s=0.7, beta=90.0, ages=(200, 1000), seed=3)
    assert heavy["x"].max() > 10_000
    model = cls().fit(heavy)
    assert model.fit_result_.converged
    assert model.fit_result_.identified
    assert np.isfinite(model.expected_transactions(heavy, 100)).all()
    if cls is ParetoNBD:  # the truth lies within its errors
        for name, truth in {"r": 0.6, "alpha": 0.05, "s": 0.7, "beta": 90.0}.items():
            error = model.fit_result_.standard_errors[name]
            assert abs(getattr(model, f"{name}_") - truth) < 3.5 * error


@both
def test_one_acquisition_day_is_enough(cls: Model) -> None:
    assert cls().fit(pareto_shop(1500, ages=(39, 39))).fit_result_.identified


@both
def test_times_may_carry_the_rounding_of_a_division(cls: Model) -> None:
    days = np.arange(1, 200)
    rounded = pd.DataFrame({"x": 1, "t_x": days / 7 * (1 + 1e-15), "T": days / 7})
    assert known(cls).probability_alive(rounded).between(0, 1).all()


@both
def test_a_better_fit_scores_higher(cls: Model, shop: pd.DataFrame) -> None:
    fitted = cls().fit(shop)
    assert fitted.score(shop) == pytest.approx(fitted.fit_result_.log_likelihood / len(shop), rel=1e-12)
    assert fitted.score(shop) > known(cls, r=3.0).score(shop)


def test_bg_nbd_probabilities_of_counts_sum_to_one_and_have_the_right_mean() -> None:
    model = known(BGNBD)
    assert isinstance(model, BGNBD)
    probabilities = np.array([model.probability_of_transactions(n, 30) for n in range(400)])
    assert probabilities.sum() == pytest.approx(1, abs=1e-6)
    assert probabilities @ np.arange(400) == pytest.approx(
        float(model.expected_transactions_new(30)), rel=1e-4
    )
    assert model.probability_of_transactions(0, 0) == 1
    assert model.probability_of_transactions(3, 0) == 0


def test_bg_nbd_takes_everybody_without_a_repeat_for_alive(shop: pd.DataFrame) -> None:
    assert (known(BGNBD).probability_alive(shop)[shop["x"] == 0] == 1).all()


def test_pareto_nbd_at_s_one_is_the_limit() -> None:
    customer = pd.DataFrame({"x": [3], "t_x": [20.0], "T": [30.0]})
    at, near = (known(ParetoNBD, s=s).expected_transactions(customer, 39).iloc[0] for s in (1.0, 1.0 + 1e-9))
    assert at == pytest.approx(near, rel=1e-7)


def test_a_huge_beta_turns_pareto_nbd_into_customers_who_never_leave(shop: pd.DataFrame) -> None:
    forever = known(ParetoNBD, beta=1e15)
    rate = (forever.r_ + shop["x"]) / (forever.alpha_ + shop["T"])
    np.testing.assert_allclose(forever.expected_transactions(shop, 10), rate * 10, rtol=1e-9)
