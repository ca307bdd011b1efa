"""Intervals of what a fitted model expects, and draws of what customers may do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

from nbdataops.ltv import BGNBD, GammaGamma, LtvInputError, ParetoNBD, rate_per_unit, rfm_cells
from nbdataops.ltv.attrition.discounting import discounted

from .shops import equal_leaving_shop, pareto_shop

MODELS = (BGNBD, ParetoNBD)
both = pytest.mark.parametrize("cls", MODELS)


@pytest.fixture(scope="module")
def shop() -> pd.DataFrame:
    return pareto_shop(4000)


@both
def test_an_interval_surrounds_the_expectation_and_stays_in_its_range(cls, shop: pd.DataFrame) -> None:
    model, spend = cls().fit(shop), GammaGamma().fit(shop)
    for answer, plain in (
        (model.expected_transactions(shop, 20, interval=0.9), model.expected_transactions(shop, 20)),
        (model.probability_alive(shop, interval=0.9), model.probability_alive(shop)),
        (spend.expected_spend(shop, interval=0.9), spend.expected_spend(shop)),
        (
            model.lifetime_value(shop, 20, spend=spend, interval=0.9),
            model.lifetime_value(shop, 20, spend=spend),
        ),
    ):
        assert answer.columns.tolist() == [plain.name, "lower", "upper"]
        pd.testing.assert_series_equal(answer[plain.name], plain)
        assert (answer.lower <= plain * (1 + 1e-12)).all()
        assert (answer.upper >= plain * (1 - 1e-12)).all()
        assert (answer.lower >= 0).all()
    assert (model.probability_alive(shop, interval=0.999).upper <= 1).all()


@both
def test_the_interval_is_about_that_of_a_parametric_bootstrap(cls, shop: pd.DataFrame) -> None:
    model = cls().fit(shop)
    few = shop.iloc[:20]
    answer = model.expected_transactions(few, 20, interval=0.9)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(400):
        theta = model._draw_theta(rng, "drawn")
        parameters = dict(zip(model.parameter_names, theta, strict=True))
        drawn.append(cls.with_parameters(**parameters).expected_transactions(few, 20))
    lower, upper = np.quantile(drawn, [0.05, 0.95], axis=0)
    np.testing.assert_allclose(
        np.log(answer.upper / answer.lower), np.log(upper / lower), rtol=0.25, atol=0.01
    )


def test_intervals_shrink_with_the_root_of_the_number_of_customers() -> None:
    one = pd.DataFrame({"x": [2], "t_x": [10.0], "T": [30.0]})
    widths = []
    for n in (2_000, 200_000):
        answer = BGNBD().fit(pareto_shop(n)).expected_transactions(one, 10, interval=0.9)
        widths.append(float(np.log(answer.upper / answer.lower).iloc[0]))
    assert widths[0] / widths[1] == pytest.approx(10, rel=0.3)


def test_without_identified_parameters_an_interval_has_no_ends() -> None:
    shop = equal_leaving_shop(1000, leaving=0.01)
    answer = ParetoNBD().fit(shop).expected_transactions(shop, 20, interval=0.9)
    assert answer.transactions.notna().all()
    assert answer[["lower", "upper"]].isna().all(axis=None)


def test_given_parameters_have_no_uncertainty_to_report(shop: pd.DataFrame) -> None:
    model = BGNBD.with_parameters(r=0.24, alpha=4.4, a=0.8, b=2.4)
    with pytest.raises(LtvInputError, match="was not fitted"):
        model.expected_transactions(shop, 20, interval=0.9)
    with pytest.raises(LtvInputError, match="was not fitted"):
        model.sample(shop, 20)
    assert model.sample(shop, 20, draws=2, parameters="fitted").shape == (len(shop), 2)


@both
def test_draws_have_the_expected_mean_and_say_nothing_negative(cls, shop: pd.DataFrame) -> None:
    model = cls().fit(shop)
    drawn = model.sample(shop, 20, draws=200, parameters="fitted", seed=3)
    expected = model.expected_transactions(shop, 20)
    assert (drawn.to_numpy() >= 0).all()
    assert (drawn.to_numpy() == np.rint(drawn.to_numpy())).all()
    totals = drawn.sum()
    assert abs(totals.mean() - expected.sum()) < 4 * totals.std() / np.sqrt(200)
    # by group as well: those who came back often, seldom, never
    for group in (shop.x == 0, shop.x.between(1, 3), shop.x > 3):
        part = drawn[group].sum()
        assert abs(part.mean() - expected[group].sum()) < 4 * part.std() / np.sqrt(200)


def test_uncertain_parameters_widen_the_total(shop: pd.DataFrame) -> None:
    model = BGNBD().fit(shop.iloc[:400])
    fitted = model.sample(shop, 100, draws=200, parameters="fitted").sum().std()
    drawn = model.sample(shop, 100, draws=200, parameters="drawn").sum().std()
    assert drawn > 1.5 * fitted


def test_draws_with_spend_have_the_mean_of_the_lifetime_value(shop: pd.DataFrame) -> None:
    model, spend = BGNBD().fit(shop), GammaGamma().fit(shop)
    totals = model.sample(shop, 20, spend=spend, draws=200, parameters="fitted", seed=1).sum()
    expected = model.lifetime_value(shop, 20, spend=spend).sum()
    assert abs(totals.mean() - expected) < 4 * totals.std() / np.sqrt(200)


def test_the_same_seed_gives_the_same_draws(shop: pd.DataFrame) -> None:
    model = BGNBD().fit(shop)
    first, again, other = (model.sample(shop.iloc[:50], 20, draws=5, seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


@pytest.mark.parametrize("draws", [0, -1, 1.5, True])
def test_draws_are_counted(draws: object, shop: pd.DataFrame) -> None:
    with pytest.raises(LtvInputError, match="whole number"):
        BGNBD().fit(shop).sample(shop, 20, draws=draws)


@both
def test_discounting_agrees_with_the_integral_of_the_discounted_stream(cls, shop: pd.DataFrame) -> None:
    model, spend = cls().fit(shop), GammaGamma().fit(shop)
    one = shop[shop.x == 3].iloc[:1]
    each = spend.expected_spend(one).iloc[0]
    rate = rate_per_unit(0.15, "week")

    def stream(t: float) -> float:
        ahead, before = (model.expected_transactions(one, t + d).iloc[0] for d in (1e-4, -1e-4))
        return (ahead - before) / 2e-4 * (1 + rate) ** -t

    by_hand = each * quad(stream, 1e-4, 52, epsrel=1e-6)[0]
    value = model.lifetime_value(one, 52, spend=spend, discount_rate=rate).iloc[0]
    assert value == pytest.approx(by_hand + each * model.expected_transactions(one, 1e-4).iloc[0], rel=1e-5)


@both
def test_a_vanishing_discount_rate_is_none_and_a_larger_one_costs_more(cls, shop: pd.DataFrame) -> None:
    model, spend = cls().fit(shop), GammaGamma().fit(shop)
    none, tiny, small, large = (
        model.lifetime_value(shop, 52, spend=spend, discount_rate=d) for d in (0, 1e-12, 0.001, 0.02)
    )
    np.testing.assert_allclose(tiny, none, rtol=1e-9)
    assert (none > small).all()
    assert (small > large).all()


def test_an_infinite_horizon_is_the_limit_of_long_ones(shop: pd.DataFrame) -> None:
    model, spend = ParetoNBD().fit(shop), GammaGamma().fit(shop)
    forever = model.lifetime_value(shop, np.inf, spend=spend, discount_rate=0.01)
    long = model.lifetime_value(shop, 4000, spend=spend, discount_rate=0.01)
    np.testing.assert_allclose(forever, long, rtol=1e-9)
    with pytest.raises(LtvInputError, match="without a discount rate"):
        model.lifetime_value(shop, np.inf, spend=spend)


@pytest.mark.parametrize("force", [1e-6, 0.002, 0.3, 20.0])
@pytest.mark.parametrize("bend", [1e-3, 1.0, 1e4])
def test_the_rule_is_exact_wherever_the_total_bends(force: float, bend: float) -> None:
    import mpmath

    total = discounted(lambda t: np.array([np.log1p(t / bend)]), 52.0, force)[0]
    exact = mpmath.quad(
        lambda t: mpmath.exp(-force * t) / (bend + t),
        [0, bend, 1 / force, 52] if bend < 1 / force < 52 else [0, min(bend, 51), 52],
    )
    assert total == pytest.approx(float(exact), rel=1e-9)


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf"), True, "0.1"])
def test_a_rate_that_is_none_is_refused(rate: object, shop: pd.DataFrame) -> None:
    with pytest.raises(LtvInputError, match="discount_rate"):
        BGNBD().fit(shop).lifetime_value(shop, 9, spend=GammaGamma().fit(shop), discount_rate=rate)


@both
def test_a_new_customer_is_one_who_has_done_nothing_yet(cls, shop: pd.DataFrame) -> None:
    model, spend = cls().fit(shop), GammaGamma().fit(shop)
    new = pd.DataFrame({"x": [0], "t_x": [0.0], "T": [0.0], "spend": [0.0]})
    value = model.lifetime_value_new(52, spend=spend, discount_rate=0.001)
    assert value == pytest.approx(model.lifetime_value(new, 52, spend=spend, discount_rate=0.001).iloc[0])
    assert model.expected_transactions_new(52) == pytest.approx(model.expected_transactions(new, 52).iloc[0])


def test_cells_answer_like_the_frame_they_came_from(shop: pd.DataFrame) -> None:
    model, cells = BGNBD().fit(shop), rfm_cells(shop)
    pd.testing.assert_frame_equal(
        model.expected_transactions(cells, 20, interval=0.9),
        model.expected_transactions(shop, 20, interval=0.9),
    )
