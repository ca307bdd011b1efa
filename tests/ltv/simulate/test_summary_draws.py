"""Summaries drawn from a model agree with everything that the model says about its customers."""

from __future__ import annotations

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
    ParetoNBD,
    ShiftedBetaGeometric,
    TwoPartBoosting,
    ZeroInflatedLognormal,
)
from nbdataops.ltv.simulate import draw_labels, draw_log_spend, draw_spend, draw_summary

CONTINUOUS = [
    BGNBD.with_parameters(r=0.4, alpha=4.4, a=0.8, b=2.4),
    MBGNBD.with_parameters(r=0.5, alpha=6.2, a=0.9, b=1.6),
    ParetoNBD.with_parameters(r=0.55, alpha=10.6, s=0.6, beta=11.7),
    BGCNBD.with_parameters(k=2, r=0.9, alpha=3.0, a=0.7, b=3.0),
    MBGCNBD.with_parameters(k=3, r=0.9, alpha=2.0, a=0.7, b=3.0),
]
OCCASIONS = BGBB.with_parameters(alpha=1.2, beta=0.75, gamma=0.66, delta=2.8)
continuous = pytest.mark.parametrize("model", CONTINUOUS, ids=lambda model: type(model).__name__)
counting = pytest.mark.parametrize("model", [*CONTINUOUS, OCCASIONS], ids=lambda model: type(model).__name__)


def draw(model, n: int, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    T = rng.integers(4, 9, n) if isinstance(model, BGBB) else rng.uniform(20, 50, n)
    return draw_summary(model, T, rng)


def standard_error(values: pd.Series) -> float:
    return float(values.std() / np.sqrt(len(values)))


@counting
def test_purchases_are_as_many_as_the_model_expects_of_new_customers(model) -> None:
    for T in (3, 40):
        drawn = draw_summary(model, np.full(40_000, T), np.random.default_rng(2))
        assert abs(drawn.x.mean() - model.expected_transactions_new(T)) < 3.5 * standard_error(drawn.x)


@counting
def test_who_is_alive_is_what_the_model_says_of_their_histories(model) -> None:
    drawn = draw(model, 10_000)
    said = model.probability_alive(drawn)
    assert drawn.alive.dtype == bool
    for group in (drawn.x == 0, drawn.x.between(1, 2), drawn.x > 2, said < 0.3, said.between(0.3, 0.9)):
        if (group & (said < 1)).sum() > 50:
            error = drawn.alive[group] - said[group]
            assert abs(error.mean()) < 3.5 * standard_error(error)


@pytest.mark.parametrize("model", [*CONTINUOUS[:3], OCCASIONS], ids=lambda model: type(model).__name__)
def test_the_latent_rates_explain_what_the_model_expects_next(model) -> None:
    """Over customers with the same history, the model's forecast is the mean of what their own rates imply."""
    drawn = draw(model, 6000, seed=3)
    if isinstance(model, BGBB):
        ahead, own = 1.0, drawn.alive * (1 - drawn.leaving) * drawn.rate
    else:  # so soon that one purchase, and no leaving, matters
        ahead, own = 0.01, drawn.alive * drawn.rate * 0.01
    said = model.expected_transactions(drawn, ahead)
    for group in (drawn.x == 0, drawn.x.between(1, 2), drawn.x > 2):
        error = own[group] - said[group]
        assert abs(error.mean()) < 3.5 * standard_error(error)


@continuous
def test_a_fit_to_the_drawn_customers_finds_their_parameters(model) -> None:
    drawn = draw(model, 3000, seed=5)
    fitted = type(model)().fit(drawn)
    assert getattr(fitted, "k_", 1) == getattr(model, "k_", 1)
    for name in model.parameter_names:
        error = np.log(getattr(fitted, f"{name}_") / getattr(model, f"{name}_"))
        relative = fitted.fit_result_.standard_errors[name] / getattr(fitted, f"{name}_")
        assert abs(error) < 3.5 * relative


def test_occasions_and_contracts_are_found_again() -> None:
    rng = np.random.default_rng(6)
    for model in (OCCASIONS, ShiftedBetaGeometric.with_parameters(alpha=0.7, beta=1.2)):
        drawn = draw_summary(model, np.full(20_000, 8), rng)
        fitted = type(model)().fit(drawn)
        for name in model.parameter_names:
            error = getattr(fitted, f"{name}_") - getattr(model, f"{name}_")
            assert abs(error) < 3.5 * fitted.fit_result_.standard_errors[name]


def test_contracts_survive_as_the_model_says() -> None:
    model = ShiftedBetaGeometric.with_parameters(alpha=0.7, beta=1.2)
    drawn = draw_summary(model, np.full(50_000, 12), np.random.default_rng(7))
    assert ((drawn["T"] == 12) | drawn.churned).all()
    lasted = drawn["T"].to_numpy() - drawn.churned  # renewals
    for period in (1, 3, 12):
        share = float((lasted >= period).mean())
        error = np.sqrt(share * (1 - share) / len(drawn))
        assert abs(share - model.survival(period)) < 3.5 * error


def test_spend_is_what_gamma_gamma_expects_of_every_history() -> None:
    model = GammaGamma.with_parameters(p=6.25, q=3.74, gamma=15.44)
    x = np.random.default_rng(1).integers(0, 6, 60_000)
    drawn = draw_spend(model, pd.Series(x, index=x.size + np.arange(x.size)), np.random.default_rng(2))
    said = model.expected_spend(drawn.assign(x=x))
    for n in range(6):
        error = (drawn.own_spend - said)[x == n]
        assert abs(error.mean()) < 3.5 * standard_error(error)
    assert (drawn.spend[x == 0] == 0).all()
    above = (x > 2) & (drawn.spend > 60)  # and where the history is unusual
    error = (drawn.own_spend - said)[above]
    assert abs(error.mean()) < 3.5 * standard_error(error)


def test_spend_that_grows_with_frequency_is_found_again() -> None:
    rng = np.random.default_rng(3)
    x = rng.geometric(0.3, 12_000) - 1
    truth = {"intercept": 2.0, "slope": 0.4, "tau": 0.5, "sigma": 0.8}
    drawn = draw_log_spend(x, rng, **truth)
    model = LogSpend().fit(drawn.assign(x=x))
    for name, value in truth.items():
        assert abs(getattr(model, f"{name}_") - value) < 3.5 * model.fit_result_.standard_errors[name]
    again = draw_spend(model, x, np.random.default_rng(4))
    assert np.average(again.spend, weights=x) == pytest.approx(np.average(drawn.spend, weights=x), rel=0.05)


def test_labels_have_the_coefficients_they_were_drawn_with() -> None:
    rng = np.random.default_rng(8)
    rfm = draw_summary(
        CONTINUOUS[0], rng.uniform(20, 50, 8000), rng, spend=GammaGamma.with_parameters(p=6, q=4, gamma=15)
    )
    rfm["visits"] = rng.normal(size=len(rfm))
    buys = {"intercept": -0.3, "log_rate": 0.8, "log_silence": -0.5, "visits": 0.6}
    log_value = {"intercept": 3.0, "log_spend": 0.4, "visits": -0.2}
    drawn = draw_labels(rfm, rng, buys=buys, log_value=log_value, sigma=0.7)
    model = ZeroInflatedLognormal(train_horizon=13, covariates=["visits"], ridge=0.0).fit(rfm, drawn.value)
    for part, truth in (("buys", buys), ("log_value", log_value)):
        for name in model.coefficients_.index:
            error = model.coefficients_.loc[name, part] - truth.get(name, 0.0)
            assert abs(error) < 3.5 * model.fit_result_.standard_errors[f"{part} {name}"]
    assert abs((drawn.value - drawn.expected).mean()) < 3.5 * standard_error(drawn.value - drawn.expected)


def test_spend_comes_with_the_summary_and_the_unit_with_the_model() -> None:
    model = BGNBD.with_parameters(r=0.4, alpha=4.4, a=0.8, b=2.4, time_unit="week")
    ages = pd.Series([10.0, 20.0], index=pd.Index(["a", "b"], name="customer_id"))
    spend = GammaGamma.with_parameters(p=6, q=4, gamma=15)
    drawn = draw_summary(model, ages, np.random.default_rng(0), spend=spend)
    assert drawn.index.equals(ages.index)
    assert drawn.attrs["time_unit"] == "week"
    assert {"spend", "own_spend"} <= set(drawn.columns)
    assert (drawn["T"] == ages).all()


@counting
def test_the_same_generator_gives_the_same_customers(model) -> None:
    pd.testing.assert_frame_equal(draw(model, 500), draw(model, 500))
    assert not draw(model, 500).equals(draw(model, 500, seed=2))


@continuous
def test_times_are_possible_even_for_the_oldest_and_the_busiest(model) -> None:
    busy = type(model).with_parameters(
        **{**{name: getattr(model, f"{name}_") for name in model.parameter_names}, "alpha": 1e-4},
        **({"k": model.k_} if hasattr(model, "k_") else {}),
    )
    drawn = draw_summary(busy, [0.0, 1e-6, 500.0] * 300, np.random.default_rng(1))
    assert ((drawn.t_x >= 0) & (drawn.t_x <= drawn["T"])).all()
    assert (drawn.x[drawn["T"] == 0] == 0).all()
    assert ((drawn.t_x > 0) == (drawn.x > 0)).all()
    assert np.isfinite(drawn.to_numpy(dtype=float)).all()


@pytest.mark.parametrize("T", [[-1.0], [np.nan], [np.inf], ["1"], []])
def test_ages_that_are_none_are_refused(T: list[object]) -> None:
    with pytest.raises(LtvInputError, match="T "):
        draw_summary(CONTINUOUS[0], T, np.random.default_rng(0))


def test_what_cannot_be_drawn_says_what_can() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(LtvInputError, match="no process") as caught:
        draw_summary(TwoPartBoosting(train_horizon=13), [1.0], rng)
    assert "ParetoNBD" in caught.value.todo
    with pytest.raises(LtvInputError, match="whole number"):
        draw_summary(OCCASIONS, [1.5], rng)
    with pytest.raises(LtvInputError, match="no spend model"):
        draw_spend(BGNBD(), [1], rng)
    with pytest.raises(LtvInputError, match="no spend model"):
        draw_summary(ShiftedBetaGeometric.with_parameters(alpha=1, beta=1), [3], rng, spend=CONTINUOUS[0])
    with pytest.raises(LtvInputError, match="x is negative"):
        draw_spend(GammaGamma.with_parameters(p=6, q=4, gamma=15), [-1], rng)
    with pytest.raises(LtvInputError, match="tau"):
        draw_log_spend([1], rng, intercept=1, slope=0, tau=-1, sigma=1)
    rfm = pd.DataFrame({"x": [1], "t_x": [1.0], "T": [2.0], "spend": [1.0]})
    with pytest.raises(LtvInputError, match="no feature 'log_rat'") as caught:
        draw_labels(rfm, rng, buys={"log_rat": 1.0}, log_value={}, sigma=1.0)
    assert "log_rate" in caught.value.todo
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        draw_summary(BGNBD(), [1.0], rng)
