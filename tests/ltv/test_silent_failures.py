"""Data on which libraries of this field return wrong numbers without a word: here they are right, or a verdict.

Known from lifetimes 0.11.3: a Pareto/NBD fit 6,800 units of log-likelihood below the parameters that made the data,
forecasts that are not finite, overflow between x = 132 and x = 133, and answers about data that hold none. Whatever
happens, no warning is raised on the way: there is none to swallow either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbdataops.ltv import (
    BGBB,
    BGCNBD,
    BGNBD,
    MBGCNBD,
    MBGNBD,
    GammaGamma,
    LogSpend,
    LtvInputError,
    NotConvergedError,
    ParetoNBD,
    ShiftedBetaGeometric,
    rfm_cells,
)
from nbdataops.ltv.fit.likelihood_fit import CONVERGED

from .shops import pareto_shop

pytestmark = pytest.mark.filterwarnings("error")

CONTINUOUS: dict[str, Callable[[], Any]] = {
    "BGNBD": BGNBD,
    "MBGNBD": MBGNBD,
    "ParetoNBD": ParetoNBD,
    "BGCNBD-2": lambda: BGCNBD(k=2),
    "MBGCNBD-3": lambda: MBGCNBD(k=3),
}
every_model = pytest.mark.parametrize("name", CONTINUOUS)
plain = pytest.mark.parametrize("cls", [BGNBD, MBGNBD, ParetoNBD])


def is_a_maximum(model: Any, data: pd.DataFrame) -> bool:
    """No rival near or far has a larger likelihood, and the gradient vanishes."""
    result, rng = model.fit_result_, np.random.default_rng(0)
    best = model._log_likelihood(model._theta(), rfm_cells(data), rfm_cells(data).counts())[0]
    assert best == pytest.approx(result.log_likelihood, rel=1e-9)
    rivals = model._theta() * np.exp(rng.normal(0, [[0.01], [0.3], [2.0]] * 7, (21, len(model._theta()))))
    cells = rfm_cells(data)
    others = [model._log_likelihood(theta, cells, cells.counts())[0] for theta in rivals]
    return result.gradient_norm <= CONVERGED and max(others) <= best + 1e-9 * abs(best)


@pytest.fixture(scope="module")
def heavy() -> pd.DataFrame:
    """A social app by the day: 5,000 users, some of whom come many times every day."""
    shop = pareto_shop(5000, r=0.6, alpha=0.15, s=0.7, beta=90.0, ages=(200, 1000), seed=3)
    assert shop["x"].mean() > 900
    assert shop["x"].max() > 30_000
    return shop


@plain
def test_heavy_users_are_fitted_at_least_as_well_as_by_the_parameters_that_made_them(
    cls: type, heavy: pd.DataFrame
) -> None:
    model = cls().fit(heavy)
    assert model.fit_result_.identified
    assert is_a_maximum(model, heavy)
    expected, alive = model.expected_transactions(heavy, 100), model.probability_alive(heavy)
    assert np.isfinite(expected).all()
    assert alive.between(0, 1).all()
    if cls is ParetoNBD:
        truth = ParetoNBD.with_parameters(r=0.6, alpha=0.15, s=0.7, beta=90.0)
        assert model.fit_result_.log_likelihood >= truth.score(heavy) * len(heavy)
        assert expected.sum() == pytest.approx(truth.expected_transactions(heavy, 100).sum(), rel=0.01)


@every_model
def test_nothing_happens_between_132_and_133_purchases(name: str) -> None:
    shop = pareto_shop(1500, alpha=0.4, ages=(200, 200))
    many = pd.DataFrame({"x": [132, 133] * 20, "t_x": 200.0, "T": 200.0})
    model = CONTINUOUS[name]().fit(pd.concat([shop[["x", "t_x", "T"]], many], ignore_index=True))
    assert model.fit_result_.identified
    x = np.arange(100, 170)
    for t_x in (200.0, 150.0):
        row = pd.DataFrame({"x": x, "t_x": t_x, "T": 200.0})
        log = np.log(model.expected_transactions(row, 10))
        assert np.abs(np.diff(log, n=3)).max() < 1e-3  # a smooth curve
        assert (np.diff(log) > 0).all() if t_x == 200 else (np.diff(log) < 0).all()


@every_model
def test_customers_who_never_came_back_are_a_verdict(name: str) -> None:
    once = pd.DataFrame({"x": 0, "t_x": 0.0, "T": np.arange(1.0, 51.0)})
    model = CONTINUOUS[name]().fit(once)
    assert not model.fit_result_.identified
    assert model.fit_result_.reason
    answer = model.expected_transactions(once, 39, interval=0.9)
    assert answer["transactions"].sum() < 1e-3  # nobody buys, whatever the reason
    assert answer[["lower", "upper"]].isna().all(axis=None)
    assert np.isnan(list(model.fit_result_.standard_errors.values())).any()


@every_model
def test_customers_who_all_bought_today_do_not_tell_who_leaves(name: str) -> None:
    rng = np.random.default_rng(3)
    T = rng.integers(5, 40, 300).astype(float)
    today = pd.DataFrame({"x": 1 + rng.poisson(rng.gamma(1.5, 0.2, 300) * T), "t_x": T, "T": T})
    model = CONTINUOUS[name]().fit(today)
    result = model.fit_result_
    assert not result.identified
    leaving = ("s", "beta") if name == "ParetoNBD" else ("a", "b")
    assert any(f"{parameter} ran to its" in result.reason for parameter in leaving)
    assert (model.probability_alive(today) > 0.999).all()
    # how often they buy is known all the same, and so are its errors and profile
    assert 0 < result.standard_errors["r"] < result.parameters["r"]
    ends = result.profile_intervals(0.9)
    assert 0 < ends.loc["r", "lower"] < result.parameters["r"] < ends.loc["r", "upper"] < np.inf
    for parameter in leaving:
        assert ends.loc[parameter].tolist() == [0.0, np.inf]


@every_model
@pytest.mark.parametrize(
    "customer",
    [(0, 0.0, 10.0), (3, 7.0, 10.0), (3, 10.0, 10.0), (0, 0.0, 0.0)],
    ids=["once", "silent", "today", "new"],
)
def test_one_customer_is_no_population(name: str, customer: tuple[float, float, float]) -> None:
    one = pd.DataFrame([customer], columns=["x", "t_x", "T"])
    model = CONTINUOUS[name]().fit(one)
    assert not model.fit_result_.identified
    assert np.isfinite(model.expected_transactions(one, 10)).all()
    with pytest.raises(LtvInputError, match="cannot be drawn"):
        model.sample(one, 10, draws=2)


@every_model
def test_customers_all_alike_are_no_population_either(name: str) -> None:
    alike = pd.DataFrame({"x": 3, "t_x": 10.0, "T": 30.0}, index=range(500))
    result = CONTINUOUS[name]().fit(alike).fit_result_
    assert not result.identified
    assert "ran to its upper limit" in result.reason


@plain
def test_a_single_cohort_is_fitted_to_its_maximum(cls: type) -> None:
    cohort = pareto_shop(2000, ages=(39, 39), seed=6)
    model = cls().fit(cohort)
    assert model.fit_result_.identified
    assert is_a_maximum(model, cohort)


@plain
def test_times_in_weeks_carry_rounding_and_mean_the_same_days(cls: type) -> None:
    shop = pareto_shop(1500, ages=(180, 280), alpha=70.0, beta=84.0)
    weeks = shop.assign(t_x=shop["t_x"] / 7, T=shop["T"] / 7)
    rounded = weeks.assign(t_x=weeks["t_x"] * (1 - 3e-16), T=weeks["T"] * (1 + 3e-16))
    assert len(rfm_cells(rounded)) == len(rfm_cells(weeks)) == len(rfm_cells(shop))
    one, other = cls().fit(weeks), cls().fit(rounded)
    assert one.fit_result_.parameters == pytest.approx(other.fit_result_.parameters, rel=1e-9)


def test_a_time_a_hair_below_a_whole_day_is_that_day() -> None:
    T = np.array([5 - 1e-9, 5.0, 30 * (1 - 1e-15), np.nextafter(7.0, 0.0)])
    cells = rfm_cells(pd.DataFrame({"x": 1, "t_x": [3.0000000001, 2.9999999999, 3.0, 3.0], "T": T}))
    np.testing.assert_array_equal(cells.T[cells.of_customer], [5, 5, 30, 7])
    np.testing.assert_array_equal(cells.t_x[cells.of_customer], 3)


def test_times_far_below_a_day_are_not_day_zero() -> None:
    short = pd.DataFrame({"x": [1, 0, 2], "t_x": [2e-7, 0.0, 3e-7], "T": 5e-7})
    cells = rfm_cells(short)
    np.testing.assert_array_equal(cells.t_x[cells.of_customer], short["t_x"])
    np.testing.assert_array_equal(cells.T[cells.of_customer], short["T"])


@every_model
def test_repeat_purchases_at_age_zero_are_refused(name: str) -> None:
    impossible = pd.DataFrame({"x": [0, 3], "t_x": 0.0, "T": [4.0, 0.0]}, index=["a", "b"])
    with pytest.raises(LtvInputError, match="x is not 0 although T is 0") as caught:
        CONTINUOUS[name]().fit(impossible)
    assert "'b'" in str(caught.value)
    assert "rounded" in caught.value.todo


@pytest.mark.parametrize("weight", [1e6, 1e90])
@plain
def test_huge_weights_change_the_errors_and_nothing_else(cls: type, weight: float) -> None:
    shop = pareto_shop(800)
    one, heavy = cls().fit(shop), cls().fit(shop, sample_weight=np.full(len(shop), weight))
    assert heavy.fit_result_.parameters == pytest.approx(one.fit_result_.parameters, rel=1e-6)
    for name, error in one.fit_result_.standard_errors.items():
        assert heavy.fit_result_.standard_errors[name] == pytest.approx(error / weight**0.5, rel=1e-3)
    if (
        weight == 1e6
    ):  # with more, rounding drowns the fall of the likelihood, which is NaN rather than a number
        ends, errors = heavy.fit_result_.profile_intervals(0.9), pd.Series(heavy.fit_result_.standard_errors)
        np.testing.assert_allclose(ends["upper"] - ends["lower"], 2 * 1.6449 * errors, rtol=0.01)


@plain
def test_next_to_no_weight_is_next_to_no_knowledge(cls: type) -> None:
    shop = pareto_shop(800)
    result = cls().fit(shop, sample_weight=np.full(len(shop), 1e-15)).fit_result_
    assert not result.identified
    ends = result.profile_intervals(0.9)
    assert (ends["lower"] == 0).all()
    assert (ends["upper"] == np.inf).all()


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (BGNBD(), pareto_shop(20)),
        (GammaGamma(), pareto_shop(20)),
        (LogSpend(), pareto_shop(20)),
        (ShiftedBetaGeometric(), pd.DataFrame({"T": [1, 2], "churned": [True, False]})),
    ],
    ids=lambda v: type(v).__name__,
)
def test_weights_beyond_all_sums_are_refused(model: Any, data: pd.DataFrame) -> None:
    with pytest.raises(LtvInputError, match="too large to add up"):
        model.fit(data, sample_weight=np.full(len(data), 1e200))


def test_repeaters_who_paid_nothing_are_worth_little_and_stop_nothing() -> None:
    shop = pareto_shop(2000)
    shop["spend"] = shop["spend"].where(shop["x"] != 2, 0.0)
    counts = BGNBD().fit(shop)
    for spend in (GammaGamma().fit(shop), LogSpend().fit(shop)):
        assert spend.fit_result_.identified
        assert spend.n_zero_spend_ == (shop["x"] == 2).sum()
        value = counts.lifetime_value(shop, 39, spend=spend)
        assert np.isfinite(value).all()
        assert (value >= 0).all()
    for model in (GammaGamma(), LogSpend()):
        with pytest.raises(LtvInputError, match="repeat transaction of positive value"):
            model.fit(shop.assign(spend=0.0))


@pytest.mark.parametrize("model", [GammaGamma(), LogSpend()], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("x", [[2], [1, 2, 3, 4], [1, 50_000]], ids=str)
def test_spend_that_never_varies_is_a_verdict_or_an_error(model: Any, x: list[int]) -> None:
    steady = pd.DataFrame({"x": x * 10, "spend": 12.5})
    try:
        result = model.fit(steady).fit_result_
    except NotConvergedError:
        return
    assert not result.identified
    assert "ran to its" in result.reason
    np.testing.assert_allclose(model.expected_spend(steady), 12.5, rtol=1e-3)
    assert model.expected_spend(steady, interval=0.9)[["lower", "upper"]].isna().all(axis=None)


@pytest.mark.parametrize("model", [GammaGamma(), LogSpend()], ids=lambda m: type(m).__name__)
def test_amounts_beyond_all_sums_are_refused_and_tiny_ones_are_not(model: Any) -> None:
    shop = pareto_shop(300)
    with pytest.raises(LtvInputError, match="spend is too large"):
        model.fit(shop.assign(spend=shop["spend"] * 1e300))
    usual, tiny = model.fit(shop).fit_result_, None
    expected = model.expected_spend(shop)
    tiny = model.fit(shop.assign(spend=shop["spend"] * 1e-200))
    assert tiny.fit_result_.identified is usual.identified
    np.testing.assert_allclose(
        tiny.expected_spend(shop.assign(spend=shop["spend"] * 1e-200)) * 1e200, expected, rtol=1e-5
    )


def test_a_population_without_a_mean_spend_is_an_error_not_a_number() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(1, 9, 400)
    wild = pd.DataFrame({"x": x, "spend": rng.gamma(2.0 * x) / (2 * x) / rng.gamma(0.7, 1, 400)})
    model = GammaGamma().fit(wild)
    assert model.q_ < 1
    with pytest.raises(LtvInputError, match="infinite"):
        model.expected_spend(pd.DataFrame({"x": [0], "spend": [0.0]}))


@pytest.mark.parametrize(
    "contracts",
    [
        pd.DataFrame({"T": [5, 6, 7], "churned": False}),
        pd.DataFrame({"T": [1] * 9, "churned": True}),
        pd.DataFrame({"T": [5] * 9, "churned": True}),
        pd.DataFrame({"T": [5], "churned": [False]}),
        pd.DataFrame({"T": [0] * 5, "churned": False}),
    ],
    ids=["nobody left", "all left at once", "all left together", "one", "all new"],
)
def test_contracts_that_tell_nothing_are_a_verdict(contracts: pd.DataFrame) -> None:
    model = ShiftedBetaGeometric().fit(contracts)
    assert not model.fit_result_.identified
    assert model.fit_result_.reason
    answer = model.expected_periods(contracts, 12, interval=0.9)
    assert answer["periods"].between(0, 12).all()
    assert answer[["lower", "upper"]].isna().all(axis=None)


@pytest.mark.parametrize(
    "donors",
    [
        pd.DataFrame({"x": [0] * 9, "t_x": 0, "T": 6}),
        pd.DataFrame({"x": [6] * 9, "t_x": 6, "T": 6}),
        pd.DataFrame({"x": [0] * 9, "t_x": 0, "T": 0}),
        pd.DataFrame({"x": [2] * 100, "t_x": 4, "T": 9}),
        pd.DataFrame({"x": [0, 1] * 50, "t_x": [0, 1] * 50, "T": 1}),
    ],
    ids=["never", "always", "all new", "all alike", "one occasion"],
)
def test_donors_who_tell_nothing_are_a_verdict(donors: pd.DataFrame) -> None:
    model = BGBB().fit(donors)
    assert not model.fit_result_.identified
    assert model.fit_result_.reason
    expected = model.expected_transactions(donors, 5)
    assert expected.between(0, 5).all()


def test_fractions_of_an_occasion_are_refused_by_customer_wherever_they_come() -> None:
    donors = pd.DataFrame(
        {"x": [1, 1, 1], "t_x": [2.0, 2.0, 2.5], "T": [6.0, 6.0, 6.0]}, index=["a", "b", "c"]
    )
    model = BGBB.with_parameters(alpha=1.2, beta=0.75, gamma=0.66, delta=2.8)
    for call in (
        BGBB().fit,
        model.score,
        model.probability_alive,
        lambda rfm: model.expected_transactions(rfm, 5),
    ):
        with pytest.raises(LtvInputError, match=r"t_x is no whole number in 1 row of 3 \('c'\)"):
            call(donors)
