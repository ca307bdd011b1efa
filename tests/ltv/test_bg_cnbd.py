"""Regular purchases: Erlang-k gaps, the choice of k, and the phase of the running gap."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdataops.ltv import BGCNBD, BGNBD, MBGCNBD, MBGNBD, LtvInputError, rfm_cells
from nbdataops.ltv.attrition.beta_mean import mean_purchases_until_leaving
from nbdataops.ltv.attrition.regular_mean import mean_regular_purchases_until_leaving
from nbdataops.ltv.reference import data_set

from .shops import pareto_shop, summaries

PAIRS = ((BGCNBD, BGNBD), (MBGCNBD, MBGNBD))
both = pytest.mark.parametrize("cls", [BGCNBD, MBGCNBD])
TRUTH = {"r": 0.9, "alpha": 3.0, "a": 0.7, "b": 3.0}


def regular_shop(n: int, k: int, *, first_chance: int, seed: int = 1, horizon: float = 0.0) -> pd.DataFrame:
    """Customers drawn event by event in continuous time; `future`: what they do in (T, T + horizon]."""
    rng = np.random.default_rng(seed)
    rows = []
    for T in rng.uniform(20, 60, n):
        rate, p = rng.gamma(TRUTH["r"], 1 / TRUTH["alpha"]), rng.beta(TRUTH["a"], TRUTH["b"])
        t, times, alive = 0.0, [], not (first_chance and rng.random() < p)
        while alive:
            t += rng.gamma(k) / rate
            if t > T + horizon:
                break
            times.append(t)
            alive = rng.random() >= p
        seen = [t for t in times if t <= T]
        litt = float(np.log(np.diff([0.0, *seen])).sum())
        rows.append((len(seen), seen[-1] if seen else 0.0, T, litt, len(times) - len(seen)))
    return pd.DataFrame(rows, columns=["x", "t_x", "T", "litt", "future"])


@pytest.fixture(scope="module")
def shop() -> pd.DataFrame:
    return regular_shop(3000, 3, first_chance=1)


@pytest.mark.parametrize(("cls", "plain"), PAIRS)
def test_with_one_tick_it_is_the_irregular_model(cls, plain) -> None:
    shop = pareto_shop(1500)
    one, other = cls(k=1).fit(shop), plain().fit(shop)
    assert one.fit_result_.parameters == pytest.approx(other.fit_result_.parameters, rel=1e-9)
    assert one.fit_result_.log_likelihood == pytest.approx(other.fit_result_.log_likelihood, rel=1e-12)
    pd.testing.assert_series_equal(one.probability_alive(shop), other.probability_alive(shop))
    pd.testing.assert_series_equal(one.expected_transactions(shop, 20), other.expected_transactions(shop, 20))


def test_regularity_is_found_and_its_parameters_recovered(shop: pd.DataFrame) -> None:
    model = MBGCNBD(k_max=6).fit(shop)
    assert model.k_ == 3
    assert model.log_likelihood_by_k_.keys() == {1, 2, 3, 4}  # it stops when the likelihood falls
    for name, truth in TRUTH.items():
        assert abs(model.fit_result_.parameters[name] - truth) < 3.5 * model.fit_result_.standard_errors[name]


def test_where_purchases_are_random_one_tick_is_chosen() -> None:
    assert MBGCNBD().fit(regular_shop(3000, 1, first_chance=1)).k_ == 1


@pytest.mark.parametrize(("cls", "first_chance"), [(BGCNBD, 0), (MBGCNBD, 1)])
@pytest.mark.parametrize("k", [2, 4])
def test_forecasts_and_draws_agree_with_what_such_customers_do(cls, first_chance: int, k: int) -> None:
    shop = regular_shop(6000, k, first_chance=first_chance, horizon=30, seed=4)
    model = cls.with_parameters(k=k, **TRUTH)
    expected = model.expected_transactions(shop, 30)
    drawn = model.sample(shop, 30, draws=20, parameters="fitted", seed=1).mean(axis=1)
    for group in (shop.x == 0, shop.x.between(1, 3), shop.x > 3):
        actual = shop.future[group]
        assert abs(actual.mean() - expected[group].mean()) < 4 * actual.std() / np.sqrt(group.sum())
        assert drawn[group].mean() == pytest.approx(expected[group].mean(), rel=0.1)


@both
@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize(
    ("x", "t_x", "T"), [(0, 0.0, 12.0), (1, 3.0, 12.0), (7, 30.0, 31.5), (40, 33.0, 39.0)]
)
def test_the_likelihood_is_that_of_quadrature_over_rates(cls, k: int, x: int, t_x: float, T: float) -> None:
    model = cls.with_parameters(k=k, **TRUTH)
    cells = rfm_cells(pd.DataFrame({"x": [x], "t_x": [t_x], "T": [T]}))
    theta = np.array(list(TRUTH.values()))
    ours, _ = model._log_likelihood(theta, cells, np.ones(1))
    chances = x + cls.first_chance
    with mp.workdps(25):
        r, alpha, a, b = (mp.mpf(v) for v in TRUTH.values())

        def of_rate(rate: mp.mpf) -> mp.mpf:
            prior = alpha**r * rate ** (r - 1) * mp.exp(-alpha * rate) / mp.gamma(r)
            bought = rate ** (k * x) * mp.exp(-rate * t_x)
            quiet = mp.exp(-rate * (T - t_x)) * sum(
                (rate * (T - t_x)) ** j / mp.factorial(j) for j in range(k)
            )
            stays = mp.beta(a, b + chances) / mp.beta(a, b)
            leaves = mp.beta(a + 1, b + chances - 1) / mp.beta(a, b) if chances else mp.mpf(0)
            return prior * bought * (stays * quiet + leaves)

        peak = (r + k * x) / (alpha + T)
        exact = mp.log(
            mp.quad(of_rate, [0, peak / 8, peak / 2, peak, 2 * peak, 5 * peak, 20 * peak, 100 * peak + 50])
        )
    assert ours == pytest.approx(float(exact), rel=1e-9)


@both
@pytest.mark.parametrize("k", [2, 5])
def test_the_gradient_agrees_with_differences_of_the_likelihood(cls, k: int, shop: pd.DataFrame) -> None:
    cells, model = rfm_cells(shop), cls.with_parameters(k=k, **TRUTH)
    at = np.array([0.6, 4.0, 0.9, 2.0])
    gradient = model._log_likelihood(at, cells, cells.counts())[1]
    for j in range(4):
        step = np.zeros(4)
        step[j] = 1e-5 * at[j]
        up, down = (model._log_likelihood(at + side * step, cells, cells.counts())[0] for side in (1, -1))
        assert gradient[j] == pytest.approx((up - down) / (2 * step[j]), rel=1e-6, abs=1e-4)


@pytest.mark.parametrize("shape", [0.3, 3.5, 200.0, 50_000.0])
@pytest.mark.parametrize("c", [0.0, 1e-9, 0.4, 30.0])
@pytest.mark.parametrize(("a", "b"), [(0.8, 2.5), (0.02, 3.0), (40.0, 0.5), (3.0, 5000.0)])
def test_one_tick_gives_the_irregular_average(shape: float, c: float, a: float, b: float) -> None:
    arrays = (np.array([shape]), np.array([c]))
    plain = mean_purchases_until_leaving(*arrays, a, np.array([b]))
    regular = mean_regular_purchases_until_leaving(*arrays, a, np.array([b]), 1, 0)
    np.testing.assert_allclose(regular, plain, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize(("k", "j"), [(2, 0), (2, 1), (4, 0), (4, 3)])
@pytest.mark.parametrize(("shape", "c"), [(0.3, 0.5), (6.0, 2.0), (40.0, 0.01)])
@pytest.mark.parametrize(("a", "b"), [(0.8, 2.5), (5.0, 0.4), (0.05, 30.0)])
def test_the_average_is_the_sum_over_purchases(
    k: int, j: int, shape: float, c: float, a: float, b: float
) -> None:
    with mp.workdps(20):
        q = mp.mpf(c) / (1 + mp.mpf(c))
        s = mp.mpf(shape) + j
        total, n, below, term = mp.mpf(0), 0, mp.mpf(0), (1 - q) ** s
        stays = mp.mpf(1)  # E[(1 - p)^(m - 1)]
        for m in range(1, 400):
            while n < m * k - j:  # P(P < m k - j)
                below += term
                term *= (s + n) / (n + 1) * q
                n += 1
            at_least = 1 - below
            if at_least < 1e-16:
                break
            total += stays * at_least
            stays *= (mp.mpf(b) + m - 1) / (mp.mpf(a) + mp.mpf(b) + m - 1)
    ours = mean_regular_purchases_until_leaving(np.array([shape]), np.array([c]), a, np.array([b]), k, j)[0]
    assert ours == pytest.approx(float(total), rel=1e-9, abs=1e-13)


@both
@settings(max_examples=30, deadline=None)
@given(rfm=summaries(), k=st.integers(2, 8))
def test_predictions_make_sense_for_any_customer(cls, rfm: pd.DataFrame, k: int) -> None:
    model = cls.with_parameters(k=k, **TRUTH)
    assert model.probability_alive(rfm).between(0, 1).all()
    previous = np.zeros(len(rfm))
    for horizon in (0.0, 0.1, 39.0, 5000.0):
        expected = model.expected_transactions(rfm, horizon).to_numpy()
        assert np.isfinite(expected).all()
        assert (expected >= previous * (1 - 1e-9) - 1e-12).all()
        previous = expected


def test_a_regular_customer_who_is_overdue_is_given_up_sooner() -> None:
    late = pd.DataFrame({"x": [10], "t_x": [30.0], "T": [42.0]})
    alive = [
        BGCNBD.with_parameters(k=k, r=0.9 * k, alpha=3.0, a=0.7, b=3.0).probability_alive(late).iloc[0]
        for k in (1, 2, 4)
    ]
    assert alive[0] > alive[1] > alive[2]


def test_without_litt_k_must_be_given(shop: pd.DataFrame) -> None:
    with pytest.raises(LtvInputError, match="litt") as caught:
        MBGCNBD().fit(shop.drop(columns="litt"))
    assert "litt=True" in caught.value.todo
    with pytest.raises(LtvInputError, match="litt"):
        MBGCNBD().fit(rfm_cells(shop))
    with_it, without = MBGCNBD(k=3).fit(shop), MBGCNBD(k=3).fit(shop.drop(columns="litt"))
    assert with_it.fit_result_.parameters == without.fit_result_.parameters
    difference = with_it.fit_result_.log_likelihood - without.fit_result_.log_likelihood
    assert difference == pytest.approx(2 * shop.litt.sum())


def test_weights_move_the_choice_of_k(shop: pd.DataFrame) -> None:
    mixed = pd.concat([shop, regular_shop(3000, 1, first_chance=1, seed=8)], ignore_index=True)
    first = np.r_[np.ones(3000), np.zeros(3000)]
    assert MBGCNBD().fit(mixed, sample_weight=first).k_ == 3
    assert MBGCNBD().fit(mixed, sample_weight=1 - first).k_ == 1
    grouped = mixed.assign(n=first)
    assert MBGCNBD().fit(grouped).k_ == 3


@both
@pytest.mark.parametrize("days_in_a_unit", [7, 1 / 7, 30.4375])
def test_gaps_in_another_unit_than_the_times_are_refused(cls, days_in_a_unit: float) -> None:
    cdnow = data_set("cdnow-sample")
    other = cdnow.assign(litt=cdnow.litt + cdnow.x * np.log(days_in_a_unit))
    for model in (cls(), cls(k=2)):
        with pytest.raises(LtvInputError, match="add up to t_x") as caught:
            model.fit(other)
        assert "rfm_summary(..., litt=True)" in caught.value.todo
    with pytest.raises(LtvInputError, match="add up to t_x"):
        cls(k=2).fit(cdnow).score(other)
    rounded = cdnow.assign(t_x=cdnow.t_x.round(2), T=cdnow["T"].round(2))
    assert cls(k=1).fit(rounded).k_ == 1  # which is no other unit


@both
def test_a_score_without_litt_does_not_compare_regularities(cls, shop: pd.DataFrame) -> None:
    bare = shop.drop(columns="litt")
    model = cls(k=2).fit(bare)
    for data in (bare, rfm_cells(shop)):
        with pytest.raises(LtvInputError, match="no score with k = 2 without the column 'litt'") as caught:
            model.score(data)
        assert "litt=True" in caught.value.todo
    irregular = cls(k=1).fit(bare)  # its likelihood has no such term
    assert irregular.score(bare) == irregular.score(rfm_cells(shop)) == irregular.score(shop)


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "2", 51])
def test_a_k_that_is_none_is_refused(k: object, shop: pd.DataFrame) -> None:
    with pytest.raises(LtvInputError, match="k is"):
        BGCNBD(k=k).fit(shop)


def test_the_score_compares_models_of_different_regularity(shop: pd.DataFrame) -> None:
    scores = {k: MBGCNBD(k=k).fit(shop).score(shop) for k in (1, 2, 3, 4)}
    assert max(scores, key=scores.__getitem__) == 3
    fitted = MBGCNBD().fit(shop)
    assert fitted.score(shop) == pytest.approx(fitted.fit_result_.log_likelihood / len(shop), rel=1e-12)
