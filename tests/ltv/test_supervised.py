"""Methods that learn from labels of earlier origins."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from nbdataops.ltv import LtvInputError, RFMCell, TwoPartBoosting, ZeroInflatedLognormal
from nbdataops.ltv.supervised.zero_inflated_lognormal import zero_inflated_log_likelihood
from nbdataops.ltv.time_units import days_per

METHODS = (TwoPartBoosting, RFMCell, ZeroInflatedLognormal)
every = pytest.mark.parametrize("cls", METHODS)


def shop(n: int = 4000, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Customers at one date, and what they did next, by rates of their own."""
    rng = np.random.default_rng(seed)
    T = rng.uniform(5, 50, n)
    rate = rng.gamma(0.8, 0.1, n)
    gone = rng.random(n) < 0.4
    stayed = np.where(gone, T * rng.random(n), T)
    x = rng.poisson(rate * stayed)
    t_x = np.where(x > 0, stayed * rng.beta(np.maximum(x, 1), 1), 0.0)
    own = np.exp(rng.normal(3, 0.4, n))
    rfm = pd.DataFrame({"x": x, "t_x": t_x, "T": T, "spend": np.where(x > 0, own, 0.0)})
    bought = np.where(gone, 0, rng.poisson(rate * 13))
    return rfm, pd.DataFrame(
        {"transactions": bought, "value": bought * own * np.exp(rng.normal(0, 0.3, n) - 0.045)}
    )


@pytest.fixture(scope="module")
def past() -> tuple[pd.DataFrame, pd.DataFrame]:
    return shop()


@every
def test_a_later_window_like_the_labels_is_predicted_in_total_and_by_group(cls, past) -> None:
    rfm, labels = past
    now, truth = shop(seed=1)
    model = cls(train_horizon=13).fit(rfm, labels)
    value = model.lifetime_value(now, 13)
    assert value.sum() == pytest.approx(truth.value.sum(), rel=0.12)
    silent = now["T"] - now.t_x > 15
    assert value[silent].mean() < 0.6 * value[~silent].mean()
    assert model.score(now, truth) > 0.15
    if cls is not ZeroInflatedLognormal:
        assert model.expected_transactions(now, 13).sum() == pytest.approx(truth.transactions.sum(), rel=0.12)


@pytest.mark.parametrize("cls", [TwoPartBoosting, RFMCell])
def test_the_mean_over_the_training_rows_is_that_of_the_labels(cls, past) -> None:
    rfm, labels = past
    model = cls(train_horizon=13).fit(rfm, labels)
    tolerance = 1e-9 if cls is TwoPartBoosting else 0.02
    assert model.predict(rfm).mean() == pytest.approx(labels.value.mean(), rel=tolerance)
    assert model.expected_transactions(rfm, 13).mean() == pytest.approx(
        labels.transactions.mean(), rel=tolerance
    )


@every
def test_another_horizon_is_refused_unless_scaling_was_declared(cls, past) -> None:
    rfm, labels = past
    strict, scaled = (
        cls(train_horizon=13).fit(rfm, labels),
        cls(train_horizon=13, scale="linear").fit(rfm, labels),
    )
    with pytest.raises(LtvInputError, match="the labels cover 13"):
        strict.lifetime_value(rfm, 39)
    np.testing.assert_allclose(scaled.lifetime_value(rfm, 39), 3 * strict.lifetime_value(rfm, 13))
    discounted = scaled.lifetime_value(rfm, 39, discount_rate=0.01)
    assert (discounted < scaled.lifetime_value(rfm, 39)).all()
    with pytest.raises(LtvInputError, match="scale"):
        cls(train_horizon=13, scale="log").fit(rfm, labels)


@every
def test_a_label_is_no_covariate(cls, past) -> None:
    rfm, labels = past
    if cls is RFMCell:
        assert "covariates" not in cls(train_horizon=13).get_params()
        return
    with pytest.raises(LtvInputError, match="labels would predict themselves"):
        cls(train_horizon=13, covariates=["value"]).fit(rfm.assign(value=labels.value), labels)


@every
def test_labels_beside_the_features_change_nothing(cls, past) -> None:
    rfm, labels = past
    plain = cls(train_horizon=13).fit(rfm, labels).predict(rfm)
    beside = cls(train_horizon=13).fit(rfm.assign(**labels, origin=0), labels).predict(rfm)
    np.testing.assert_array_equal(plain, beside)


@every
def test_it_works_in_scikit_learn(cls, past) -> None:
    rfm, labels = past
    model = clone(cls(train_horizon=13))
    scores = cross_val_score(model, rfm, labels, cv=3)
    assert (scores > 0.05).all()
    grid = {
        TwoPartBoosting: {"rounds": [5, 30]},
        RFMCell: {"bins": [2, 5]},
        ZeroInflatedLognormal: {"ridge": [1.0, 1e3]},
    }
    search = GridSearchCV(model, grid[cls], cv=2).fit(rfm, labels)
    assert search.best_params_.keys() == grid[cls].keys()
    by_series = cls(train_horizon=13).fit(rfm, labels.value)
    np.testing.assert_array_equal(by_series.predict(rfm), cls(train_horizon=13).fit(rfm, labels).predict(rfm))


@every
def test_rows_without_weight_do_not_count(cls, past) -> None:
    rfm, labels = past
    w = (np.arange(len(rfm)) % 2).astype(float)
    half = w > 0
    weighted = cls(train_horizon=13).fit(rfm, labels, w).predict(rfm[half])
    alone = cls(train_horizon=13).fit(rfm[half], labels[half]).predict(rfm[half])
    np.testing.assert_allclose(weighted, alone, rtol=1e-6)


@pytest.mark.parametrize("cls", [TwoPartBoosting, RFMCell])
def test_intervals_come_from_refits_and_hold_the_total(cls, past) -> None:
    rfm, labels = past
    with pytest.raises(LtvInputError, match="refits=50"):
        cls(train_horizon=13).fit(rfm, labels).lifetime_value(rfm, 13, interval=0.9)
    quick = {"rounds": 15} if cls is TwoPartBoosting else {}
    few, followed = rfm[:1500], labels[:1500]
    model = cls(train_horizon=13, refits=8, **quick).fit(few, followed)
    answer = model.lifetime_value(few, 13, interval=0.9)
    assert answer.columns.tolist() == ["value", "lower", "upper"]
    assert answer.lower.sum() < answer.value.sum() < answer.upper.sum()
    again = clone(model).fit(few, followed).lifetime_value(few, 13, interval=0.9)
    pd.testing.assert_frame_equal(answer, again)


@every
@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda rfm, y: (rfm, None), "labels are missing"),
        (lambda rfm, y: (rfm, y.iloc[::-1]), "another index"),
        (lambda rfm, y: (rfm, -y.value - 1), "negative"),
        (lambda rfm, y: (rfm, 0 * y.value), "all labels are zero"),
        (lambda rfm, y: (rfm, y.value.to_numpy()[1:]), "labels for"),
        (lambda rfm, y: (rfm.drop(columns="spend"), y), "no column 'spend'"),
        (lambda rfm, y: (rfm.assign(t_x=99.0), y), "t_x"),
    ],
)
def test_bad_input_is_named(cls, spoil, what: str, past) -> None:
    with pytest.raises(LtvInputError, match=what):
        cls(train_horizon=13).fit(*spoil(*past))


@every
@pytest.mark.parametrize("wrong", [timedelta(days=91), None, "13", True, 0, -13, float("nan"), float("inf")])
def test_a_label_window_that_is_no_number_of_time_units_is_named(cls, wrong: object, past) -> None:
    with pytest.raises(LtvInputError, match=r"(?s)train_horizon is .*13 for 13 weeks"):
        cls(train_horizon=wrong).fit(*past)


@pytest.mark.parametrize(
    ("cls", "name", "wrong"),
    [
        *(
            (TwoPartBoosting, name, wrong)
            for name in ("rounds", "leaf_size")
            for wrong in (0, 2.5, None, "9")
        ),
        *((TwoPartBoosting, "leaves", wrong) for wrong in (1, 8.5, True)),
        *((TwoPartBoosting, "learning_rate", wrong) for wrong in (0, -1, float("nan"), None)),
        *((RFMCell, "bins", wrong) for wrong in (0, 2.5, None, "5")),
        *((RFMCell, "shrinkage", wrong) for wrong in (-1, None)),
        *((ZeroInflatedLognormal, "ridge", wrong) for wrong in (-1, None)),
    ],
)
def test_a_setting_that_cannot_be_is_named_as_the_class_calls_it(cls, name: str, wrong: object, past) -> None:
    with pytest.raises(LtvInputError, match=rf"(?s){name} is {wrong!r}.*give") as caught:
        cls(train_horizon=13, **{name: wrong}).fit(*past)
    assert "max_" not in str(caught.value)


def test_categories_are_split_on_and_everybody_buying_is_no_trouble(past) -> None:
    rfm, labels = past
    country = np.where(np.arange(len(rfm)) % 2, "north", "south")
    shifted = labels.assign(value=labels.value * np.where(country == "north", 3, 1))
    model = TwoPartBoosting(train_horizon=13, covariates=["country"]).fit(
        rfm.assign(country=country), shifted
    )
    value = model.lifetime_value(rfm.assign(country=country), 13)
    assert value[country == "north"].mean() > 2 * value[country == "south"].mean()
    all_buy = TwoPartBoosting(train_horizon=13).fit(rfm, labels.value + 1)
    assert (all_buy.probability_of_purchase(rfm) == 1).all()


def test_thin_cells_borrow_and_full_ones_count(past) -> None:
    rfm, labels = past
    alone, borrowed = (
        RFMCell(train_horizon=13, bins=20, shrinkage=s).fit(rfm, labels).cells_ for s in (0.0, 50.0)
    )
    thin = alone.customers <= 3
    overall = labels.value.mean()
    spread = [float(((cells.value[thin] - overall) ** 2).mean()) for cells in (alone, borrowed)]
    assert spread[1] < 0.2 * spread[0]
    assert alone.customers.sum() == len(rfm)


def test_the_gradient_of_the_zero_inflated_loss_agrees_with_differences() -> None:
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(60), rng.normal(size=(60, 2))])
    value = np.where(rng.random(60) < 0.5, np.exp(rng.normal(1, 1, 60)), 0.0)
    theta, w = rng.normal(size=7), rng.random(60)
    theta[-1] = 0.7
    gradient = zero_inflated_log_likelihood(theta, value, design, w, 0.3)[1]
    for j in range(7):
        step = np.zeros(7)
        step[j] = 1e-6
        up, down = (zero_inflated_log_likelihood(theta + s * step, value, design, w, 0.3)[0] for s in (1, -1))
        assert gradient[j] == pytest.approx((up - down) / 2e-6, rel=1e-5, abs=1e-6)


def test_a_zero_inflated_lognormal_is_recovered() -> None:
    rfm, _ = shop(40_000)
    rng = np.random.default_rng(5)
    silence = rfm["T"] - rfm.t_x
    buys = rng.random(len(rfm)) < 1 / (1 + np.exp(-(1 - 0.8 * np.log1p(silence / silence.mean()))))
    value = np.where(buys, np.exp(1.5 + 0.5 * (rfm.x > 0) + 0.6 * rng.standard_normal(len(rfm))), 0.0)
    model = ZeroInflatedLognormal(train_horizon=13, ridge=0.0).fit(rfm, value)
    assert model.fit_result_.identified
    raw = model.coefficients_.iloc[1:].div(model.scale_, axis=0)
    assert raw.buys["log_silence"] == pytest.approx(-0.8, abs=0.1)
    assert raw.log_value["repeats"] == pytest.approx(0.5, abs=0.12)
    assert model.sigma_ == pytest.approx(0.6, abs=0.03)
    answer = model.lifetime_value(rfm, 13, interval=0.9)
    assert ((answer.lower < answer.value) & (answer.value < answer.upper)).all()
    totals = model.sample(rfm, draws=50, parameters="fitted").sum()
    assert abs(totals.mean() - answer.value.sum()) < 4 * totals.std() / np.sqrt(50)


def test_separable_data_are_a_verdict_without_a_penalty_and_finite_with_one() -> None:
    rfm, _ = shop(500)
    value = np.where(rfm.x > 0, 10.0 + rfm["T"], 0.0)
    apart = ZeroInflatedLognormal(train_horizon=13, ridge=0.0).fit(rfm, value)
    assert not apart.fit_result_.identified
    held = ZeroInflatedLognormal(train_horizon=13).fit(rfm, value)
    assert np.isfinite(held.coefficients_).all(axis=None)
    assert held.probability_of_purchase(rfm)[rfm.x > 0].min() > 0.5


@every
@pytest.mark.parametrize("c", [0.01, 1e4])
def test_the_currency_does_not_matter(cls, c: float, past) -> None:
    rfm, labels = past
    one = cls(train_horizon=13).fit(rfm, labels.value).predict(rfm)
    other = rfm.assign(spend=c * rfm.spend)
    np.testing.assert_allclose(
        cls(train_horizon=13).fit(other, c * labels.value).predict(other), c * one, rtol=1e-5
    )


@every
@pytest.mark.parametrize("unit", ["day", "year"])
def test_the_time_unit_does_not_matter(cls, unit: str, past) -> None:
    rfm, labels = past
    rfm = rfm.assign(T=rfm["T"] - 4.99, t_x=np.minimum(rfm.t_x, rfm["T"] - 4.99))  # some are very young
    c = 7 / days_per(unit)
    weeks = cls(train_horizon=13, time_unit="week").fit(rfm, labels)
    other = rfm.assign(T=c * rfm["T"], t_x=c * rfm.t_x)
    in_unit = cls(train_horizon=13 * c, time_unit=unit).fit(other, labels)
    np.testing.assert_allclose(in_unit.predict(other), weeks.predict(rfm), rtol=1e-5)
